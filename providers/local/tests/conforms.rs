//! The suite that every provider has to pass.

#![expect(clippy::disallowed_methods, reason = "tests deal with real processes, time and surroundings")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use support::{Place, be_the_supervisor, desired, on_time, sh};
use windlass_model::{Type, Value};
use windlass_provider::conformance::{Case, run};

/// Not a test: the supervisor of the others.
#[test]
fn another_process() {
    be_the_supervisor();
}

fn conforms(place: &Place, case: &Case<'_>) {
    on_time(run(&windlass_provider_local::provider(), &place.bench, case)).unwrap();
}

#[test]
fn local_data() {
    let place = Place::new("local_data");
    let value = |input: Value, trigger: &str| {
        desired("local_data", &[("input", input), ("triggers_replace", Value::from(trigger))])
    };
    conforms(
        &place,
        &Case {
            kind: "local_data",
            config: Value::NULL,
            desired: value(
                Value::object([("a", Value::from(1)), ("b", Value::from("x").sensitive())]),
                "one",
            ),
            updated: Some(value(Value::from("other"), "one")),
            replaced: Some(value(Value::from("other"), "two")),
            import: Some("an-id".to_owned()),
            remove: None,
            repeatable: true,
        },
    );
}

#[test]
fn local_file() {
    let place = Place::new("local_file");
    let value = |path: &str, content: &str, mode: &str| {
        let content = Value::from(content).sensitive();
        desired("local_file", &[("path", path.into()), ("content", content), ("mode", mode.into())])
    };
    let remove = |_: &Value| std::fs::remove_file(place.dir.join("a/b.txt")).unwrap();
    conforms(
        &place,
        &Case {
            kind: "local_file",
            config: Value::NULL,
            desired: value("a/b.txt", "one\ntwo\n", "0640"),
            updated: Some(value("./a/b.txt", "three", "0600")),
            replaced: Some(value("a/c.txt", "three", "0600")),
            import: Some("a/b.txt".to_owned()),
            remove: Some(&remove),
            repeatable: false,
        },
    );
}

#[test]
fn local_file_from_a_source() {
    let place = Place::new("local_file");
    place.put("from.txt", "copied");
    place.put("other.txt", "other");
    let value = |source: &str| desired("local_file", &[("path", "to.txt".into()), ("source", source.into())]);
    let remove = |_: &Value| std::fs::remove_file(place.dir.join("to.txt")).unwrap();
    conforms(
        &place,
        &Case {
            kind: "local_file",
            config: Value::NULL,
            desired: value("from.txt"),
            updated: Some(value("other.txt")),
            replaced: None,
            import: Some("to.txt".to_owned()),
            remove: Some(&remove),
            repeatable: false,
        },
    );
}

#[test]
fn local_command() {
    let place = Place::new("local_command");
    let value = |text: &str, update: Value| {
        let env = Value::map(Type::String, vec![("TEXT".into(), Value::from(text).sensitive())]);
        desired(
            "local_command",
            &[
                ("create", sh("echo \"$TEXT\" > thing; echo '{\"made\": true}'")),
                ("update", update),
                ("read", sh("test -e thing")),
                ("destroy", sh("rm -f thing")),
                ("env", env),
            ],
        )
    };
    let remove = |_: &Value| std::fs::remove_file(place.dir.join("thing")).unwrap();
    let update = || sh("echo \"$TEXT\" > thing");
    conforms(
        &place,
        &Case {
            kind: "local_command",
            config: Value::NULL,
            desired: value("one!", update()),
            updated: Some(value("two!", update())),
            replaced: Some(value("three", Value::NULL)),
            import: Some("it".to_owned()),
            remove: Some(&remove),
            repeatable: false,
        },
    );
    let steps = std::fs::read_dir(place.dir.join(".windlass/steps")).unwrap();
    assert!(steps.count() > 10, "the commands ran under the supervisor");
}
