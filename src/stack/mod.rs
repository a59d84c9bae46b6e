//! Stack files: found, cut, parsed, decoded into a [`Stack`] and checked.

mod body;
mod check;
mod decode;
mod inputs;
mod parse;
mod scan;
mod settings;
mod snapshot;
mod sources;
mod suggest;
mod time;
mod tree;

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_model::{Span, Type, Value};

use crate::lang::{At, Defaults, Expr, Reference};

pub use body::{decode_body, place};
pub use inputs::{Given, GivenArg, Resolved, resolve};
pub use parse::{Loaded, load};
pub use settings::ProviderSettings;
pub use snapshot::{Manifest, Snapshot};
pub use sources::{Checkout, SNAPSHOT_LIMIT, SourceFile};
pub use time::{duration_ms, duration_seconds};
pub use tree::ManifestEntry;

/// A stack as its files say it, before any variable has a value.
#[derive(Clone, Debug, Default)]
pub struct Stack {
    /// The label of the `stack` block, else the name of the directory.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
    /// Attributes of the `stack` block that the engine reads (`refresh_after`), evaluated without scope.
    pub settings: BTreeMap<String, Value>,
    /// By name.
    pub variables: BTreeMap<Arc<str>, Variable>,
    /// By name.
    pub locals: BTreeMap<Arc<str>, Local>,
    /// `provider` blocks in the order of the files.
    pub providers: Vec<ProviderBlock>,
    /// By name.
    pub environments: BTreeMap<Arc<str>, Environment>,
    /// Resource blocks in the order of the files.
    pub resources: Vec<ResourceBlock>,
    /// By name.
    pub outputs: BTreeMap<Arc<str>, OutputBlock>,
}

/// A `variable` block.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Where the block's head stands.
    pub span: Span,
    /// Its type constraint.
    pub ty: Type,
    /// Whether it has one: if not, a value given as text is that text, as in Terraform.
    pub typed: bool,
    /// Defaults of optional object attributes are applied by this (`None`: there are none).
    pub defaults: Option<Arc<Defaults>>,
    /// Its default, already converted.
    pub default: Option<Value>,
    /// For people.
    pub description: Option<String>,
    /// Its value is marked.
    pub sensitive: bool,
    /// Whether null is a value (else null means the default).
    pub nullable: bool,
    /// Conditions.
    pub validations: Vec<Validation>,
}

/// A `validation` block.
#[derive(Clone, Debug)]
pub struct Validation {
    /// Must be true.
    pub condition: Expr,
    /// What is said where it is not.
    pub message: Expr,
    /// The file they stand in.
    pub file: Arc<str>,
}

/// An entry of a `locals` block.
#[derive(Clone, Debug)]
pub struct Local {
    /// Its expression.
    pub value: Expr,
    /// The file it stands in.
    pub file: Arc<str>,
    /// Where its name stands.
    pub name_at: At,
}

/// A `provider` block.
#[derive(Clone, Debug)]
pub struct ProviderBlock {
    /// Which provider.
    pub name: Arc<str>,
    /// Which configuration of it; `None`: the default one.
    pub alias: Option<Arc<str>>,
    /// Its attributes and blocks, without `alias`.
    pub body: BodyExpr,
    /// Where the block's head stands.
    pub span: Span,
}

/// An `environment` block.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Where the block's head stands.
    pub span: Span,
    /// `approval = "manual"`.
    pub manual_approval: bool,
    /// Values of variables, each with its place.
    pub variables: BTreeMap<Arc<str>, (Expr, Arc<str>)>,
}

/// A `resource` block.
#[derive(Clone, Debug)]
pub struct ResourceBlock {
    /// Its type.
    pub kind: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// The file it stands in.
    pub file: Arc<str>,
    /// Where the block's head (`resource "type" "name"`) stands.
    pub head: At,
    /// `count`
    pub count: Option<Expr>,
    /// `for_each`
    pub for_each: Option<Expr>,
    /// `depends_on`: references to resources.
    pub depends_on: Vec<(Reference, At)>,
    /// `provider = name.alias`: the alias.
    pub provider_alias: Option<Arc<str>>,
    /// `lifecycle`, `timeouts`, `retry`, `health`, `refresh_after`.
    pub meta: Meta,
    /// The provider's own attributes and blocks.
    pub body: BodyExpr,
}

/// What any resource may say about how it is handled.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    /// `lifecycle { prevent_destroy }`
    pub prevent_destroy: bool,
    /// `lifecycle { ignore_changes }`: paths from the top, e.g. `env` or `env.PORT`; `all` is `ignore_all`.
    pub ignore_changes: Vec<windlass_model::AttrPath>,
    /// `lifecycle { ignore_changes = all }`
    pub ignore_all: bool,
    /// `timeouts { create, update, delete }` in seconds.
    pub timeouts: BTreeMap<&'static str, u64>,
    /// `retry { attempts, delay, max_delay }`
    pub retry: Option<Retry>,
    /// `health { … }`
    pub health: Option<HealthBlock>,
    /// `refresh_after`, in seconds.
    pub refresh_after: Option<u64>,
}

/// A `retry` block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often a step is tried in all.
    pub attempts: u32,
    /// The first wait, in milliseconds.
    pub delay_ms: u64,
    /// The longest wait, in milliseconds.
    pub max_delay_ms: u64,
}

/// A `health` block: its attributes are evaluated when the step is done.
#[derive(Clone, Debug)]
pub struct HealthBlock {
    /// `url`, `path`, `command`, `status`, `body`, `interval`, `timeout`, `attempts`.
    pub body: BodyExpr,
}

/// An `output` block.
#[derive(Clone, Debug)]
pub struct OutputBlock {
    /// Its expression.
    pub value: Expr,
    /// For people.
    pub description: Option<String>,
    /// Its value is marked.
    pub sensitive: bool,
    /// `depends_on`
    pub depends_on: Vec<(Reference, At)>,
    /// The file it stands in.
    pub file: Arc<str>,
    /// Where the block's head stands.
    pub head: At,
}

/// Attributes and nested blocks, not yet evaluated.
#[derive(Clone, Debug, Default)]
pub struct BodyExpr {
    /// Attributes in the order of the file.
    pub attributes: Vec<AttributeExpr>,
    /// Nested blocks in the order of the file.
    pub blocks: Vec<BlockExpr>,
}

/// An attribute.
#[derive(Clone, Debug)]
pub struct AttributeExpr {
    /// Its name.
    pub name: Arc<str>,
    /// Where the name stands.
    pub name_at: At,
    /// Its value.
    pub value: Expr,
}

/// A nested block.
#[derive(Clone, Debug)]
pub struct BlockExpr {
    /// Its type.
    pub kind: Arc<str>,
    /// Its labels.
    pub labels: Vec<Arc<str>>,
    /// Where its head stands.
    pub head: At,
    /// What is in it.
    pub body: BodyExpr,
}
