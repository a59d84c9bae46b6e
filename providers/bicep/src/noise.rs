//! What what-if lists as a change and is none: read-only and default properties, other spellings, other orders.
//!
//! What-if compares what a template says with what Azure answers for the resource as it is, and Azure answers more than was
//! said. Each rule here is one of the noises known from Azure/arm-template-whatif.

use serde_json::Value as Json;

use crate::whatif::{Leaf, LeafKind};

/// Properties that nobody sets, by their last name; in lower case.
const NEVER_SET: &[&str] = &["etag", "provisioningstate", "resourceguid", "systemdata"];

/// Properties that only Azure sets, where they stand beside what a template says; in lower case.
const READ_ONLY: &[&str] = &[
    "etag",
    "id",
    "provisioningstate",
    "resourceguid",
    "creationtime",
    "createdtime",
    "createddate",
    "createdat",
    "changedtime",
    "lastmodifiedtime",
    "lastmodified",
    "modifieddate",
    "updatedat",
    "uniqueid",
    "vmid",
    "timecreated",
    "principalid",
    "tenantid",
    "clientid",
    "primaryendpoints",
    "secondaryendpoints",
    "primarylocation",
    "secondarylocation",
    "statusofprimary",
    "statusofsecondary",
    "privateendpointconnections",
    "systemdata",
    "defaulthostname",
    "hostnames",
    "enabledhostnames",
    "outboundipaddresses",
    "possibleoutboundipaddresses",
    "repositorysitename",
    "inprogressoperationid",
    "fullyqualifieddomainname",
    "loginserver",
    "currentnumberofworkers",
];

/// Properties whose spelling does not matter.
const ANY_CASE: &[&str] = &["location", "id", "name", "type", "kind", "tier", "sourceid", "subnetid"];

/// Whether a listed change is none. `body`: the resource as it was last sent, where that is known.
pub fn is_noise(leaf: &Leaf, body: Option<&Json>) -> bool {
    let lower = leaf.path.to_lowercase();
    let last = lower.rsplit(['.', ']']).find(|part| !part.is_empty()).unwrap_or_default();
    let last = last.split('[').next().unwrap_or_default();
    if leaf.kind == LeafKind::NoEffect || NEVER_SET.contains(&last) {
        return true;
    }
    if lower.starts_with("systemdata") || lower == "apiversion" || is_expression(&leaf.after) {
        return true;
    }
    match leaf.kind {
        // Azure answers defaults for what was never said. What was sent before and is not any more, really goes.
        LeafKind::Delete => is_empty(&leaf.before) || !(is_users(&lower) || was_sent(&leaf.path, body)),
        LeafKind::Create => is_empty(&leaf.after),
        LeafKind::Modify | LeafKind::NoEffect => {
            alike(&leaf.before, &leaf.after, ANY_CASE.contains(&last))
                || (is_empty(&leaf.before) && is_empty(&leaf.after))
        }
    }
}

/// What a template sets as a whole: what is not in it goes.
fn is_users(path: &str) -> bool {
    path == "tags" || path.starts_with("tags.") || path.starts_with("identity.userassignedidentities")
}

/// Whether the resource, as it was last sent, had this property.
fn was_sent(path: &str, body: Option<&Json>) -> bool {
    let Some(mut here) = body else { return false };
    for part in path.split(['.', '[']).map(|part| part.trim_end_matches(']')) {
        let next = match here {
            Json::Object(fields) => {
                fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(part)).map(|(_, value)| value)
            }
            Json::Array(items) => part.parse::<usize>().ok().and_then(|at| items.get(at)),
            // An expression: whatever it makes, it was said.
            Json::String(text) => return is_expression(&Json::String(text.clone())),
            _ => None,
        };
        match next {
            Some(next) => here = next,
            None => return false,
        }
    }
    true
}

/// What-if shows what it could not evaluate as it stands in the template.
fn is_expression(json: &Json) -> bool {
    let Some(text) = json.as_str() else { return false };
    let calls = ["reference(", "references(", "parameters(", "variables(", "list", "resourceid("];
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).map(str::to_lowercase);
    inner.is_some_and(|inner| inner.contains('(') && calls.iter().any(|call| inner.contains(call)))
}

fn is_empty(json: &Json) -> bool {
    match json {
        Json::Null => true,
        Json::Array(items) => items.is_empty(),
        Json::Object(fields) => fields.values().all(is_empty),
        Json::String(text) => text.is_empty(),
        _ => false,
    }
}

/// Whether two values are the same but for spelling, order, or what Azure adds of its own.
fn alike(before: &Json, after: &Json, any_case: bool) -> bool {
    match (before, after) {
        (Json::String(a), Json::String(b)) => {
            let plain = |text: &str| text.to_lowercase().replace(' ', "");
            a == b || ((any_case || a.starts_with("/subscriptions/")) && plain(a) == plain(b))
        }
        (Json::Number(_) | Json::Bool(_), Json::String(text))
        | (Json::String(text), Json::Number(_) | Json::Bool(_)) => {
            let other = if before.is_string() { after } else { before };
            other.to_string().eq_ignore_ascii_case(text)
        }
        (Json::Array(a), Json::Array(b)) => same_items(a, b),
        (Json::Object(a), Json::Object(b)) => {
            b.iter().all(|(name, after)| match a.get(name) {
                Some(before) => alike(before, after, false),
                None => is_empty(after),
            }) && a.iter().all(|(name, before)| {
                b.contains_key(name) || is_empty(before) || READ_ONLY.contains(&name.to_lowercase().as_str())
            })
        }
        _ => before == after,
    }
}

/// The same items in whatever order.
pub fn same_items(a: &[Json], b: &[Json]) -> bool {
    let mut left: Vec<&Json> = b.iter().collect();
    a.len() == b.len()
        && a.iter().all(|one| match left.iter().position(|other| alike(one, other, false)) {
            Some(at) => {
                left.swap_remove(at);
                true
            }
            None => false,
        })
}

/// Whether the changes in an array only move its items: what goes at one place comes at another.
pub fn only_moved(leaves: &[Leaf]) -> bool {
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    for leaf in leaves {
        match leaf.kind {
            LeafKind::Delete => gone.push(leaf.before.clone()),
            LeafKind::Create => come.push(leaf.after.clone()),
            LeafKind::Modify => {
                gone.push(leaf.before.clone());
                come.push(leaf.after.clone());
            }
            LeafKind::NoEffect => {}
        }
    }
    !gone.is_empty() && same_items(&gone, &come)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn leaf(path: &str, kind: LeafKind, before: Json, after: Json) -> Leaf {
        Leaf { path: path.to_owned(), kind, before, after }
    }

    fn noisy(leaf: &Leaf) -> bool {
        let sent = json!({"properties": {"removed": 1, "list": [{"a": 1}], "all": "[parameters('x')]"}});
        is_noise(leaf, Some(&sent))
    }

    #[test]
    fn known_noise_is_none() {
        use LeafKind::{Create, Delete, Modify, NoEffect};
        for leaf in [
            leaf("properties.provisioningState", Delete, json!("Succeeded"), Json::Null),
            leaf("sku.tier", Delete, json!("Standard"), Json::Null),
            leaf("properties.encryption", Delete, json!({"keySource": "Microsoft.Storage"}), Json::Null),
            leaf("location", Modify, json!("westeurope"), json!("West Europe")),
            leaf(
                "properties.subnet.id",
                Modify,
                json!("/subscriptions/s/resourceGroups/G"),
                json!("/subscriptions/s/resourcegroups/g"),
            ),
            leaf("properties.zones", Modify, json!(["1", "2"]), json!(["2", "1"])),
            leaf("properties.port", Modify, json!(80), json!("80")),
            leaf("properties.on", Modify, json!(true), json!("True")),
            leaf("properties.list", Modify, Json::Null, json!([])),
            leaf("properties.tags", Create, Json::Null, json!({})),
            leaf("properties.host", Modify, json!("x"), json!("[reference('y').host]")),
            leaf("properties.anything", NoEffect, json!(1), json!(2)),
            leaf(
                "properties.rule",
                Modify,
                json!({"a": 1, "etag": "W/1", "provisioningState": "Succeeded"}),
                json!({"a": 1}),
            ),
        ] {
            assert!(noisy(&leaf), "{leaf:?}");
        }
    }

    #[test]
    fn real_changes_stay() {
        use LeafKind::{Create, Delete, Modify};
        for leaf in [
            leaf("properties.minimumTlsVersion", Modify, json!("TLS1_0"), json!("TLS1_2")),
            leaf("tags.owner", Delete, json!("me"), Json::Null),
            leaf("properties.removed", Delete, json!(1), Json::Null),
            leaf("properties.all.inner", Delete, json!(1), Json::Null),
            leaf("properties.list[0].a", Delete, json!(1), Json::Null),
            leaf("properties.added", Create, Json::Null, json!(false)),
            leaf("properties.zones", Modify, json!(["1", "2"]), json!(["1", "3"])),
            leaf("properties.zones", Modify, json!(["1", "1"]), json!(["1", "2"])),
            leaf("properties.text", Modify, json!("a"), json!("A")),
            leaf("properties.rule", Modify, json!({"a": 1}), json!({"a": 2})),
        ] {
            assert!(!noisy(&leaf), "{leaf:?}");
        }
        for name in ["properties.principalId", "properties.subnet.id", "properties.tenantId"] {
            assert!(!is_noise(&leaf(name, Modify, json!("a"), json!("b")), None), "{name}");
        }
    }

    #[test]
    fn moved_items_are_no_change() {
        use LeafKind::{Create, Delete, Modify};
        let moved =
            [leaf("l[0]", Delete, json!("a"), Json::Null), leaf("l[1]", Create, Json::Null, json!("a"))];
        assert!(only_moved(&moved));
        assert!(!only_moved(&[leaf("l[0]", Modify, json!("a"), json!("b"))]));
        assert!(!only_moved(&[]));
    }
}
