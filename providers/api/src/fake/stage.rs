//! What the fake provider makes while it plans, as a change set is made: waiting for its apply, or for being thrown away.

use serde_json::json;
use windlass_model::Private;

use super::world::FakeWorld;
use crate::error::ProviderError;
use crate::session::{Call, Work};

/// Notes it first, then makes it; answers with the artefact that apply must use.
pub(super) async fn stage(world: &FakeWorld, call: &Call) -> Result<Option<Private>, ProviderError> {
    if !world.stages() {
        return Ok(None);
    }
    let name = format!("{}/{}", call.run, call.address);
    let private = Private { data: json!({ "stage": name }), ..Private::default() };
    call.engine.note(&private).await?;
    world.stage(&name);
    Ok(Some(private))
}

/// Throws it away; it may be gone, or never have been there.
pub(super) fn discard(world: &FakeWorld, private: &Private) {
    if let Some(name) = private.data["stage"].as_str() {
        world.unstage(name);
    }
}

/// Uses what was planned.
///
/// # Errors
/// Stale, where it is gone.
pub(super) fn used(world: &FakeWorld, work: &Work<'_>) -> Result<(), ProviderError> {
    let Some(name) = work.artefact.and_then(|artefact| artefact.data["stage"].as_str()) else {
        return Ok(());
    };
    match world.unstage(name) {
        true => Ok(()),
        false => Err(ProviderError::stale(format!("what was staged as {name} is gone"))),
    }
}
