//! What `terraform show -json` says of a saved plan. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value as Json;
use serde_json::value::RawValue;
use windlass_model::{Kind, NestedChange, Type, Value};

use crate::json;
use crate::lines;
use crate::state_file;

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow, default)]
    resource_changes: Vec<ResourceChange<'a>>,
    #[serde(borrow, default)]
    resource_drift: Vec<ResourceChange<'a>>,
    #[serde(borrow, default)]
    output_changes: BTreeMap<String, Change<'a>>,
    #[serde(default)]
    planned_values: Option<PlannedValues>,
    #[serde(borrow, default)]
    variables: BTreeMap<String, Variable<'a>>,
    #[serde(default)]
    configuration: Configuration,
}

#[derive(Deserialize)]
struct Variable<'a> {
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct Configuration {
    #[serde(default)]
    root_module: RootModule,
}

#[derive(Deserialize, Default)]
struct RootModule {
    #[serde(default)]
    variables: BTreeMap<String, DeclaredVariable>,
}

#[derive(Deserialize)]
struct DeclaredVariable {
    #[serde(default)]
    sensitive: bool,
}

#[derive(Deserialize)]
struct PlannedValues {
    #[serde(default)]
    outputs: BTreeMap<String, PlannedOutput>,
}

#[derive(Deserialize)]
struct PlannedOutput {
    #[serde(default)]
    sensitive: bool,
    #[serde(rename = "type", default)]
    ty: Option<Json>,
}

#[derive(Deserialize)]
struct ResourceChange<'a> {
    address: String,
    #[serde(default)]
    previous_address: Option<String>,
    #[serde(default)]
    deposed: Option<String>,
    #[serde(borrow)]
    change: Change<'a>,
    #[serde(default)]
    action_reason: Option<String>,
}

#[derive(Deserialize)]
struct Change<'a> {
    actions: Vec<String>,
    #[serde(borrow, default)]
    before: Option<&'a RawValue>,
    #[serde(borrow, default)]
    after: Option<&'a RawValue>,
    #[serde(borrow, default)]
    after_unknown: Option<&'a RawValue>,
    #[serde(borrow, default)]
    before_sensitive: Option<&'a RawValue>,
    #[serde(borrow, default)]
    after_sensitive: Option<&'a RawValue>,
    #[serde(default)]
    replace_paths: Vec<Vec<Json>>,
    #[serde(default)]
    importing: Option<Json>,
}

/// What a saved plan would do.
#[derive(Debug)]
pub struct PlanFacts {
    /// Changes inside, sorted by address.
    pub nested: Vec<NestedChange>,
    /// What was found to differ from state.
    pub drift: Vec<NestedChange>,
    /// The outputs as they will be: an object. Unknown where they wait for something, sensitive where marked.
    pub outputs: Value,
    /// Every secret that the document tells of. Terraform itself loses a mark here and there (the `output` of a
    /// `terraform_data` that is replaced), so lines are to be searched for them all.
    pub secrets: Vec<String>,
    /// Whether the set of objects or their ids may change: the attribute `resources` is then not known.
    pub objects_change: bool,
}

/// Reads the document. `waits` is what unknown outputs are said to wait for (`terraform_root.network`); `prior` are the
/// types that outputs had, for those that are known in part and so come without one.
///
/// # Errors
/// Where it is not such a document.
pub fn parse(bytes: &[u8], waits: &str, prior: &BTreeMap<String, Type>) -> Result<PlanFacts, String> {
    let document: Document<'_> = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    let secrets = secrets(&document)?;
    let planned = document.planned_values.map(|values| values.outputs).unwrap_or_default();
    let mut outputs: Vec<(Arc<str>, Value)> = Vec::new();
    for (name, change) in &document.output_changes {
        if let Some(value) =
            output(change, planned.get(name), prior.get(name), &format!("{waits}.outputs.{name}"))
                .map_err(|e| format!("output `{name}`: {e}"))?
        {
            outputs.push((Arc::from(name.as_str()), value));
        }
    }
    let nested = changes(&document.resource_changes)?;
    let objects_change = nested.iter().any(|change| !matches!(change.action.as_str(), "update" | "read"));
    Ok(PlanFacts {
        drift: changes(&document.resource_drift)?,
        outputs: Value::object(outputs),
        secrets,
        objects_change,
        nested,
    })
}

fn secrets(document: &Document<'_>) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for (name, variable) in &document.variables {
        let declared = document.configuration.root_module.variables.get(name);
        if let (Some(DeclaredVariable { sensitive: true }), Some(raw)) = (declared, variable.value) {
            state_file::secrets(&json::value(raw)?.sensitive(), &mut found);
        }
    }
    let resources = document.resource_changes.iter().chain(&document.resource_drift);
    for change in resources.map(|resource| &resource.change).chain(document.output_changes.values()) {
        state_file::secrets(&change.before()?, &mut found);
        state_file::secrets(&change.after()?, &mut found);
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn changes(all: &[ResourceChange<'_>]) -> Result<Vec<NestedChange>, String> {
    let mut found = Vec::new();
    for change in all {
        if let Some(change) = nested(change).map_err(|e| format!("{}: {e}", change.address))? {
            found.push(change);
        }
    }
    found.sort_by(|a, b| a.address.cmp(&b.address));
    Ok(found)
}

fn nested(resource: &ResourceChange<'_>) -> Result<Option<NestedChange>, String> {
    let change = &resource.change;
    let actions: Vec<&str> = change.actions.iter().map(String::as_str).collect();
    let moved = resource.previous_address.as_ref().filter(|from| **from != resource.address);
    let action = match actions.as_slice() {
        _ if change.importing.is_some() => "import",
        ["no-op"] if moved.is_some() => "move",
        ["no-op"] | [] => return Ok(None),
        ["delete", "create"] | ["create", "delete"] => "replace",
        ["forget", "create"] | ["create", "forget"] => "create",
        [one] => one,
        _ => "update",
    };
    let because: Vec<String> = change.replace_paths.iter().map(|path| path_text(path)).collect();
    let mut lines = match action {
        "delete" | "forget" | "move" => Vec::new(),
        _ => lines::diff(&change.before()?, &change.after()?, &because),
    };
    if let Some(from) = moved {
        lines.insert(0, format!("moved from {from}"));
    }
    if let Some(why) = resource.action_reason.as_deref().and_then(reason) {
        lines.insert(0, why.to_owned());
    }
    let deposed = resource.deposed.as_ref().map(|id| format!(" (deposed {id})")).unwrap_or_default();
    let address = format!("{}{deposed}", resource.address);
    Ok(Some(NestedChange { address, action: action.to_owned(), because, lines }))
}

fn reason(word: &str) -> Option<&'static str> {
    Some(match word {
        "replace_because_tainted" => "it was left half made",
        "replace_by_request" => "replacement was asked for",
        "replace_by_triggers" => "replace_triggered_by",
        "delete_because_no_resource_config" => "no longer in the root",
        "delete_because_no_module" => "its module is no longer in the root",
        "delete_because_count_index" | "delete_because_each_key" => "no longer among count or for_each",
        _ => return None,
    })
}

fn path_text(path: &[Json]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Json::String(name) if text.is_empty() => text.push_str(name),
            Json::String(name) => {
                text.push('.');
                text.push_str(name);
            }
            other => text.push_str(&format!("[{other}]")),
        }
    }
    text
}

impl Change<'_> {
    fn before(&self) -> Result<Value, String> {
        let value = self.before.map_or(Ok(Value::NULL), json::value)?;
        Ok(mark(value, &mask(self.before_sensitive)?))
    }

    fn after(&self) -> Result<Value, String> {
        let value = self.after.map_or(Ok(Value::NULL), json::value)?;
        Ok(mark(overlay(value, &mask(self.after_unknown)?), &mask(self.after_sensitive)?))
    }
}

fn mask(raw: Option<&RawValue>) -> Result<Value, String> {
    raw.map_or(Ok(Value::from(false)), json::value)
}

/// The value with what a mask says is unknown put in: unknown leaves are left out of the value itself.
fn overlay(value: Value, unknown: &Value) -> Value {
    if !is_set(unknown) {
        return value;
    }
    match (&unknown.kind, &value.kind) {
        (Kind::Bool(true), _) => Value::unknown(Type::Any),
        (Kind::Object(mask), kind) => {
            let known = match kind {
                Kind::Object(fields) => Some(fields),
                _ => None,
            };
            let keys: BTreeSet<&Arc<str>> = mask
                .entries
                .iter()
                .filter(|(_, mask)| is_set(mask))
                .map(|(key, _)| key)
                .chain(known.iter().flat_map(|fields| fields.entries.iter().map(|(key, _)| key)))
                .collect();
            let field = |key: &Arc<str>| {
                let value = known.and_then(|fields| fields.get(key)).cloned().unwrap_or(Value::NULL);
                let mask = mask.get(key).cloned().unwrap_or(Value::from(false));
                (key.clone(), overlay(value, &mask))
            };
            Value::object(keys.into_iter().map(field).collect::<Vec<_>>())
        }
        (Kind::Tuple(mask), Kind::Tuple(items)) => {
            let length = mask.items.len().max(items.items.len());
            let item = |i: usize| {
                let value = items.items.get(i).cloned().unwrap_or(Value::NULL);
                overlay(value, mask.items.get(i).unwrap_or(&Value::from(false)))
            };
            Value::tuple((0..length).map(item).collect())
        }
        _ => value,
    }
}

/// Whether anything in a mask is true.
fn is_set(mask: &Value) -> bool {
    match &mask.kind {
        Kind::Bool(set) => *set,
        Kind::Tuple(s) => s.items.iter().any(is_set),
        Kind::Object(f) => f.entries.iter().any(|(_, mask)| is_set(mask)),
        _ => false,
    }
}

/// The value with what a mask says is sensitive marked.
fn mark(value: Value, mask: &Value) -> Value {
    match (&mask.kind, &value.kind) {
        (Kind::Bool(true), _) => value.sensitive(),
        (Kind::Object(mask), Kind::Object(fields)) => {
            let field = |(key, value): &(Arc<str>, Value)| {
                (key.clone(), mask.get(key).map_or_else(|| value.clone(), |mask| mark(value.clone(), mask)))
            };
            Value::object(fields.entries.iter().map(field).collect::<Vec<_>>())
        }
        (Kind::Tuple(mask), Kind::Tuple(items)) => {
            let item = |(i, value): (usize, &Value)| {
                mask.items.get(i).map_or_else(|| value.clone(), |mask| mark(value.clone(), mask))
            };
            Value::tuple(items.items.iter().enumerate().map(item).collect())
        }
        _ => value,
    }
}

/// An output as it will be; `None`: it goes.
fn output(
    change: &Change<'_>,
    planned: Option<&PlannedOutput>,
    prior: Option<&Type>,
    waits: &str,
) -> Result<Option<Value>, String> {
    if change.actions == ["delete"] {
        return Ok(None);
    }
    let sensitive =
        planned.is_some_and(|planned| planned.sensitive) || is_set(&mask(change.after_sensitive)?);
    let ty = planned.and_then(|planned| json::read_type(planned.ty.as_ref()?));
    let unknown = mask(change.after_unknown)?;
    let value = match ty {
        Some(ty) if !is_set(&unknown) => change.after.map_or(Ok(Value::NULL), |raw| json::typed(raw, &ty))?,
        _ => {
            let value = change.after.map_or(Ok(Value::NULL), json::value)?;
            let value = name_unknowns(&overlay(value, &unknown), waits);
            prior.and_then(|ty| fit(&value, ty)).unwrap_or(value)
        }
    };
    Ok(Some(if sensitive { value.sensitive() } else { value }))
}

fn name_unknowns(value: &Value, waits: &str) -> Value {
    match value.is_unknown() {
        true => Value::unknown_from(Type::Any, waits),
        false => value.map_children(|child| name_unknowns(child, waits)),
    }
}

/// The value as the collections of a type that it had before, if it still looks like it. A value that is unknown as a whole
/// is not given one: its type may change with it.
fn fit(value: &Value, ty: &Type) -> Option<Value> {
    let items = |element: &Type| match &value.kind {
        Kind::Tuple(s) => s.items.iter().map(|item| fit(item, element)).collect::<Option<Vec<_>>>(),
        _ => None,
    };
    match ty {
        _ if value.is_unknown() || value.is_null() => Some(value.clone()),
        Type::List(element) => Some(Value::list((**element).clone(), items(element)?)),
        Type::Set(element) => Some(Value::set((**element).clone(), items(element)?)),
        Type::Map(element) => {
            let entries = value.entries()?.iter();
            let entries = entries.map(|(key, value)| Some((key.clone(), fit(value, element)?)));
            Some(Value::map((**element).clone(), entries.collect::<Option<Vec<_>>>()?))
        }
        Type::Object(fields) => {
            let entries = value.entries()?;
            let same =
                entries.len() == fields.len() && entries.iter().all(|(key, _)| fields.contains_key(key));
            let field =
                |(key, value): &(Arc<str>, Value)| Some((key.clone(), fit(value, &fields.get(key)?.ty)?));
            same.then(|| entries.iter().map(field).collect::<Option<Vec<_>>>())?.map(Value::object)
        }
        Type::Tuple(elements) => {
            let items = value.items().filter(|items| items.len() == elements.len())?;
            let items = items.iter().zip(elements.iter()).map(|(item, ty)| fit(item, ty));
            Some(Value::tuple(items.collect::<Option<_>>()?))
        }
        Type::String => value.as_str().map(|_| value.clone()),
        Type::Number => value.as_number().map(|_| value.clone()),
        Type::Bool => value.as_bool().map(|_| value.clone()),
        Type::Any => Some(value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    #[test]
    fn a_first_plan_knows_what_it_can() {
        let facts = parse(&data("plan_create.json"), "terraform_root.a", &BTreeMap::new()).unwrap();
        assert_eq!(facts.nested.len(), 5);
        assert!(facts.objects_change);
        let id = facts.outputs.get("id").unwrap();
        let Kind::Unknown(unknown) = &id.kind else { panic!("{id:?}") };
        assert_eq!(unknown.source.as_deref(), Some("terraform_root.a.outputs.id"));
        assert!(matches!(facts.outputs.get("list").unwrap().kind, Kind::List(_)));
        let obj = facts.outputs.get("obj").unwrap();
        assert!(obj.get("id").unwrap().is_unknown());
        assert_eq!(
            obj.get("big").unwrap().as_number().unwrap().to_string(),
            "123456789012345678901234567890"
        );
        assert!(facts.outputs.get("sec").unwrap().is_sensitive());
    }

    #[test]
    fn a_change_tells_why_it_replaces_and_keeps_secrets() {
        let state = state_file::parse(&data("full.tfstate")).unwrap();
        let facts = parse(&data("plan_change.json"), "terraform_root.a", &state.output_types()).unwrap();
        let all: Vec<(&str, &str)> =
            facts.nested.iter().map(|c| (c.address.as_str(), c.action.as_str())).collect();
        assert_eq!(all, [("terraform_data.a", "update"), ("terraform_data.b", "replace")]);
        let b = &facts.nested[1];
        assert_eq!(b.because, ["triggers_replace"]);
        let forced = "~ triggers_replace[0]: \"n1\" -> \"n2 ${x}\" (forces replacement)";
        assert!(b.lines.iter().any(|line| line == forced), "{:?}", b.lines);
        assert_eq!(facts.secrets, ["hunter22"]);
        let redact = windlass_provider::Redactor::default();
        facts.secrets.iter().for_each(|secret| assert!(redact.add(secret)));
        let shown = redact.redact(&format!("{:?} {:?}", facts.nested, facts.outputs));
        assert!(shown.contains("(sensitive)") && !shown.contains("hunter22"), "{shown}");
        // Known in part, so without a type in the document: the set and map of before stay such.
        let obj = facts.outputs.get("obj").unwrap();
        assert!(matches!(obj.get("s").unwrap().kind, Kind::Set(_)));
        assert!(matches!(obj.get("m").unwrap().kind, Kind::Map(_)));
        assert!(obj.get("id").unwrap().is_unknown());
        assert!(facts.outputs.get("id").unwrap().is_known());
    }

    #[test]
    fn rubbish_is_an_error() {
        assert!(parse(b"oops", "x", &BTreeMap::new()).is_err());
        assert!(parse(b"{\"resource_changes\": 3}", "x", &BTreeMap::new()).is_err());
    }
}
