//! A fake of ARM, the real `az` before it, a session and a record: what the tests need.
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
use windlass_testing::arm::Arm;
use windlass_testing::shim::{Counted, counting};
use windlass_testing::tools;

/// A storage account and a network, with outputs of all kinds.
pub const MAIN: &str = include_str!("../data/main.json");

/// This test binary as another process: the test `another_process` is its main function.
pub fn again(role: &str) -> Vec<String> {
    let exe = std::env::current_exe().unwrap();
    let words =
        ["/usr/bin/env", role, exe.to_str().unwrap(), "--exact", "another_process", "--nocapture", "--quiet"];
    words.iter().map(|word| (*word).to_owned()).collect()
}

pub struct World {
    pub arm: Arm,
    pub az: Counted,
    pub here: Here,
    _temporary: tempfile::TempDir,
}

/// What of the world another process can have as well.
pub struct Here {
    pub bench: Bench,
    pub session: Arc<dyn Session>,
    pub address: Address,
    pub dir: PathBuf,
}

impl Here {
    pub async fn at(dir: &Path, env: BTreeMap<String, String>, config: Value) -> Here {
        let runner = RunnerConfig {
            supervisor: again("AS_SUPERVISOR=1"),
            steps: Some(dir.join("steps")),
            earlier: Vec::new(),
            log: Some(dir.join("log")),
        };
        let patience = Patience { interrupt: Duration::from_secs(5), terminate: Duration::from_secs(1) };
        let bench = Bench::new(dir, Arc::new(ToolRunner::new(runner).patience(patience)), env);
        let session = windlass_provider_bicep::provider().open(&config, bench.tools.clone()).await.unwrap();
        Here { bench, session, address: Address::new("bicep_deployment", "app"), dir: dir.to_owned() }
    }

    pub fn call(&self) -> Call {
        self.bench.call(&self.address)
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub async fn plan(
        &self,
        prior: Option<&Record>,
        desired: Option<&Value>,
    ) -> Result<Proposed, ProviderError> {
        self.session.plan(&self.call(), Ask { prior, desired, refresh: true, replace: false }).await
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

    pub async fn apply(
        &self,
        prior: Option<&Record>,
        desired: Option<&Value>,
        proposed: &Proposed,
    ) -> Result<Option<Observed>, Box<ApplyFailure>> {
        self.apply_as(&self.call(), prior, desired, proposed).await
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

    pub async fn destroy(&self, prior: &Record) -> Proposed {
        let proposed = self.plan(Some(prior), None).await.unwrap();
        let left = self.apply(Some(prior), None, &proposed).await.unwrap();
        assert!(left.is_none());
        proposed
    }

    pub fn record(&self, desired: &Value, seen: Observed) -> Record {
        record(&self.address, "bicep", desired, seen)
    }

    /// What was left below the work directory: nothing, once a call is over.
    pub fn left_over(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut next = vec![self.call().scratch];
        while let Some(dir) = next.pop() {
            for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
                match entry.path().is_dir() {
                    true => next.push(entry.path()),
                    false => found.push(entry.path()),
                }
            }
        }
        found
    }
}

impl World {
    /// `None`, after a line that says so, where az is not installed.
    pub async fn new() -> Option<World> {
        World::with(Value::object::<&str>([]), &[]).await
    }

    pub async fn with(config: Value, env: &[(&str, &str)]) -> Option<World> {
        let arm = Arm::start()?;
        let temporary = tempfile::tempdir().unwrap();
        let az = counting(&tools::az()?, &temporary.path().join("counted"));
        let mut all = arm.env();
        all.insert("PATH".to_owned(), tools::path_with(az.bin()));
        all.extend(env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let dir = temporary.path().join("stack");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("main.json"), MAIN).unwrap();
        let here = Here::at(&dir, all, config).await;
        Some(World { arm, az, here, _temporary: temporary })
    }

    /// With the group `rg`.
    pub async fn with_group() -> Option<World> {
        let world = World::new().await?;
        world.arm.put_group("rg", "westeurope", serde_json::json!({}));
        Some(world)
    }

    /// Ids of the fake's resources, short, sorted.
    pub fn resources(&self) -> Vec<String> {
        let all = self.arm.resources();
        let mut names: Vec<String> = all.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    /// The commands of az since the last look, without their options.
    pub fn calls(&self) -> Vec<String> {
        let calls = self.az.calls();
        self.az.forget();
        let words = |line: &String| {
            let words = line.split(' ').take_while(|word| !word.starts_with("--"));
            words.collect::<Vec<_>>().join(" ")
        };
        calls.iter().map(words).filter(|words| words != "version").collect()
    }
}

impl std::ops::Deref for World {
    type Target = Here;
    fn deref(&self) -> &Here {
        &self.here
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

/// Inputs: a stack `app` in the group `rg`, and what is given besides.
pub fn wish(more: &[(&str, Value)]) -> Value {
    let mut all: BTreeMap<String, Value> =
        windlass_provider_bicep::provider().schema().resources["bicep_deployment"]
            .body
            .attributes
            .iter()
            .filter(|(_, attribute)| !attribute.computed)
            .map(|(name, _)| ((*name).to_owned(), Value::NULL))
            .collect();
    all.insert("deny_settings".to_owned(), Value::NULL);
    for (name, value) in [("name", "app"), ("template_file", "main.json"), ("resource_group", "rg")] {
        all.insert(name.to_owned(), Value::from(value));
    }
    all.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    Value::object(all)
}

/// Parameters of `main.json`.
pub fn parameters(prefix: &str, more: &[(&str, Value)]) -> (&'static str, Value) {
    let prefix = [("prefix", Value::from(prefix))];
    ("parameters", Value::object(prefix.into_iter().chain(more.iter().cloned())))
}

/// The nested changes, each in a line.
pub fn nested(proposed: &Proposed) -> Vec<String> {
    proposed.nested.iter().map(|one| format!("{} {}", one.action, one.address)).collect()
}

/// The warnings, each in a line.
pub fn warnings(proposed: &Proposed) -> Vec<&str> {
    proposed.warnings.iter().map(|warning| warning.message.as_str()).collect()
}

pub fn output<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get("outputs").unwrap().get(name).unwrap()
}

/// All that the engine was told, the run's log, and each command line: where a secret must not be.
pub fn told(world: &World) -> String {
    let events = format!("{:?}", world.bench.engine.events());
    let log = std::fs::read_to_string(world.dir.join("log")).unwrap_or_default();
    [events, log, world.az.calls().join("\n")].join("\n")
}
