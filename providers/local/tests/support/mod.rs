//! A bench with real processes, and shorthands.
#![expect(clippy::unwrap_used, reason = "tests")]
#![allow(dead_code, clippy::allow_attributes, reason = "not every test file uses all of it")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use windlass_model::{Address, ErrorClass, Op, Record, Type, Value};
use windlass_provider::harness::{Bench, record};
use windlass_provider::{
    ApplyFailure, Ask, Call, Observed, Patience, Proposed, Provider, ProviderError, RunnerConfig, Session,
    ToolRunner, Work, supervise,
};

/// Call it from the test `another_process` of each test file: makes that process the supervisor where it is to be one.
pub fn be_the_supervisor() {
    if std::env::var_os("AS_SUPERVISOR").is_some() {
        std::process::exit(i32::from(supervise(std::io::stdin(), std::io::stderr())));
    }
}

pub struct Place {
    pub bench: Bench,
    pub dir: PathBuf,
    pub kind: &'static str,
    _temporary: tempfile::TempDir,
}

impl Place {
    pub fn new(kind: &'static str) -> Place {
        let temporary = tempfile::tempdir().unwrap();
        let dir = temporary.path().canonicalize().unwrap();
        let exe = std::env::current_exe().unwrap();
        let again = ["/usr/bin/env", "AS_SUPERVISOR=1", exe.to_str().unwrap(), "--exact", "another_process"];
        let words = again.iter().chain(&["--nocapture", "--quiet"]);
        let config = RunnerConfig {
            supervisor: words.map(|word| (*word).to_owned()).collect(),
            steps: Some(dir.join(".windlass/steps")),
            ..RunnerConfig::default()
        };
        let moment = std::time::Duration::from_millis(300);
        let runner = ToolRunner::new(config).patience(Patience { interrupt: moment, terminate: moment });
        let env = BTreeMap::from([
            ("PATH".to_owned(), std::env::var("PATH").unwrap()),
            ("TF_VAR_bends".to_owned(), "x".to_owned()),
        ]);
        let bench = Bench::new(&dir, Arc::new(runner), env);
        Place { bench, dir, kind, _temporary: temporary }
    }

    pub fn session(&self) -> Arc<dyn Session> {
        let provider = windlass_provider_local::provider();
        on_time(provider.open(&Value::NULL, self.bench.tools.clone())).unwrap()
    }

    pub fn address(&self) -> Address {
        Address::new(self.kind, "it")
    }

    pub fn call(&self) -> Call {
        self.bench.call(&self.address())
    }

    pub fn plan(&self, prior: Option<&Record>, desired: Option<&Value>) -> Proposed {
        on_time(self.session().plan(&self.call(), Ask { prior, desired, refresh: true, replace: false }))
            .unwrap()
    }

    pub fn try_plan(
        &self,
        prior: Option<&Record>,
        desired: Option<&Value>,
    ) -> Result<Proposed, ProviderError> {
        on_time(self.session().plan(&self.call(), Ask { prior, desired, refresh: true, replace: false }))
    }

    /// Plans and applies.
    pub fn step(
        &self,
        op: Op,
        prior: Option<&Record>,
        desired: &Value,
    ) -> Result<Option<Observed>, Box<ApplyFailure>> {
        let call = self.call();
        self.step_as(&call, op, prior, desired)
    }

    pub fn step_as(
        &self,
        call: &Call,
        op: Op,
        prior: Option<&Record>,
        desired: &Value,
    ) -> Result<Option<Observed>, Box<ApplyFailure>> {
        let wanted = (op != Op::Delete).then_some(desired);
        let proposed = self.plan(prior, wanted);
        let artefact = proposed.artefact.as_ref();
        let work = Work { op, prior, desired, planned: &proposed.planned, artefact, noted: &[] };
        on_time(self.session().apply(call, work))
    }

    pub fn create(&self, desired: &Value) -> Record {
        let made = self.step(Op::Create, None, desired).map_err(|failure| failure.error).unwrap();
        self.record(desired, made.unwrap())
    }

    pub fn update(&self, prior: &Record, desired: &Value) -> Record {
        let made = self.step(Op::Update, Some(prior), desired).map_err(|failure| failure.error).unwrap();
        self.record(desired, made.unwrap())
    }

    pub fn record(&self, desired: &Value, seen: Observed) -> Record {
        record(&self.address(), "local", desired, seen)
    }

    pub fn delete(&self, prior: &Record) -> Result<Option<Observed>, Box<ApplyFailure>> {
        self.step(Op::Delete, Some(prior), &Value::NULL)
    }

    pub fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.join(name)).unwrap_or_default()
    }

    pub fn put(&self, name: &str, content: &str) {
        let path = self.dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

pub fn on_time<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let limit = std::time::Duration::from_secs(60);
    runtime.block_on(async { tokio::time::timeout(limit, work).await.unwrap() })
}

/// An object of these attributes and null for the others of a kind.
pub fn desired(kind: &str, given: &[(&str, Value)]) -> Value {
    let provider = windlass_provider_local::provider();
    let attributes = &provider.schema().resources[kind].body.attributes;
    let names = attributes.iter().filter(|(_, attribute)| attribute.required || attribute.optional);
    let value = |name: &str| given.iter().find(|(given, _)| *given == name).map(|(_, value)| value.clone());
    Value::object(names.map(|(name, _)| (*name, value(name).unwrap_or(Value::NULL))).collect::<Vec<_>>())
}

pub fn argv(words: &[&str]) -> Value {
    Value::list(Type::String, words.iter().map(|word| Value::from(*word)).collect())
}

pub fn sh(script: &str) -> Value {
    argv(&["sh", "-c", script])
}

pub fn why(proposed: &Proposed) -> Vec<String> {
    proposed.why.iter().map(ToString::to_string).collect()
}

pub fn text(record: &Record, name: &str) -> String {
    record.value.0.get(name).and_then(Value::as_str).unwrap_or("(none)").to_owned()
}

pub fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().unwrap().permissions().mode() & 0o7777
}

pub fn class(result: Result<Option<Observed>, Box<ApplyFailure>>) -> ErrorClass {
    result.unwrap_err().error.class
}
