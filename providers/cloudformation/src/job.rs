//! One call on one stack: inputs, template, place, and what the record knows.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use windlass_model::{AttrPath, ErrorClass, Files, Nested, Private, Record, Value};
use windlass_provider::{Call, Observed, ProviderError};

use crate::answers::Stack;
use crate::aws::{Aws, Shared};
use crate::schema::OWN_TAGS;
use crate::spec::Spec;
use crate::template::evaluate::Facts;
use crate::template::{self, Template, outputs};

/// The name of the blob that holds the template as it was last applied.
pub const TEMPLATE: &str = "template";

/// What only we need of a record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Kept {
    /// Where the stack is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Whose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// When it was last updated, by the service's clock: later than this, then somebody else did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<String>,
    /// Names of what it exports are in its template.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exports: bool,
    /// The user's tags as the service told them right after the last operation, where it had not taken them all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
    /// Logical ids that a delete is to leave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retain: Vec<String>,
}

impl Kept {
    /// Of a record.
    pub fn read(private: &Private) -> Kept {
        // Of a step in doubt there is nothing yet.
        serde_json::from_value(private.data.clone()).unwrap_or_default()
    }

    /// As the engine keeps it.
    pub fn private(&self, template: Option<windlass_model::Digest>) -> Private {
        let data = serde_json::to_value(self).unwrap_or_default();
        let blobs = template.map(|digest| (TEMPLATE.to_owned(), digest)).into_iter().collect();
        Private { version: 1, data, blobs }
    }
}

/// A template and its text.
pub struct Source {
    /// As it is sent.
    pub text: String,
    /// Read.
    pub template: Template,
}

/// One call on the stack that is wanted.
pub struct Job<'a> {
    /// `aws`, aimed at the stack's place.
    pub aws: Aws<'a>,
    /// The inputs.
    pub desired: &'a Value,
    /// The inputs as plain data.
    pub spec: Spec,
    /// The stack's name.
    pub name: String,
    /// Its template.
    pub source: Source,
    /// Whose account it is.
    pub account: String,
    /// What drifted inside is to be put right: change sets see it then.
    pub revert: bool,
}

impl<'a> Job<'a> {
    /// Reads and checks all that is needed; asks nothing but who is logged in.
    ///
    /// # Errors
    /// What is wrong with the inputs or the template.
    pub async fn open(
        call: &'a Call,
        shared: &'a Shared,
        desired: &'a Value,
    ) -> Result<Job<'a>, ProviderError> {
        let spec = Spec::read(desired);
        let name = spec.name.clone().ok_or_else(|| invalid("the stack has no name").at("name"))?;
        let source = load(&*call.files, desired)?;
        check(&spec, &source)?;
        let place = spec.aim.or(&shared.aim).place(&call.tools.env)?;
        let aws = Aws::new(call, shared, place);
        let account = aws.account().await?;
        Ok(Job { aws, desired, spec, name, source, account, revert: false })
    }

    /// The real place (rule P8).
    pub fn place_text(&self) -> String {
        format!("cloudformation {} {} {}", self.account, self.aws.place.region, self.name)
    }

    /// The tags that say whose the stack is.
    pub fn own_tags(&self) -> BTreeMap<String, String> {
        own_tags(self.aws.call)
    }

    /// The parameters as far as they are known, and the pseudo parameters.
    pub fn facts(&self) -> Facts {
        let (partition, suffix) = partition(&self.aws.place.region);
        let names = [
            ("AWS::Partition", partition),
            ("AWS::URLSuffix", suffix),
            ("AWS::Region", self.aws.place.region.as_str()),
            ("AWS::AccountId", self.account.as_str()),
            ("AWS::StackName", self.name.as_str()),
        ];
        let names = names.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Facts { names: BTreeMap::from(names), ..self.spec.facts() }
    }

    /// Parameters whose values are not shown.
    pub fn secret(&self) -> BTreeSet<String> {
        let no_echo = self.source.template.parameters.iter().filter(|(_, parameter)| parameter.no_echo);
        self.spec.secret.iter().chain(no_echo.map(|(name, _)| name)).cloned().collect()
    }

    /// Properties whose values are not shown, as `Logical.Property`.
    pub fn secret_properties(&self) -> BTreeSet<String> {
        let secret = self.secret();
        let template = &self.source.template;
        let hidden = |value| template.parameters_of(value).iter().any(|name| secret.contains(name));
        let mut found = BTreeSet::new();
        for (id, resource) in &template.resources {
            let names = resource.properties.iter().filter(|(_, value)| hidden(value));
            found.extend(names.map(|(name, _)| format!("{id}.{name}")));
        }
        found
    }

    /// The stack as it is when it is as wanted.
    ///
    /// # Errors
    /// Where the store does not take the template.
    pub async fn observed(
        &self,
        stack_id: &str,
        outputs: Value,
        updated: Option<String>,
        nested: Vec<Nested>,
    ) -> Result<Observed, ProviderError> {
        let template = self.aws.call.engine.keep(self.source.text.as_bytes()).await?;
        let kept = Kept {
            region: Some(self.aws.place.region.clone()),
            account: Some(self.account.clone()),
            updated,
            exports: self.source.template.outputs.values().any(|output| output.export.is_some()),
            ..Kept::default()
        };
        let value = computed(self.desired, Value::from(stack_id), outputs);
        Ok(Observed { value, private: kept.private(Some(template)), nested })
    }
}

/// The tags that say whose a stack is (rule T8).
pub fn own_tags(call: &Call) -> BTreeMap<String, String> {
    let owner = &call.owner;
    let address = call.address.to_string();
    let tags = [
        ("store", &owner.store),
        ("stack", &owner.stack),
        ("environment", &owner.environment),
        ("address", &address),
    ];
    tags.into_iter().map(|(name, value)| (format!("{OWN_TAGS}{name}"), tag_value(value))).collect()
}

/// A tag's value may have letters, digits, spaces and `_.:/=+-@`, 256 at most. What an address has besides becomes `_`; where
/// that could make two of them alike, a digest tells them apart.
fn tag_value(text: &str) -> String {
    const MOST: usize = 200;
    let fits = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
    if text.chars().all(fits) && text.len() <= MOST {
        return text.to_owned();
    }
    let plain: String = text.chars().map(|c| if fits(c) { c } else { '_' }).take(MOST).collect();
    format!("{plain} {}", windlass_model::Digest::of(text.as_bytes()).short())
}

/// An error in what was asked for.
pub fn invalid(message: impl Into<String>) -> ProviderError {
    ProviderError::new(ErrorClass::InvalidConfig, message)
}

/// Inputs with all that is computed.
pub fn computed(desired: &Value, stack_id: Value, outputs: Value) -> Value {
    with(desired, [("stack_id", stack_id), ("outputs", outputs), ("drifted", Value::NULL)])
}

/// A value with some of its attributes replaced.
pub fn with<'v>(value: &Value, other: impl IntoIterator<Item = (&'v str, Value)>) -> Value {
    let entries = value.entries().unwrap_or_default().iter();
    let entries = entries.map(|(name, value)| (name.to_string(), value.clone()));
    let other = other.into_iter().map(|(name, value)| (name.to_owned(), value));
    Value::object(entries.chain(other)).marked(value.marks)
}

/// Where a template file is in the snapshot.
///
/// # Errors
/// Where it leaves the snapshot.
pub fn template_path(files: &dyn Files, file: &str) -> Result<String, ProviderError> {
    let mut parts: Vec<&str> = files.stack_dir().split('/').filter(|part| !part.is_empty()).collect();
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.pop().is_none() => {
                let message = format!("`{file}` leaves the tree that a snapshot is taken of");
                return Err(invalid(message).at("template_file"));
            }
            ".." => {}
            name => parts.push(name),
        }
    }
    Ok(parts.join("/"))
}

/// Reads the template.
///
/// # Errors
/// Where it cannot be read, or is none.
pub fn load(files: &dyn Files, desired: &Value) -> Result<Source, ProviderError> {
    let text = |name: &str| desired.get(name).and_then(Value::as_str);
    let (text, at) = match (text("template_file"), text("template_body")) {
        (Some(file), _) => {
            let path = template_path(files, file)?;
            let bytes = files.read(&path).map_err(|error| {
                let class = if error.absent { ErrorClass::NotFound } else { ErrorClass::InvalidConfig };
                ProviderError::new(class, format!("the template {error}")).at("template_file")
            })?;
            let text = String::from_utf8(bytes.to_vec());
            (text.map_err(|_| invalid(format!("the template {path} is not text")).at("template_file"))?, path)
        }
        (None, Some(body)) => (body.to_owned(), "template_body".to_owned()),
        (None, None) => return Err(invalid("there is no template").at("template_file")),
    };
    let template = template::parse(&text).map_err(|why| {
        let attribute = if at == "template_body" { "template_body" } else { "template_file" };
        invalid(format!("{at}: {why}")).at(attribute)
    })?;
    Ok(Source { text, template })
}

/// The most that goes with a request, and the most that a template may have at all, in bytes.
pub const MOST_INLINE: usize = 51_200;
const MOST_BYTES: usize = 1_000_000;

/// What is wrong with inputs and template, before anybody is asked.
///
/// # Errors
/// All that is wrong of a kind.
pub fn check(spec: &Spec, source: &Source) -> Result<(), ProviderError> {
    let template = &source.template;
    let given = spec.parameters.keys().cloned().collect();
    let wrong = template::analyse::parameter_problems(template, &given);
    if !wrong.is_empty() {
        return Err(invalid(wrong.join("\n")).at("parameters"));
    }
    let missing = template::capabilities::missing(template, &spec.capabilities);
    if !missing.is_empty() {
        let lines: Vec<String> =
            missing.iter().map(|(name, who)| format!("{name} is needed by {}", who.join(", "))).collect();
        let names: Vec<String> =
            spec.capabilities.iter().cloned().chain(missing.keys().map(|name| (*name).to_owned())).collect();
        return Err(invalid(format!("capabilities must be stated: {}", lines.join("; ")))
            .hint(format!("if that is meant: capabilities = [\"{}\"]", names.join("\", \"")))
            .at("capabilities"));
    }
    let local = template::analyse::local_templates(template);
    if !local.is_empty() {
        let message = format!("nested templates must lie in a bucket, these are files: {}", local.join(", "));
        return Err(invalid(message)
            .hint("`aws cloudformation package` uploads them and writes a template that names where they are")
            .at("template_file"));
    }
    let bytes = source.text.len();
    if bytes > MOST_BYTES {
        return Err(invalid(format!(
            "the template has {bytes} bytes, and CloudFormation takes 1 MB at most"
        )));
    }
    if bytes > MOST_INLINE && spec.template_bucket.is_none() {
        let message =
            format!("the template has {bytes} bytes; over {MOST_INLINE} it has to go through a bucket");
        return Err(invalid(message)
            .hint("template_bucket = \"NAME\" of a bucket in the stack's region")
            .at("template_bucket"));
    }
    Ok(())
}

/// What the record knows of a stack.
pub struct Recorded<'a> {
    /// The record.
    pub record: &'a Record,
    /// What it was asked to be.
    pub spec: Spec,
    /// What only we need.
    pub kept: Kept,
    /// The stack's ARN.
    pub stack_id: Option<String>,
    /// The template as it was last applied.
    pub template: Option<Template>,
}

impl<'a> Recorded<'a> {
    /// Reads a record.
    pub async fn read(call: &Call, record: &'a Record) -> Recorded<'a> {
        let text = match record.private.blobs.get(TEMPLATE) {
            // Without it, outputs are unknown and a deferred plan shows less: no reason to fail.
            Some(blob) => call.engine.fetch(blob).await.ok(),
            None => None,
        };
        let text = text.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
        let stack_id = record.value.0.get("stack_id").and_then(Value::as_str).map(str::to_owned);
        Recorded {
            record,
            spec: Spec::read(&record.inputs.0),
            kept: Kept::read(&record.private),
            stack_id,
            template: text.and_then(|text| template::parse(&text).ok()),
        }
    }

    /// The stack's name.
    pub fn name(&self) -> &str {
        self.spec.name.as_deref().unwrap_or_default()
    }

    /// The name or, better, ARN by which it is asked for.
    pub fn id(&self) -> &str {
        self.stack_id.as_deref().unwrap_or(self.name())
    }

    /// `aws`, aimed at where it is.
    ///
    /// # Errors
    /// Where no region is known.
    pub fn aws<'c>(&self, call: &'c Call, shared: &'c Shared) -> Result<Aws<'c>, ProviderError> {
        let mut aim = self.spec.aim.or(&shared.aim);
        if self.kept.region.is_some() {
            aim.region.clone_from(&self.kept.region);
        }
        Ok(Aws::new(call, shared, aim.place(&call.tools.env)?))
    }

    /// Fails where the credentials are those of another account than the stack's: nothing there is ours, and that something is
    /// not there says nothing.
    ///
    /// # Errors
    /// `auth`
    pub async fn same_account(&self, aws: &Aws<'_>) -> Result<(), ProviderError> {
        let now = aws.account().await?;
        match &self.kept.account {
            Some(then) if *then != now => {
                let message = format!(
                    "the stack {} is in account {then}, and who is logged in is of account {now}",
                    self.name()
                );
                Err(ProviderError::new(ErrorClass::Auth, message).hint(format!(
                    "log in to {then}, or set `profile`; `windlass state rm {}` forgets the stack",
                    quoted(&aws.call.address.to_string())
                )))
            }
            _ => Ok(()),
        }
    }

    /// The value as the service tells it, where that differs from what was asked for.
    pub fn seen(&self, stack: &Stack) -> Value {
        let value = &self.record.value.0;
        let mut other = vec![("stack_id", Value::from(stack.stack_id.as_str()))];
        if let Some(parameters) = self.other_parameters(stack) {
            other.push(("parameters", parameters));
        }
        let tags = user_tags(stack);
        if tags != self.spec.tags && self.kept.tags.as_ref() != Some(&tags) {
            let pairs = tags.iter().map(|(key, value)| (key.as_str(), Value::from(value.as_str())));
            other.push(("tags", Value::object(pairs)));
        }
        let protection = (self.spec.termination_protection, stack.enable_termination_protection);
        if let (Some(wanted), Some(is)) = protection
            && wanted != is
        {
            other.push(("termination_protection", Value::from(is)));
        }
        other.push(("outputs", self.outputs(stack)));
        with(value, other)
    }

    /// Outputs as they are; those recorded where the service tells none though the template has some.
    pub fn outputs(&self, stack: &Stack) -> Value {
        let told = stack.output_map();
        let recorded = self.record.value.0.get("outputs").filter(|value| value.is_known());
        match recorded {
            Some(recorded) if told.is_empty() && self.declares_outputs() => recorded.clone(),
            _ => outputs::seen(&told, self.template.as_ref(), &self.spec.secret),
        }
    }

    fn declares_outputs(&self) -> bool {
        self.template.as_ref().is_none_or(|template| !template.outputs.is_empty())
    }

    fn other_parameters(&self, stack: &Stack) -> Option<Value> {
        let told = stack.parameter_map();
        let mut changed = false;
        let inputs = self.record.inputs.0.get("parameters").and_then(Value::entries).unwrap_or_default();
        let mut entries: BTreeMap<String, Value> =
            inputs.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
        let default = |name: &str| self.template.as_ref()?.parameters.get(name)?.default.clone();
        for (name, is) in &told {
            let wanted = self.spec.parameters.get(name).cloned().flatten().or_else(|| default(name));
            // What is not echoed cannot be compared.
            if wanted.is_none() || is.starts_with("****") || wanted.as_ref() == Some(is) {
                continue;
            }
            let marks = entries.get(name).map(|value| value.deep_marks()).unwrap_or_default();
            entries.insert(name.clone(), Value::from(is.as_str()).marked(marks));
            changed = true;
        }
        changed.then(|| Value::object(entries))
    }

    /// Whether something inside is recorded to have drifted.
    pub fn has_drifted(&self) -> bool {
        self.record.value.0.get("drifted").is_some_and(|drifted| !drifted.is_null())
    }

    /// Whether somebody else updated the stack since.
    pub fn is_foreign_update(&self, stack: &Stack) -> bool {
        self.kept.updated.is_some() && self.kept.updated != stack.last_updated_time
    }
}

/// The user's tags of a stack.
pub fn user_tags(stack: &Stack) -> BTreeMap<String, String> {
    let mut tags = stack.tag_map();
    tags.retain(|key, _| !key.starts_with(OWN_TAGS) && !key.starts_with("aws:"));
    tags
}

/// An address as it is typed: a key in quotes needs quotes around.
pub fn quoted(address: &str) -> String {
    if address.contains('"') { format!("'{address}'") } else { address.to_owned() }
}

/// The attribute that names a stack.
pub fn at_name() -> AttrPath {
    AttrPath::from("name")
}

/// What ARNs of a region begin with, and what its addresses end with.
fn partition(region: &str) -> (&'static str, &'static str) {
    match region {
        _ if region.starts_with("cn-") => ("aws-cn", "amazonaws.com.cn"),
        _ if region.starts_with("us-gov-") => ("aws-us-gov", "amazonaws.com"),
        _ => ("aws", "amazonaws.com"),
    }
}
