//! A place to run commands in, and this test binary as another process.
#![expect(clippy::unwrap_used, reason = "tests")]
#![allow(dead_code, clippy::allow_attributes, reason = "not every test file uses all of it")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use windlass_model::Address;
use windlass_provider::harness::Bench;
use windlass_provider::{
    Attached, Call, Command, Exit, Patience, ProviderError, Runner, RunnerConfig, ToolRunner, supervise,
};

/// This test binary, as another process of its own: the test that a variable names is its main function.
pub fn again(role: &str) -> Vec<String> {
    let exe = std::env::current_exe().unwrap();
    let words =
        ["/usr/bin/env", role, exe.to_str().unwrap(), "--exact", "another_process", "--nocapture", "--quiet"];
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Call it from a test `another_process`: makes that process the supervisor, or the engine that gets killed, where it is to be one.
pub fn be_another_process() {
    if std::env::var_os("AS_SUPERVISOR").is_some() {
        std::process::exit(i32::from(supervise(std::io::stdin(), std::io::stderr())));
    }
    if let Some(dir) = std::env::var_os("AS_ENGINE") {
        let script = std::env::var("SCRIPT").unwrap();
        let place = Place::at(Path::new(&dir));
        let exit = place.run(&place.call(), &place.script(&script));
        std::process::exit(i32::from(exit.is_err()));
    }
}

pub const PATIENCE: Patience =
    Patience { interrupt: Duration::from_millis(300), terminate: Duration::from_millis(300) };

pub struct Place {
    pub bench: Bench,
    pub runner: Arc<ToolRunner>,
    pub config: RunnerConfig,
    pub dir: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Place {
    pub fn new() -> Place {
        let temporary = tempfile::tempdir().unwrap();
        let place = Place::at(temporary.path());
        Place { _temporary: Some(temporary), ..place }
    }

    pub fn at(dir: &Path) -> Place {
        let config = RunnerConfig {
            supervisor: again("AS_SUPERVISOR=1"),
            steps: Some(dir.join("steps")),
            earlier: Vec::new(),
            log: Some(dir.join("log")),
        };
        let runner = Arc::new(ToolRunner::new(config.clone()).patience(PATIENCE));
        let path = std::env::var("PATH").unwrap();
        let env = BTreeMap::from([("PATH".to_owned(), path)]);
        let bench = Bench::new(dir, runner.clone(), env);
        Place { bench, runner, config, dir: dir.to_owned(), _temporary: None }
    }

    /// Always the same step.
    pub fn call(&self) -> Call {
        let token = windlass_model::Token("0123456789abcdef".to_owned());
        Call { token, ..self.bench.call(&Address::new("local_command", "it")) }
    }

    pub fn script(&self, script: &str) -> Command {
        Command {
            program: "sh".to_owned(),
            args: vec!["-c".to_owned(), script.to_owned()],
            env: self.bench.tools.env.clone(),
            dir: self.dir.clone(),
            label: "create".to_owned(),
            supervised: true,
            ..Command::default()
        }
    }

    pub fn run(&self, call: &Call, command: &Command) -> Result<Exit, ProviderError> {
        on_time(self.runner.run(call, command))
    }

    /// A later run that recovers this one.
    pub fn later(&self) -> ToolRunner {
        let steps = Some(self.dir.join("later"));
        let earlier = vec![self.dir.join("steps")];
        ToolRunner::new(RunnerConfig { steps, earlier, ..self.config.clone() }).patience(PATIENCE)
    }

    pub fn attach(&self) -> Attached {
        on_time(self.later().attach(&self.call(), "create")).unwrap()
    }

    /// Both ways to run it, each as a step of its own.
    pub fn both(&self, command: &Command, check: impl Fn(Result<Exit, ProviderError>)) {
        for supervised in [false, true] {
            check(self.run(&self.call(), &Command { supervised, ..command.clone() }));
        }
    }

    pub fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.join(name)).unwrap_or_default()
    }

    /// Starts an engine that runs a script, in a process of its own.
    pub fn engine(&self, script: &str) -> std::process::Child {
        let argv = again(&format!("AS_ENGINE={}", self.dir.display()));
        let mut command = std::process::Command::new(&argv[0]);
        command.arg(format!("SCRIPT={script}")).args(&argv[1..]).spawn().unwrap()
    }

    pub fn wait_for(&self, name: &str) {
        let begun = Instant::now();
        while self.file(name).is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{name} did not come");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn supervisor(&self) -> i32 {
        let start = self.file("steps/0123456789abcdef.1-create.start");
        let start: serde_json::Value = serde_json::from_str(&start).unwrap();
        i32::try_from(start["session"].as_i64().unwrap()).unwrap()
    }
}

pub fn on_time<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), work).await.unwrap() })
}

pub fn kill(pid: i32, signal: &str) {
    let status = std::process::Command::new("kill").args([signal, &pid.to_string()]).status().unwrap();
    assert!(status.success());
}
