//! The snapshot of a plan's sources: taken from the checkout, or read back from the store.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use windlass_model::{Digest, Files, canon};
use windlass_store::{EnvRef, LocalStore, Store};

use super::failure::Failure;
use crate::plan::{BlobSource, Blobs, Past};
use crate::stack::{Checkout, Manifest, Snapshot};

/// The blobs of an environment in a store.
pub struct StoreBlobs {
    /// The store.
    pub store: Arc<LocalStore>,
    /// The environment.
    pub env: EnvRef,
}

#[async_trait]
impl BlobSource for StoreBlobs {
    async fn blob(&self, id: &Digest) -> Result<Arc<[u8]>, String> {
        self.store.blob(&self.env, id).await.map_err(|error| error.to_string())
    }
}

/// What a checkout was read for, as manifest and contents.
pub fn taken(checkout: &Checkout) -> (Manifest, Blobs) {
    let noted = checkout.noted();
    let manifest = Manifest::of(checkout.stack_dir(), &noted);
    let blobs = noted.into_iter().map(|file| (Digest::of(&file.content), file.content)).collect();
    (manifest, blobs)
}

/// The files of a manifest; contents that are not given come from the store.
///
/// # Errors
/// Where one is not there.
pub async fn files(
    manifest: &Manifest,
    given: &Blobs,
    source: &dyn BlobSource,
    checkout: Option<PathBuf>,
) -> Result<Arc<dyn Files>, Failure> {
    let mut contents = BTreeMap::new();
    for entry in manifest.files.values() {
        let content = match given.get(&entry.digest) {
            Some(content) => content.clone(),
            None => source.blob(&entry.digest).await.map_err(Failure::failed)?,
        };
        contents.insert(entry.digest, content);
    }
    Ok(Arc::new(Snapshot::new(manifest.clone(), contents, checkout)))
}

/// Where a plan's snapshot keeps the files of then that its deletes need.
const THEN: &str = ".then/";

/// The sources of the current version.
pub struct PastSources {
    blobs: StoreBlobs,
    version: u64,
    checkout: PathBuf,
}

impl PastSources {
    /// Those of a version of an environment.
    pub fn new(store: Arc<LocalStore>, env: EnvRef, version: u64, checkout: PathBuf) -> PastSources {
        PastSources { blobs: StoreBlobs { store, env }, version, checkout }
    }

    async fn manifest(&self) -> Option<Manifest> {
        let versions = self.blobs.store.versions(&self.blobs.env).await.ok()?;
        let digest = versions.iter().find(|version| version.number == self.version)?.sources?;
        let bytes = self.blobs.store.blob(&self.blobs.env, &digest).await.ok()?;
        let manifest: Manifest = serde_json::from_slice(&bytes).ok()?;
        debug_assert_eq!(canon::digest(&manifest), digest, "a manifest is kept as its canonical bytes");
        Some(manifest)
    }

    /// Adds these files of then to a plan's snapshot.
    ///
    /// # Errors
    /// Where one is not in the store.
    pub async fn add_to(
        &self,
        paths: &std::collections::BTreeSet<String>,
        manifest: &mut Manifest,
        blobs: &mut Blobs,
    ) -> Result<(), Failure> {
        if paths.is_empty() {
            return Ok(());
        }
        let Some(then) = self.manifest().await else { return Ok(()) };
        for (path, entry) in then.files.iter().filter(|(path, _)| paths.contains(*path)) {
            let content = self.blobs.blob(&entry.digest).await.map_err(Failure::failed)?;
            blobs.insert(entry.digest, content);
            manifest.files.insert(format!("{THEN}{path}"), *entry);
        }
        Ok(())
    }
}

#[async_trait]
impl Past for PastSources {
    async fn files(&self) -> Option<Arc<dyn Files>> {
        let manifest = self.manifest().await?;
        files(&manifest, &Blobs::new(), &self.blobs, Some(self.checkout.clone())).await.ok()
    }
}

/// The part of a plan's manifest that holds the files of then; `None` where there is none.
pub fn then(manifest: &Manifest) -> Option<Manifest> {
    let old = |(path, entry): (&String, &crate::stack::ManifestEntry)| {
        path.strip_prefix(THEN).map(|path| (path.to_owned(), *entry))
    };
    let files: BTreeMap<_, _> = manifest.files.iter().filter_map(old).collect();
    (!files.is_empty()).then(|| Manifest { stack_dir: manifest.stack_dir.clone(), files })
}
