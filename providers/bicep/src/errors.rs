//! What Azure, `az` and the Bicep compiler say when something goes wrong, and what that means: the one table by which each
//! failure is classified, and from which the documentation is made.

use windlass_model::ErrorClass::{
    self, Auth, BuildFailed, Cancelled, Conflict, InvalidConfig, NameTaken, NotFound, Permission,
    RateLimited, Timeout, ToolMissing, Unavailable,
};
use windlass_provider::KnownError;

const fn row(says: &'static str, class: ErrorClass, hint: &'static str) -> KnownError {
    KnownError { says, class, hint }
}

const LOGIN: &str = "run `az login`";
const SECRET: &str = "renew the service principal's secret, then `az login --service-principal`";
const ROLE: &str = "ask for a role that allows this on that scope (Contributor; deny settings need Azure Deployment Stack Owner)";
const TEMPLATE: &str = "correct the template or its parameters";
const REGISTER: &str =
    "run `az provider register --namespace NAMESPACE` once in this subscription, then try again";
const API: &str =
    "use a type and apiVersion that this cloud and region know: `az provider show --namespace NAMESPACE`";
const OTHER_NAME: &str = "such names are unique in all of Azure: choose another one";
const WAIT: &str = "wait for what is running there to end, then run `windlass resume` or apply again";
const THROTTLED: &str =
    "Azure counts requests by subscription: wait a minute, or lower `concurrency` in the provider block";
const LATER: &str = "try again; https://status.azure.com tells of outages";
const REACH: &str = "check network, proxy and, for a cloud of your own, its addresses: `az cloud show`";
const LOCK: &str = "remove the lock (`az lock list`), or leave that resource out";
const QUOTA: &str = "ask for more quota in the region, or use a smaller size or another region";
const GROUP: &str = "name a group that exists, or say create_resource_group = true";
const LOOK: &str =
    "look at it with `az stack group show` or `az deployment operation group list`, then apply again";
const BICEP: &str = "install it with `az bicep install`, or name its path in the provider's `bicep`";

/// Codes and words, the special ones before those that they hold.
pub const ERRORS: &[KnownError] = &[
    row("AADSTS7000215", Auth, SECRET),
    row("AADSTS7000222", Auth, SECRET),
    row(
        "AADSTS700016",
        Auth,
        "log in to the tenant that the application is in: `az login --service-principal --tenant TENANT`",
    ),
    row("AADSTS50076", Auth, "run `az login --tenant TENANT` and answer the second factor"),
    row("AADSTS50079", Auth, "run `az login --tenant TENANT` and answer the second factor"),
    row("AADSTS700082", Auth, "the login has expired: run `az login`"),
    row("AADSTS70043", Auth, "the login has expired: run `az login`"),
    row("AADSTS90002", Auth, "no such tenant: run `az login --tenant TENANT` with the right one"),
    row("AADSTS", Auth, LOGIN),
    row("az login", Auth, LOGIN),
    row("ExpiredAuthenticationToken", Auth, "the login has expired: run `az login`"),
    row(
        "InvalidAuthenticationTokenTenant",
        Auth,
        "the subscription is in another tenant: run `az login --tenant TENANT`",
    ),
    row("InvalidAuthenticationToken", Auth, LOGIN),
    row("AuthenticationFailed", Auth, LOGIN),
    row("AuthenticationFailedInvalidHeader", Auth, LOGIN),
    row("Unauthorized", Auth, LOGIN),
    row(
        "DenyAssignmentAuthorizationFailed",
        Permission,
        "a stack's deny settings forbid it: change it through that stack, or relax its deny_settings",
    ),
    row("LinkedAuthorizationFailed", Permission, ROLE),
    row(
        "RequestDisallowedByPolicy",
        Permission,
        "a policy of the organisation forbids it: change the template, or ask for an exemption",
    ),
    row("AuthorizationFailed", Permission, ROLE),
    row("Forbidden", Permission, ROLE),
    row("MissingSubscriptionRegistration", InvalidConfig, REGISTER),
    row("MissingRegistrationForLocation", InvalidConfig, REGISTER),
    row("NoRegisteredProviderFound", InvalidConfig, API),
    row("InvalidResourceType", InvalidConfig, API),
    row("InvalidApiVersionParameter", InvalidConfig, API),
    row(
        "LocationNotAvailableForResourceType",
        InvalidConfig,
        "choose a location in which this type is offered",
    ),
    row(
        "InvalidResourceGroupLocation",
        InvalidConfig,
        "a group keeps the location that it was made in: give that one",
    ),
    row(
        "InvalidDeploymentLocation",
        InvalidConfig,
        "a deployment to a subscription keeps its first location: give that one, or another name",
    ),
    row("SkuNotAvailable", InvalidConfig, QUOTA),
    row("QuotaExceeded", InvalidConfig, QUOTA),
    row("ResourceQuotaExceeded", InvalidConfig, QUOTA),
    row("OperationNotAllowed", InvalidConfig, QUOTA),
    row(
        "DeploymentQuotaExceeded",
        InvalidConfig,
        "the group holds 800 deployments: delete old ones, `az deployment group delete`",
    ),
    row("InvalidTemplateDeployment", InvalidConfig, TEMPLATE),
    row("InvalidTemplate", InvalidConfig, TEMPLATE),
    row("InvalidDeploymentParameterValue", InvalidConfig, TEMPLATE),
    row("InvalidParameterValue", InvalidConfig, TEMPLATE),
    row("InvalidRequestContent", InvalidConfig, TEMPLATE),
    row("InvalidRequestFormat", InvalidConfig, TEMPLATE),
    row("InvalidParameter", InvalidConfig, TEMPLATE),
    row(
        "InvalidContentLink",
        InvalidConfig,
        "a linked template cannot be read from there: check its address",
    ),
    row("AccountNameInvalid", InvalidConfig, TEMPLATE),
    row("ReservedResourceName", InvalidConfig, "Azure reserves that name: choose another one"),
    row("InvalidSubscriptionId", InvalidConfig, "set `subscription`: `az account list` lists them"),
    row("unrecognized template parameter", InvalidConfig, TEMPLATE),
    row("Missing input parameters", InvalidConfig, "give it in `parameters`"),
    row("Failed to parse", InvalidConfig, TEMPLATE),
    row(
        "does not match the deployment scope",
        InvalidConfig,
        "make `scope` and the template's targetScope agree",
    ),
    row("StorageAccountAlreadyTaken", NameTaken, OTHER_NAME),
    row("StorageAccountAlreadyExists", NameTaken, OTHER_NAME),
    row("VaultAlreadyExists", NameTaken, OTHER_NAME),
    row("AccountAlreadyExists", NameTaken, OTHER_NAME),
    row("DnsRecordInUse", NameTaken, OTHER_NAME),
    row("NameAlreadyExists", NameTaken, OTHER_NAME),
    row("NamespaceAlreadyExists", NameTaken, OTHER_NAME),
    row(
        "ResourceAlreadyExists",
        NameTaken,
        "it exists already: give it another name, or take it into the template",
    ),
    row("ResourceGroupNotFound", NotFound, GROUP),
    row("SubscriptionNotFound", NotFound, "set `subscription`: `az account list` lists those of this login"),
    row(
        "Check the spelling and casing",
        NotFound,
        "set `subscription`: `az account list` lists those of this login",
    ),
    row("ParentResourceNotFound", NotFound, "make the parent first: `dependsOn`, or `parent` in Bicep"),
    row("DeploymentStackNotFound", NotFound, LOOK),
    row("DeploymentNotFound", NotFound, LOOK),
    row(
        "ResourceNotFound",
        NotFound,
        "what the template refers to is not there: make it first, or correct the name",
    ),
    row("DeploymentStackInNonTerminalState", Conflict, WAIT),
    row("DeploymentActive", Conflict, WAIT),
    row("DeploymentActiveAndUneditable", Conflict, WAIT),
    row("DeploymentBeingDeleted", Conflict, WAIT),
    row("AnotherOperationInProgress", Conflict, WAIT),
    row("ResourceGroupBeingDeleted", Conflict, WAIT),
    row(
        "DeploymentStackOutOfSync",
        Conflict,
        "Azure's list of what the stack manages is stale: look at it, then `az stack group create --bypass-stack-out-of-sync-error true` once",
    ),
    row(
        "DeploymentStackDeleteResourcesFailed",
        Conflict,
        "something could not be deleted, often as another resource uses it: remove that use, then apply again",
    ),
    row("ResourceGroupDeletionBlocked", Conflict, LOCK),
    row("ScopeLocked", Conflict, LOCK),
    row("PreconditionFailed", Conflict, WAIT),
    row("RetryableError", Conflict, WAIT),
    row("SubscriptionRequestsThrottled", RateLimited, THROTTLED),
    row("OperationNotAllowedThrottled", RateLimited, THROTTLED),
    row("ResourceRequestsThrottled", RateLimited, THROTTLED),
    row("TooManyRequests", RateLimited, THROTTLED),
    row("RequestThrottled", RateLimited, THROTTLED),
    row(
        "CERTIFICATE_VERIFY_FAILED",
        Unavailable,
        "the server's certificate is not trusted: name its authority's file in REQUESTS_CA_BUNDLE",
    ),
    row("Max retries exceeded", Unavailable, REACH),
    row("Connection refused", Unavailable, REACH),
    row("Failed to establish a new connection", Unavailable, REACH),
    row("Failed to resolve", Unavailable, REACH),
    row("Connection aborted", Unavailable, REACH),
    row("ServiceUnavailable", Unavailable, LATER),
    row("ServerTimeout", Unavailable, LATER),
    row("InternalServerError", Unavailable, LATER),
    row("GatewayTimeout", Unavailable, LATER),
    row("BadGateway", Unavailable, LATER),
    row("OperationTimedOut", Timeout, LOOK),
    row("DeploymentTimedOut", Timeout, LOOK),
    row("Read timed out", Timeout, LATER),
    row("retrieve the latest Bicep version", ToolMissing, BICEP),
    row("\"bicep\" executable", ToolMissing, BICEP),
    row(
        "misspelled or not recognized",
        ToolMissing,
        "this `az` does not know that command: `az upgrade` (2.85 or newer is wanted)",
    ),
    row(
        "the following arguments are required",
        ToolMissing,
        "this `az` wants other arguments: `az upgrade` (2.85 or newer is wanted)",
    ),
    row("Error BCP", BuildFailed, "correct the template where it says"),
    row("wait cancelled", Cancelled, "`windlass resume` goes on"),
    row("DeploymentCanceled", Cancelled, "apply again"),
    row("Canceled", Cancelled, "apply again"),
    // What says little: only where nothing better is said.
    row("NotFound", NotFound, "what the template refers to is not there: make it first, or correct the name"),
    row("BadRequest", InvalidConfig, TEMPLATE),
    row("Conflict", Conflict, LOOK),
];

/// Codes that only say that something inside failed.
pub const GENERIC: &[&str] = &[
    "DeploymentFailed",
    "DeploymentStackDeploymentFailed",
    "DeploymentStackValidationFailed",
    "DeploymentWhatIfResourceError",
    "InvalidTemplateDeployment",
    "MultipleErrorsOccurred",
    "PreflightValidationCheckFailed",
    "ResourceDeploymentFailure",
    "ResourceOperationFailure",
    "BadRequest",
    "Conflict",
    "Failed",
];

/// The row for a code.
pub fn of_code(code: &str) -> Option<&'static KnownError> {
    ERRORS.iter().find(|known| known.says.eq_ignore_ascii_case(code))
}

/// The row for words in a text: the first in the table.
pub fn of_text(text: &str) -> Option<&'static KnownError> {
    ERRORS.iter().find(|known| holds(text, known.says))
}

/// A code stands by itself; other words may stand anywhere.
fn holds(text: &str, says: &str) -> bool {
    let is_code = says.chars().all(|c| c.is_ascii_alphanumeric()) && says != "AADSTS";
    let mut from = 0;
    while let Some(at) = text[from..].find(says).map(|at| at + from) {
        let end = at + says.len();
        let before = text[..at].chars().next_back().is_some_and(|c| c.is_ascii_alphanumeric());
        let after = text[end..].chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
        if !is_code || (!before && !after) {
            return true;
        }
        from = end;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_found_by_itself_and_says_what_to_do() {
        for known in ERRORS {
            assert!(!known.hint.is_empty(), "{}", known.says);
            let found = of_text(&format!("ERROR: ({}) x", known.says)).unwrap();
            assert_eq!(found.class, known.class, "{}: {}", known.says, found.says);
            assert_eq!(ERRORS.iter().filter(|other| other.says == known.says).count(), 1, "{}", known.says);
        }
    }

    #[test]
    fn a_code_is_a_word_of_its_own() {
        assert!(of_text("ConflictingThings happened").is_none());
        assert_eq!(of_text("ERROR: (ResourceNotFound) x").unwrap().says, "ResourceNotFound");
        assert_eq!(of_code("toomanyrequests").unwrap().class, RateLimited);
        assert_eq!(of_code("InvalidTemplate").unwrap().class, InvalidConfig);
    }
}
