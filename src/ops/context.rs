//! What every operation is given: the place, the clock, the providers, who asks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use windlass_model::Host;
use windlass_store::LocalStore;

use super::failure::Failure;
use crate::plan::Providers;

/// The surroundings of an operation, captured once by whoever calls.
#[derive(Clone)]
pub struct Context {
    /// The stack's directory.
    pub dir: PathBuf,
    /// Clock and chance.
    pub host: Arc<dyn Host>,
    /// What was found out in this process already.
    pub known: Arc<windlass_provider::Known>,
    /// Providers.
    pub providers: Providers,
    /// The user's environment.
    pub env: BTreeMap<String, String>,
    /// Who acts: `WINDLASS_ACTOR`, else `user@host`.
    pub actor: String,
    /// This machine's name.
    pub hostname: String,
    /// This process.
    pub pid: u32,
    /// The command that starts the supervisor.
    pub supervisor: Vec<String>,
    /// `WINDLASS_STATE`: where the store is, if not beside the stack.
    pub state: Option<String>,
    /// How many steps may run at once.
    pub parallelism: usize,
    /// When the run must stop.
    pub deadline: Option<Instant>,
    /// How long after the deadline running tools are interrupted.
    pub grace: Duration,
    /// How long to wait for a lock that somebody holds.
    pub lock_timeout: Duration,
}

impl Context {
    /// Where the store is.
    ///
    /// # Errors
    /// Where `WINDLASS_STATE` names a kind of store that this windlass has not.
    pub fn store_root(&self) -> Result<PathBuf, Failure> {
        match self.state.as_deref() {
            None => Ok(self.dir.join(".windlass")),
            Some(text) => match text.split_once("://") {
                Some(("file", path)) => Ok(PathBuf::from(path)),
                None => Ok(self.dir.join(text)),
                Some((scheme, _)) => Err(Failure::failed(format!(
                    "WINDLASS_STATE: this windlass has no store for `{scheme}://`"
                ))
                .help("use a path or `file:///path`")),
            },
        }
    }

    /// Opens the store, and makes it if there is none.
    ///
    /// # Errors
    /// Where it cannot be read or made.
    pub fn store(&self) -> Result<Arc<LocalStore>, Failure> {
        Ok(Arc::new(LocalStore::open(&self.store_root()?, self.host.clone())?))
    }

    /// Opens the store if there is one.
    ///
    /// # Errors
    /// Where it is there and cannot be read.
    pub fn existing_store(&self) -> Result<Option<Arc<LocalStore>>, Failure> {
        Ok(LocalStore::find(&self.store_root()?, self.host.clone())?.map(Arc::new))
    }

    /// Where work directories of an environment are: beside the stack, whatever the store is.
    pub fn work_dir(&self, environment: &str) -> PathBuf {
        self.dir.join(".windlass").join("work").join(environment)
    }
}
