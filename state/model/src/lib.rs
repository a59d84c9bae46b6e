//! The data of Windlass: values, addresses, records, plans, journal entries, events, diagnostics.
//!
//! No I/O and no async here. Everything above (store, providers, engine, binary) speaks in these types.

mod address;
pub mod canon;
mod diagnostic;
mod error_class;
mod event;
mod ids;
mod journal;
mod number;
mod plan;
mod port;
mod record;
mod schema;
mod stored;
pub mod table;
mod ty;
mod value;

pub use address::{Address, AddressError, Key, ModuleStep, Slot};
pub use diagnostic::{AttrPath, Diagnostic, Finding, Help, Label, PathStep, Severity, Span};
pub use error_class::{ERROR_CLASSES, ErrorClass, ErrorFacts, Gravity, Recovery};
pub use event::{Event, EventKind, StepEvent};
pub use ids::{Digest, DigestError, Epoch, PlanId, RunId, Token, hex};
pub use journal::{Entry, Outcome, PlanNote, RunStatus};
pub use number::Number;
pub use plan::{
    Deferred, Header, Inputs, Need, NestedChange, Op, Operation, OutputChange, Plan, Policy, Reason, Seal,
    Step, StepId,
};
pub use port::{FileError, Files, Host, SourcePath};
pub use record::{Nested, Output, Private, Record, State};
pub use schema::{Attribute, Block, Body, Can, Catalog, Nesting, ProviderSchema, Replace, ResourceSchema};
pub use stored::{Shown, Stored, from_json, to_json};
pub use ty::{Field, Type};
pub use value::{Fields, Kind, Marks, Seq, Unknown, Value};
