//! The tables of the provider's types.

use std::collections::BTreeMap;

use windlass_model::{Attribute, Body, Can, ProviderSchema, Replace, ResourceSchema, Type};

pub(crate) const DATA: &str = "local_data";
pub(crate) const FILE: &str = "local_file";
pub(crate) const COMMAND: &str = "local_command";

pub(crate) fn schema() -> ProviderSchema {
    ProviderSchema {
        name: "local",
        config: Body::default(),
        resources: BTreeMap::from([(DATA, data()), (FILE, file()), (COMMAND, command())]),
        concurrency: None,
    }
}

/// What is common to the three.
const CAN: Can = Can { plan_reads: true, plan_unknown: true, reverts: false, probe: true, free: true };

fn resource<const N: usize>(
    doc: &'static str,
    can: Can,
    attributes: [(&'static str, Attribute); N],
) -> ResourceSchema {
    let body = Body { attributes: BTreeMap::from(attributes), blocks: BTreeMap::new() };
    ResourceSchema { doc, body, can, replace: Replace::Always, version: 0 }
}

fn required(ty: Type, doc: &'static str) -> Attribute {
    Attribute { ty, required: true, doc, ..Attribute::default() }
}

fn optional(ty: Type, doc: &'static str) -> Attribute {
    Attribute { ty, optional: true, doc, ..Attribute::default() }
}

fn computed(ty: Type, doc: &'static str) -> Attribute {
    Attribute { ty, computed: true, doc, ..Attribute::default() }
}

fn forces_replace(attribute: Attribute) -> Attribute {
    Attribute { forces_replace: true, ..attribute }
}

fn data() -> ResourceSchema {
    resource(
        "a value that is stored, and a thing to replace others with",
        CAN,
        [
            ("input", optional(Type::Any, "the value to store; a change of it is made in place")),
            (
                "triggers_replace",
                forces_replace(optional(Type::Any, "replaces the resource whenever it changes")),
            ),
            ("id", computed(Type::String, "a random id, new with each create")),
            ("output", computed(Type::Any, "the stored value: `input` as last applied")),
        ],
    )
}

fn file() -> ResourceSchema {
    resource(
        "a file",
        CAN,
        [
            (
                "path",
                forces_replace(required(Type::String, "where it is, relative to the stack's directory")),
            ),
            ("content", optional(Type::String, "what is in it; this or `source`")),
            ("source", optional(Type::String, "the file to copy, relative to the stack's directory")),
            (
                "mode",
                Attribute {
                    computed: true,
                    ..optional(Type::String, "its permissions as octal text; 0644 if not given")
                },
            ),
            ("sha256", computed(Type::String, "the sha256 of its content, in hex")),
        ],
    )
}

fn command() -> ResourceSchema {
    let argv = || Type::list(Type::String);
    resource(
        "commands that create, update and destroy a thing: argument vectors, no shell",
        Can { free: false, ..CAN },
        [
            ("create", required(argv(), "makes it")),
            ("update", optional(argv(), "changes it; without it, a change replaces it")),
            ("destroy", optional(argv(), "takes it away, as recorded when it was last applied")),
            (
                "read",
                optional(
                    argv(),
                    "exits 0 where the thing exists, 1 where it does not; anything else is an error",
                ),
            ),
            (
                "env",
                optional(Type::map(Type::String), "environment variables for its commands; may be sensitive"),
            ),
            ("stdin", optional(Type::String, "what its commands read on standard input; may be sensitive")),
            ("dir", optional(Type::String, "where its commands run, relative to the stack's directory")),
            (
                "files",
                optional(
                    Type::list(Type::String),
                    "globs of the files it needs: it then runs in a snapshot of them",
                ),
            ),
            ("triggers", optional(Type::Any, "runs `update` (or replaces) whenever it changes")),
            ("stdout", computed(Type::String, "what `create` or `update` last put out")),
            ("result", computed(Type::Any, "`stdout` decoded, where it is a JSON object; else null")),
        ],
    )
}
