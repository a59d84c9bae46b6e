//! Views of a plan: text for people, a document for programs. Pure: equal plans give equal bytes, there is no clock.
//!
//! A replacement is two steps of the plan and one [`Item`] of the view. Apply never reads a view.

mod attributes;
pub mod diff;
mod document;
mod lines;
mod paint;
#[cfg(test)]
mod tests;
mod text;
mod values;
mod view;
mod words;

pub use attributes::diff_text;
pub use document::{Document, document};
pub use paint::{Style, safe};
pub use text::text;
pub use values::value_text;
pub use view::{Action, Item, Summary, items, summary};
