//! All that there is in this Azure.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::deployments::Deployment;
use super::errors::Failure;
use super::faults::Behaviour;
use super::http::{Reply, Request};
use super::ids::{self, Place};
use super::jobs::Job;
use super::resources::Resource;
use super::stack_what_if::WhatIf;
use super::stacks::Stack;
use super::template::evaluate::Surroundings;
use super::{login, resources, route};

/// A subscription.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// The whole of it. Keys are ids in lower case.
#[derive(Debug)]
pub struct World {
    /// Where it is served.
    pub base: String,
    /// The subscriptions.
    pub subscriptions: Vec<Subscription>,
    /// The resource groups, as they are shown.
    pub groups: BTreeMap<String, Value>,
    /// The resources.
    pub resources: BTreeMap<String, Resource>,
    /// The deployments.
    pub deployments: BTreeMap<String, Deployment>,
    /// The deployment stacks.
    pub stacks: BTreeMap<String, Stack>,
    /// What-if results of stacks.
    pub what_ifs: BTreeMap<String, WhatIf>,
    /// Long-running operations.
    pub jobs: BTreeMap<String, Job>,
    /// How it behaves.
    pub behaviour: Behaviour,
    /// All that was asked.
    pub requests: Vec<Request>,
    counter: u64,
}

impl World {
    /// An empty one.
    pub fn new(base: String) -> Self {
        let subscription =
            |(id, name): (&str, &str)| Subscription { id: id.to_owned(), name: name.to_owned() };
        Self {
            base,
            subscriptions: login::SUBSCRIPTIONS.into_iter().map(subscription).collect(),
            groups: BTreeMap::new(),
            resources: BTreeMap::new(),
            deployments: BTreeMap::new(),
            stacks: BTreeMap::new(),
            what_ifs: BTreeMap::new(),
            jobs: BTreeMap::new(),
            behaviour: Behaviour::default(),
            requests: Vec::new(),
            counter: 0,
        }
    }

    /// Answers a request.
    pub fn handle(&mut self, request: Request) -> Reply {
        self.tick();
        let mut kept = request.clone();
        if let Some(token) = kept.headers.get_mut("authorization") {
            token.clear();
        }
        self.requests.push(kept);
        if let Some(reply) = self.behaviour.fault(&request) {
            return reply;
        }
        if let Some(reply) = login::handle(self, &request) {
            return reply;
        }
        let reply = if login::is_known(&request) {
            route::route(self, &request)
        } else {
            Err(Failure::unauthorized())
        };
        let reply = reply.unwrap_or_else(|failure| failure.reply());
        let id = self.guid();
        reply.with("x-ms-request-id", id)
    }

    /// A number that was not before.
    pub fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// A GUID that was not before.
    pub fn guid(&mut self) -> String {
        format!("40000000-0000-4000-8000-{:012x}", self.next())
    }

    /// A place that must be there.
    ///
    /// # Errors
    /// As ARM says that it is not.
    pub fn place(&self, id: &str) -> Result<Place, Failure> {
        let place = Place::of(id).ok_or_else(|| no_route(id))?;
        if !self.subscriptions.iter().any(|one| one.id.eq_ignore_ascii_case(&place.subscription)) {
            let message = format!("The subscription '{}' could not be found.", place.subscription);
            return Err(Failure::new(404, "SubscriptionNotFound", message));
        }
        match &place.group {
            Some(group) if !self.groups.contains_key(&ids::key(&place.id())) => Err(Failure::no_group(group)),
            _ => Ok(place),
        }
    }
}

impl Surroundings for World {
    fn resource(&self, id: &str) -> Option<Value> {
        let key = ids::key(id);
        let group = self.groups.get(&key).cloned();
        let deployment = || self.deployments.get(&key).map(Deployment::shown);
        group.or_else(|| self.resources.get(&key).map(Resource::shown)).or_else(deployment)
    }

    fn list(&self, function: &str, id: &str) -> Option<Value> {
        self.resources.get(&ids::key(id)).map(|resource| resources::secrets(function, &resource.id))
    }

    fn tenant(&self) -> String {
        login::TENANT.to_owned()
    }

    fn subscription(&self, id: &str) -> Value {
        let name = self.subscriptions.iter().find(|one| one.id.eq_ignore_ascii_case(id)).map(|one| &one.name);
        json!({"id": format!("/subscriptions/{id}"), "subscriptionId": id, "tenantId": login::TENANT, "displayName": name})
    }
}

/// Nothing answers there.
pub fn no_route(path: &str) -> Failure {
    Failure::new(
        404,
        "InvalidResourceType",
        format!("There is nothing at '{path}' of this Azure Resource Manager."),
    )
}

/// A time as ARM writes it.
pub fn written(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%fZ").to_string()
}
