//! The static side.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use windlass_model::{Finding, ProviderSchema, Value};
use windlass_provider::{Provider, ProviderError, Session, Toolbox};

use crate::schema;
use crate::session::TerraformSession;

/// The provider of `terraform_root`.
pub struct TerraformProvider {
    schema: ProviderSchema,
}

/// The provider of `terraform_root`.
pub fn provider() -> TerraformProvider {
    TerraformProvider { schema: schema::provider_schema() }
}

#[async_trait]
impl Provider for TerraformProvider {
    fn schema(&self) -> &ProviderSchema {
        &self.schema
    }

    fn check(&self, _kind: &str, desired: &Value) -> Vec<Finding> {
        schema::check(desired)
    }

    async fn open(&self, config: &Value, tools: Arc<Toolbox>) -> Result<Arc<dyn Session>, ProviderError> {
        let text = |name: &str| config.get(name).and_then(Value::as_str).map(str::to_owned);
        let binary = text("binary").unwrap_or_else(|| "terraform".to_owned());
        let cache = text("cache_dir").map(PathBuf::from);
        let cache = cache.unwrap_or_else(|| tools.cache.join("terraform-plugins"));
        Ok(Arc::new(TerraformSession::new(binary, cache, tools)))
    }
}
