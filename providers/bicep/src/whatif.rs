//! What what-if answers, of a stack or of a deployment, as one list of changes. Pure.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::noise;
use crate::target::Target;

/// What becomes of a resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Made.
    Create,
    /// Changed.
    Update,
    /// Deleted.
    Delete,
    /// Left alone from now on.
    Detach,
}

impl Action {
    /// The word of a plan.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Update => "update",
            Action::Delete => "delete",
            Action::Detach => "forget",
        }
    }
}

/// A change of a property.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// `properties.minimumTlsVersion`
    pub path: String,
    /// How.
    pub kind: LeafKind,
    /// What it is.
    pub before: Json,
    /// What it will be.
    pub after: Json,
}

/// How a property changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LeafKind {
    /// It is new.
    Create,
    /// It goes.
    Delete,
    /// It changes.
    Modify,
    /// Azure says that it has no effect.
    NoEffect,
}

/// A change of a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The resource's id.
    pub id: String,
    /// As plans say it.
    pub address: String,
    /// What becomes of it.
    pub action: Action,
    /// Azure cannot tell for certain.
    pub potential: bool,
    /// What of it changes; of a new one what it will be.
    pub leaves: Vec<Leaf>,
    /// Words on it: that the stack takes it in, its deny status.
    pub notes: Vec<String>,
}

/// What what-if says.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// What really changes, sorted by address.
    pub changes: Vec<Change>,
    /// What it lists and does not mean, each in a line.
    pub noise: Vec<String>,
    /// What Azure remarks.
    pub remarks: Vec<String>,
    /// Something that is there already was seen: there may be a stack of that name.
    pub seen_something: bool,
    /// The ids, in lower case, of all that the template has.
    pub in_template: Vec<String>,
    /// It is the deployment's, as there is none of the stack.
    pub fell_back: bool,
}

/// The bodies of resources as they were last sent, by address in lower case.
pub type Bodies = BTreeMap<String, Json>;

/// Reads an answer of either kind. `None`: it is none.
pub fn read(bytes: &[u8], target: &Target, bodies: &Bodies) -> Option<Answer> {
    let json: Json = serde_json::from_slice(bytes).ok()?;
    let properties = json.get("properties").filter(|inner| inner.is_object()).unwrap_or(&json);
    let changes = properties.get("changes").or_else(|| json.get("changes"))?;
    let mut answer = Answer { remarks: remarks(properties), ..Answer::default() };
    match changes {
        Json::Array(items) => {
            let potential = properties.get("potentialChanges").and_then(Json::as_array);
            for (items, potential) in [(Some(items), false), (potential, true)] {
                items.into_iter().flatten().for_each(|item| answer.take(item, potential, target, bodies));
            }
        }
        _ => {
            answer.seen_something =
                properties.get("deploymentStackLastModified").is_some_and(|at| !at.is_null());
            let items = changes.get("resourceChanges").and_then(Json::as_array);
            items.into_iter().flatten().for_each(|item| answer.take(item, false, target, bodies));
        }
    }
    answer.changes.sort_by(|a, b| (&a.address, a.action.as_str()).cmp(&(&b.address, b.action.as_str())));
    answer.changes.dedup_by(|a, b| a.id.eq_ignore_ascii_case(&b.id) && a.action == b.action);
    answer.noise.sort();
    Some(answer)
}

fn remarks(properties: &Json) -> Vec<String> {
    let all = properties.get("diagnostics").and_then(Json::as_array).into_iter().flatten();
    let one = |remark: &Json| {
        let text = |name: &str| remark.get(name).and_then(Json::as_str).unwrap_or_default();
        let colon = if text("code").is_empty() { "" } else { ": " };
        format!("{}{colon}{}", text("code"), text("message"))
    };
    all.map(one).filter(|line| !line.is_empty()).collect()
}

fn text<'j>(json: &'j Json, name: &str) -> &'j str {
    json.get(name).and_then(Json::as_str).unwrap_or_default()
}

impl Answer {
    fn take(&mut self, item: &Json, mut potential: bool, target: &Target, bodies: &Bodies) {
        let id = [text(item, "id"), text(item, "resourceId")].into_iter().find(|id| !id.is_empty());
        let id = id.unwrap_or_else(|| text(item, "type")).to_owned();
        let address = target.short(&id);
        potential |= text(item, "changeCertainty").eq_ignore_ascii_case("potential");
        let kind = text(item, "changeType").to_lowercase();
        if !matches!(kind.as_str(), "create" | "unsupported") {
            self.seen_something = true;
        }
        if !matches!(kind.as_str(), "ignore" | "delete" | "detach") {
            self.in_template.push(id.to_lowercase());
        }
        let action = match kind.as_str() {
            "create" => Action::Create,
            "delete" => Action::Delete,
            "detach" => Action::Detach,
            "modify" | "deploy" | "nochange" | "noeffect" => Action::Update,
            "unsupported" => {
                let why = [text(item, "unsupportedReason"), text(item, "unsupported_reason")].concat();
                self.noise
                    .push(format!("{address}: what-if does not support it. {why}").trim_end().to_owned());
                return;
            }
            _ => return,
        };
        let mut change = Change { id, address, action, potential, leaves: Vec::new(), notes: Vec::new() };
        let settings =
            item.get("resourceConfigurationChanges").filter(|inner| inner.is_object()).unwrap_or(item);
        match action {
            Action::Create => change.leaves = made(settings.get("after").unwrap_or(&Json::Null)),
            Action::Update => {
                change.notes = managed(item);
                let delta = settings.get("delta").and_then(Json::as_array).filter(|_| kind != "nochange");
                self.fold(&mut change, delta, bodies);
                if change.leaves.is_empty() && change.notes.is_empty() && kind != "deploy" {
                    return;
                }
            }
            Action::Delete | Action::Detach => {}
        }
        self.changes.push(change);
    }

    /// Takes a delta apart into what is meant and what is noise.
    fn fold(&mut self, change: &mut Change, delta: Option<&Vec<Json>>, bodies: &Bodies) {
        let mut leaves = Vec::new();
        delta.into_iter().flatten().for_each(|one| leaf(one, "", &mut leaves, 0));
        let body = bodies.get(&change.address.to_lowercase());
        for leaf in leaves {
            match noise::is_noise(&leaf, body) {
                true => self.noise.push(format!("{}: {}", change.address, leaf.line())),
                false => change.leaves.push(leaf),
            }
        }
    }
}

/// What the stack does with a resource besides its properties.
fn managed(item: &Json) -> Vec<String> {
    let change = |name: &str| {
        let change = item.get(name)?;
        let (before, after) = (text(change, "before"), text(change, "after"));
        (!before.eq_ignore_ascii_case(after) && !after.is_empty())
            .then(|| (before.to_owned(), after.to_owned()))
    };
    let mut notes = Vec::new();
    if let Some((before, after)) = change("managementStatusChange")
        && before.eq_ignore_ascii_case("unmanaged")
        && after.eq_ignore_ascii_case("managed")
    {
        notes.push("~ it is there already, and the stack takes it in".to_owned());
    }
    let settled =
        |word: &str| ["none", "denydelete", "denywriteanddelete"].contains(&word.to_lowercase().as_str());
    if let Some((before, after)) =
        change("denyStatusChange").filter(|(before, after)| settled(before) && settled(after))
    {
        notes.push(format!("~ deny status: {before} -> {after}"));
    }
    notes
}

/// How deep a delta may nest.
const DEEPEST: usize = 64;

/// The changed properties in a piece of delta.
fn leaf(json: &Json, above: &str, found: &mut Vec<Leaf>, depth: usize) {
    let path = join(above, text(json, "path"));
    let kind = [text(json, "propertyChangeType"), text(json, "changeType")].concat().to_lowercase();
    let children = json.get("children").and_then(Json::as_array).filter(|children| !children.is_empty());
    let part = |name: &str| json.get(name).cloned().unwrap_or(Json::Null);
    if let Some(children) = children.filter(|_| depth < DEEPEST) {
        let mut inner = Vec::new();
        children.iter().for_each(|child| leaf(child, &path, &mut inner, depth + 1));
        // Parts of items may not change places with each other; whole items may.
        let whole = children.iter().all(|child| child.get("children").is_none_or(|inner| !inner.is_array()));
        let moved = match (part("before"), part("after")) {
            (Json::Array(before), Json::Array(after)) => noise::same_items(&before, &after),
            _ => whole && noise::only_moved(&inner),
        };
        if kind == "array" && moved {
            inner.iter_mut().for_each(|leaf| leaf.kind = LeafKind::NoEffect);
        }
        found.extend(inner);
        return;
    }
    let kind = match kind.as_str() {
        "create" => LeafKind::Create,
        "delete" => LeafKind::Delete,
        "noeffect" => LeafKind::NoEffect,
        _ => LeafKind::Modify,
    };
    found.push(Leaf { path, kind, before: part("before"), after: part("after") });
}

fn join(above: &str, name: &str) -> String {
    match (above.is_empty(), !name.is_empty() && name.chars().all(|c| c.is_ascii_digit())) {
        (true, _) => name.to_owned(),
        (false, true) => format!("{above}[{name}]"),
        (false, false) => format!("{above}.{name}"),
    }
}

/// How many properties of a new resource are listed.
const LISTED: usize = 40;

/// What a new resource will be like.
fn made(after: &Json) -> Vec<Leaf> {
    const NAMES: [&str; 5] = ["id", "name", "type", "apiVersion", "resourceGroup"];
    let mut found = Vec::new();
    for (name, value) in
        after.as_object().into_iter().flatten().filter(|(name, _)| !NAMES.contains(&name.as_str()))
    {
        flatten(name, value, &mut found);
    }
    found.truncate(LISTED);
    found
}

fn flatten(path: &str, value: &Json, found: &mut Vec<Leaf>) {
    match value {
        Json::Null => {}
        Json::Object(fields) if !fields.is_empty() => {
            fields.iter().for_each(|(name, value)| flatten(&join(path, name), value, found));
        }
        other => found.push(Leaf {
            path: path.to_owned(),
            kind: LeafKind::Create,
            before: Json::Null,
            after: other.clone(),
        }),
    }
}

/// The longest value that is shown whole.
const LONGEST: usize = 120;

fn shown(json: &Json) -> String {
    let text = json.to_string();
    match text.chars().count() > LONGEST {
        true => format!("{}…", text.chars().take(LONGEST).collect::<String>()),
        false => text,
    }
}

impl Leaf {
    /// For people: `~ properties.x: "a" -> "b"`.
    pub fn line(&self) -> String {
        match self.kind {
            LeafKind::Create => format!("+ {}: {}", self.path, shown(&self.after)),
            LeafKind::Delete => format!("- {}: {}", self.path, shown(&self.before)),
            LeafKind::Modify | LeafKind::NoEffect => {
                format!("~ {}: {} -> {}", self.path, shown(&self.before), shown(&self.after))
            }
        }
    }
}

impl Change {
    /// What is said of it, each in a line.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.potential {
            lines.push("? potential: Azure cannot tell for certain".to_owned());
        }
        lines.extend(self.notes.iter().cloned());
        lines.extend(self.leaves.iter().map(Leaf::line));
        lines
    }
}
