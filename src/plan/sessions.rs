//! Providers by name, and their configured aliases, opened when they are first needed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use windlass_model::{Address, Catalog, Digest, Files, RunId, Token, Value, canon};
use windlass_provider::{Call, Engine, Owner, Provider, ProviderError, Session, Stop, Toolbox};

use crate::stack::Retry;

/// The providers that the binary brings.
#[derive(Clone)]
pub struct Providers {
    by_name: BTreeMap<&'static str, Arc<dyn Provider>>,
    /// Their schemas.
    pub catalog: Arc<Catalog>,
}

impl Providers {
    /// These providers.
    pub fn new(providers: Vec<Arc<dyn Provider>>) -> Providers {
        let catalog = Arc::new(Catalog::new(providers.iter().map(|provider| provider.schema().clone())));
        let by_name = providers.into_iter().map(|provider| (provider.schema().name, provider)).collect();
        Providers { by_name, catalog }
    }

    /// The provider of a resource type.
    pub fn of_kind(&self, kind: &str) -> Option<&Arc<dyn Provider>> {
        let (schema, _) = self.catalog.resource(kind)?;
        self.by_name.get(schema.name)
    }

    /// A provider by its name.
    pub fn named(&self, name: &str) -> Option<&Arc<dyn Provider>> {
        self.by_name.get(name)
    }
}

/// A configured alias.
#[derive(Clone)]
pub struct Opened {
    /// Its session.
    pub session: Arc<dyn Session>,
    /// The digest of its configuration, secrets keyed.
    pub config: Digest,
    /// How many of its steps may run at once; `None`: as `--parallelism`.
    pub concurrency: Option<usize>,
    /// `refresh_after` of the provider block, in seconds.
    pub refresh_after: Option<u64>,
    /// `retry` of the provider block.
    pub retry: Option<Retry>,
}

/// The aliases opened so far, by `provider` or `provider.alias`.
#[derive(Clone)]
pub struct Sessions {
    /// The providers.
    pub providers: Providers,
    tools: Arc<Toolbox>,
    open: BTreeMap<String, Opened>,
}

/// What every `provider` block may hold besides its own attributes.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    /// `concurrency`
    pub concurrency: Option<usize>,
    /// `refresh_after`, in seconds.
    pub refresh_after: Option<u64>,
    /// `retry`
    pub retry: Option<Retry>,
}

impl Sessions {
    /// None opened yet.
    pub fn new(providers: Providers, tools: Arc<Toolbox>) -> Sessions {
        Sessions { providers, tools, open: BTreeMap::new() }
    }

    /// An alias that was opened.
    pub fn get(&self, alias: &str) -> Option<&Opened> {
        self.open.get(alias)
    }

    /// All that were opened.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Opened)> {
        self.open.iter()
    }

    /// Opens an alias with its configuration.
    ///
    /// # Errors
    /// As the provider says.
    pub async fn open(
        &mut self,
        alias: &str,
        config: &Value,
        budget: Budget,
        key: &[u8],
    ) -> Result<&Opened, ProviderError> {
        if !self.open.contains_key(alias) {
            let name = alias.split('.').next().unwrap_or(alias);
            let Some(provider) = self.providers.named(name) else {
                let class = windlass_model::ErrorClass::InvalidConfig;
                return Err(ProviderError::new(
                    class,
                    format!("there is no provider `{name}` in this windlass"),
                ));
            };
            let session = provider.open(config, self.tools.clone()).await?;
            let concurrency = budget.concurrency.or(provider.schema().concurrency);
            let config = canon::digest(&canon::Sealed { value: config, key });
            let Budget { refresh_after, retry, .. } = budget;
            let opened = Opened { session, config, concurrency, refresh_after, retry };
            self.open.insert(alias.to_owned(), opened);
        }
        self.open.get(alias).ok_or_else(|| {
            ProviderError::new(
                windlass_model::ErrorClass::Bug,
                format!("provider `{alias}` was not kept open"),
            )
        })
    }
}

/// What calls of one run have in common.
#[derive(Clone)]
pub struct Calls {
    /// The plan or run.
    pub run: RunId,
    /// Whose things are made (rule T8).
    pub owner: Arc<Owner>,
    /// Sources.
    pub files: Arc<dyn Files>,
    /// Where work directories are: `.windlass/work/<environment>`.
    pub work: PathBuf,
    /// Tools.
    pub tools: Arc<Toolbox>,
    /// Asks running steps to stop.
    pub stop: Stop,
}

impl Calls {
    /// A call for a resource.
    pub fn call(
        &self,
        address: &Address,
        token: Token,
        attempt: u32,
        timeout: Option<Duration>,
        engine: Arc<dyn Engine>,
    ) -> Call {
        Call {
            address: address.clone(),
            owner: self.owner.clone(),
            run: self.run.clone(),
            token,
            attempt,
            deadline: timeout.map(|timeout| Instant::now() + timeout),
            stop: self.stop.clone(),
            engine,
            files: self.files.clone(),
            scratch: self.work.join(file_name(address)),
            tools: self.tools.clone(),
        }
    }
}

/// What names the planning of a resource to a tool or cloud: no other plan has it.
pub fn plan_token(run: &RunId, address: &Address) -> Token {
    Token::new(&Digest::of(run.0.as_bytes()), &address.to_string())
}

/// An address as a file name: what is not plain is written as `%` and hex, so that different addresses stay different.
pub fn file_name(address: &Address) -> String {
    let mut name = String::new();
    for c in address.to_string().chars() {
        match c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') {
            true => name.push(c),
            false => name.push_str(&format!("%{:x}", u32::from(c))),
        }
    }
    name
}
