//! ARM templates: read, and asked what depends on what.

pub mod declared;
pub mod eval;
pub mod expression;
pub mod jsonc;
pub mod outputs;
pub mod template;
