//! `doctor`: which tools are there, in which version, and how to get what is missing.

use serde::Serialize;
use windlass_model::Value;
use windlass_store::EnvRef;

use super::context::Context;
use super::run::new_run;
use super::workshop::{StepDirs, Workshop};

/// A tool that a provider runs.
#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    /// The provider.
    pub provider: String,
    /// The tool and its version, where it was found and is not the provider itself.
    pub tool: Option<String>,
    /// What is wrong with it.
    pub problem: Option<String>,
    /// How to get it.
    pub hint: Option<String>,
}

/// Asks every provider for its tool.
pub async fn doctor(ctx: &Context) -> Vec<Checked> {
    let nowhere = EnvRef { stack: "doctor".to_owned(), environment: "default".to_owned() };
    let workshop = Workshop::new(ctx, &nowhere, "none", &new_run(ctx), StepDirs::default());
    let names: Vec<&'static str> = ctx.providers.catalog.providers.keys().copied().collect();
    let mut found = Vec::new();
    for name in names {
        let Some(provider) = ctx.providers.named(name) else { continue };
        let config = Value::object(provider.schema().config.attributes.keys().map(|key| (*key, Value::NULL)));
        let tool = match provider.open(&config, workshop.tools.clone()).await {
            Ok(session) => session.tool().await,
            Err(error) => Err(error),
        };
        found.push(match tool {
            Ok(tool) => Checked {
                provider: name.to_owned(),
                tool: (!tool.is_empty()).then_some(tool),
                problem: None,
                hint: None,
            },
            Err(error) => Checked {
                provider: name.to_owned(),
                tool: None,
                problem: Some(error.message),
                hint: error.hint,
            },
        });
    }
    found
}
