//! The handle that a test holds.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::errors::Failure;
use super::faults::{Pace, When, throttled};
use super::http::{Reply, Request};
use super::ids::{self, Place};
use super::login::{self, Login, SUBSCRIPTIONS};
use super::resources::Resource;
use super::server::{Server, Shared};
use super::world::World;
use super::{groups, jobs, stacks, tls, what_if};
use crate::tools;

/// A running fake of Azure Resource Manager; ended when dropped.
#[derive(Debug)]
pub struct Arm {
    world: Shared,
    base: String,
    bin: PathBuf,
    dir: TempDir,
    default: Mutex<String>,
    _server: Server,
}

impl Arm {
    /// Starts one, on a port of its own. `None`, after a line that says so: `az` is not installed.
    ///
    /// # Panics
    /// Where it does not come up, or `az` is not installed under `CI=true`.
    #[expect(clippy::panic, reason = "for tests: a server that does not start fails the test")]
    pub fn start() -> Option<Self> {
        let bin = tools::az()?.parent()?.to_path_buf();
        Some(Self::serve(bin).unwrap_or_else(|error| panic!("start the fake of ARM: {error}")))
    }

    fn serve(bin: PathBuf) -> Result<Self, Box<dyn std::error::Error>> {
        let dir = tempfile::Builder::new().prefix("windlass-arm-").tempdir()?;
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let base = format!("https://{}", listener.local_addr()?);
        let identity = tls::identity()?;
        fs::write(dir.path().join("ca.pem"), identity.authority)?;
        let world = Arc::new(Mutex::new(World::new(base.clone())));
        let server = Server::start(listener, identity.acceptor, Arc::clone(&world))?;
        let default = Mutex::new(SUBSCRIPTIONS[0].0.to_owned());
        Ok(Self { world, base, bin, dir, default, _server: server })
    }

    fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.tick();
        world
    }

    /// Where it listens: `https://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> &str {
        &self.base
    }

    /// The certificate to trust.
    pub fn authority(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// What makes `az` speak to it, logged in as a service principal.
    pub fn env(&self) -> BTreeMap<String, String> {
        self.env_as(Login::ServicePrincipal)
    }

    /// The same with another login, in a directory of its own.
    ///
    /// # Panics
    /// Where the files cannot be written.
    #[expect(clippy::panic, reason = "for tests: there is no ground without it")]
    pub fn env_as(&self, login: Login) -> BTreeMap<String, String> {
        let dir = self.config_dir(login);
        if !dir.exists() {
            let written = login::write_files(&dir, &self.base, login, &self.default_subscription());
            written.unwrap_or_else(|error| panic!("write {}: {error}", dir.display()));
        }
        let text = |path: PathBuf| path.display().to_string();
        let mut env: BTreeMap<String, String> = [
            ("AZURE_EXTENSION_DIR", text(dir.join("cliextensions"))),
            ("AZURE_CONFIG_DIR", text(dir)),
            ("REQUESTS_CA_BUNDLE", text(self.authority())),
            ("AZURE_CORE_COLLECT_TELEMETRY", "no".to_owned()),
            ("AZURE_CORE_NO_COLOR", "true".to_owned()),
            ("AZURE_CORE_ONLY_SHOW_ERRORS", "true".to_owned()),
            ("PATH", tools::path_with(&self.bin)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        if login == Login::ManagedIdentity {
            env.insert("IDENTITY_ENDPOINT".to_owned(), format!("{}/msi/token", self.base));
            env.insert("IDENTITY_HEADER".to_owned(), "header".to_owned());
        }
        env
    }

    fn config_dir(&self, login: Login) -> PathBuf {
        self.dir.path().join(format!("az-{login:?}").to_lowercase())
    }

    /// Runs the real `az` against it.
    ///
    /// # Panics
    /// Where it cannot be started.
    #[expect(clippy::panic, reason = "for tests: an az that does not start fails the test")]
    pub fn az<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Output {
        let mut command = Command::new(self.bin.join("az"));
        args.into_iter().for_each(|arg| {
            command.arg(arg.as_ref());
        });
        let output = command.envs(self.env()).stdin(Stdio::null()).output();
        output.unwrap_or_else(|error| panic!("start az: {error}"))
    }

    /// The subscription that is taken where none is named.
    pub fn default_subscription(&self) -> String {
        self.default.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes another subscription the default, as `az account set` does.
    ///
    /// # Panics
    /// Where the files cannot be written.
    #[expect(clippy::panic, reason = "for tests: there is no ground without it")]
    pub fn switch_subscription(&self, id: &str) {
        id.clone_into(&mut self.default.lock().unwrap_or_else(PoisonError::into_inner));
        for login in [Login::ServicePrincipal, Login::WrongSecret, Login::ManagedIdentity, Login::No] {
            let dir = self.config_dir(login);
            if dir.exists() {
                let written = login::write_profile(&dir, login, id);
                written.unwrap_or_else(|error| panic!("write {}: {error}", dir.display()));
            }
        }
    }

    /// The id of a group in the default subscription.
    pub fn group_id(&self, name: &str) -> String {
        format!("/subscriptions/{}/resourceGroups/{name}", self.default_subscription())
    }

    /// The id of a resource in a group of the default subscription.
    pub fn resource_id(&self, group: &str, kind: &str, name: &str) -> String {
        format!("{}/{}", self.group_id(group), ids::relative(kind, name))
    }
}

/// A look from outside.
impl Arm {
    /// All requests so far, in order. Tokens are left out.
    pub fn requests(&self) -> Vec<Request> {
        self.world().requests.clone()
    }

    /// Forgets them.
    pub fn forget_requests(&self) {
        self.world().requests.clear();
    }

    /// All resource groups.
    pub fn resource_groups(&self) -> Vec<Value> {
        self.world().groups.values().cloned().collect()
    }

    /// All resources.
    pub fn resources(&self) -> Vec<Value> {
        self.world().resources.values().map(Resource::shown).collect()
    }

    /// All deployments, nested ones too.
    pub fn deployments(&self) -> Vec<Value> {
        self.world().deployments.values().map(super::deployments::Deployment::shown).collect()
    }

    /// All deployment stacks.
    pub fn stacks(&self) -> Vec<Value> {
        self.world().stacks.values().map(stacks::Stack::shown).collect()
    }

    /// All what-if results of stacks that were not deleted.
    pub fn stack_what_ifs(&self) -> Vec<Value> {
        self.world().what_ifs.values().map(|one| one.shown.clone()).collect()
    }

    /// A group, resource, deployment or stack by its id, without a look at what runs.
    pub fn get(&self, id: &str) -> Option<Value> {
        use super::template::evaluate::Surroundings;
        let world = self.world();
        world.resource(id).or_else(|| world.stacks.get(&ids::key(id)).map(stacks::Stack::shown))
    }

    /// Whether an operation still runs.
    pub fn is_busy(&self) -> bool {
        let world = self.world();
        world.jobs.values().any(jobs::Job::runs)
    }
}

/// Changes by hand, behind everybody's back.
impl Arm {
    /// Makes a group in the default subscription.
    pub fn put_group(&self, name: &str, location: &str, tags: Value) {
        let place = Place { subscription: self.default_subscription(), group: Some(name.to_owned()) };
        groups::make(&mut self.world(), &place, &json!({"location": location, "tags": tags}));
    }

    /// Makes or replaces a resource: `location`, `tags`, `sku`, `properties` … as a `PUT` has them.
    pub fn put_resource(&self, id: &str, body: &Value) {
        let mut world = self.world();
        let resource = Resource::new(&world, id, body);
        world.resources.insert(ids::key(id), resource);
    }

    /// Deletes a group with all in it, a resource, deployment or stack (what it managed stays).
    pub fn delete(&self, id: &str) {
        let mut world = self.world();
        let key = ids::key(id);
        if world.groups.contains_key(&key) {
            groups::remove(&mut world, &key);
        }
        world.resources.remove(&key);
        world.deployments.remove(&key);
        world.stacks.remove(&key);
    }

    /// Sets a property of a resource or group: `properties.a.b`, `tags.x`.
    ///
    /// # Panics
    /// Where there is no such thing.
    #[expect(clippy::panic, reason = "for tests: what is not there cannot be changed")]
    pub fn set_property(&self, id: &str, path: &str, value: Value) {
        let mut world = self.world();
        let world = &mut *world;
        let key = ids::key(id);
        let body =
            world.groups.get_mut(&key).or_else(|| world.resources.get_mut(&key).map(|one| &mut one.body));
        let body = body.unwrap_or_else(|| panic!("there is no {id}"));
        what_if::set(body, path, value);
    }

    /// Makes a stack that somebody else made, which manages these resources.
    pub fn put_stack(&self, place: &str, name: &str, tags: Value, resources: &[&str]) {
        let properties = json!({
            "actionOnUnmanage": {"resources": "delete", "resourceGroups": "detach", "managementGroups": "detach"},
            "denySettings": {"mode": "none", "applyToChildScopes": false}, "template": {}, "parameters": {}
        });
        let sent = json!({"tags": tags, "properties": properties});
        stacks::by_hand(&mut self.world(), place, name, sent, resources);
    }

    /// Sets the state of a stack: `deploying`, `deleting`, `failed` …
    ///
    /// # Panics
    /// Where there is none.
    #[expect(clippy::panic, reason = "for tests: what is not there cannot be changed")]
    pub fn set_stack_state(&self, id: &str, state: &str) {
        let mut world = self.world();
        let stack = world.stacks.get_mut(&ids::key(id)).unwrap_or_else(|| panic!("there is no stack {id}"));
        state.clone_into(&mut stack.state);
    }
}

/// How it behaves from now on. A resource is named by its name, its type or its id.
impl Arm {
    /// How long operations take. Those that were held go on at the new pace.
    pub fn pace(&self, pace: Pace) {
        self.world().behaviour.pace = pace;
    }

    /// When to come again while an operation runs (`Retry-After`, or its like for parts of a second).
    pub fn retry_after(&self, time: Duration) {
        self.world().behaviour.retry_after = time;
    }

    /// How long each answer takes.
    pub fn delay(&self, time: Duration) {
        self.world().behaviour.delay = time;
    }

    /// Answers some requests with this.
    pub fn answer(&self, when: When, reply: Reply) {
        self.world().behaviour.faults.push((when, reply));
    }

    /// Answers some requests with an error.
    pub fn refuse(&self, when: When, failure: &Failure) {
        self.answer(when, failure.reply());
    }

    /// Throttles some requests.
    pub fn throttle(&self, when: When, retry_after: Duration) {
        self.answer(when, throttled(retry_after));
    }

    /// Answers some requests as to somebody without the right.
    pub fn forbid(&self, when: When, action: &str, scope: &str) {
        self.refuse(when, &Failure::forbidden(action, scope));
    }

    /// Answers some requests as to an old token.
    pub fn expire(&self, when: When) {
        self.refuse(when, &Failure::unauthorized());
    }

    /// A resource cannot be made.
    pub fn fail(&self, resource: &str, failure: Failure) {
        self.world().behaviour.failing.push((resource.to_owned(), failure));
    }

    /// A resource cannot be deleted: with an error, or its deletion never ends (in a stack: it fails after a while).
    pub fn undeletable(&self, resource: &str, failure: Option<Failure>) {
        self.world().behaviour.undeletable.push((resource.to_owned(), failure));
    }

    /// What-if sees a property that nobody wrote as one that would go: `properties.sku.tier`.
    pub fn noise(&self, resource: &str, path: &str, value: Value) {
        self.world().behaviour.noise.push((resource.to_owned(), path.to_owned(), value));
    }

    /// What-if only calls the change of a resource possible.
    pub fn potential(&self, resource: &str) {
        self.world().behaviour.potential.push(resource.to_owned());
    }

    /// What-if cannot tell about a resource.
    pub fn unsupported(&self, resource: &str, why: &str) {
        self.world().behaviour.unsupported.push((resource.to_owned(), why.to_owned()));
    }

    /// What-if says this besides: `{"level", "code", "message", "target"}`.
    pub fn diagnostic(&self, diagnostic: Value) {
        self.world().behaviour.diagnostics.push(diagnostic);
    }

    /// Resources made from now on have these properties by themselves.
    pub fn computed(&self, resource: &str, properties: Value) {
        self.world().behaviour.computed.push((resource.to_owned(), properties));
    }

    /// Validation refuses every template.
    pub fn invalid(&self, failure: Failure) {
        self.world().behaviour.invalid = Some(failure);
    }

    /// Whether stacks have a what-if.
    pub fn stacks_what_if(&self, is_there: bool) {
        self.world().behaviour.stacks_what_if = is_there;
    }

    /// A stack is out of sync.
    pub fn out_of_sync(&self, stack: &str) {
        self.world().behaviour.out_of_sync.push(stack.to_owned());
    }

    /// Behaves well again, at the pace that it has.
    pub fn behave(&self) {
        let mut world = self.world();
        let pace = world.behaviour.pace;
        world.behaviour = super::faults::Behaviour { pace, ..super::faults::Behaviour::default() };
    }

    /// The directory that is gone with it: for files of the test.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}
