//! The engine as a library: stack files in, plans and effects out, on a scripted world and the local provider.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]
#![cfg(feature = "cli")]

#[path = "engine/failing.rs"]
mod failing;
#[path = "engine/hand.rs"]
mod hand;
#[path = "engine/late.rs"]
mod late;
#[path = "engine/order.rs"]
mod order;
#[path = "engine/refresh.rs"]
mod refresh;
#[path = "engine/resuming.rs"]
mod resuming;
#[path = "engine/secrets.rs"]
mod secrets;
#[path = "engine/site.rs"]
mod site;
#[path = "engine/staged.rs"]
mod staged;
#[path = "engine/stopping.rs"]
mod stopping;
#[path = "engine/versions.rs"]
mod versions;
