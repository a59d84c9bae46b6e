//! A root, a session and a record: what a test of the real terraform needs.
#![expect(dead_code, reason = "each test binary uses a part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use windlass_model::{Address, Op, Record, Value};
use windlass_provider::harness::{Bench, record};
use windlass_provider::{
    ApplyFailure, Ask, Call, Observed, Patience, Probe, Proposed, Provider, ProviderError, RunnerConfig,
    Session, ToolRunner, Work,
};

/// Whether terraform is there; says so in a line where it is not, and fails under CI.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
pub fn terraform_is_there() -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    let there = path.split(':').any(|dir| Path::new(dir).join("terraform").is_file());
    if !there {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!ci, "terraform is not on PATH, and CI expects it");
        println!("skipped: terraform is not on PATH");
    }
    there
}

/// This test binary as another process: the test `another_process` is its main function.
pub fn again(role: &str) -> Vec<String> {
    let exe = std::env::current_exe().unwrap();
    let words =
        ["/usr/bin/env", role, exe.to_str().unwrap(), "--exact", "another_process", "--nocapture", "--quiet"];
    words.iter().map(|word| (*word).to_owned()).collect()
}

pub struct World {
    pub bench: Bench,
    pub session: Arc<dyn Session>,
    pub address: Address,
    pub dir: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl World {
    pub async fn new(files: &[(&str, &str)]) -> World {
        World::with(files, &[], Value::object::<&str>([])).await
    }

    pub async fn with(files: &[(&str, &str)], env: &[(&str, &str)], config: Value) -> World {
        let temporary = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = temporary.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let world = World::at(temporary.path(), env, config).await;
        World { _temporary: Some(temporary), ..world }
    }

    /// The world in a directory that another process may have worked in.
    pub async fn at(dir: &Path, env: &[(&str, &str)], config: Value) -> World {
        let runner = RunnerConfig {
            supervisor: again("AS_SUPERVISOR=1"),
            steps: Some(dir.join("steps")),
            earlier: Vec::new(),
            log: Some(dir.join("log")),
        };
        let patience = Patience { interrupt: Duration::from_secs(5), terminate: Duration::from_secs(1) };
        let mut all = BTreeMap::from([("PATH".to_owned(), std::env::var("PATH").unwrap())]);
        all.extend(env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let runner = Arc::new(ToolRunner::new(runner).patience(patience));
        let bench = Bench::new(dir, runner, all);
        let session =
            windlass_provider_terraform::provider().open(&config, bench.tools.clone()).await.unwrap();
        let address = Address::new("terraform_root", "net");
        World { bench, session, address, dir: dir.to_owned(), _temporary: None }
    }

    pub fn call(&self) -> Call {
        self.bench.call(&self.address)
    }

    pub fn write(&self, path: &str, text: &str) {
        std::fs::write(self.dir.join(path), text).unwrap();
    }

    pub async fn plan(
        &self,
        prior: Option<&Record>,
        desired: Option<&Value>,
    ) -> Result<Proposed, ProviderError> {
        self.session.plan(&self.call(), Ask { prior, desired, refresh: true, replace: false }).await
    }

    pub async fn apply(
        &self,
        prior: Option<&Record>,
        desired: Option<&Value>,
        proposed: &Proposed,
    ) -> Result<Option<Observed>, Box<ApplyFailure>> {
        self.apply_as(&self.call(), prior, desired, proposed).await
    }

    pub async fn apply_as(
        &self,
        call: &Call,
        prior: Option<&Record>,
        desired: Option<&Value>,
        proposed: &Proposed,
    ) -> Result<Option<Observed>, Box<ApplyFailure>> {
        let null = Value::NULL;
        self.session.apply(call, work(prior, desired.unwrap_or(&null), proposed)).await
    }

    pub async fn probe_as(
        &self,
        call: &Call,
        prior: Option<&Record>,
        desired: &Value,
        proposed: &Proposed,
    ) -> Result<Probe, ProviderError> {
        self.session.probe(call, work(prior, desired, proposed)).await
    }

    /// Plans and applies, and returns the record.
    pub async fn go(&self, prior: Option<&Record>, desired: &Value) -> Record {
        let proposed = self.plan(prior, Some(desired)).await.unwrap();
        let seen = self.apply(prior, Some(desired), &proposed).await.unwrap().unwrap();
        self.record(desired, seen)
    }

    pub fn record(&self, desired: &Value, seen: Observed) -> Record {
        record(&self.address, "terraform", desired, seen)
    }

    /// The files below the work directory.
    pub fn scratch(&self) -> Vec<String> {
        let scratch = self.call().scratch;
        let mut found = Vec::new();
        let mut next = vec![scratch.clone()];
        while let Some(dir) = next.pop() {
            for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
                match entry.path().is_dir() {
                    true => next.push(entry.path()),
                    false => found.push(entry.path().strip_prefix(&scratch).unwrap().display().to_string()),
                }
            }
        }
        found.sort();
        found
    }
}

pub fn work<'a>(prior: Option<&'a Record>, desired: &'a Value, proposed: &'a Proposed) -> Work<'a> {
    let op = match (prior, desired.is_null()) {
        (_, true) => Op::Delete,
        (None, _) => Op::Create,
        (Some(_), _) => Op::Update,
    };
    Work { op, prior, desired, planned: &proposed.planned, artefact: proposed.artefact.as_ref(), noted: &[] }
}

/// A root's inputs.
pub fn inputs(variables: Value) -> Value {
    with(&[("variables", variables)])
}

/// A root's inputs, any of them.
pub fn with(more: &[(&str, Value)]) -> Value {
    let source = [("source", Value::from("./net"))];
    Value::object(source.into_iter().chain(more.iter().cloned()))
}

pub fn output<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get("outputs").unwrap().get(name).unwrap()
}
