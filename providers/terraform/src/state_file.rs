//! Terraform's state file, version 4: read, never written.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value as Json;
use serde_json::value::RawValue;
use windlass_model::{Kind, Nested, Type, Value};

use crate::json;

/// A state file.
#[derive(Debug, Deserialize)]
pub struct StateFile {
    version: u64,
    /// The tool's version that wrote it.
    #[serde(default)]
    pub terraform_version: String,
    /// Raised at each change.
    pub serial: u64,
    /// What tells one state from another: the same as long as it lives.
    pub lineage: String,
    #[serde(default)]
    outputs: BTreeMap<String, StateOutput>,
    #[serde(default)]
    resources: Vec<StateResource>,
}

#[derive(Debug, Deserialize)]
struct StateOutput {
    value: Option<Box<RawValue>>,
    #[serde(rename = "type", default)]
    ty: Json,
    #[serde(default)]
    sensitive: bool,
}

#[derive(Debug, Deserialize)]
struct StateResource {
    #[serde(default)]
    module: Option<String>,
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    #[serde(default)]
    provider: String,
    #[serde(default)]
    instances: Vec<StateInstance>,
}

#[derive(Debug, Deserialize)]
struct StateInstance {
    #[serde(default)]
    index_key: Json,
    #[serde(default)]
    deposed: Option<String>,
    #[serde(default)]
    attributes: Option<Attributes>,
    #[serde(default)]
    sensitive_attributes: Json,
}

#[derive(Debug, Deserialize)]
struct Attributes {
    #[serde(default)]
    id: Json,
}

/// Reads a state file.
///
/// # Errors
/// Why it is not one: empty, torn, of another version, or encrypted.
pub fn parse(bytes: &[u8]) -> Result<StateFile, String> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err("the state file is empty".to_owned());
    }
    let state: StateFile = serde_json::from_slice(bytes).map_err(|e| why_not(bytes, &e))?;
    match state.version {
        4 => Ok(state),
        other => Err(format!("it is a state of format {other}; format 4 is read (terraform 0.12 and later)")),
    }
}

fn why_not(bytes: &[u8], error: &serde_json::Error) -> String {
    let json = serde_json::from_slice::<Json>(bytes).ok();
    match json.and_then(|json| json.get("encrypted_data").cloned()) {
        Some(_) => "it is encrypted by OpenTofu, which Windlass cannot read".to_owned(),
        None => format!("it is not a whole state file: {error}"),
    }
}

impl StateFile {
    /// The outputs, with their types; sensitive ones are marked.
    ///
    /// # Errors
    /// Where one cannot be read.
    pub fn outputs(&self) -> Result<Value, String> {
        let read = |(name, output): (&String, &StateOutput)| {
            let ty = json::read_type(&output.ty).unwrap_or_default();
            let value = match &output.value {
                Some(raw) => json::typed(raw, &ty).map_err(|e| format!("output `{name}`: {e}"))?,
                None => Value::NULL,
            };
            Ok((name.clone(), if output.sensitive { value.sensitive() } else { value }))
        };
        Ok(Value::object(self.outputs.iter().map(read).collect::<Result<Vec<_>, String>>()?))
    }

    /// The types of the outputs.
    pub fn output_types(&self) -> BTreeMap<String, Type> {
        let read =
            |(name, output): (&String, &StateOutput)| Some((name.clone(), json::read_type(&output.ty)?));
        self.outputs.iter().filter_map(read).collect()
    }

    /// What it manages, sorted by address; data sources are not among it.
    pub fn nested(&self) -> Vec<Nested> {
        let mut all = Vec::new();
        for resource in self.resources.iter().filter(|resource| resource.mode == "managed") {
            for instance in &resource.instances {
                all.push(Nested {
                    address: resource.address(instance),
                    kind: resource.kind.clone(),
                    id: instance.id(),
                });
            }
        }
        all.sort_by(|a, b| a.address.cmp(&b.address));
        all
    }

    /// Whether it holds nothing that could be lost.
    pub fn is_empty(&self) -> bool {
        self.resources.iter().all(|resource| resource.mode != "managed" || resource.instances.is_empty())
    }

    /// Whether an object is in it.
    pub fn holds(&self, address: &str) -> bool {
        self.resources.iter().any(|r| r.instances.iter().any(|i| r.address(i) == address))
    }

    /// The provider references of what is in it: `provider["registry.terraform.io/hashicorp/aws"]`.
    pub fn providers(&self) -> BTreeSet<&str> {
        self.resources.iter().map(|resource| resource.provider.as_str()).collect()
    }

    /// Whether it is `prior` or came after it.
    pub fn follows(&self, prior: Option<&StateFile>) -> bool {
        prior.is_none_or(|prior| self.lineage == prior.lineage && self.serial >= prior.serial)
    }
}

impl StateResource {
    fn address(&self, instance: &StateInstance) -> String {
        let module = self.module.as_ref().map(|module| format!("{module}.")).unwrap_or_default();
        let data = if self.mode == "data" { "data." } else { "" };
        let key = match &instance.index_key {
            Json::Null => String::new(),
            key => format!("[{key}]"),
        };
        let deposed = instance.deposed.as_ref().map(|id| format!(" (deposed {id})")).unwrap_or_default();
        format!("{module}{data}{}.{}{key}{deposed}", self.kind, self.name)
    }
}

impl StateInstance {
    fn id(&self) -> Option<String> {
        let secret = self.sensitive_attributes.as_array().is_some_and(|paths| {
            paths.iter().any(|path| {
                path.get(0).and_then(|step| step.get("value")).and_then(Json::as_str) == Some("id")
            })
        });
        let id = self.attributes.as_ref()?.id.as_str()?;
        (!secret).then(|| id.to_owned())
    }
}

/// The value of the attribute `resources`: address, type and id of each.
pub fn resources_value(nested: &[Nested]) -> Value {
    let ty = Type::object([("address", Type::String), ("id", Type::String), ("type", Type::String)]);
    let item = |nested: &Nested| {
        let id = nested.id.clone().map_or(Value::NULL, Value::from);
        Value::object([
            ("address", Value::from(nested.address.clone())),
            ("id", id),
            ("type", Value::from(nested.kind.clone())),
        ])
    };
    Value::list(ty, nested.iter().map(item).collect())
}

/// All texts of at least a few characters in what is marked sensitive: what a log must not show.
pub fn secrets(value: &Value, out: &mut Vec<String>) {
    collect(value, value.is_sensitive(), out);
}

fn collect(value: &Value, marked: bool, out: &mut Vec<String>) {
    let marked = marked || value.is_sensitive();
    match &value.kind {
        Kind::String(text) if marked => out.push(text.to_string()),
        Kind::Number(number) if marked => out.push(number.to_string()),
        Kind::List(s) | Kind::Set(s) | Kind::Tuple(s) => s.items.iter().for_each(|v| collect(v, marked, out)),
        Kind::Map(f) | Kind::Object(f) => f.entries.iter().for_each(|(_, v)| collect(v, marked, out)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    #[test]
    fn outputs_have_types_and_marks() {
        let state = parse(&data("full.tfstate")).unwrap();
        let outputs = state.outputs().unwrap();
        assert!(outputs.get("sec").unwrap().is_sensitive());
        assert!(matches!(outputs.get("obj").unwrap().get("s").unwrap().kind, Kind::Set(_)));
        let big = outputs.get("obj").unwrap().get("big").unwrap();
        assert_eq!(big.as_number().unwrap().to_string(), "123456789012345678901234567890");
        let mut found = Vec::new();
        secrets(&outputs, &mut found);
        assert_eq!(found, ["hunter22"]);
    }

    #[test]
    fn addresses_are_terraforms() {
        let state = parse(&data("full.tfstate")).unwrap();
        let all: Vec<String> = state.nested().into_iter().map(|nested| nested.address).collect();
        let want = [
            "module.m.terraform_data.in",
            "terraform_data.a",
            "terraform_data.b",
            "terraform_data.c[0]",
            "terraform_data.c[1]",
        ];
        assert_eq!(all, want);
        assert!(state.holds("terraform_data.c[1]") && !state.holds("terraform_data.c"));
        assert!(state.nested().iter().all(|nested| nested.id.is_some()));
    }

    #[test]
    fn torn_and_empty_states_are_refused() {
        let whole = data("full.tfstate");
        assert_eq!(parse(b"").unwrap_err(), "the state file is empty");
        assert!(parse(&whole[..whole.len() / 2]).unwrap_err().starts_with("it is not a whole state file"));
        assert!(parse(br#"{"version":3,"serial":1,"lineage":"x"}"#).unwrap_err().contains("format 3"));
        assert!(parse(br#"{"encrypted_data":"x"}"#).unwrap_err().contains("encrypted"));
    }

    #[test]
    fn an_older_or_foreign_state_does_not_follow() {
        let state = |lineage: &str, serial: u64| {
            parse(format!(r#"{{"version":4,"lineage":"{lineage}","serial":{serial}}}"#).as_bytes()).unwrap()
        };
        let prior = state("a", 5);
        assert!(state("a", 5).follows(Some(&prior)) && state("a", 6).follows(Some(&prior)));
        assert!(!state("a", 4).follows(Some(&prior)) && !state("b", 9).follows(Some(&prior)));
        assert!(state("b", 1).follows(None));
    }
}
