//! What one configuration file says about modules, providers, variables and the backend. Pure.
//!
//! terraform stays the judge of the language: a file that cannot be parsed here is searched for module sources line by line,
//! and counts as a whole among what `init` depends on.

use std::collections::BTreeSet;

use hcl_edit::Span;
use hcl_edit::structure::{Block, Body};
use serde_json::Value as Json;

use crate::sources::Backend;

/// What the files of one module say.
#[derive(Debug, Default)]
pub struct Module {
    /// Sources of modules that are directories: `./x`, `../x`.
    pub local: BTreeSet<String>,
    /// Sources of other modules.
    pub remote: BTreeSet<String>,
    /// Local names of the providers that it uses, without the built-in one.
    pub providers: BTreeSet<String>,
    /// Declared variables.
    pub variables: BTreeSet<String>,
    /// The backend, where one is declared.
    pub backend: Option<Backend>,
    /// What `terraform init` depends on.
    pub init_text: String,
}

/// Whether a file of this name is configuration.
pub fn is_config(name: &str) -> bool {
    [".tf", ".tf.json", ".tofu", ".tofu.json"].iter().any(|end| name.ends_with(end)) && !name.starts_with('.')
}

/// Reads one file.
pub fn read(path: &str, text: &str) -> Module {
    let mut module = Module::default();
    if path.ends_with(".json") {
        match serde_json::from_str::<Json>(text) {
            Ok(json) => module.take_json(&json),
            Err(_) => module.take_lines(text),
        }
        // Which part of it matters is not looked for.
        module.init_text.push_str(text);
        return module;
    }
    match hcl_edit::parser::parse_body(text) {
        Ok(body) => module.take_body(&body, text),
        Err(_) => module.take_lines(text),
    }
    module
}

impl Module {
    /// Adds what another file of the same module says.
    pub fn merge(&mut self, other: Module) {
        self.local.extend(other.local);
        self.remote.extend(other.remote);
        self.providers.extend(other.providers);
        self.variables.extend(other.variables);
        self.backend = other.backend.or(self.backend.take());
        self.init_text.push_str(&other.init_text);
    }

    fn take_body(&mut self, body: &Body, text: &str) {
        for block in body.blocks() {
            let label = block.labels.first().map(|label| label.as_str().to_owned()).unwrap_or_default();
            match block.ident.as_str() {
                "module" => {
                    self.source(attribute(&block.body, "source").unwrap_or_default());
                    let version = attribute(&block.body, "version").unwrap_or_default();
                    let source = attribute(&block.body, "source").unwrap_or_default();
                    self.init_text.push_str(&format!("module {label} {source} {version}\n"));
                }
                "terraform" => {
                    self.take_settings(block);
                    self.init_text.push_str(block.span().and_then(|at| text.get(at)).unwrap_or(text));
                    self.init_text.push('\n');
                }
                "variable" => {
                    self.variables.insert(label);
                }
                "provider" => self.provider(&label),
                "resource" | "data" | "ephemeral" => {
                    // `provider = aws.east` is an expression; its first name is the local name.
                    let given = block.body.get_attribute("provider").map(|given| given.value.to_string());
                    let given = given.as_deref().map(|given| given.trim().split('.').next().unwrap_or(""));
                    self.provider(given.unwrap_or_else(|| implied(&label)));
                }
                _ => {}
            }
        }
    }

    fn take_settings(&mut self, settings: &Block) {
        for block in settings.body.blocks() {
            match block.ident.as_str() {
                "backend" => {
                    let kind = block.labels.first().map(|label| label.as_str().to_owned());
                    self.backend = Some(backend(kind.unwrap_or_default(), &block.body));
                }
                "cloud" => self.backend = Some(backend("cloud".to_owned(), &block.body)),
                "required_providers" => {
                    for wanted in block.body.attributes() {
                        let builtin = wanted.value.to_string().contains("terraform.io/builtin/terraform");
                        if !builtin {
                            self.providers.insert(wanted.key.as_str().to_owned());
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn take_json(&mut self, json: &Json) {
        for module in each(&json["module"]).flat_map(|(_, module)| alike(module)) {
            self.source(module["source"].as_str().unwrap_or_default());
        }
        self.variables.extend(each(&json["variable"]).map(|(name, _)| name.clone()));
        for (name, _) in each(&json["provider"]) {
            self.provider(name);
        }
        for (kind, _) in each(&json["resource"]).chain(each(&json["data"])) {
            self.provider(implied(kind));
        }
        for settings in alike(&json["terraform"]) {
            for (name, _) in each(&settings["required_providers"]) {
                self.provider(name);
            }
            let own = each(&settings["backend"]).map(|(kind, body)| (kind.as_str(), body)).next();
            if let Some((kind, body)) = own.or(settings.get("cloud").map(|body| ("cloud", body))) {
                let texts = each(body).filter_map(|(key, v)| Some((key.clone(), v.as_str()?.to_owned())));
                self.backend = Some(Backend { kind: kind.to_owned(), settings: texts.collect() });
            }
        }
    }

    /// What can be had of a file that does not parse.
    fn take_lines(&mut self, text: &str) {
        for line in text.lines() {
            let Some((name, value)) = line.split_once('=') else { continue };
            let value = value.trim().trim_matches(['"', ',']);
            if name.trim().trim_matches('"') == "source" && is_local(value) {
                self.source(value);
            }
        }
        self.init_text.push_str(text);
        // Nobody can tell what it needs; init finds out.
        self.providers.insert("(not parsed)".to_owned());
    }

    fn source(&mut self, source: &str) {
        match is_local(source) {
            true => self.local.insert(source.to_owned()),
            false => self.remote.insert(source.to_owned()),
        };
    }

    fn provider(&mut self, name: &str) {
        if name != "terraform" && !name.is_empty() && self.providers.insert(name.to_owned()) {
            self.init_text.push_str(&format!("provider {name}\n"));
        }
    }
}

fn is_local(source: &str) -> bool {
    source.starts_with("./") || source.starts_with("../") || source == "." || source == ".."
}

/// The provider that a resource type belongs to unless it says otherwise: `aws` of `aws_vpc`.
fn implied(kind: &str) -> &str {
    kind.split('_').next().unwrap_or(kind)
}

fn attribute<'a>(body: &'a Body, name: &str) -> Option<&'a str> {
    body.get_attribute(name)?.value.as_str()
}

fn backend(kind: String, body: &Body) -> Backend {
    let text = |attribute: &hcl_edit::structure::Attribute| {
        Some((attribute.key.as_str().to_owned(), attribute.value.as_str()?.to_owned()))
    };
    Backend { kind, settings: body.attributes().filter_map(text).collect() }
}

/// The entries of a JSON object, or of each object in an array.
fn each(json: &Json) -> impl Iterator<Item = (&String, &Json)> {
    alike(json).filter_map(Json::as_object).flatten()
}

/// The thing itself, or the things in an array: JSON syntax allows both for a block.
fn alike(json: &Json) -> impl Iterator<Item = &Json> {
    let (one, many) = match json {
        Json::Array(items) => (None, items.as_slice()),
        other => (Some(other), [].as_slice()),
    };
    one.into_iter().chain(many)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_init_needs() {
        let module = read(
            "main.tf",
            r#"
terraform {
  required_providers {
    random = { source = "hashicorp/random", version = "~> 3" }
  }
  backend "s3" {
    bucket = "b"
    key    = "k"
  }
}
variable "x" {}
resource "aws_vpc" "a" { cidr_block = var.x }
resource "google_thing" "b" { provider = google-beta.eu }
resource "terraform_data" "c" {}
module "near" { source = "./near" }
module "far" {
  source  = "terraform-aws-modules/vpc/aws"
  version = "5.0.0"
}
"#,
        );
        assert_eq!(module.local.iter().collect::<Vec<_>>(), ["./near"]);
        assert_eq!(module.remote.iter().collect::<Vec<_>>(), ["terraform-aws-modules/vpc/aws"]);
        assert_eq!(module.providers.iter().collect::<Vec<_>>(), ["aws", "google-beta", "random"]);
        let backend = module.backend.unwrap();
        assert_eq!((backend.kind.as_str(), backend.settings["bucket"].as_str()), ("s3", "b"));
        assert!(module.variables.contains("x") && module.init_text.contains("~> 3"));
    }

    #[test]
    fn what_init_does_not_depend_on_leaves_its_text_alone() {
        let text =
            |input: &str| read("a.tf", &format!("resource \"aws_vpc\" \"a\" {{ x = {input} }}")).init_text;
        assert_eq!(text("1"), text("2"));
        let other = read("a.tf", "resource \"google_x\" \"a\" {}").init_text;
        assert_ne!(text("1"), other);
    }

    #[test]
    fn json_syntax_and_broken_files_are_followed_too() {
        let json = r#"{"module":{"m":{"source":"../m"}},"variable":{"v":{}},"resource":{"aws_x":{}},
            "terraform":[{"backend":{"gcs":{"bucket":"b"}}}]}"#;
        let module = read("main.tf.json", json);
        assert!(module.local.contains("../m") && module.variables.contains("v"));
        assert!(module.providers.contains("aws") && module.backend.unwrap().kind == "gcs");
        let broken = read("main.tf", "module \"m\" {\n  source = \"./m\"\n  = = =\n");
        assert!(broken.local.contains("./m") && !broken.providers.is_empty());
    }
}
