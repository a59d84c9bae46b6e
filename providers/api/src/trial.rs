//! A provider under test: what its tests do with one resource, whatever the tool is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use windlass_model::{Address, Op, Record, Value};

use crate::error::{ApplyFailure, ProviderError};
use crate::harness::{Bench, record};
use crate::session::{Ask, Call, Observed, Probe, Proposed, Provider, Session, Work};
use crate::tool_runner::{Patience, RunnerConfig, ToolRunner};

/// A resource under test: a bench, a session of its provider, and its address.
pub struct Trial {
    /// Where the session is called.
    pub bench: Bench,
    /// The session.
    pub session: Arc<dyn Session>,
    /// The resource.
    pub address: Address,
    /// The stack's directory.
    pub dir: PathBuf,
    provider: &'static str,
}

impl Trial {
    /// With a provider whose tools run under `supervisor`, each with this patience.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub async fn open(
        provider: &dyn Provider,
        config: &Value,
        address: Address,
        dir: &Path,
        env: BTreeMap<String, String>,
        supervisor: Vec<String>,
    ) -> Result<Trial, ProviderError> {
        let config_of_runner = RunnerConfig {
            supervisor,
            steps: Some(dir.join("steps")),
            earlier: Vec::new(),
            log: Some(dir.join("log")),
        };
        let patience = Patience { interrupt: Duration::from_secs(5), terminate: Duration::from_secs(1) };
        let runner = ToolRunner::new(config_of_runner).patience(patience);
        let bench = Bench::new(dir, Arc::new(runner), env);
        let session = provider.open(config, bench.tools.clone()).await?;
        Ok(Trial { bench, session, address, dir: dir.to_owned(), provider: provider.schema().name })
    }

    /// A call on the resource, with a token of its own.
    pub fn call(&self) -> Call {
        self.bench.call(&self.address)
    }

    /// Plans, with a look at the real thing.
    ///
    /// # Errors
    /// As the provider says.
    pub async fn plan(
        &self,
        prior: Option<&Record>,
        desired: Option<&Value>,
    ) -> Result<Proposed, ProviderError> {
        self.session.plan(&self.call(), Ask { prior, desired, refresh: true, replace: false }).await
    }

    /// Applies what was planned, by a call of its own.
    ///
    /// # Errors
    /// As the provider says.
    pub async fn apply(
        &self,
        prior: Option<&Record>,
        desired: Option<&Value>,
        proposed: &Proposed,
    ) -> Result<Option<Observed>, Box<ApplyFailure>> {
        self.apply_as(&self.call(), prior, desired, proposed).await
    }

    /// Applies what was planned, by this call.
    ///
    /// # Errors
    /// As the provider says.
    pub async fn apply_as(
        &self,
        call: &Call,
        prior: Option<&Record>,
        desired: Option<&Value>,
        proposed: &Proposed,
    ) -> Result<Option<Observed>, Box<ApplyFailure>> {
        self.session.apply(call, work(prior, desired.unwrap_or(&Value::NULL), proposed)).await
    }

    /// Asks what became of a call.
    ///
    /// # Errors
    /// As the provider says.
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
    ///
    /// # Panics
    /// Where either fails.
    #[expect(clippy::expect_used, reason = "for tests: one that cannot go on fails")]
    pub async fn go(&self, prior: Option<&Record>, desired: &Value) -> Record {
        let proposed = self.plan(prior, Some(desired)).await.expect("it can be planned");
        let seen = self.apply(prior, Some(desired), &proposed).await.expect("it can be applied");
        self.record(desired, seen.expect("it is there after an apply"))
    }

    /// The record that the engine would keep.
    pub fn record(&self, desired: &Value, seen: Observed) -> Record {
        record(&self.address, self.provider, desired, seen)
    }

    /// The files below the work directory: relative to it, sorted.
    pub fn scratch(&self) -> Vec<String> {
        let scratch = self.call().scratch;
        let mut found = Vec::new();
        let mut next = vec![scratch.clone()];
        while let Some(dir) = next.pop() {
            for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
                let path = entry.path();
                match (path.is_dir(), path.strip_prefix(&scratch)) {
                    (true, _) => next.push(path),
                    (false, Ok(inner)) => found.push(inner.display().to_string()),
                    (false, Err(_)) => {}
                }
            }
        }
        found.sort();
        found
    }
}

/// The step that a proposal means.
pub fn work<'a>(prior: Option<&'a Record>, desired: &'a Value, proposed: &'a Proposed) -> Work<'a> {
    let op = match (prior, desired.is_null()) {
        (_, true) => Op::Delete,
        (None, _) => Op::Create,
        (Some(_), _) => Op::Update,
    };
    Work { op, prior, desired, planned: &proposed.planned, artefact: proposed.artefact.as_ref(), noted: &[] }
}

/// The command that runs a test binary again as another process: its test `another_process` is the main function, and tells
/// by the variable of `role` (`AS_SUPERVISOR=1`) what it is to be.
pub fn again(exe: &Path, role: &str) -> Vec<String> {
    let exe = exe.display().to_string();
    let words = ["/usr/bin/env", role, &exe, "--exact", "another_process", "--nocapture", "--quiet"];
    words.iter().map(|word| (*word).to_owned()).collect()
}
