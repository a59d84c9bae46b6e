//! One call on one deployment: its inputs, its place, and the way `az` is run for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use windlass_model::{AttrPath, Digest, ErrorClass, Kind, Private, Record, StepEvent, Value, to_json};
use windlass_provider::{Binary, Call, Command, Engine, Exit, ProviderError, Stop};

use crate::arm::eval::{Ev, Scope};
use crate::arm::outputs::{self as made_of, Made};
use crate::arm::template::Template;
use crate::command::{self, Sent};
use crate::profile::{self, Subscription};
use crate::schema::COMPUTED;
use crate::seen::{self, Seen};
use crate::session::Config;
use crate::spec::Spec;
use crate::target::Target;
use crate::workdir::WorkDir;

/// The names of blobs: the compiled template.
pub const TEMPLATE: &str = "template";
/// The parameters of a file, where they do not stand in the inputs.
pub const PARAMETERS: &str = "parameters";

/// One call on one deployment.
pub struct Job<'a> {
    /// The call.
    pub call: &'a Call,
    /// The inputs.
    pub desired: &'a Value,
    /// The inputs as plain data.
    pub spec: Spec,
    /// Where it is.
    pub target: Target,
    /// The tenant's id.
    pub tenant: String,
    /// The cloud, where it is not the one that az is set to.
    pub cloud: Option<String>,
    az: Binary,
    /// The files for az.
    pub dir: WorkDir,
}

/// The parameters' values.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Names of all that are given.
    pub names: BTreeSet<String>,
    /// Those that are not known yet, and what they wait for.
    pub waits: BTreeMap<String, Vec<String>>,
    /// For expressions.
    pub values: BTreeMap<String, Ev>,
    /// Names of those whose values are secret.
    pub secret: BTreeSet<String>,
    /// As they are sent; null where something is not known.
    pub sent: Json,
}

impl<'a> Job<'a> {
    /// Finds out where a deployment is, without starting anything. `pinned`: the record whose deployment it is, whatever the
    /// login's default subscription has become since.
    ///
    /// # Errors
    /// `auth`, `invalid_config`, `tool_missing`.
    pub fn open(
        call: &'a Call,
        desired: &'a Value,
        config: &Config,
        pinned: Option<&Record>,
    ) -> Result<Job<'a>, ProviderError> {
        let mut spec = Spec::read(desired);
        if let Some(subscription) = pinned.and_then(recorded_subscription) {
            spec.subscription = Some(subscription.to_owned());
        }
        let Subscription { id, tenant_id, .. } = config.subscription(&spec, &call.tools.env)?;
        let target = Target::new(&spec, &id);
        let az = config.az(&call.tools)?;
        let dir = WorkDir::of(call);
        dir.sweep(call.tools.host.now_ms());
        let cloud = config.cloud_of(&spec);
        Ok(Job { call, desired, spec, target, tenant: tenant_id, cloud, az, dir })
    }

    fn command(&self, label: &str, args: Vec<String>) -> Command {
        Command {
            program: self.az.path.display().to_string(),
            args,
            env: command::environment(
                windlass_provider::inherit(&self.call.tools.env),
                self.cloud.as_deref(),
            ),
            dir: self.dir.path.clone(),
            label: label.to_owned(),
            stdout_is_data: true,
            get_it: command::get_it(),
            ..Command::default()
        }
    }

    /// Runs a command that changes nothing outside.
    ///
    /// # Errors
    /// Where it could not be run.
    pub async fn ask(&self, label: &str, args: Vec<String>) -> Result<Exit, ProviderError> {
        self.ask_in(self.call, label, args).await
    }

    /// As [`ask`](Job::ask), for a call that may go on though the run was interrupted.
    ///
    /// # Errors
    /// Where it could not be run.
    pub async fn ask_in(&self, call: &Call, label: &str, args: Vec<String>) -> Result<Exit, ProviderError> {
        self.dir.make()?;
        call.tools.runner.run(&quiet(call), &self.command(label, args)).await
    }

    /// Runs a command that changes something outside, under the supervisor.
    ///
    /// # Errors
    /// Where it could not be run, or how it ended is not known.
    pub async fn act(&self, label: &str, args: Vec<String>) -> Result<Exit, ProviderError> {
        self.act_in(self.call, label, args).await
    }

    /// As [`act`](Job::act), for a call that may go on though the run was interrupted.
    ///
    /// # Errors
    /// Where it could not be run, or how it ended is not known.
    pub async fn act_in(&self, call: &Call, label: &str, args: Vec<String>) -> Result<Exit, ProviderError> {
        self.dir.make()?;
        let command = Command { supervised: true, ..self.command(label, args) };
        call.tools.runner.run(&quiet(call), &command).await
    }

    /// Tells how far it is.
    pub fn tell(&self, words: impl Into<String>) {
        let words = self.call.tools.redact.redact(&words.into());
        self.call.engine.say(StepEvent::Progress(words));
    }

    /// A line for the step's log.
    pub fn log(&self, words: impl Into<String>) {
        let words = self.call.tools.redact.redact(&words.into());
        self.call.engine.say(StepEvent::Log(words));
    }

    /// The error of a command that failed.
    pub fn error(&self, args: &[String], exit: &Exit) -> ProviderError {
        let words: Vec<&str> =
            args.iter().take_while(|word| !word.starts_with('-')).map(String::as_str).collect();
        crate::failure::error(&words.join(" "), exit, &self.call.tools.redact)
    }

    /// What is there; `None`: nothing.
    ///
    /// # Errors
    /// What az says.
    pub async fn show(&self) -> Result<Option<Seen>, ProviderError> {
        self.show_in(self.call).await
    }

    /// As [`show`](Job::show), for a call that may go on though the run was interrupted.
    ///
    /// # Errors
    /// What az says.
    pub async fn show_in(&self, call: &Call) -> Result<Option<Seen>, ProviderError> {
        let args = self.target.show();
        let exit = self.ask_in(call, "show", args.clone()).await?;
        if exit.success() {
            return match Seen::read(&exit.stdout) {
                Some(seen) => Ok(Some(seen)),
                None => {
                    let message =
                        format!("`az {} show` printed nothing that can be read", self.target.word());
                    Err(ProviderError::new(ErrorClass::Unknown, message))
                }
            };
        }
        match is_absent(&exit) {
            true => Ok(None),
            false => Err(self.error(&args, &exit)),
        }
    }

    /// The address as it is typed in a shell.
    pub fn typed_address(&self) -> String {
        let address = self.call.address.to_string();
        if address.contains('"') { format!("'{address}'") } else { address }
    }

    /// The tags of what is made.
    pub fn own_tags(&self) -> BTreeMap<String, String> {
        seen::own_tags(&self.call.owner, &self.call.address.to_string())
    }

    /// All tags of a stack. `token`: of the step that sends it.
    pub fn stack_tags(&self, token: Option<&str>) -> BTreeMap<String, String> {
        let mut tags = self.spec.tags.clone();
        tags.extend(self.own_tags());
        match token {
            Some(token) => seen::with_token(tags, token),
            None => tags,
        }
    }

    /// Writes template and parameters where az reads them, and says how they are sent.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn lay_out(&self, template: &str, given: &Json) -> Result<Laid, ProviderError> {
        let template = self.dir.write("template.json", template.as_bytes())?;
        let parameters = match given.as_object().is_some_and(|given| !given.is_empty()) {
            true => {
                let file = json!({
                    "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
                    "contentVersion": "1.0.0.0",
                    "parameters": given,
                });
                Some(self.dir.write("parameters.json", file.to_string().as_bytes())?)
            }
            false => None,
        };
        Ok(Laid { template, parameters })
    }

    /// How files are sent with these tags.
    pub fn sent<'s>(&'s self, laid: &'s Laid, tags: &'s BTreeMap<String, String>) -> Sent<'s> {
        Sent {
            template: &laid.template,
            parameters: laid.parameters.as_deref(),
            detach: self.spec.detach,
            deny: &self.spec.deny,
            tags,
            location: self.spec.location.as_deref(),
        }
    }

    /// The parameters: of the inputs, or of a file.
    pub fn given(&self, template: &Template, of_file: Option<&Json>) -> Given {
        self.given_of(&self.spec, template, of_file)
    }

    /// As [`given`](Job::given), of other inputs.
    pub fn given_of(&self, spec: &Spec, template: &Template, of_file: Option<&Json>) -> Given {
        let mut given = match (of_file, &spec.parameters) {
            (Some(file), _) => of_json(file),
            (None, Some(value)) => of_value(value, template),
            (None, None) => Given { sent: json!({}), ..Given::default() },
        };
        let secure = template.secure_parameters();
        let declared_secure = |name: &&String| secure.iter().any(|secure| secure.eq_ignore_ascii_case(name));
        let names: Vec<String> = given.names.iter().filter(declared_secure).cloned().collect();
        given.secret.extend(names);
        given.secret.extend(secure);
        self.learn_secrets(&given);
        given
    }

    /// What is secret is never shown, whatever text it turns up in.
    fn learn_secrets(&self, given: &Given) {
        for (name, value) in &given.values {
            let is_secret = given.secret.iter().any(|secret| secret.eq_ignore_ascii_case(name));
            if let (true, Ev::Known(json)) = (is_secret, value) {
                learn(json, &self.call.tools.redact);
            }
        }
    }

    /// A template's scope with these parameters.
    pub fn scope<'s>(&'s self, template: &'s Template, given: &Given) -> Scope<'s> {
        Scope {
            template: &template.json,
            parameters: given.values.clone(),
            target: &self.target,
            group: None,
            copy: BTreeMap::new(),
        }
    }

    /// What a template's outputs are made of.
    pub fn made(&self, template: &Template, given: &Given) -> BTreeMap<String, Made> {
        made_of::made(&self.scope(template, given), &given.secret)
    }

    /// The value of the resource: inputs and computed attributes.
    pub fn value(&self, secret: &BTreeSet<String>, outputs: Value, resources: Value, drift: Value) -> Value {
        let inputs = self.desired.entries().unwrap_or_default().iter();
        let inputs = inputs.filter(|(name, _)| !COMPUTED.contains(&&**name));
        let inputs = inputs.map(|(name, value)| match &**name {
            "parameters" => (name.clone(), mark(value, secret)),
            _ => (name.clone(), value.clone()),
        });
        let computed = [
            ("deployment_id", Value::from(self.target.id())),
            ("outputs", outputs),
            ("resources", resources),
            ("drift", drift),
        ];
        Value::object(inputs.chain(computed.map(|(name, value)| (Arc::from(name), value))))
    }

    /// The call for what has to be done though the run was interrupted or its time is over.
    pub fn after_stop(&self) -> Call {
        Call { stop: Stop::default(), deadline: None, ..self.call.clone() }
    }

    /// What a record keeps. `group`: it owns the group.
    pub fn private(
        &self,
        template: &Template,
        blobs: BTreeMap<String, Digest>,
        seen: Option<&Seen>,
        group: bool,
    ) -> Private {
        let mut data = json!({
            "subscription": self.target.subscription,
            "tenant": self.tenant,
            "meaning": template.meaning().hex(),
            "group": group,
        });
        if let Some(seen) = seen {
            data["correlation"] = seen.correlation.clone().into();
            data["timestamp"] = seen.timestamp.clone().into();
        }
        Private { version: 1, data, blobs }
    }
}

/// The subscription that a record's deployment is in.
pub fn recorded_subscription(record: &Record) -> Option<&str> {
    record.private.data.get("subscription").and_then(Json::as_str)
}

/// Files as az finds them.
pub struct Laid {
    template: String,
    parameters: Option<String>,
}

/// Whether a command failed as what it asked for is not there.
pub fn is_absent(exit: &Exit) -> bool {
    const CODES: [&str; 6] = [
        "DeploymentStackNotFound",
        "DeploymentNotFound",
        "ResourceGroupNotFound",
        "ResourceNotFound",
        "NotFound",
        "DeploymentStackDoesNotExist",
    ];
    exit.code == Some(3) || crate::failure::says(exit, &CODES)
}

/// A call whose command's lines nobody hears: what matters of them is told in words.
pub fn quiet(call: &Call) -> Call {
    Call { engine: Arc::new(Quiet(Arc::clone(&call.engine))), ..call.clone() }
}

struct Quiet(Arc<dyn Engine>);

#[async_trait::async_trait]
impl Engine for Quiet {
    fn say(&self, event: StepEvent) {
        if let StepEvent::Progress(_) = event {
            self.0.say(event);
        }
    }

    async fn note(&self, private: &Private) -> Result<(), ProviderError> {
        self.0.note(private).await
    }

    async fn keep(&self, content: &[u8]) -> Result<Digest, ProviderError> {
        self.0.keep(content).await
    }

    async fn fetch(&self, blob: &Digest) -> Result<Arc<[u8]>, ProviderError> {
        self.0.fetch(blob).await
    }
}

/// The parameters of a file. Those that only refer to a key vault are Azure's to know.
fn of_json(file: &Json) -> Given {
    let mut given = Given { sent: file.clone(), ..Given::default() };
    for (name, one) in file.as_object().into_iter().flatten() {
        given.names.insert(name.clone());
        given.values.insert(name.clone(), one.get("value").cloned().map_or(Ev::Opaque, Ev::Known));
    }
    given
}

/// The parameters of the inputs. A null is as good as none.
fn of_value(parameters: &Value, template: &Template) -> Given {
    let mut given = Given::default();
    let Some(entries) = parameters.entries() else {
        if let Kind::Unknown(unknown) = &parameters.kind {
            let source = unknown.source.as_deref().unwrap_or("parameters").to_owned();
            for name in template.parameters().into_keys() {
                given.names.insert(name.to_owned());
                given.waits.insert(name.to_owned(), vec![source.clone()]);
                given.values.insert(name.to_owned(), Ev::Waits(BTreeSet::from([name.to_owned()])));
            }
        }
        return given;
    };
    let mut sent = Map::new();
    for (name, value) in entries.iter().filter(|(_, value)| !value.is_null()) {
        let name = name.to_string();
        given.names.insert(name.clone());
        if value.has_sensitive() || parameters.is_sensitive() {
            given.secret.insert(name.clone());
        }
        match to_json(value) {
            Some(json) => {
                sent.insert(name.clone(), json!({ "value": json }));
                given.values.insert(name, Ev::Known(json));
            }
            None => {
                let mut sources = Vec::new();
                sources_of(value, &mut sources);
                given.waits.insert(name.clone(), sources);
                given.values.insert(name.clone(), Ev::Waits(BTreeSet::from([name])));
            }
        }
    }
    if given.waits.is_empty() {
        given.sent = Json::Object(sent);
    }
    given
}

/// What the unknown parts of a value wait for.
pub fn sources_of(value: &Value, found: &mut Vec<String>) {
    if let Kind::Unknown(unknown) = &value.kind {
        let source = unknown.source.as_deref().unwrap_or("a value that is not known yet").to_owned();
        if !found.contains(&source) {
            found.push(source);
        }
    }
    value.items().unwrap_or_default().iter().for_each(|item| sources_of(item, found));
    value.entries().unwrap_or_default().iter().for_each(|(_, item)| sources_of(item, found));
}

/// Marks the parameters whose values are secret.
fn mark(parameters: &Value, secret: &BTreeSet<String>) -> Value {
    let Some(entries) = parameters.entries() else { return parameters.clone() };
    let is_secret = |name: &str| secret.iter().any(|secret| secret.eq_ignore_ascii_case(name));
    let marked = entries.iter().map(|(name, value)| match is_secret(name) && !value.has_sensitive() {
        true => (name.clone(), value.clone().sensitive()),
        false => (name.clone(), value.clone()),
    });
    let marked = Value::object(marked);
    if parameters.is_sensitive() { marked.sensitive() } else { marked }
}

fn learn(json: &Json, redact: &windlass_provider::Redactor) {
    match json {
        Json::String(text) => {
            redact.add(text);
        }
        Json::Array(items) => items.iter().for_each(|item| learn(item, redact)),
        Json::Object(fields) => fields.values().for_each(|value| learn(value, redact)),
        Json::Number(number) => {
            redact.add(&number.to_string());
        }
        _ => {}
    }
}

/// Where an attribute differs between what was asked for and what is.
pub fn differing(before: &Value, now: &Value, names: &[&str]) -> Vec<AttrPath> {
    let same = |name: &&&str| match (before.get(name), now.get(name)) {
        (Some(a), Some(b)) => a.same(b),
        (a, b) => a.is_none_or(Value::is_null) && b.is_none_or(Value::is_null),
    };
    names.iter().filter(|name| !same(name)).map(|name| AttrPath::from(*name)).collect()
}

/// Which subscription is meant.
impl Config {
    /// The subscription of a deployment.
    ///
    /// # Errors
    /// As [`profile::subscription`].
    pub fn subscription(
        &self,
        spec: &Spec,
        env: &BTreeMap<String, String>,
    ) -> Result<Subscription, ProviderError> {
        let wanted = spec.subscription.as_deref().or(self.subscription.as_deref());
        profile::subscription(env, wanted, self.cloud_of(spec).as_deref())
    }

    /// The cloud of a deployment, where one is named.
    pub fn cloud_of(&self, spec: &Spec) -> Option<String> {
        spec.cloud.clone().or_else(|| self.cloud.clone())
    }
}
