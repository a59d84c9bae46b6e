//! A stack, a session and a record: what a test of the real `aws` or a scripted one needs.
#![expect(dead_code, reason = "each test binary uses a part")]

pub mod case;
pub mod scripted;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use windlass_model::{Address, Value};
use windlass_provider::Provider;
use windlass_provider::trial::{self, Trial};
use windlass_testing::moto::Moto;
use windlass_testing::shim::{Counted, counting};
use windlass_testing::tools;

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
    trial: Trial,
    pub counted: Option<Counted>,
    temporary: tempfile::TempDir,
}

impl std::ops::Deref for World {
    type Target = Trial;

    fn deref(&self) -> &Trial {
        &self.trial
    }
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
        let exe = std::env::current_exe().unwrap();
        let supervisor = trial::again(&exe, "AS_SUPERVISOR=1");
        let provider = windlass_provider_cloudformation::provider();
        let config = Value::object::<&str>([]);
        let address = Address::new("cloudformation_stack", "queue");
        let trial = Trial::open(&provider, &config, address, temporary.path(), env, supervisor).await;
        World { trial: trial.unwrap(), counted: None, temporary }
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

    /// As another process would see it: nothing described yet.
    pub async fn reopen(&mut self) {
        let provider = windlass_provider_cloudformation::provider();
        let config = Value::object::<&str>([]);
        self.trial.session = provider.open(&config, self.bench.tools.clone()).await.unwrap();
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
