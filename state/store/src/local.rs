//! The local store: a directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use windlass_model::{Digest, Epoch, Host, PlanId, RunId, State};

use crate::disk::{Fs, RealFs};
use crate::files::{Disk, FORMAT, check_format, damaged, io_error, parse_summed, summed};
use crate::layout::{Places, decode, run_of, stacks};
use crate::traits::{
    Approval, EnvRef, Head, Held, Holder, RunInfo, Seen, Store, StoreError, StoreId, VersionMeta,
};
use crate::version::{Chain, VersionFile};
use crate::{head, identity, journal, pack, take, version};

/// A store in a directory of this machine: `.windlass` beside the stack.
///
/// Any number of processes may use it at once. It blocks only for short file operations.
pub struct LocalStore {
    pub(crate) disk: Arc<Disk>,
    pub(crate) root: PathBuf,
    id: StoreId,
}

#[derive(Serialize, Deserialize)]
struct ApprovalFile {
    format: u64,
    #[serde(flatten)]
    approval: Approval,
}

#[derive(Serialize, Deserialize)]
struct SeenFile {
    format: u64,
    #[serde(flatten)]
    seen: Seen,
}

impl LocalStore {
    /// Opens the store at `root` (the `.windlass` directory itself), and makes it where there is none: 0700, kept out of git.
    ///
    /// # Errors
    /// Where it is damaged, of a newer format, or cannot be read or made.
    pub fn open(root: &Path, host: Arc<dyn Host>) -> Result<LocalStore, StoreError> {
        LocalStore::open_on(Arc::new(RealFs), root, host)
    }

    /// Opens the store at `root`; `None` where there is none. Makes nothing.
    ///
    /// # Errors
    /// Where it is damaged, of a newer format, or cannot be read.
    pub fn find(root: &Path, host: Arc<dyn Host>) -> Result<Option<LocalStore>, StoreError> {
        let disk = Disk::new(Arc::new(RealFs), host);
        let id = identity::read(&disk, root)?;
        Ok(id.map(|id| LocalStore { disk: Arc::new(disk), root: root.to_owned(), id }))
    }

    pub(crate) fn open_on(
        fs: Arc<dyn Fs>,
        root: &Path,
        host: Arc<dyn Host>,
    ) -> Result<LocalStore, StoreError> {
        let disk = Disk::new(fs, host);
        let id = identity::read_or_make(&disk, root)?;
        Ok(LocalStore { disk: Arc::new(disk), root: root.to_owned(), id })
    }

    /// Writes a file anywhere as the store writes its own: whole or not at all, 0600. For saved plans.
    ///
    /// # Errors
    /// Where it cannot be written; an older file of that name is still whole then.
    pub fn write_private(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        self.disk.replace(path, bytes)
    }

    pub(crate) fn places(&self, env: &EnvRef) -> Places {
        Places::of(&self.root, env)
    }

    fn version(&self, places: &Places, head: &Head, number: u64) -> Result<VersionFile, StoreError> {
        let mut oldest = head.version;
        for found in version::chain(&self.disk, places, head)? {
            let (_, found) = found?;
            oldest = found.meta.number;
            if oldest == number {
                return Ok(found);
            }
        }
        let kept = match head.version {
            0 => "there is none yet".to_owned(),
            newest => format!("kept are {oldest} to {newest}"),
        };
        Err(StoreError::Absent(format!("there is no version {number}: {kept}")))
    }

    fn all<'a>(&'a self, places: &'a Places) -> Result<Chain<'a>, StoreError> {
        let head = head::read(&self.disk, places)?.file.head;
        version::chain(&self.disk, places, &head)
    }

    pub(crate) fn read_approval(&self, path: &Path) -> Result<Option<Approval>, StoreError> {
        let Some(bytes) = self.disk.read(path)? else { return Ok(None) };
        Ok(Some(parse_summed::<ApprovalFile>(path, &bytes)?.approval))
    }

    fn read_seen(&self, path: &Path) -> Result<Option<Seen>, StoreError> {
        let Some(bytes) = self.disk.read(path)? else { return Ok(None) };
        let file: SeenFile = crate::files::parse(path, &bytes)?;
        check_format(path, file.format)?;
        Ok(Some(file.seen))
    }
}

#[async_trait]
impl Store for LocalStore {
    fn id(&self) -> &StoreId {
        &self.id
    }

    async fn environments(&self) -> Result<Vec<EnvRef>, StoreError> {
        let mut found = Vec::new();
        let stacks = stacks(&self.root);
        for stack in self.disk.list(&stacks)?.into_iter().filter(|item| item.is_dir) {
            let Some(name) = decode(&stack.name) else { continue };
            for item in self.disk.list(&stacks.join(&stack.name))?.into_iter().filter(|item| item.is_dir) {
                let Some(environment) = decode(&item.name) else { continue };
                let env = EnvRef { stack: name.clone(), environment };
                let places = self.places(&env);
                // Without HEAD, but with versions, it is damaged, not absent: whoever uses it is told.
                if self.disk.fs.exists(&places.head()) || self.disk.fs.exists(&places.versions()) {
                    found.push(env);
                }
            }
        }
        found.sort();
        Ok(found)
    }

    async fn head(&self, env: &EnvRef) -> Result<Head, StoreError> {
        Ok(head::read(&self.disk, &self.places(env))?.file.head)
    }

    async fn versions(&self, env: &EnvRef) -> Result<Vec<VersionMeta>, StoreError> {
        self.all(&self.places(env))?.map(|found| found.map(|(_, version)| version.meta)).collect()
    }

    async fn state(&self, env: &EnvRef, version: Option<u64>) -> Result<State, StoreError> {
        let places = self.places(env);
        let head = head::read(&self.disk, &places)?.file.head;
        let number = version.unwrap_or(head.version);
        if number == 0 {
            return Ok(State::default());
        }
        let version = self.version(&places, &head, number)?;
        Ok(pack::read(&self.disk, &places.objects(), &version.index)?.1)
    }

    async fn blob(&self, env: &EnvRef, id: &Digest) -> Result<Arc<[u8]>, StoreError> {
        let bytes = self.disk.object(&self.places(env).objects(), id)?;
        bytes.map(Arc::from).ok_or_else(|| StoreError::Absent(format!("the store has no object {id}")))
    }

    async fn seen(&self, env: &EnvRef) -> Seen {
        // A cache: what cannot be read is asked again.
        self.read_seen(&self.places(env).seen()).ok().flatten().unwrap_or_default()
    }

    async fn put_seen(&self, env: &EnvRef, seen: &Seen) -> Result<(), StoreError> {
        let places = self.places(env);
        self.disk.make_dirs(&self.root, &places.dir)?;
        let path = places.seen();
        let bytes = serde_json::to_vec(&SeenFile { format: FORMAT, seen: seen.clone() })
            .map_err(|error| io_error("write", &path, std::io::Error::other(error)))?;
        self.disk.stage(&path, &bytes, false)?.publish_loosely()
    }

    async fn approve(&self, env: &EnvRef, approval: &Approval) -> Result<Approval, StoreError> {
        let places = self.places(env);
        self.disk.make_dirs(&self.root, &places.approvals())?;
        let path = places.approval(&approval.plan, &approval.seal);
        if let Some(first) = self.read_approval(&path)? {
            return Ok(first);
        }
        let file = ApprovalFile { format: FORMAT, approval: approval.clone() };
        self.disk.create_once(&path, &summed(&path, &file)?)?;
        self.read_approval(&path)?.ok_or_else(|| damaged(&path, "it vanished"))
    }

    async fn approval(
        &self,
        env: &EnvRef,
        plan: &PlanId,
        seal: &Digest,
    ) -> Result<Option<Approval>, StoreError> {
        self.read_approval(&self.places(env).approval(plan, seal))
    }

    async fn runs(&self, env: &EnvRef) -> Result<Vec<RunInfo>, StoreError> {
        let places = self.places(env);
        let mut runs = Vec::new();
        for item in self.disk.list(&places.runs())? {
            let Some((epoch, run)) = run_of(&item.name) else { continue };
            if let Some(log) = journal::read(&self.disk, &places.run(epoch, &run))? {
                runs.push(RunInfo { run, epoch, entries: log.entries });
            }
        }
        runs.sort_by_key(|run| std::cmp::Reverse(run.epoch));
        Ok(runs)
    }

    async fn lock(&self, env: &EnvRef, holder: Holder) -> Result<Box<dyn Held>, StoreError> {
        Ok(Box::new(take::lock(&self.disk, self.places(env), holder)?))
    }

    async fn unlock(&self, env: &EnvRef, run: &RunId, nonce: u128) -> Result<Epoch, StoreError> {
        take::unlock(&self.disk, &self.places(env), run, nonce)
    }
}
