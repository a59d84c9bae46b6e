//! `terraform init`: only when something that it depends on changed, and one at a time for each plugin cache (rule T5).

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs2::FileExt;
use windlass_model::ErrorClass;
use windlass_provider::ProviderError;

use crate::command;
use crate::errors::{self, Failed};
use crate::job::{Job, how};
use crate::place::StatePlace;

const LOCK_FILE: &str = ".terraform.lock.hcl";
const BACKEND_FILE: &str = "backend.tfbackend.json";

impl Job<'_> {
    /// Runs `init` where that is needed. `given` is the lock file to use in place of the snapshot's: of the plan that is
    /// applied, or of the record where the snapshot has none.
    ///
    /// # Errors
    /// What `init` says.
    pub async fn init(&self, given: Option<&[u8]>) -> Result<(), ProviderError> {
        self.dir.make_data_dir()?;
        if let Some(lock) = given {
            self.dir.write_root(LOCK_FILE, lock)?;
        }
        if !self.needs_init() {
            return Ok(());
        }
        let stamp = self.stamp(self.dir.read_root(LOCK_FILE)?.as_deref());
        if self.dir.init_stamp().lines().all(|known| known != stamp) {
            return self.init_now(&stamp).await;
        }
        match self.dir.kept_lock()? {
            Some(lock) => self.dir.write_root(LOCK_FILE, &lock),
            None => Ok(()),
        }
    }

    /// Runs `init` though nothing seemed to ask for it: terraform said that it needs it.
    ///
    /// # Errors
    /// What `init` says.
    pub async fn init_again(&self) -> Result<(), ProviderError> {
        self.init_now("").await?;
        // Next time it is asked for again: what it depends on was not seen.
        self.dir.set_init_stamp(None)
    }

    /// `stamp` is of what it finds; what it leaves has one too, as its lock file comes back with the plan and the record.
    async fn init_now(&self, stamp: &str) -> Result<(), ProviderError> {
        self.dir.set_init_stamp(None)?;
        self.run_init().await?;
        let lock = self.dir.read_root(LOCK_FILE)?;
        self.dir.keep_lock(lock.as_deref())?;
        self.dir.set_init_stamp(Some(&format!("{stamp}\n{}\n", self.stamp(lock.as_deref()))))
    }

    /// The lock file as it is now, where it is not the snapshot's: applying the plan needs the same.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn new_lock(&self) -> Result<Option<Vec<u8>>, ProviderError> {
        let Some(now) = self.dir.read_root(LOCK_FILE)? else { return Ok(None) };
        let path = self.root.path(LOCK_FILE);
        let same = self.root.files.contains(&path)
            && self.call.files.read(&path).is_ok_and(|snapshot| *snapshot == *now);
        Ok((!same).then_some(now))
    }

    /// A root of built-in resources only, without modules and backend, needs none (tried with terraform 1.11).
    fn needs_init(&self) -> bool {
        self.root.backend.is_some() || self.root.calls_modules || self.fetches()
    }

    /// Whether `init` may fetch something.
    fn fetches(&self) -> bool {
        !self.root.external.is_empty() || !self.state_providers().is_empty()
    }

    /// The providers, by source, of what is in state, without the built-in one.
    fn state_providers(&self) -> BTreeSet<String> {
        let all = self.state.as_ref().map(|state| state.file.providers()).unwrap_or_default();
        let sources = all.into_iter().filter_map(|reference| reference.split('"').nth(1));
        sources.filter(|source| !source.ends_with("builtin/terraform")).map(str::to_owned).collect()
    }

    fn stamp(&self, lock: Option<&[u8]>) -> String {
        let text = String::from_utf8_lossy(lock.unwrap_or_default());
        let mut of_state = self.state_providers();
        of_state.retain(|source| !text.contains(&format!("provider \"{source}\"")));
        let all = (
            &self.root.init_text,
            &*text,
            &self.tool.binary.identity,
            of_state,
            &self.spec.backend_config,
            self.spec.workspace.as_deref(),
            &self.root.dir,
        );
        windlass_model::canon::digest(&all).hex()
    }

    async fn run_init(&self) -> Result<(), ProviderError> {
        let backend = match self.spec.backend_config.is_empty() {
            true => None,
            false => {
                let text = serde_json::to_vec(&self.spec.backend_config);
                let text = text.map_err(|e| ProviderError::new(ErrorClass::Bug, e.to_string()))?;
                Some(self.dir.write_run(BACKEND_FILE, &text)?)
            }
        };
        let _lock = match self.fetches() {
            true => Some(lock_cache(&self.cache, &self.call.stop).await?),
            false => None,
        };
        let args = command::init(self.root.backend.is_some(), backend.as_deref());
        let exit = self.quiet("init", args).await;
        self.dir.remove_run(BACKEND_FILE);
        let exit = exit?;
        if exit.success() {
            return Ok(());
        }
        let text = [&exit.stdout[..], &exit.output[..]].concat();
        let text = String::from_utf8_lossy(&text);
        let errors = errors::from_text(&text);
        let command = self.command_text("init");
        let failed = Failed {
            command: &command,
            errors: &errors,
            rest: &text,
            ended: &how(&exit),
            root: &self.root.dir,
        };
        Err(self.ended_early(&exit, &command).unwrap_or_else(|| failed.error(&self.call.tools.redact)))
    }

    /// Removes what must not stay: secrets of a backend that `init` wrote down.
    ///
    /// # Errors
    /// Where it cannot be removed.
    pub fn forget_secrets(&self) -> Result<(), ProviderError> {
        match (&self.place, self.spec.backend_config.is_empty()) {
            (StatePlace::Backend { .. }, false) => self.dir.forget_backend(),
            _ => Ok(()),
        }
    }
}

/// The lock of a plugin cache; dropped, it is free.
async fn lock_cache(cache: &Path, stop: &windlass_provider::Stop) -> Result<File, ProviderError> {
    let path: PathBuf = cache.join("windlass.lock");
    let failed = |e: std::io::Error| {
        ProviderError::new(ErrorClass::Unknown, format!("the plugin cache {}: {e}", path.display()))
    };
    std::fs::create_dir_all(cache).map_err(failed)?;
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    loop {
        match FileExt::try_lock_exclusive(&file) {
            Ok(()) => return Ok(file),
            Err(e) if e.kind() == fs2::lock_contended_error().kind() => {}
            Err(e) => return Err(failed(e)),
        }
        if stop.is_interrupted() {
            return Err(ProviderError::new(
                ErrorClass::Cancelled,
                "interrupted while waiting for the plugin cache",
            ));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
