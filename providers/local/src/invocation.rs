//! How a command of a `local_command` is run: what, where, with what.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use windlass_model::{ErrorClass, Kind, Private, Value};
use windlass_provider::{Call, Command, Exit, ProviderError, inherit};

use crate::attributes::{is_given, text, texts};
use crate::{paths, snapshot};

/// How long a `read` may take.
const READ_TIMEOUT: Duration = Duration::from_secs(300);

/// Where a command runs.
pub(crate) struct Place {
    /// The directory that it is started in.
    dir: PathBuf,
    /// The snapshot's copy, to be removed afterwards, and what is in it.
    copy: Option<(PathBuf, Vec<String>)>,
    /// What the record keeps of it.
    pub(crate) private: Private,
}

impl Place {
    /// For what the stack wants.
    pub(crate) async fn of_stack(call: &Call, desired: &Value) -> Result<Place, ProviderError> {
        let dir = text(desired, "dir").unwrap_or_default();
        if !is_given(desired, "files") {
            return Ok(Place {
                dir: paths::checkout(call)?.join(dir),
                copy: None,
                private: Private::default(),
            });
        }
        let sources = snapshot::sources(desired, &*call.files)?;
        let copy = snapshot::materialise(call, desired)?;
        let digest = snapshot::digest(call, desired)?.map(|digest| digest.to_string());
        let stack = call.files.stack_dir().to_owned();
        let dir = copy.join(&stack).join(dir);
        let data = json!({ "files": digest, "stack_dir": stack });
        Ok(Place { dir, copy: Some((copy, sources)), private: Private { data, ..Private::default() } })
    }

    /// For what a record says, with the files of then.
    pub(crate) async fn of_record(
        call: &Call,
        value: &Value,
        private: &Private,
    ) -> Result<Place, ProviderError> {
        let dir = text(value, "dir").unwrap_or_default();
        let Some(blob) = private.blobs.get("files") else {
            return Ok(Place { dir: paths::checkout(call)?.join(dir), copy: None, private: private.clone() });
        };
        let copy = snapshot::restore(call, blob).await?;
        let stack = private.data.get("stack_dir").and_then(|dir| dir.as_str()).unwrap_or_default();
        let dir = copy.join(stack).join(dir);
        Ok(Place { dir, copy: Some((copy, Vec::new())), private: private.clone() })
    }

    /// Keeps the files for the record.
    pub(crate) async fn keep(&mut self, call: &Call) -> Result<(), ProviderError> {
        if let Some((copy, sources)) = &self.copy {
            let blob = snapshot::keep(call, copy, sources).await?;
            self.private.blobs.insert("files".to_owned(), blob);
        }
        Ok(())
    }

    /// Removes the copy.
    pub(crate) fn leave(self, call: &Call) -> Result<(), ProviderError> {
        let Some((copy, sources)) = self.copy else { return Ok(()) };
        if !sources.is_empty() {
            snapshot::tell_what_goes(call, &copy, &sources);
        }
        snapshot::clear(&copy)
    }

    /// Runs one of the commands of `value`; `None`: there is none of that name.
    pub(crate) async fn run(
        &self,
        call: &Call,
        value: &Value,
        what: &str,
    ) -> Result<Option<Exit>, ProviderError> {
        match self.command(call, value, what)? {
            Some(command) => call.tools.runner.run(call, &command).await.map(Some),
            None => Ok(None),
        }
    }

    fn command(&self, call: &Call, value: &Value, what: &str) -> Result<Option<Command>, ProviderError> {
        if !is_given(value, what) {
            return Ok(None);
        }
        if value.get(what).is_some_and(Value::has_sensitive) {
            return Err(ProviderError::new(ErrorClass::InvalidConfig, SENSITIVE_ARGUMENT)
                .hint(SENSITIVE_HINT)
                .at(what));
        }
        let argv = texts(value, what).unwrap_or_default();
        let Some((program, args)) = argv.split_first() else {
            let message = format!("`{what}` names no program");
            return Err(ProviderError::new(ErrorClass::InvalidConfig, message).at(what));
        };
        let mut env = inherit(&call.tools.env);
        for (name, given) in value.get("env").and_then(Value::entries).unwrap_or_default() {
            if let Some(text) = known_secret(call, given) {
                env.insert(name.to_string(), text.to_owned());
            }
        }
        let stdin = value.get("stdin").and_then(|stdin| known_secret(call, stdin));
        Ok(Some(Command {
            program: program.clone(),
            args: args.to_vec(),
            env,
            dir: self.dir.clone(),
            stdin: stdin.map(|text| text.as_bytes().to_vec()),
            label: what.to_owned(),
            supervised: what != "read",
            timeout: (what == "read").then_some(READ_TIMEOUT),
            stdout_is_data: true,
            get_it: format!("install it, or give `{what}` the path of the program"),
        }))
    }
}

pub(crate) const SENSITIVE_ARGUMENT: &str =
    "a sensitive value is in the arguments, where every user of the machine could see it";
pub(crate) const SENSITIVE_HINT: &str = "pass it by `env` or `stdin`";

/// A text, made known to the redactor where it is sensitive.
fn known_secret<'a>(call: &Call, value: &'a Value) -> Option<&'a str> {
    let Kind::String(text) = &value.kind else { return None };
    if value.is_sensitive() {
        call.tools.redact.add(text);
    }
    Some(text)
}
