//! Bicep deployments by the real `az` against a local fake of Azure Resource Manager. What the fake says is no evidence about
//! Azure; it is about what windlass does with it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(feature = "cli")]

#[path = "azure/cloud.rs"]
mod cloud;
#[path = "azure/example.rs"]
mod example;
#[path = "azure/kills.rs"]
mod kills;
#[path = "azure/mixed.rs"]
mod mixed;
mod support;
