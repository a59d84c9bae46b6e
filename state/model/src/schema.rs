//! What resource types and provider blocks look like: the tables that `stack` decodes and checks by.

use std::collections::BTreeMap;

use crate::ty::Type;

/// A provider: its block and its resource types.
#[derive(Clone, Debug, Default)]
pub struct ProviderSchema {
    /// Its name: `terraform`.
    pub name: &'static str,
    /// What a `provider` block may hold (besides `concurrency`, `retry`, `refresh_after`, which every provider has).
    pub config: Body,
    /// Its resource types by name.
    pub resources: BTreeMap<&'static str, ResourceSchema>,
    /// How many of its steps may run at once, unless the provider block says otherwise; `None`: as `--parallelism`.
    pub concurrency: Option<usize>,
}

/// One resource type.
#[derive(Clone, Debug, Default)]
pub struct ResourceSchema {
    /// What it is, in a line.
    pub doc: &'static str,
    /// Its attributes and nested blocks.
    pub body: Body,
    /// What its provider can do.
    pub can: Can,
    /// Whether and how it is replaced (rule P6).
    pub replace: Replace,
    /// The version of what it keeps in records.
    pub version: u32,
}

/// What a block may hold.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// By name.
    pub attributes: BTreeMap<&'static str, Attribute>,
    /// Nested blocks by type.
    pub blocks: BTreeMap<&'static str, Block>,
}

/// An attribute.
#[derive(Clone, Debug, Default)]
pub struct Attribute {
    /// Its type; values are converted to it.
    pub ty: Type,
    /// Must be given.
    pub required: bool,
    /// Is set by the provider. Computed and not required and not `optional`: may not be given.
    pub computed: bool,
    /// May be given though it is computed.
    pub optional: bool,
    /// Its value is marked sensitive.
    pub sensitive: bool,
    /// A change of it replaces the resource.
    pub forces_replace: bool,
    /// What it is, in a line.
    pub doc: &'static str,
}

/// A nested block.
#[derive(Clone, Debug)]
pub struct Block {
    /// How often it may stand, and how its value is shaped.
    pub nesting: Nesting,
    /// What is in it.
    pub body: Body,
    /// Must be given at least once.
    pub required: bool,
}

/// How a nested block's value is shaped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Nesting {
    /// At most once: an object or null.
    Single,
    /// Any number: a list of objects.
    List,
    /// Any number, each with one label: a map of objects.
    Map,
}

/// What the provider of a type can do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Can {
    /// `plan` looks at the real thing itself; `read` need not be called first.
    pub plan_reads: bool,
    /// `plan` takes desired values that are unknown in part; else such a resource is deferred.
    pub plan_unknown: bool,
    /// A failed update goes back by itself (rule T7).
    pub reverts: bool,
    /// `probe` can tell whether a step was done.
    pub probe: bool,
    /// Asking costs no process and no network: refreshed at every plan (rule P3).
    pub free: bool,
}

/// Whether and how a type is replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Replace {
    /// Delete and create, whatever the identity.
    #[default]
    Always,
    /// Only where its identity changes.
    IdentityOnly,
    /// Never by Windlass: the tool replaces what is inside.
    Never,
}

/// All providers' schemas: what `ops` hands to `stack`.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// By provider name.
    pub providers: BTreeMap<&'static str, ProviderSchema>,
    kinds: BTreeMap<&'static str, &'static str>,
}

impl Catalog {
    /// A catalog of these providers.
    pub fn new(schemas: impl IntoIterator<Item = ProviderSchema>) -> Catalog {
        let mut catalog = Catalog::default();
        for schema in schemas {
            catalog.kinds.extend(schema.resources.keys().map(|kind| (*kind, schema.name)));
            catalog.providers.insert(schema.name, schema);
        }
        catalog
    }

    /// The provider and schema of a resource type.
    pub fn resource(&self, kind: &str) -> Option<(&ProviderSchema, &ResourceSchema)> {
        let provider = self.providers.get(self.kinds.get(kind)?)?;
        Some((provider, provider.resources.get(kind)?))
    }

    /// All resource types, sorted.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.kinds.keys().copied()
    }
}
