//! Which request is for whom.

use serde_json::{Value, json};

use super::errors::Failure;
use super::http::{Reply, Request};
use super::world::{World, no_route};
use super::{deployments, groups, jobs, login, resources, stack_what_if, stacks};

/// Answers a request to ARM.
///
/// # Errors
/// What is wrong, as ARM says it.
pub fn route(world: &mut World, request: &Request) -> Result<Reply, Failure> {
    let segments = request.segments();
    let names: Vec<&str> = segments.iter().map(String::as_str).collect();
    let lower: Vec<String> = segments.iter().map(|name| name.to_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    match lower.as_slice() {
        ["tenants"] => Ok(Reply::json(
            200,
            json!({"value": [{"id": format!("/tenants/{}", login::TENANT), "tenantId": login::TENANT}]}),
        )),
        ["subscriptions", rest @ ..] => below(world, request, &names, rest),
        _ => Err(no_route(&request.path)),
    }
}

fn below(world: &mut World, request: &Request, names: &[&str], lower: &[&str]) -> Result<Reply, Failure> {
    let (get, method) = (request.method == "GET", request.method.as_str());
    let root = |count: usize| format!("/{}", names[..count].join("/"));
    match lower {
        [] if get => Ok(Reply::json(200, json!({"value": subscriptions(world)}))),
        [_] if get => {
            world.place(&root(2))?;
            let all = subscriptions(world);
            let one = all.into_iter().find(|one| {
                one["subscriptionId"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(names[1]))
            });
            Ok(Reply::json(200, one.unwrap_or_default()))
        }
        [_, "operationresults" | "operationstatuses", id] if get => {
            jobs::asked(world, id, lower[1] == "operationstatuses")
        }
        [_, "resourcegroups"] if get => groups::list(world, &root(2)),
        [_, "resourcegroups", _] => groups::handle(world, request, method, &root(4)),
        [_, "resources"] if get => resources::list(world, &root(2), request),
        [_, "resourcegroups", _, "resources"] if get => resources::list(world, &root(4), request),
        [_, "providers"] if get => Ok(Reply::json(200, json!({"value": []}))),
        [_, "providers", _] if get => Ok(Reply::json(200, resources::namespace(world, names[3]))),
        // The operations of a deployment are also below its group.
        [_, "resourcegroups", _, "deployments", ..] => {
            deployments::handle(world, request, &root(4), &names[5..])
        }
        [_, "resourcegroups", _, "providers", "microsoft.resources", kind, ..] if is_own(kind) => {
            own(world, request, &root(4), kind, &names[7..])
        }
        [_, "providers", "microsoft.resources", kind, ..] if is_own(kind) => {
            own(world, request, &root(2), kind, &names[5..])
        }
        [.., "providers", "microsoft.resources", "tags", "default"] => {
            resources::tags(world, request, &root(names.len() - 4))
        }
        [_, rest @ ..] if rest.len() >= 4 && rest.contains(&"providers") => {
            resources::handle(world, request, &root(names.len()))
        }
        _ => Err(no_route(&request.path)),
    }
}

fn is_own(kind: &str) -> bool {
    matches!(kind, "deployments" | "deploymentstacks" | "deploymentstackswhatifresults")
}

fn own(
    world: &mut World,
    request: &Request,
    place: &str,
    kind: &str,
    rest: &[&str],
) -> Result<Reply, Failure> {
    match kind {
        "deployments" => deployments::handle(world, request, place, rest),
        "deploymentstacks" => stacks::handle(world, request, place, rest),
        _ => stack_what_if::handle(world, request, place, rest),
    }
}

fn subscriptions(world: &World) -> Vec<Value> {
    let one = |one: &super::world::Subscription| {
        json!({"id": format!("/subscriptions/{}", one.id), "subscriptionId": one.id, "displayName": one.name, "state": "Enabled",
            "tenantId": login::TENANT, "authorizationSource": "RoleBased", "managedByTenants": [],
            "subscriptionPolicies": {"locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off"}})
    };
    world.subscriptions.iter().map(one).collect()
}
