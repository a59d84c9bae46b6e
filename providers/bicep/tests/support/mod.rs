//! A fake of ARM, the real `az` before it, a session and a record: what the tests need.

use std::collections::BTreeMap;
use std::path::Path;

use windlass_model::{Address, Record, Value};
use windlass_provider::trial::{self, Trial};
use windlass_provider::{Proposed, Provider};
use windlass_testing::arm::Arm;
use windlass_testing::shim::{Counted, counting};
use windlass_testing::tools;

/// A storage account and a network, with outputs of all kinds.
pub const MAIN: &str = include_str!("../data/main.json");

/// This test binary as another process: the test `another_process` is its main function.
pub fn again(role: &str) -> Vec<String> {
    trial::again(&std::env::current_exe().unwrap(), role)
}

pub struct World {
    pub arm: Arm,
    pub az: Counted,
    pub here: Here,
    _temporary: tempfile::TempDir,
}

/// What of the world another process can have as well.
pub struct Here(Trial);

impl std::ops::Deref for Here {
    type Target = Trial;

    fn deref(&self) -> &Trial {
        &self.0
    }
}

impl Here {
    pub async fn at(dir: &Path, env: BTreeMap<String, String>, config: Value) -> Here {
        let provider = windlass_provider_bicep::provider();
        let address = Address::new("bicep_deployment", "app");
        let trial = Trial::open(&provider, &config, address, dir, env, again("AS_SUPERVISOR=1")).await;
        Here(trial.unwrap())
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub async fn destroy(&self, prior: &Record) -> Proposed {
        let proposed = self.plan(Some(prior), None).await.unwrap();
        let left = self.apply(Some(prior), None, &proposed).await.unwrap();
        assert!(left.is_none());
        proposed
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
