//! The health gate of a resource (rule T7): a step is done only when this is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use windlass_model::{Attribute, Body, ErrorClass, StepEvent, Type, Value};
use windlass_provider::{Call, Command, ProviderError, inherit};

/// The schema of a `health` block.
pub fn schema() -> Body {
    let attribute = |ty: Type| Attribute { ty, ..Attribute::default() };
    let mut attributes = BTreeMap::new();
    for name in ["url", "path", "body"] {
        attributes.insert(name, attribute(Type::String));
    }
    attributes.insert("command", attribute(Type::list(Type::String)));
    for name in ["status", "interval", "timeout"] {
        attributes.insert(name, attribute(Type::Any));
    }
    attributes.insert("attempts", attribute(Type::Number));
    Body { attributes, blocks: BTreeMap::new() }
}

/// What is asked, how, and how often.
#[derive(Clone, Debug)]
pub struct Gate {
    probe: Probe,
    interval: Duration,
    timeout: Duration,
    attempts: u32,
}

#[derive(Clone, Debug)]
enum Probe {
    Url { url: String, status: Option<u16>, body: Option<regex::Regex> },
    Command(Vec<String>),
}

impl Gate {
    /// A gate from an evaluated `health` block; `own` is the resource's value, whose `url` a `path` is relative to.
    ///
    /// # Errors
    /// What is wrong with the block.
    pub fn new(block: &Value, own: &Value) -> Result<Gate, String> {
        let text = |name: &str| block.get(name).and_then(Value::as_str).map(str::to_owned);
        let seconds = |name: &str, default: u64| match block.get(name).filter(|value| !value.is_null()) {
            None => Ok(Duration::from_secs(default)),
            Some(value) => {
                let seconds = crate::stack::duration_seconds(value)
                    .map_err(|why| format!("health: `{name}`: {why}"))?;
                Ok::<_, String>(Duration::from_secs(seconds))
            }
        };
        let attempts = block.get("attempts").and_then(Value::as_i64).unwrap_or(12);
        let command = block.get("command").and_then(Value::items).map(|items| {
            items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect::<Vec<String>>()
        });
        let url = match (text("url"), text("path")) {
            (Some(url), _) => Some(url),
            (None, Some(path)) => {
                let base = own.get("url").and_then(Value::as_str);
                let base = base.ok_or("health: `path` needs a resource that has a `url`; use `url` here")?;
                Some(format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/')))
            }
            (None, None) => None,
        };
        let probe = match (url, command) {
            (Some(url), None) => Probe::Url { url, status: status(block)?, body: body(text("body"))? },
            (None, Some(command)) if !command.is_empty() => Probe::Command(command),
            _ => return Err("health: give one of `url`, `path`, `command`".to_owned()),
        };
        let attempts = u32::try_from(attempts.max(1)).unwrap_or(u32::MAX);
        Ok(Gate { probe, interval: seconds("interval", 5)?, timeout: seconds("timeout", 10)?, attempts })
    }

    /// Asks until it is healthy or has been asked often enough.
    ///
    /// # Errors
    /// Why it is not healthy.
    pub async fn wait(&self, call: &Call) -> Result<(), ProviderError> {
        let mut why = String::new();
        for attempt in 1..=self.attempts {
            if attempt > 1 {
                tokio::time::sleep(self.interval).await;
            }
            if call.stop.is_interrupted() {
                return Err(ProviderError::new(ErrorClass::Cancelled, "interrupted before it was healthy"));
            }
            match self.ask(call, attempt).await {
                Ok(()) => return Ok(()),
                Err(reason) => why = call.tools.redact.redact(&reason),
            }
            let message = format!("not healthy yet ({attempt} of {}): {why}", self.attempts);
            call.engine.say(StepEvent::Progress(message));
        }
        Err(ProviderError::new(
            ErrorClass::Unavailable,
            format!("not healthy after {} tries: {why}", self.attempts),
        ))
    }

    async fn ask(&self, call: &Call, attempt: u32) -> Result<(), String> {
        match &self.probe {
            Probe::Url { url, status, body } => self.get(url, *status, body.as_ref()).await,
            Probe::Command(argv) => self.run(call, argv, attempt).await,
        }
    }

    async fn get(&self, url: &str, wanted: Option<u16>, body: Option<&regex::Regex>) -> Result<(), String> {
        let client =
            reqwest::Client::builder().timeout(self.timeout).build().map_err(|error| error.to_string())?;
        let answer = client.get(url).send().await.map_err(|error| with_causes(&error))?;
        let status = answer.status().as_u16();
        let fine = wanted.map_or((200..300).contains(&status), |wanted| wanted == status);
        if !fine {
            return Err(format!("{url} answers {status}"));
        }
        let Some(body) = body else { return Ok(()) };
        let text = answer.text().await.map_err(|error| with_causes(&error))?;
        if body.is_match(&text) {
            Ok(())
        } else {
            Err(format!("the answer of {url} does not match `{body}`"))
        }
    }

    async fn run(&self, call: &Call, argv: &[String], attempt: u32) -> Result<(), String> {
        let (program, args) = argv.split_first().ok_or("no command")?;
        let command = Command {
            program: program.clone(),
            args: args.to_vec(),
            env: inherit(&call.tools.env),
            dir: call.files.checkout().unwrap_or_default(),
            label: format!("health{attempt}"),
            timeout: Some(self.timeout),
            ..Command::default()
        };
        let exit = call.tools.runner.run(call, &command).await.map_err(|error| error.message)?;
        match (exit.code, exit.timed_out) {
            (Some(0), _) => Ok(()),
            (_, true) => Err(format!("`{program}` takes longer than {} s", self.timeout.as_secs())),
            (Some(code), _) => Err(format!("`{program}` exits with {code}")),
            (None, _) => Err(format!("`{program}` was killed")),
        }
    }
}

fn status(block: &Value) -> Result<Option<u16>, String> {
    let Some(value) = block.get("status").filter(|value| !value.is_null()) else { return Ok(None) };
    let code = value.as_i64().and_then(|code| u16::try_from(code).ok());
    code.map(Some).ok_or_else(|| "health: `status` is not an HTTP status".to_owned())
}

fn body(pattern: Option<String>) -> Result<Option<regex::Regex>, String> {
    let compiled = pattern.map(|pattern| regex::Regex::new(&pattern)).transpose();
    compiled.map_err(|error| format!("health: `body` is not a regular expression: {error}"))
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// Shared by the steps of a run: the call a gate is asked with.
pub type GateCall = Arc<Call>;
