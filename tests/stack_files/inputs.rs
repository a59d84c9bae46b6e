use windlass::stack::GivenArg;
use windlass_model::Value;

use crate::given;

const SOURCE: &str = r#"
variable "tag" {
  type    = string
  default = "default"
}
variable "count" {
  type     = number
  default  = 1
  nullable = false
}
variable "needed" {
  type = list(string)
}
variable "token" {
  type      = number
  default   = 7
  sensitive = true
  validation {
    condition     = var.token < 1000
    error_message = "token ${var.token} is too large"
  }
}
environment "dev" {
  variables = { tag = "${stack.name}-${environment.name}", count = "2" }
}
"#;

fn set(name: &str, value: &str) -> GivenArg {
    GivenArg::Set { name: name.to_owned(), value: value.to_owned() }
}

fn file(path: &str, content: &str) -> GivenArg {
    GivenArg::File { path: path.to_owned(), content: content.to_owned() }
}

fn titles(resolved: &windlass::stack::Resolved) -> Vec<String> {
    resolved.diagnostics.iter().map(|d| d.title.clone()).collect()
}

#[test]
fn defaults_are_taken_and_missing_ones_listed() {
    let resolved = given(SOURCE, "default", &[], vec![]);
    assert!(resolved.diagnostics.is_empty());
    assert_eq!(resolved.missing.iter().map(|n| &**n).collect::<Vec<_>>(), ["needed"]);
    assert_eq!(resolved.values["tag"].as_str(), Some("default"));
    assert!(resolved.values["token"].is_sensitive());
}

#[test]
fn later_ones_win() {
    let needed = || set("needed", r#"["a", 1]"#);
    let env = [("tag", "env"), ("count", "5"), ("other_stack", "x")];
    let resolved = given(SOURCE, "default", &env, vec![needed()]);
    assert!(resolved.diagnostics.is_empty(), "{:?}", resolved.diagnostics);
    assert_eq!(resolved.values["tag"].as_str(), Some("env"));
    assert_eq!(resolved.values["count"].as_i64(), Some(5));
    assert_eq!(resolved.values["needed"].items().unwrap()[1].as_str(), Some("1"));

    let resolved = given(SOURCE, "dev", &env, vec![needed()]);
    assert_eq!(
        titles(&resolved),
        [
            "WINDLASS_VAR_count has no effect: environment `dev` sets `count`",
            "WINDLASS_VAR_tag has no effect: environment `dev` sets `tag`",
        ]
    );
    assert!(resolved.diagnostics.iter().all(|d| !d.is_error()));
    assert_eq!(resolved.values["tag"].as_str(), Some("shop-dev"));
    assert_eq!(resolved.values["count"].as_i64(), Some(2));

    let args = vec![
        needed(),
        set("tag", "${not an expression}"),
        file("a.tfvars", "# c\ncount = 3\ntag = \"file\"\n"),
        file("b.json", "{\"count\": 4}"),
    ];
    let resolved = given(SOURCE, "dev", &[], args);
    assert!(resolved.diagnostics.is_empty(), "{:?}", resolved.diagnostics);
    assert_eq!(resolved.values["tag"].as_str(), Some("file"));
    assert_eq!(resolved.values["count"].as_i64(), Some(4));
    let resolved = given(SOURCE, "dev", &[], vec![needed(), set("tag", "${text}")]);
    assert_eq!(resolved.values["tag"].as_str(), Some("${text}"), "a string variable takes the text itself");
}

#[test]
fn null_means_the_default_where_it_is_not_a_value() {
    let args = vec![set("needed", "null"), file("v.tfvars", "count = null\ntag = null\n")];
    let resolved = given(SOURCE, "default", &[], args);
    assert!(resolved.diagnostics.is_empty(), "{:?}", resolved.diagnostics);
    assert_eq!(resolved.values["count"].as_i64(), Some(1));
    assert!(resolved.values["tag"].is_null());
    assert!(resolved.values["needed"].is_null());
    let strict = "variable \"v\" {\n  type = list(string)\n  nullable = false\n}\n";
    let resolved = given(strict, "default", &[], vec![set("v", "null")]);
    assert_eq!(titles(&resolved), ["variable `v` is not nullable, has no default, and was given null"]);
}

#[test]
fn what_is_wrong_is_told() {
    let args = vec![
        set("needed", "[unquoted]"),
        set("cuont", "1"),
        set("count", "many"),
        file("v.tfvars", "\ntga = 1\nblock {\n}\n"),
        file("w.tfvars", "x = [\n"),
        file("w.json", "[1]"),
    ];
    let resolved = given(SOURCE, "default", &[], args);
    let shown: Vec<String> = resolved.diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(shown.len(), 7, "{shown:#?}");
    assert!(shown[0].starts_with("--var needed: the value is not an expression"), "{}", shown[0]);
    assert_eq!(
        shown[1],
        "`--var` sets `cuont`, which is not a variable of this stack (did you mean `count`?)"
    );
    assert!(shown[2].starts_with("`v.tfvars`, line 3: a file of variables"), "{}", shown[2]);
    assert!(shown[3].starts_with("`v.tfvars`, line 2, sets `tga`"), "{}", shown[3]);
    assert!(shown[4].starts_with("`w.tfvars`, line 1: `[` is not closed"), "{}", shown[4]);
    assert!(shown[5].starts_with("`w.json` is not a JSON object"), "{}", shown[5]);
    assert!(shown[6].starts_with("variable `count`: the value is not of type number"), "{}", shown[6]);
    assert!(resolved.missing.is_empty(), "what was given wrongly is not missing");
}

#[test]
fn a_secret_is_never_shown() {
    let secret = "123456789";
    for wrong in [secret, "s3cr3t-9", "${9"] {
        for args in [
            vec![set("token", wrong), set("needed", "[]")],
            vec![file("v.tfvars", &format!("token = \"{wrong}\"\nneeded = []\n"))],
            vec![file("v.json", &format!("{{\"token\": \"{wrong}\", \"needed\": []}}"))],
        ] {
            let shown_args = format!("{args:?}");
            let resolved = given(SOURCE, "default", &[], args);
            assert!(!resolved.diagnostics.is_empty());
            let shown = format!("{shown_args} {resolved:?}");
            assert!(!shown.contains(wrong), "{shown}");
        }
        // In the environment block the line with the value must not be pointed at.
        let source = format!(
            "variable \"token\" {{\n  type = number\n  sensitive = true\n  validation {{\n    condition = var.token < 1000\n    error_message = \"no ${{var.token}}\"\n  }}\n}}\nenvironment \"dev\" {{\n  variables = {{ token = \"{}\" }}\n}}\n",
            wrong.replace('$', "$$")
        );
        let resolved = given(&source, "dev", &[], vec![]);
        assert!(!resolved.diagnostics.is_empty());
        for label in resolved.diagnostics.iter().flat_map(|d| &d.labels) {
            let line = &source[label.span.start as usize..label.span.end as usize];
            assert!(!line.contains(&wrong.replace('$', "$$")), "{line}");
        }
    }
    assert_eq!(format!("{:?}", Value::from(secret).sensitive()), "(sensitive)");
}

#[test]
fn a_validation_that_does_not_hold_says_its_message() {
    let source = "variable \"n\" {\n  type = number\n  validation {\n    condition = var.n > 1\n    error_message = \"n is ${var.n}, at least 2 is needed\"\n  }\n}\n";
    let resolved = given(source, "default", &[], vec![set("n", "1")]);
    assert_eq!(titles(&resolved), ["variable `n`: n is 1, at least 2 is needed"]);
    assert!(given(source, "default", &[], vec![set("n", "2")]).diagnostics.is_empty());
}
