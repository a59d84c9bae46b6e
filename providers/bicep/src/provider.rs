//! The static side.

use std::sync::Arc;

use async_trait::async_trait;
use windlass_model::{Finding, ProviderSchema, Value};
use windlass_provider::{KnownError, Provider, ProviderError, Session, Toolbox};

use crate::errors::ERRORS;
use crate::schema;
use crate::session::{BicepSession, Config};

/// The provider of `bicep_deployment`.
pub struct BicepProvider {
    schema: ProviderSchema,
}

/// The provider of `bicep_deployment`.
pub fn provider() -> BicepProvider {
    BicepProvider { schema: schema::provider_schema() }
}

#[async_trait]
impl Provider for BicepProvider {
    fn schema(&self) -> &ProviderSchema {
        &self.schema
    }

    fn check(&self, _kind: &str, desired: &Value) -> Vec<Finding> {
        schema::check(desired)
    }

    async fn open(&self, config: &Value, tools: Arc<Toolbox>) -> Result<Arc<dyn Session>, ProviderError> {
        let text = |name: &str| config.get(name).and_then(Value::as_str).map(str::to_owned);
        let config = Config {
            binary: text("binary").unwrap_or_else(|| "az".to_owned()),
            bicep: text("bicep"),
            subscription: text("subscription"),
            cloud: text("cloud"),
        };
        Ok(Arc::new(BicepSession::new(config, tools)))
    }

    fn errors(&self) -> &'static [KnownError] {
        ERRORS
    }
}
