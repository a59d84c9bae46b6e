use crate::{line, problems, read};

fn one(source: &str) -> String {
    let found = problems(source);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.into_iter().next().unwrap()
}

#[test]
fn names_of_blocks_and_attributes() {
    assert_eq!(
        one("resuorce \"a\" \"b\" {\n}"),
        "unknown block `resuorce` @ resuorce (did you mean `resource`?)"
    );
    assert_eq!(one("module \"m\" {\n}"), "`module` blocks are not supported yet @ module");
    assert_eq!(
        one("x = 1"),
        "`x` stands outside of any block @ x (values with a name belong into `locals { x = … }`)"
    );
    assert_eq!(
        one("variable \"a\" {\n  defualt = 1\n}"),
        "unknown attribute `defualt` in a `variable` block @ defualt (did you mean `default`?)"
    );
    assert_eq!(
        one("variable \"a\" \"b\" {\n}"),
        "`variable` takes one label, not 2 @ variable \"a\" \"b\" (write it as `variable \"name\" { … }`)"
    );
    assert!(one(&format!("variable \"{}\" {{\n}}", "a".repeat(200))).contains("128 bytes at most"));
    assert!(one("variable \"a b\" {\n}").starts_with("\"a b\" is not a name @ \"a b\""));
    assert_eq!(
        one("resource \"local_fiel\" \"a\" {\n}"),
        "unknown resource type `local_fiel` @ resource \"local_fiel\" \"a\" (did you mean `local_file`?)"
    );
    assert_eq!(
        one("resource \"local_file\" \"a\" {\n  path = \"p\"\n  contnet = \"c\"\n}"),
        "unknown attribute `contnet` of `local_file` @ contnet (did you mean `content`?)"
    );
    assert_eq!(
        one("resource \"local_file\" \"a\" {\n}"),
        "`local_file` needs `path` @ resource \"local_file\" \"a\" <is not given>"
    );
    assert_eq!(
        one("resource \"local_file\" \"a\" {\n  path = \"p\"\n  sha256 = \"x\"\n}"),
        "`sha256` of `local_file` is computed: it cannot be set @ sha256 <remove this>"
    );
    assert_eq!(
        one("provider \"hots\" {\n}"),
        "unknown provider `hots` @ provider \"hots\" (did you mean `host`?)"
    );
    assert_eq!(
        one("resource \"local_data\" \"a\" {\n  provider = local.other\n}"),
        "no provider block `local` has the alias `other` @ resource \"local_data\" \"a\" <in this resource> (write `provider \"local\" { alias = \"other\" }`)"
    );
    assert_eq!(
        one("resource \"local_data\" \"a\" {\n  provider = host\n}"),
        "`local_data` belongs to provider `local`, not to `host` @ host"
    );
    assert_eq!(one("output \"o\" {\n}"), "output `o` has no `value` @ output \"o\"");
}

#[test]
fn nested_blocks() {
    let service = |inner: &str| format!("resource \"host_service\" \"a\" {{\n  image = \"i\"\n  {inner}\n}}");
    let one = |inner: &str| one(&service(inner));
    assert!(one("env {\n  A = 1\n  }").ends_with("(it is an attribute: write `env = { … }`)"));
    assert!(one("port = []").ends_with("(it is a block: write `port { … }`, without `=`)"));
    assert!(one("check {\n    number = 1\n  }").starts_with("`check` takes one label"));
    assert!(one("prot {\n    number = 1\n  }").ends_with("(did you mean `port`?)"));
    assert!(one("port {\n  }").starts_with("`port` needs `number`"));
    assert!(one("port {\n    number = 1\n    tsl = true\n  }").contains("did you mean `tls`?"));
    assert!(one("dynamic \"port\" {\n  }").ends_with("(`dynamic` blocks are not supported yet)"));
    let twice = "main {\n    number = 1\n  }\n  main {\n    number = 2\n  }";
    assert_eq!(one(twice), "`main` stands twice @ main <again here>");
    let same = "check \"a\" {\n    number = 1\n  }\n  check \"a\" {\n    number = 2\n  }";
    assert_eq!(one(same), "`check` \"a\" stands twice @ check \"a\" <again here>");
    assert!(
        one("health {\n    url = \"u\"\n    path = \"p\"\n  }").starts_with("a `health` block needs one of")
    );
    assert!(one("lifecycle {\n    ignore_changes = [imgae]\n  }").contains("did you mean `image`?"));
    assert!(one("timeouts {\n    create = \"soon\"\n  }").starts_with("`create`: a duration is needed"));
    assert!(one("retry {\n    attempts = 0\n  }").starts_with("`attempts`: a whole number"));
    assert!(one("lifecycle {\n    create_before_destroy = true\n  }").contains("is not supported yet"));
}

#[test]
fn references() {
    let value = |expr: &str| format!("output \"o\" {{\n  value = {expr}\n}}");
    let base = "variable \"image_tag\" {}\nlocals {\n  name = 1\n}\nresource \"local_data\" \"a\" {}\nresource \"local_data\" \"many\" {\n  count = 1\n}\nresource \"local_data\" \"each\" {\n  for_each = { k = 1 }\n}\n";
    let one = |expr: &str| one(&format!("{base}{}", value(expr)));
    assert_eq!(
        one("var.image_tga"),
        "unknown variable `var.image_tga` @ var.image_tga (did you mean `var.image_tag`?)"
    );
    assert_eq!(one("local.nmae"), "unknown local `local.nmae` @ local.nmae (did you mean `local.name`?)");
    assert!(one("image_tag").contains("did you mean `var.image_tag`?"), "{}", one("image_tag"));
    assert!(one("nothing").starts_with("unknown name `nothing` @ nothing"));
    assert!(one("path.stak").contains("did you mean `path.stack`?"));
    assert!(one("module.m.x").starts_with("`module.m`: modules are not supported yet"));
    assert_eq!(
        one("local_data.b.id"),
        "unknown resource `local_data.b` @ local_data.b (did you mean `local_data.a`?)"
    );
    assert!(one("local_dta.a.id").contains("did you mean `local_data.a`?"));
    assert!(one("aws_thing.a.id").contains("is not a resource type"));
    assert_eq!(
        one("local_data.a.ouput"),
        "`local_data.a` has no attribute `ouput` @ ouput (did you mean `output`?)"
    );
    assert_eq!(
        one("local_data.many.id"),
        "`local_data.many` has `count`, so one of its instances must be named @ local_data.many (write `local_data.many[0].id`, or `local_data.many[*].id` for all of them)"
    );
    assert!(one("local_data.each.id").contains("`local_data.each[\"key\"].id`"));
    assert!(one("local_data.a[0].id").contains("neither `count` nor `for_each`"));
    assert!(one("local_data.many[0].ouput").contains("did you mean `output`?"));
    assert!(one("local_data.many[*].ouput").contains("did you mean `output`?"));
    assert!(one("each.key").starts_with("`each` has a meaning only"));
    assert!(one("count.index").starts_with("`count.index` has a meaning only"));
    assert!(one("self.id").starts_with("`self` has a meaning only"));
    assert!(one("uper(\"a\")").contains("upper"));
    for right in [
        "local_data.many",
        "local_data.many[0].id",
        "local_data.each[\"k\"].id",
        "[for d in local_data.many : d.id]",
        "local_data.many[*].id",
        "local_data.a[\"id\"]",
        "local_data.a.output.x.y",
    ] {
        assert_eq!(problems(&format!("{base}{}", value(right))), Vec::<String>::new(), "{right}");
    }
}

#[test]
fn what_a_resource_may_refer_to() {
    let itself = "resource \"local_data\" \"a\" {\n  input = local_data.a.id\n}";
    assert_eq!(one(itself), "`local_data.a` refers to itself @ local_data.a");
    let list = one("resource \"local_data\" \"a\" {\n  for_each = [\"a\"]\n}");
    assert!(list.starts_with("`for_each` takes a map or a set of strings"), "{list}");
    let both = "resource \"local_data\" \"a\" {\n  count = 1\n  for_each = {}\n}";
    assert!(one(both).starts_with("`local_data.a` has both `count` and `for_each`"));
    assert!(
        one("resource \"local_data\" \"a\" {\n  for_each = each.value\n}")
            .starts_with("`each` has a meaning")
    );
    assert!(
        one("resource \"local_data\" \"a\" {\n  depends_on = [local_data.b]\n}")
            .starts_with("unknown resource `local_data.b`")
    );
    assert!(
        one("resource \"local_data\" \"a\" {\n  depends_on = [local_data.a]\n}")
            .starts_with("`local_data.a` refers to itself")
    );
    assert!(
        one("resource \"local_data\" \"a\" {\n  depends_on = [1]\n}")
            .starts_with("`depends_on` takes whole resources")
    );
}

#[test]
fn constant_values_of_the_wrong_type() {
    let service = |inner: &str| format!("resource \"host_service\" \"a\" {{\n  {inner}\n}}");
    assert!(one(&service("image = [1]")).starts_with("wrong type for `image` @ [1]"));
    let found = one(&service(
        "image = \"i\"\n  counts = [1, \"x\", local_data.b]\n}\nresource \"local_data\" \"b\" {",
    ));
    assert!(found.starts_with("wrong type for `counts` @ \"x\""), "{found}");
    assert!(one(&service("image = \"i\"\n  env = { A = [], B = 1 }")).contains("@ []"));
    assert!(one(&service("image = \"i\"\n  env = \"x\"")).starts_with("wrong type for `env` @ \"x\""));
    assert!(problems(&service("image = 5\n  counts = [\"1\"]\n  env = { A = true, B = null }")).is_empty());
    let default = one("variable \"v\" {\n  type = number\n  default = \"x\"\n}");
    assert!(default.starts_with("the default does not fit the variable's type number @ \"x\""), "{default}");
    let secret = "variable \"v\" {\n  type = number\n  default = \"hush\"\n  sensitive = true\n}";
    assert!(!format!("{:?}", read(secret).diagnostics).contains("hush"));
    let secret = "resource \"local_file\" \"f\" {\n  path = \"p\"\n  secret = [\"hush\"]\n}";
    let found = read(secret).diagnostics;
    assert_eq!(found.len(), 1);
    assert!(!format!("{found:?}").contains("hush"));
    assert!(
        found[0].labels.iter().all(|l| !secret[l.span.start as usize..l.span.end as usize].contains("hush"))
    );
}

#[test]
fn variables_and_environments() {
    let undeclared = "variable \"tag\" {}\nenvironment \"dev\" {\n  variables = { tga = 1 }\n}";
    assert_eq!(
        one(undeclared),
        "environment `dev` sets `tga`, which is not a variable of this stack @ 1 <its value> (did you mean `tag`?)"
    );
    let refers = "variable \"tag\" {}\nlocals {\n  a = 1\n}\nenvironment \"dev\" {\n  variables = { tag = local.a }\n}";
    assert!(one(refers).starts_with("values in an `environment` block can refer to"));
    assert!(one("environment \"dev\" {\n  approval = \"sometimes\"\n}").starts_with("`approval` must be"));
    let validation = |condition: &str| {
        format!(
            "variable \"a\" {{\n  validation {{\n    condition = {condition}\n    error_message = \"m\"\n  }}\n}}\nvariable \"b\" {{}}"
        )
    };
    assert!(
        one(&validation("var.a == var.b")).starts_with("a validation can refer to its own variable only")
    );
    assert!(one(&validation("true")).starts_with("the condition does not look at `var.a`"));
    assert!(one("variable \"a\" {\n  default = var.b\n}\nvariable \"b\" {}").contains("must be a constant"));
    assert!(one("variable \"a\" {\n  type = strin\n}").contains("strin"));
    assert!(
        one("variable \"a\" {\n  default = null\n  nullable = false\n}").starts_with("the default is null")
    );
}

#[test]
fn duplicates_show_the_first() {
    let blocks = [
        ("stack \"s\" {\n}", "the `stack` block"),
        ("variable \"a\" {\n}", "variable `a`"),
        ("locals {\n  a = 1\n}", "`local.a`"),
        ("provider \"local\" {\n}", "provider `local` without an alias"),
        ("environment \"a\" {\n}", "environment `a`"),
        ("resource \"local_data\" \"a\" {\n}", "`local_data.a`"),
        ("output \"a\" {\n  value = 1\n}", "output `a`"),
    ];
    for (block, what) in blocks {
        let source = format!("{block}\n{block}\n");
        let found = read(&source).diagnostics;
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(line(&source, &found[0]).starts_with(&format!("{what} stands twice @ ")), "{found:?}");
        assert!(found[0].labels[1].span < found[0].labels[0].span);
        assert_eq!(found[0].labels[1].text, "first here");
    }
}

#[test]
fn circles_of_locals_are_shown_as_paths() {
    let title = |source: &str| read(source).diagnostics.iter().map(|d| d.title.clone()).collect::<Vec<_>>();
    assert_eq!(
        title("locals {\n  b = local.a\n  a = [local.b]\n  c = local.a\n}"),
        ["locals refer to each other in a circle: local.a -> local.b -> local.a"]
    );
    assert_eq!(
        title("locals {\n  a = local.a\n}"),
        ["locals refer to each other in a circle: local.a -> local.a"]
    );
    let ring: String = (0..1000).map(|i| format!("  l{i:03} = local.l{:03}\n", (i + 1) % 1000)).collect();
    let found = title(&format!("locals {{\n{ring}}}"));
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("… (990 more) -> local.l000"), "{}", found[0]);
}

#[test]
fn everything_is_told_in_one_go_and_in_order() {
    let source = "variable \"a\" {\n  type = nubmer\n}\nresource \"local_file\" \"f\" {\n  path = var.b\n  x = [1\n}\nresource \"local_file\" \"g\" {\n  path = var.c\n  y = 1\n}\n";
    let found = problems(source);
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(found[1].starts_with("`}` closes nothing: `[` is still open"), "{found:#?}");
    assert!(found[2].starts_with("unknown variable `var.c`"), "{found:#?}");
    assert!(found[3].starts_with("unknown attribute `y`"), "{found:#?}");
}
