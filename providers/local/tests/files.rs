//! `local_file` and `local_data`: what the suite does not ask.

#![expect(clippy::disallowed_methods, reason = "tests deal with real processes, time and surroundings")]

mod support;

use std::sync::Arc;
use std::time::Instant;

use support::{Place, class, desired, mode, on_time, text, why};
use windlass_model::{ErrorClass, Op, Severity, Type, Value};
use windlass_provider::harness::Directory;
use windlass_provider::{Ask, Call, Drift, Left, Provider, Verdict};

fn file(path: &str, content: &str) -> Value {
    desired("local_file", &[("path", path.into()), ("content", content.into())])
}

#[test]
fn a_file_is_written_with_its_directories_and_its_mode() {
    let place = Place::new("local_file");
    let made = place.create(&file("a/b/c.txt", "x\ny\n"));
    assert_eq!(place.file("a/b/c.txt"), "x\ny\n");
    assert_eq!((text(&made, "mode").as_str(), mode(&place.dir.join("a/b/c.txt"))), ("0644", 0o644));
    assert_eq!(text(&made, "sha256"), windlass_model::Digest::of(b"x\ny\n").hex());
    assert!(std::fs::read_dir(place.dir.join("a/b")).unwrap().count() == 1, "no temporary file is left");
}

#[test]
fn what_was_changed_by_hand_is_seen_and_put_right() {
    let place = Place::new("local_file");
    let wanted = file("a.txt", "ours");
    let made = place.create(&wanted);
    place.put("a.txt", "theirs");
    let proposed = place.plan(Some(&made), Some(&wanted));
    let Some(Drift::Changed(found)) = &proposed.drift else { panic!("{:?}", proposed.drift) };
    assert_eq!(found.value.get("content").and_then(Value::as_str), Some("theirs"));
    assert_eq!((proposed.verdict, why(&proposed)), (Verdict::Change, vec!["content".to_owned()]));
    place.update(&made, &wanted);
    assert_eq!(place.file("a.txt"), "ours");

    std::fs::set_permissions(place.dir.join("a.txt"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    let proposed = place.plan(Some(&made), Some(&wanted));
    assert_eq!((proposed.verdict, why(&proposed)), (Verdict::Change, vec!["mode".to_owned()]));
    place.update(&made, &wanted);
    assert_eq!(mode(&place.dir.join("a.txt")), 0o644);
}

#[test]
fn what_changes_after_the_plan_is_not_overwritten() {
    let place = Place::new("local_file");
    let made = place.create(&file("a.txt", "one"));
    let wanted = file("a.txt", "two");
    let proposed = place.plan(Some(&made), Some(&wanted));
    place.put("a.txt", "meanwhile");
    let work = windlass_provider::Work {
        op: Op::Update,
        prior: Some(&made),
        desired: &wanted,
        planned: &proposed.planned,
        artefact: proposed.artefact.as_ref(),
        noted: &[],
    };
    let session = place.session();
    assert_eq!(class(on_time(session.apply(&place.call(), work))), ErrorClass::Conflict);
    let work = windlass_provider::Work { op: Op::Delete, desired: &Value::NULL, ..work };
    assert_eq!(class(on_time(session.apply(&place.call(), work))), ErrorClass::Conflict);
    assert_eq!(place.file("a.txt"), "meanwhile");
    // Planned with it in view, it goes.
    place.delete(&made).unwrap();
    assert!(!place.dir.join("a.txt").exists());
}

#[test]
fn a_foreign_file_is_left_alone_unless_it_is_the_same() {
    let place = Place::new("local_file");
    place.put("a.txt", "theirs");
    let proposed = place.plan(None, Some(&file("a.txt", "ours")));
    assert_eq!(proposed.warnings.len(), 1);
    let failure = place.step(Op::Create, None, &file("a.txt", "ours")).unwrap_err();
    assert_eq!(failure.error.class, ErrorClass::NameTaken);
    assert!(matches!(failure.left, Left::Untouched));
    assert!(failure.error.hint.unwrap().contains("windlass state import 'local_file.it' 'a.txt'"));
    assert_eq!(place.file("a.txt"), "theirs");
    place.create(&file("a.txt", "theirs"));
}

#[test]
fn what_is_no_file_is_a_clear_error() {
    let place = Place::new("local_file");
    std::fs::create_dir(place.dir.join("dir")).unwrap();
    std::os::unix::fs::symlink("nowhere", place.dir.join("dangling")).unwrap();
    place.put("plain", "x");
    for (path, says, class) in [
        ("dir", "is a directory", ErrorClass::NameTaken),
        ("dangling", "is a symbolic link", ErrorClass::NameTaken),
        ("plain/below", "cannot", ErrorClass::InvalidConfig),
    ] {
        let failure = place.step(Op::Create, None, &file(path, "x")).unwrap_err();
        assert!(failure.error.message.contains(says), "{}", failure.error.message);
        assert_eq!(failure.error.class, class, "{}", failure.error.message);
    }
}

#[test]
fn places_are_the_same_for_the_same_file() {
    let place = Place::new("local_file");
    let at = |path: &str| place.plan(None, Some(&file(path, "x"))).place.unwrap();
    let whole = place.dir.join("a/b.txt").to_string_lossy().into_owned();
    assert_eq!(at("a/b.txt"), whole);
    assert_eq!(at("./a/../a/b.txt"), whole);
    assert_eq!(at(&whole), whole);
    let unknown = desired("local_file", &[("path", Value::unknown(Type::String)), ("content", "x".into())]);
    assert_eq!(place.plan(None, Some(&unknown)).place, None);
}

#[test]
fn a_source_is_read_from_the_snapshot() {
    let place = Place::new("local_file");
    place.put("from/a.txt", "one");
    let wanted = desired("local_file", &[("path", "to.txt".into()), ("source", "from/a.txt".into())]);
    let files = Directory(place.dir.clone());
    assert_eq!(place.session().sources("local_file", &wanted, &files).unwrap(), ["from/a.txt"]);
    let made = place.create(&wanted);
    assert!(made.value.0.get("content").unwrap().is_null());
    place.put("from/a.txt", "two");
    let proposed = place.plan(Some(&made), Some(&wanted));
    assert_eq!((proposed.verdict, why(&proposed)), (Verdict::Change, vec!["sha256".to_owned()]));
    for (source, class) in [("../outside", ErrorClass::InvalidConfig), ("absent", ErrorClass::NotFound)] {
        let wanted = desired("local_file", &[("path", "to.txt".into()), ("source", source.into())]);
        assert_eq!(place.try_plan(None, Some(&wanted)).unwrap_err().class, class);
    }
}

#[test]
fn without_a_checkout_it_is_refused() {
    struct Bare;
    impl windlass_model::Files for Bare {
        fn stack_dir(&self) -> &str {
            ""
        }
        fn read(&self, path: &str) -> Result<Arc<[u8]>, windlass_model::FileError> {
            Err(windlass_model::FileError { path: path.to_owned(), reason: "none".to_owned(), absent: true })
        }
        fn list(&self, _: &str) -> Result<Vec<String>, windlass_model::FileError> {
            Ok(Vec::new())
        }
        fn materialise(
            &self,
            paths: &[String],
            _: &std::path::Path,
        ) -> Result<windlass_model::Digest, windlass_model::FileError> {
            self.digest(paths)
        }
        fn digest(&self, _: &[String]) -> Result<windlass_model::Digest, windlass_model::FileError> {
            Ok(windlass_model::Digest::of(b""))
        }
        fn checkout(&self) -> Option<std::path::PathBuf> {
            None
        }
    }
    let place = Place::new("local_file");
    let call = Call { files: Arc::new(Bare), ..place.call() };
    let wanted = file("a.txt", "x");
    let ask = Ask { prior: None, desired: Some(&wanted), refresh: true, replace: false };
    let error = on_time(place.session().plan(&call, ask)).unwrap_err();
    assert!(error.message.contains("this run has none"), "{}", error.message);
}

#[test]
fn check_finds_what_the_schema_cannot_say() {
    let provider = windlass_provider_local::provider();
    let found = |given: &[(&str, Value)]| {
        let found = provider.check("local_file", &desired("local_file", given));
        let errors = found.into_iter().filter(|finding| finding.severity == Severity::Error);
        errors.map(|finding| finding.path.to_string()).collect::<Vec<_>>()
    };
    let path = ("path", Value::from("a"));
    assert_eq!(found(std::slice::from_ref(&path)), [""]);
    assert_eq!(found(&[path.clone(), ("content", "x".into()), ("source", "y".into())]), ["source"]);
    assert_eq!(found(&[path.clone(), ("content", "x".into()), ("mode", "999".into())]), ["mode"]);
    assert_eq!(found(&[path.clone(), ("content", "x".into()), ("mode", "+7".into())]), ["mode"]);
    assert_eq!(found(&[("path", "a/".into()), ("content", "x".into())]), ["path"]);
    let unknown = Value::unknown(Type::String);
    assert_eq!(found(&[("path", unknown.clone()), ("content", unknown.clone())]), Vec::<String>::new());
    assert_eq!(found(&[path, ("content", unknown.clone()), ("source", unknown)]), Vec::<String>::new());
}

#[test]
fn a_sensitive_content_marks_its_digest() {
    let place = Place::new("local_file");
    let content = Value::from("hush").sensitive();
    let wanted =
        desired("local_file", &[("path", "a".into()), ("content", content), ("mode", "0600".into())]);
    let made = place.create(&wanted);
    for name in ["content", "sha256"] {
        assert!(made.value.0.get(name).unwrap().is_sensitive());
    }
    place.put("a", "changed");
    let proposed = place.plan(Some(&made), Some(&wanted));
    let Some(Drift::Changed(found)) = proposed.drift else { panic!() };
    assert!(found.value.get("content").unwrap().is_sensitive());
}

#[test]
fn stored_data_is_updated_in_place_and_replaced_by_triggers() {
    let place = Place::new("local_data");
    let data = |input: Value, trigger: Value| {
        desired("local_data", &[("input", input), ("triggers_replace", trigger)])
    };
    let first = data(Value::from(1), Value::NULL);
    let proposed = place.plan(None, Some(&first));
    assert!(proposed.planned.get("id").unwrap().is_unknown());
    assert_eq!(proposed.planned.get("output").and_then(Value::as_i64), Some(1));
    let made = place.create(&first);
    let second = data(Value::from(2), Value::NULL);
    let updated = place.update(&made, &second);
    assert_eq!(text(&updated, "id"), text(&made, "id"));
    assert_eq!(updated.value.0.get("output").and_then(Value::as_i64), Some(2));
    let proposed = place.plan(Some(&made), Some(&data(Value::from(1), Value::from("x"))));
    assert_eq!((proposed.verdict, why(&proposed)), (Verdict::Replace, vec!["triggers_replace".to_owned()]));
    // What becomes sensitive is marked without a change.
    let proposed = place.plan(Some(&made), Some(&data(Value::from(1).sensitive(), Value::NULL)));
    assert_eq!(proposed.verdict, Verdict::Same);
    assert!(proposed.planned.get("output").unwrap().is_sensitive());
    let again = place.create(&first);
    assert_ne!(text(&again, "id"), text(&made, "id"));
}

/// The bound is for a debug build on a busy machine; a release build needs about a tenth.
#[test]
fn ten_thousand_plans_cost_next_to_nothing() {
    let place = Place::new("local_data");
    let (session, call) = (place.session(), place.call());
    let wanted = desired("local_data", &[("input", Value::from("x"))]);
    let made = place.create(&wanted);
    let begun = Instant::now();
    on_time(async {
        for _ in 0..10_000 {
            let ask = Ask { prior: Some(&made), desired: Some(&wanted), refresh: true, replace: false };
            assert_eq!(session.plan(&call, ask).await.unwrap().verdict, Verdict::Same);
        }
    });
    assert!(begun.elapsed().as_millis() < 500, "{:?}", begun.elapsed());
}
