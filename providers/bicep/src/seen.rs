//! What Azure says of a stack or deployment: what `create` and `show` print. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};
use windlass_provider::Owner;

use crate::failure::{self, Said};

/// The tags that say whose a thing is (rule T8).
const STORE: &str = "windlass:store";
const STACK: &str = "windlass:stack";
const ENVIRONMENT: &str = "windlass:environment";
const ADDRESS: &str = "windlass:address";
/// The tag that says which step sent it last.
const TOKEN: &str = "windlass:token";

/// The longest value that a tag may have.
const LONGEST: usize = 256;

/// Tags of what is made for an address.
pub fn own_tags(owner: &Owner, address: &str) -> BTreeMap<String, String> {
    let texts = [
        (STORE, owner.store.as_str()),
        (STACK, &owner.stack),
        (ENVIRONMENT, &owner.environment),
        (ADDRESS, address),
    ];
    texts.into_iter().map(|(name, value)| (name.to_owned(), shortened(value))).collect()
}

fn shortened(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

/// With the step that sends it.
pub fn with_token(mut tags: BTreeMap<String, String>, token: &str) -> BTreeMap<String, String> {
    tags.insert(TOKEN.to_owned(), token.to_owned());
    tags
}

/// Whose a thing is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whose {
    /// This address's.
    Ours,
    /// Somebody else's: by hand, by another tool, by another address.
    Foreign,
}

/// Whose a thing with these tags is.
pub fn whose(tags: &BTreeMap<String, String>, owner: &Owner, address: &str) -> Whose {
    let ours = own_tags(owner, address);
    let all = ours.iter().all(|(name, value)| {
        tags.iter().any(|(other, found)| other.eq_ignore_ascii_case(name) && found == value)
    });
    if all { Whose::Ours } else { Whose::Foreign }
}

/// Tags in what `az` prints of something.
pub fn tags(json: &Json) -> BTreeMap<String, String> {
    let all = json.get("tags").and_then(Json::as_object).into_iter().flatten();
    all.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// A stack or deployment as it is.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// `succeeded`, `failed`, `deploying`, …; lower case.
    pub state: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Outputs by name: `{"type", "value"}`.
    pub outputs: Map<String, Json>,
    /// The ids of what it manages or made. Sorted.
    pub resources: Vec<String>,
    /// What failed.
    pub errors: Vec<Said>,
    /// Of the last operation.
    pub correlation: String,
    /// When the deployment ended or began, as Azure writes it.
    pub timestamp: String,
    /// Of a stack: the deployment that it ran last.
    pub deployment: String,
}

/// States in which nothing goes on any more.
const TERMINAL: [&str; 3] = ["succeeded", "failed", "canceled"];

impl Seen {
    /// Reads what `create` or `show` printed: a stack's properties stand at the top, a deployment's below `properties`.
    pub fn read(bytes: &[u8]) -> Option<Seen> {
        let json: Json = serde_json::from_slice(bytes).ok()?;
        let text = |name: &str| part(&json, name).and_then(Json::as_str).unwrap_or_default().to_owned();
        let state = text("provisioningState").to_lowercase();
        if state.is_empty() {
            return None;
        }
        let ids = |name: &str| {
            let all = part(&json, name).and_then(Json::as_array).into_iter().flatten();
            all.filter_map(|one| one.get("id").and_then(Json::as_str).or(one.as_str()).map(str::to_owned))
        };
        let mut resources: Vec<String> = ids("resources").chain(ids("outputResources")).collect();
        resources.sort_by_key(|id| id.to_lowercase());
        resources.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
        Some(Seen {
            state,
            tags: tags(&json),
            outputs: part(&json, "outputs").and_then(Json::as_object).cloned().unwrap_or_default(),
            resources,
            errors: errors(&json),
            correlation: text("correlationId"),
            timestamp: text("timestamp"),
            deployment: text("deploymentId"),
        })
    }

    /// Whether nothing goes on any more.
    pub fn is_over(&self) -> bool {
        TERMINAL.contains(&self.state.as_str())
    }

    /// Whether it ended well.
    pub fn succeeded(&self) -> bool {
        self.state == "succeeded"
    }

    /// Whether a step sent what is there.
    pub fn is_of(&self, token: &str) -> bool {
        self.tags.iter().any(|(name, value)| name.eq_ignore_ascii_case(TOKEN) && value == token)
    }
}

fn part<'j>(json: &'j Json, name: &str) -> Option<&'j Json> {
    let there = |json: &'j Json| json.get(name).filter(|value| !value.is_null());
    there(json).or_else(|| json.get("properties").and_then(there))
}

/// The error of the whole, and those of the resources that failed.
fn errors(json: &Json) -> Vec<Said> {
    let mut found: Vec<Said> =
        part(json, "error").and_then(|error| failure::from_json(error, 0)).into_iter().collect();
    for failed in part(json, "failedResources").and_then(Json::as_array).into_iter().flatten() {
        let id = failed.get("id").and_then(Json::as_str).unwrap_or_default();
        if let Some(mut said) = failed.get("error").and_then(|error| failure::from_json(error, 0)) {
            if said.target.is_empty() {
                id.clone_into(&mut said.target);
            }
            found.push(said);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_and_deployments_are_read_alike() {
        let stack = br#"{"id":"/s","tags":{"windlass:token":"t1"},"provisioningState":"succeeded","deploymentId":"/d","correlationId":"c",
            "outputs":{"a":{"type":"String","value":"x"}},"resources":[{"id":"/b","status":"managed"},{"id":"/A"},{"id":"/a"}],"failedResources":[]}"#;
        let seen = Seen::read(stack).unwrap();
        assert!(seen.succeeded() && seen.is_over() && seen.is_of("t1") && !seen.is_of("t2"));
        assert_eq!(seen.resources, ["/A", "/b"]);
        let deployment = br#"{"id":"/d","properties":{"provisioningState":"Running","outputResources":[{"id":"/x"}],"outputs":null,"timestamp":"2026"}}"#;
        let seen = Seen::read(deployment).unwrap();
        assert!(!seen.is_over());
        assert_eq!((seen.resources, seen.timestamp), (vec!["/x".to_owned()], "2026".to_owned()));
        assert!(Seen::read(b"{}").is_none() && Seen::read(b"").is_none());
    }

    #[test]
    fn failed_resources_say_why() {
        let stack = br#"{"provisioningState":"failed","error":{"code":"DeploymentStackDeploymentFailed","message":"m"},
            "failedResources":[{"id":"/r","error":{"code":"SkuNotAvailable","message":"no"}}]}"#;
        let seen = Seen::read(stack).unwrap();
        assert_eq!(seen.errors.len(), 2);
        assert_eq!(seen.errors[1].target, "/r");
    }

    #[test]
    fn ours_is_what_carries_all_our_tags() {
        let owner = Owner { store: "s".to_owned(), stack: "shop".to_owned(), environment: "dev".to_owned() };
        let tags = own_tags(&owner, "bicep_deployment.app");
        assert_eq!(whose(&tags, &owner, "bicep_deployment.app"), Whose::Ours);
        assert_eq!(whose(&tags, &owner, "bicep_deployment.other"), Whose::Foreign);
        assert_eq!(whose(&BTreeMap::new(), &owner, "bicep_deployment.app"), Whose::Foreign);
    }
}
