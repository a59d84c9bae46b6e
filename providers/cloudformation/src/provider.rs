//! The static side.

use std::sync::Arc;

use async_trait::async_trait;
use windlass_model::{Finding, ProviderSchema, Value};
use windlass_provider::{KnownError, Provider, ProviderError, Session, Toolbox};

use crate::errors::ERRORS;
use crate::place::Aim;
use crate::schema;
use crate::session::CloudFormationSession;

/// The provider of `cloudformation_stack`.
pub struct CloudFormationProvider {
    schema: ProviderSchema,
}

/// The provider of `cloudformation_stack`.
pub fn provider() -> CloudFormationProvider {
    CloudFormationProvider { schema: schema::provider_schema() }
}

#[async_trait]
impl Provider for CloudFormationProvider {
    fn schema(&self) -> &ProviderSchema {
        &self.schema
    }

    fn check(&self, _kind: &str, desired: &Value) -> Vec<Finding> {
        schema::check(desired)
    }

    async fn open(&self, config: &Value, tools: Arc<Toolbox>) -> Result<Arc<dyn Session>, ProviderError> {
        let text = |name: &str| config.get(name).and_then(Value::as_str).map(str::to_owned);
        let binary = text("binary").unwrap_or_else(|| "aws".to_owned());
        let aim = Aim { region: text("region"), profile: text("profile"), endpoint: text("endpoint_url") };
        Ok(Arc::new(CloudFormationSession::new(binary, aim, tools)))
    }

    fn errors(&self) -> &'static [KnownError] {
        ERRORS
    }
}
