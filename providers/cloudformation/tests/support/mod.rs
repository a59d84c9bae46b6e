//! A stack, a session and a record: what a test of the real `aws` or a scripted one needs.
#![expect(dead_code, reason = "each test binary uses a part")]

pub mod case;
pub mod scripted;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use windlass_model::{Address, Op, Record, Value};
use windlass_provider::harness::{Bench, record};
use windlass_provider::{
    ApplyFailure, Ask, Call, Observed, Probe, Proposed, Provider, ProviderError, RunnerConfig, Session,
    ToolRunner, Verdict, Work,
};
use windlass_testing::moto::Moto;
use windlass_testing::shim::{Counted, counting};
use windlass_testing::tools;

/// This test binary as another process: the test `another_process` is its main function.
pub fn again() -> Vec<String> {
    let exe = std::env::current_exe().unwrap();
    let words = [
        "/usr/bin/env",
        "AS_SUPERVISOR=1",
        exe.to_str().unwrap(),
        "--exact",
        "another_process",
        "--nocapture",
        "--quiet",
    ];
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The main function of the supervisor.
pub fn as_another_process() {
    if std::env::var("AS_SUPERVISOR").is_ok() {
        std::process::exit(i32::from(windlass_provider::supervise(std::io::stdin(), std::io::stderr())));
    }
}

/// One server for all tests of this binary, each in a region of its own: they do not meet.
pub fn moto() -> Option<&'static Moto> {
    static MOTO: OnceLock<Option<Moto>> = OnceLock::new();
    MOTO.get_or_init(Moto::start).as_ref()
}

pub struct World {
    pub bench: Bench,
    pub session: Arc<dyn Session>,
    pub address: Address,
    pub dir: PathBuf,
    pub counted: Option<Counted>,
    temporary: tempfile::TempDir,
}

impl World {
    /// The real `aws` against a server, in a region that no other test uses, its calls counted.
    pub async fn on(moto: &Moto, region: &str) -> World {
        let temporary = tempfile::tempdir().unwrap();
        let counted = counting(&tools::aws().unwrap(), &temporary.path().join("counted"));
        let mut env = moto.env();
        let path = format!("{}:{}", counted.bin().display(), env["PATH"]);
        env.insert("PATH".to_owned(), path);
        env.insert("AWS_REGION".to_owned(), region.to_owned());
        env.insert("AWS_DEFAULT_REGION".to_owned(), region.to_owned());
        World { counted: Some(counted), ..World::with(temporary, env).await }
    }

    /// With an environment, in a directory.
    pub async fn with(temporary: tempfile::TempDir, env: BTreeMap<String, String>) -> World {
        let dir = temporary.path().to_owned();
        let runner = RunnerConfig {
            supervisor: again(),
            steps: Some(dir.join("steps")),
            earlier: Vec::new(),
            log: Some(dir.join("log")),
        };
        let bench = Bench::new(&dir, Arc::new(ToolRunner::new(runner)), env);
        let config = Value::object::<&str>([]);
        let provider = windlass_provider_cloudformation::provider();
        let session = provider.open(&config, bench.tools.clone()).await.unwrap();
        let address = Address::new("cloudformation_stack", "queue");
        World { bench, session, address, dir, counted: None, temporary }
    }

    pub fn call(&self) -> Call {
        self.bench.call(&self.address)
    }

    pub fn write(&self, path: &str, text: &str) {
        std::fs::write(self.dir.join(path), text).unwrap();
    }

    /// The calls so far, by operation, and forgets them.
    pub fn calls(&self) -> Vec<String> {
        let Some(counted) = &self.counted else { return Vec::new() };
        let calls = counted.calls();
        counted.forget();
        let operation = |call: String| call.split_whitespace().take(2).last().unwrap_or_default().to_owned();
        calls.into_iter().filter(|call| !call.contains("--version")).map(operation).collect()
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
        assert_eq!(proposed.verdict, Verdict::Change);
        let seen = self.apply(prior, Some(desired), &proposed).await.unwrap().unwrap();
        self.record(desired, seen)
    }

    pub fn record(&self, desired: &Value, seen: Observed) -> Record {
        record(&self.address, "cloudformation", desired, seen)
    }

    /// As another process would see it: nothing described yet.
    pub async fn reopen(&mut self) {
        let provider = windlass_provider_cloudformation::provider();
        let config = Value::object::<&str>([]);
        self.session = provider.open(&config, self.bench.tools.clone()).await.unwrap();
        self.calls();
    }

    /// All that was said.
    pub fn said(&self) -> String {
        format!("{:?}", self.bench.engine.events())
    }

    /// What `aws` says in this world's region, for a look from outside.
    pub fn aws(&self, args: &[&str]) -> serde_json::Value {
        let region = &self.bench.tools.env["AWS_REGION"];
        moto().unwrap().aws(args.iter().copied().chain(["--region", region]))
    }

    /// All stacks: name and status.
    pub fn stacks(&self) -> Vec<String> {
        let all = self.aws(&["cloudformation", "describe-stacks"]);
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let stacks = all["Stacks"].as_array().unwrap().iter();
        stacks.map(|stack| format!("{} {}", text(&stack["StackName"]), text(&stack["StackStatus"]))).collect()
    }

    /// The files that are left in the work directory.
    pub fn scratch(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.call().scratch).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
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

/// A stack's inputs, complete: what is not given is null.
pub fn inputs(given: &[(&str, Value)]) -> Value {
    let provider = windlass_provider_cloudformation::provider();
    let schema = &provider.schema().resources["cloudformation_stack"];
    let wanted = schema.body.attributes.iter().filter(|(_, attribute)| !attribute.computed);
    let all = wanted.map(|(name, _)| (*name, Value::NULL));
    Value::object(all.chain(given.iter().cloned()))
}

pub fn parameters(pairs: &[(&str, &str)]) -> Value {
    Value::object(pairs.iter().map(|(name, value)| (*name, Value::from(*value))))
}

pub fn output<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get("outputs").unwrap().get(name).unwrap()
}

pub fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}
