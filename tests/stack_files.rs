//! Stack files as a user writes them: what is read, and what is told of what is wrong.

#![expect(clippy::disallowed_methods, reason = "tests deal with real processes, time and surroundings")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass::stack::{Given, GivenArg, Loaded, Manifest, ManifestEntry, Resolved, Snapshot, load, resolve};
use windlass_model::{
    Attribute, Block, Body, Catalog, Diagnostic, Digest, Nesting, ProviderSchema, ResourceSchema, Type,
};

mod stack_files {
    mod checkout;
    mod hostile;
    mod inputs;
    mod problems;
    mod reads;
}

fn attribute(ty: Type) -> Attribute {
    Attribute { ty, ..Attribute::default() }
}

fn required(ty: Type) -> Attribute {
    Attribute { required: true, ..attribute(ty) }
}

fn computed(ty: Type) -> Attribute {
    Attribute { computed: true, ..attribute(ty) }
}

fn resource(body: Body) -> ResourceSchema {
    ResourceSchema { body, ..ResourceSchema::default() }
}

fn attributes<const N: usize>(of: [(&'static str, Attribute); N]) -> BTreeMap<&'static str, Attribute> {
    of.into_iter().collect()
}

/// `local_file`, `local_data` and a service with nested blocks.
fn catalog() -> Catalog {
    let file = attributes([
        ("path", required(Type::String)),
        ("content", attribute(Type::String)),
        ("mode", attribute(Type::String)),
        ("secret", Attribute { sensitive: true, ..attribute(Type::String) }),
        ("sha256", computed(Type::String)),
    ]);
    let data = attributes([
        ("input", attribute(Type::Any)),
        ("triggers_replace", attribute(Type::Any)),
        ("id", computed(Type::String)),
        ("output", computed(Type::Any)),
    ]);
    let port = Body {
        attributes: attributes([("number", required(Type::Number)), ("tls", attribute(Type::Bool))]),
        blocks: BTreeMap::new(),
    };
    let block = |nesting| Block { nesting, body: port.clone(), required: false };
    let service = Body {
        attributes: attributes([
            ("image", required(Type::String)),
            ("env", attribute(Type::map(Type::String))),
            ("counts", attribute(Type::list(Type::Number))),
            ("url", computed(Type::String)),
        ]),
        blocks: [
            ("main", block(Nesting::Single)),
            ("port", block(Nesting::List)),
            ("check", block(Nesting::Map)),
        ]
        .into_iter()
        .collect(),
    };
    let local = ProviderSchema {
        name: "local",
        config: Body::default(),
        resources: [
            ("local_file", resource(Body { attributes: file, blocks: BTreeMap::new() })),
            ("local_data", resource(Body { attributes: data, blocks: BTreeMap::new() })),
        ]
        .into_iter()
        .collect(),
        concurrency: None,
    };
    let host = ProviderSchema {
        name: "host",
        config: Body {
            attributes: attributes([("address", required(Type::String))]),
            blocks: BTreeMap::new(),
        },
        resources: [("host_service", resource(service))].into_iter().collect(),
        concurrency: None,
    };
    Catalog::new([local, host])
}

fn snapshot(files: &[(&str, &[u8])]) -> Snapshot {
    let mut manifest = Manifest { stack_dir: "shop".to_owned(), files: BTreeMap::new() };
    let mut contents: BTreeMap<Digest, Arc<[u8]>> = BTreeMap::new();
    for (name, content) in files {
        let digest = Digest::of(content);
        manifest.files.insert(format!("shop/{name}"), ManifestEntry { digest, mode: 0o644 });
        contents.insert(digest, (*content).into());
    }
    Snapshot::new(manifest, contents, None)
}

fn read(source: &str) -> Loaded {
    load(&snapshot(&[("main.stack.hcl", source.as_bytes())]), &catalog())
}

/// A stack that must be right.
fn right(source: &str) -> windlass::stack::Stack {
    let loaded = read(source);
    assert!(loaded.diagnostics.is_empty(), "{:#?}", loaded.diagnostics);
    loaded.stack
}

/// Each problem of a source in one line: title, the text of its first place, help.
fn problems(source: &str) -> Vec<String> {
    read(source).diagnostics.iter().map(|diagnostic| line(source, diagnostic)).collect()
}

fn line(source: &str, diagnostic: &Diagnostic) -> String {
    let place = diagnostic.labels.first().map(|label| {
        let (start, end) = (label.span.start as usize, label.span.end as usize);
        format!(" @ {}", source.get(start..end).expect("a place in the source"))
    });
    let words = diagnostic.labels.first().map(|label| label.text.as_str()).filter(|text| !text.is_empty());
    let words = words.map_or_else(String::new, |text| format!(" <{text}>"));
    let help = diagnostic.help.as_ref().map_or_else(String::new, |help| format!(" ({})", help.text));
    format!("{}{}{words}{help}", diagnostic.title, place.unwrap_or_default())
}

fn given(source: &str, environment: &str, env: &[(&str, &str)], args: Vec<GivenArg>) -> Resolved {
    let files = snapshot(&[("main.stack.hcl", source.as_bytes())]);
    let loaded = load(&files, &catalog());
    assert!(!loaded.has_errors(), "{:#?}", loaded.diagnostics);
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    resolve(&loaded.stack, environment, &Given { env, args }, &files)
}
