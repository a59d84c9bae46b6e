use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use windlass::lang::{Reference, Scope};
use windlass::stack::{Checkout, decode_body, load, place};
use windlass_model::{AttrPath, Files, Kind, PathStep, Type, Value};

use crate::{catalog, right, snapshot};

const SHOP: &str = r#"
stack "shop" {
  description   = "network, queue, api"
  refresh_after = "30m"
}

variable "image_tag" {
  type    = string
  default = "latest"
  validation {
    condition     = length(var.image_tag) > 0
    error_message = "must not be empty"
  }
}

variable "sizes" {
  type      = map(object({ cpu = number, note = optional(string, "none") }))
  default   = { small = { cpu = "1" } }
  sensitive = true
  nullable  = false
}

locals {
  name = "shop-${var.image_tag}"
  all  = { for k, v in var.sizes : k => v.cpu }
}

provider "host" {
  alias       = "eu"
  address     = "eu.example"
  concurrency = 2
  retry {
    attempts = 5
    delay    = "250ms"
  }
}

environment "dev" {
  variables = { image_tag = "dev" }
}

environment "production" {
  approval = "manual"
}

resource "local_data" "base" {
  count = 2
  input = count.index
}

resource "local_file" "each" {
  for_each   = { a = 1, b = 2 }
  path       = "out/${each.key}"
  content    = "${each.value} ${local_data.base[0].output} ${local.name} ${path.stack}"
  depends_on = [local_data.base]
}

resource "host_service" "api" {
  provider      = host.eu
  image         = "api:${local_file.each["a"].sha256}"
  env           = { PORT = 80, IDS = join(",", local_data.base[*].id) }
  refresh_after = 90

  port {
    number = 80
  }
  port {
    number = "443"
    tls    = true
  }
  check "live" {
    number = 1
  }

  lifecycle {
    prevent_destroy = true
    ignore_changes  = [env["PORT"], counts[0], image]
  }
  timeouts {
    create = "1h"
    delete = 5
  }
  retry {}
  health {
    url      = "http://${self.url}/live"
    attempts = 3
  }
}

output "url" {
  value       = host_service.api.url
  description = "where it is"
  sensitive   = true
  depends_on  = [local_file.each]
}
"#;

#[test]
fn a_whole_stack_is_read() {
    let stack = right(SHOP);
    assert_eq!(stack.name, "shop");
    assert_eq!(stack.description.as_deref(), Some("network, queue, api"));
    assert_eq!(stack.settings["refresh_after"].as_str(), Some("30m"));
    let sizes = &stack.variables["sizes"];
    assert!(sizes.sensitive && !sizes.nullable);
    let small = sizes.default.as_ref().unwrap().get("small").unwrap();
    assert_eq!(small.get("cpu").unwrap().as_i64(), Some(1));
    assert_eq!(small.get("note").unwrap().as_str(), Some("none"));
    assert_eq!(stack.variables["image_tag"].validations.len(), 1);
    assert!(stack.environments["production"].manual_approval);
    assert!(stack.environments["dev"].variables.contains_key("image_tag"));
    assert_eq!(stack.locals.len(), 2);

    let provider = &stack.providers[0];
    let settings = provider.settings();
    assert_eq!((provider.alias.as_deref(), settings.concurrency), (Some("eu"), Some(2)));
    let retry = settings.retry.unwrap();
    assert_eq!((retry.attempts, retry.delay_ms, retry.max_delay_ms), (5, 250, 30_000));

    let names: Vec<String> = stack.resources.iter().map(|r| format!("{}.{}", r.kind, r.name)).collect();
    assert_eq!(names, ["local_data.base", "local_file.each", "host_service.api"]);
    let api = &stack.resources[2];
    assert_eq!(api.provider_alias.as_deref(), Some("eu"));
    assert!(api.meta.prevent_destroy && !api.meta.ignore_all);
    let ignored: Vec<String> = api.meta.ignore_changes.iter().map(ToString::to_string).collect();
    assert_eq!(ignored, ["env.PORT", "counts[0]", "image"]);
    assert_eq!(api.meta.timeouts, BTreeMap::from([("create", 3600), ("delete", 5)]));
    assert_eq!((api.meta.refresh_after, api.meta.retry.as_ref().unwrap().attempts), (Some(90), 3));
    assert!(api.meta.health.is_some());
    let attributes: Vec<&str> = api.body.attributes.iter().map(|a| &*a.name).collect();
    assert_eq!(attributes, ["image", "env"]);
    let output = &stack.outputs["url"];
    assert!(output.sensitive);
    assert_eq!(output.depends_on[0].0, Reference::Resource("local_file".into(), "each".into()));
}

#[test]
fn places_are_those_of_the_whole_file() {
    let stack = right(&format!("\u{feff}# é\n{SHOP}"));
    let head = stack.resources[1].head;
    let text = format!("\u{feff}# é\n{SHOP}");
    assert_eq!(&text[head.start as usize..head.end as usize], "resource \"local_file\" \"each\"");
    let name = &stack.locals["all"].name_at;
    assert_eq!(&text[name.start as usize..name.end as usize], "all");
}

#[test]
fn a_name_is_the_same_however_it_is_composed() {
    right("variable \"cafe\u{301}\" {}\noutput \"o\" {\n  value = var.caf\u{e9}\n}\n");
}

struct Fixed;

impl Scope for Fixed {
    fn value(&self, reference: &Reference) -> Result<Value, String> {
        Ok(match reference {
            Reference::Variable(_) => Value::from("x").sensitive(),
            Reference::Resource(..) => Value::unknown_from(Type::Any, "local_data.a"),
            other => return Err(format!("no {other:?} here")),
        })
    }
}

fn decode(source: &str) -> Result<Value, Vec<windlass_model::Diagnostic>> {
    let stack = right(source);
    let resource = stack.resources.last().unwrap();
    let catalog = catalog();
    let (_, schema) = catalog.resource(&resource.kind).unwrap();
    decode_body(&schema.body, &resource.body, &resource.file, &Fixed)
}

#[test]
fn bodies_become_values_of_their_schema() {
    let value = decode(SHOP).unwrap();
    let names: Vec<&str> = value.entries().unwrap().iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["check", "counts", "env", "image", "main", "port"]);
    assert!(value.get("image").unwrap().is_unknown());
    assert!(value.get("counts").unwrap().is_null());
    assert!(value.get("main").unwrap().is_null());
    let ports = value.get("port").unwrap().items().unwrap();
    assert_eq!(ports[1].get("number").unwrap().as_i64(), Some(443));
    assert_eq!(ports[0].get("tls").unwrap().as_bool(), None);
    assert_eq!(value.get("check").unwrap().get("live").unwrap().get("number").unwrap().as_i64(), Some(1));
    assert_eq!(value.get("env").unwrap().get("PORT").unwrap().as_str(), Some("80"));
}

#[test]
fn unknown_and_sensitive_values_stay_so() {
    let value = decode(
        "variable \"v\" {}\nresource \"local_data\" \"a\" {}\nresource \"local_file\" \"f\" {\n  path = local_data.a.output\n  content = var.v\n  secret = \"s\"\n}",
    )
    .unwrap();
    let Kind::Unknown(path) = &value.get("path").unwrap().kind else { panic!("{value:?}") };
    assert_eq!(path.ty, Type::String);
    assert!(path.source.is_some());
    assert!(value.get("content").unwrap().is_sensitive());
    assert!(value.get("secret").unwrap().is_sensitive());
    assert!(value.get("sha256").is_none(), "what is computed is not desired");
    assert!(value.get("mode").unwrap().is_null());
}

#[test]
fn a_value_of_the_wrong_type_is_told_with_its_place() {
    let source =
        "variable \"v\" {}\nresource \"host_service\" \"s\" {\n  image = \"i\"\n  counts = [1, var.v]\n}";
    let problems = decode(source).unwrap_err();
    assert_eq!(problems.len(), 1);
    let place = &problems[0].labels[0].span;
    assert_eq!(&source[place.start as usize..place.end as usize], "var.v");
    assert!(problems[0].title.contains("counts[1]"), "{:?}", problems[0]);
    assert!(!format!("{problems:?}").contains("\"x\""), "{problems:?}");
}

#[test]
fn a_path_has_a_place() {
    let stack = right(SHOP);
    let api = &stack.resources[2];
    let at = |steps: &[PathStep]| {
        let span = place(&api.body, &api.file, &AttrPath(steps.to_vec()))?;
        Some(&SHOP[span.start as usize..span.end as usize])
    };
    let name = |text: &str| PathStep::Name(text.into());
    assert_eq!(at(&[name("env"), name("PORT")]), Some("80"));
    assert_eq!(at(&[name("port"), PathStep::Index(1), name("number")]), Some("\"443\""));
    assert_eq!(at(&[name("port"), PathStep::Index(0), name("tls")]), Some("port"));
    assert_eq!(at(&[name("check"), name("live"), name("number")]), Some("1"));
    assert_eq!(at(&[name("counts")]), None);
    assert_eq!(at(&[]), None);
}

#[test]
fn uses_are_visited_in_nested_blocks_too() {
    let stack = right(
        "variable \"a\" {}\nvariable \"b\" {}\nresource \"host_service\" \"s\" {\n  image = var.a\n  port {\n    number = var.b\n  }\n}",
    );
    let mut found = Vec::new();
    stack.resources[0].body.uses(&mut |one| found.push(one.reference.clone()));
    assert_eq!(found, [Reference::Variable("a".into()), Reference::Variable("b".into())]);
}

#[test]
fn several_files_are_one_stack_and_others_are_none() {
    let files = snapshot(&[
        ("b.stack.hcl", b"output \"o\" {\n  value = local.x\n}\n"),
        ("a.stack.hcl", b"locals {\n  x = 1\n}\n"),
        ("sub/c.stack.hcl", b"nonsense"),
        ("d.hcl", b"nonsense"),
    ]);
    let loaded = load(&files, &catalog());
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    assert_eq!(loaded.stack.name, "shop", "the directory's name");
    let none = load(&snapshot(&[("d.hcl", b"")]), &catalog());
    assert_eq!(none.diagnostics[0].title, "no stack file in `shop`");
}

#[test]
fn a_checkout_is_read_as_its_snapshot_is() {
    let dir = tempfile::tempdir().unwrap();
    let stack = dir.path().join("deep/shop");
    std::fs::create_dir_all(&stack).unwrap();
    std::fs::create_dir(dir.path().join(".git")).unwrap();
    std::fs::write(stack.join("main.stack.hcl"), SHOP).unwrap();
    let checkout = Checkout::open(&stack).unwrap();
    assert_eq!(checkout.stack_dir(), "deep/shop");
    let loaded = load(&checkout, &catalog());
    assert!(loaded.diagnostics.is_empty());
    assert_eq!(checkout.noted()[0].path, "deep/shop/main.stack.hcl");
    assert_eq!(&*loaded.stack.resources[0].file, "deep/shop/main.stack.hcl");
    for (name, make) in [("dir", 0), ("link", 1)] {
        let path = stack.join(format!("{name}.stack.hcl"));
        match make {
            0 => std::fs::create_dir(&path).unwrap(),
            _ => std::os::unix::fs::symlink(Path::new("nowhere"), &path).unwrap(),
        }
    }
    let titles: Vec<String> = load(&Checkout::open(&stack).unwrap(), &catalog())
        .diagnostics
        .iter()
        .map(|d| d.title.clone())
        .collect();
    assert_eq!(
        titles,
        [
            "cannot read `deep/shop/dir.stack.hcl`: is a directory, and a file is needed",
            "cannot read `deep/shop/link.stack.hcl`: is a link to `nowhere`, which cannot be followed",
        ]
    );
    let _: Arc<[u8]> = checkout.read("deep/shop/main.stack.hcl").unwrap();
}
