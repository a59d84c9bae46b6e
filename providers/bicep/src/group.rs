//! The resource group that a deployment makes and owns.

use serde_json::Value as Json;
use windlass_model::ErrorClass;
use windlass_provider::ProviderError;

use crate::job::{Job, is_absent};
use crate::seen::{self, Whose, whose};

/// What becomes of the group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    /// It is not this deployment's business.
    Others,
    /// It has to be made.
    Create,
    /// It is there, and ours.
    Ours,
}

impl Group {
    /// For an artefact.
    pub fn as_str(self) -> &'static str {
        match self {
            Group::Others => "others",
            Group::Create => "create",
            Group::Ours => "ours",
        }
    }

    /// From an artefact.
    pub fn read(word: &str) -> Group {
        match word {
            "create" => Group::Create,
            "ours" => Group::Ours,
            _ => Group::Others,
        }
    }

    /// The group of a deployment. `exists`: Azure answered for what is in it; `owned`: state says that we made it.
    ///
    /// # Errors
    /// `name_taken` where it is there and not ours.
    pub async fn of(job: &Job<'_>, exists: bool, owned: bool) -> Result<Group, ProviderError> {
        let Some(group) = job.spec.group.as_deref().filter(|_| job.spec.creates_group) else {
            return Ok(Group::Others);
        };
        match (exists, owned) {
            (false, _) => Ok(Group::Create),
            (true, true) => Ok(Group::Ours),
            (true, false) => job.group_is_ours(group).await,
        }
    }
}

impl Job<'_> {
    async fn group_is_ours(&self, group: &str) -> Result<Group, ProviderError> {
        let args = self.target.group_show(group);
        let exit = self.ask("group-show", args.clone()).await?;
        if !exit.success() {
            return if is_absent(&exit) { Ok(Group::Create) } else { Err(self.error(&args, &exit)) };
        }
        let json: Json = serde_json::from_slice(&exit.stdout).unwrap_or_default();
        if whose(&seen::tags(&json), &self.call.owner, &self.call.address.to_string()) == Whose::Ours {
            return Ok(Group::Ours);
        }
        let id = self.target.scope_id();
        let message =
            format!("the resource group `{group}` exists already, and {} did not make it", self.call.address);
        Err(ProviderError::new(ErrorClass::NameTaken, message)
            .hint(format!(
                "take it in: windlass state import {} {id}; or deploy into it as it is: create_resource_group = false",
                self.typed_address()
            ))
            .at("resource_group"))
    }

    /// The ids of what is in the group and not among `known`; none where the group is not there.
    ///
    /// # Errors
    /// What az says.
    pub async fn strangers(&self, group: &str, known: &[String]) -> Result<Vec<String>, ProviderError> {
        let mut found = self.listed(self.target.resources(Some(group))).await?;
        found.retain(|id| !known.iter().any(|known| is_or_holds(known, id)));
        Ok(found)
    }

    /// The ids of all resources of the subscription.
    ///
    /// # Errors
    /// What az says.
    pub async fn all_resources(&self) -> Result<Vec<String>, ProviderError> {
        self.listed(self.target.resources(None)).await
    }

    async fn listed(&self, args: Vec<String>) -> Result<Vec<String>, ProviderError> {
        let exit = self.ask("resources", args.clone()).await?;
        if !exit.success() {
            return if is_absent(&exit) { Ok(Vec::new()) } else { Err(self.error(&args, &exit)) };
        }
        let json: Json = serde_json::from_slice(&exit.stdout)
            .map_err(|_| ProviderError::new(ErrorClass::Unknown, "`az resource list` printed no list"))?;
        let ids =
            json.as_array().into_iter().flatten().filter_map(|one| one.get("id").and_then(Json::as_str));
        let mut ids: Vec<String> = ids.map(str::to_owned).collect();
        ids.sort();
        Ok(ids)
    }
}

/// Whether an id is that of a known resource, or of something inside one.
fn is_or_holds(known: &str, id: &str) -> bool {
    let (known, id) = (known.to_lowercase(), id.to_lowercase());
    id == known || id.strip_prefix(&known).is_some_and(|rest| rest.starts_with('/'))
}

/// The error of a group that holds more than what is to be deleted.
pub fn holds_strangers(job: &Job<'_>, group: &str, strangers: &[String]) -> ProviderError {
    let listed: Vec<String> = strangers.iter().take(8).map(|id| job.target.short(id)).collect();
    let more = strangers.len().saturating_sub(listed.len());
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let message = format!(
        "the resource group `{group}` would be deleted with what is not this deployment's: {}{more}",
        listed.join(", ")
    );
    ProviderError::new(ErrorClass::Conflict, message)
        .hint("move or delete those first; or leave the group: apply with create_resource_group = false, then destroy")
        .at("create_resource_group")
}
