//! `local_command`: what the suite does not ask, with real processes.

#![expect(clippy::disallowed_methods, reason = "tests deal with real processes, time and surroundings")]

mod support;

use std::sync::Arc;

use support::{Place, argv, be_the_supervisor, desired, on_time, sh, text, why};
use windlass_model::{ErrorClass, Op, Private, Record, Severity, StepEvent, Type, Value};
use windlass_provider::harness::Directory;
use windlass_provider::{
    Attached, Call, Command, Exit, Left, Probe, Provider, ProviderError, Runner, Toolbox, Verdict, Work,
};

/// Not a test: the supervisor of the others.
#[test]
fn another_process() {
    be_the_supervisor();
}

fn command(given: &[(&str, Value)]) -> Value {
    desired("local_command", given)
}

fn env(name: &str, value: Value) -> Value {
    Value::map(Type::String, vec![(name.into(), value)])
}

fn strings(items: &[&str]) -> Value {
    argv(items)
}

#[test]
fn what_it_puts_out_is_kept() {
    let place = Place::new("local_command");
    let made = place.create(&command(&[("create", sh("echo '{\"port\": 80}'; echo said >&2"))]));
    assert_eq!(text(&made, "stdout"), "{\"port\": 80}\n");
    assert_eq!(made.value.0.get("result").unwrap().get("port").and_then(Value::as_i64), Some(80));
    assert_eq!(place.bench.engine.lines(), ["said"]);
    let made = place.create(&command(&[("create", sh("echo [1]"))]));
    assert!(made.value.0.get("result").unwrap().is_null());
    assert!(place.file("windlass-secret").is_empty());
}

#[test]
fn environment_input_and_directory() {
    let place = Place::new("local_command");
    place.put("sub/marker", "here");
    let given = [
        ("create", sh("cat marker; echo \"$GIVEN ${TF_VAR_bends-unset}\"; cat")),
        ("env", env("GIVEN", "given".into())),
        ("stdin", "from stdin".into()),
        ("dir", "sub".into()),
    ];
    let made = place.create(&command(&given));
    assert_eq!(text(&made, "stdout"), "heregiven unset\nfrom stdin");
}

#[test]
fn there_is_no_shell() {
    let place = Place::new("local_command");
    let made = place.create(&command(&[("create", argv(&["printf", "%s", "$HOME; `id` *"]))]));
    assert_eq!(text(&made, "stdout"), "$HOME; `id` *");
}

#[test]
fn changes_run_update_or_replace_or_are_only_recorded() {
    let place = Place::new("local_command");
    let with = |more: &[(&str, Value)]| {
        let mut given = vec![
            ("create", sh("echo create >> ran; echo made")),
            ("update", sh("echo update >> ran; echo changed")),
        ];
        given.retain(|(name, _)| more.iter().all(|(other, _)| name != other));
        command(&[given, more.to_vec()].concat())
    };
    let made = place.create(&with(&[]));
    for more in [
        ("triggers", Value::from(1)),
        ("env", env("A", "b".into())),
        ("stdin", "x".into()),
        ("create", sh("true")),
        ("update", sh("echo new >> ran")),
    ] {
        let proposed = place.plan(Some(&made), Some(&with(std::slice::from_ref(&more))));
        assert_eq!((proposed.verdict, why(&proposed)), (Verdict::Change, vec![more.0.to_owned()]));
        assert!(proposed.planned.get("stdout").unwrap().is_unknown());
    }
    let updated = place.update(&made, &with(&[("triggers", Value::from(1))]));
    assert_eq!(
        (place.file("ran").as_str(), text(&updated, "stdout").as_str()),
        ("create\nupdate\n", "changed\n")
    );

    let without = [("update", Value::NULL), ("triggers", Value::from(2))];
    assert_eq!(place.plan(Some(&made), Some(&with(&without))).verdict, Verdict::Replace);

    // New `destroy` and `read`, or no `update` any more: nothing runs.
    for more in [("destroy", sh("echo gone >> ran")), ("read", sh("exit 0")), ("update", Value::NULL)] {
        let recorded = place.update(&made, &with(std::slice::from_ref(&more)));
        assert_eq!(text(&recorded, "stdout"), "made\n", "{}", more.0);
        assert!(recorded.value.0.get(more.0).unwrap().same(&more.1));
    }
    assert_eq!(place.file("ran"), "create\nupdate\n");
}

#[test]
fn destroy_is_the_one_that_was_recorded() {
    let place = Place::new("local_command");
    let given = [
        ("create", sh("true")),
        ("destroy", sh("echo \"$WHAT\" > destroyed")),
        ("env", env("WHAT", "of then".into())),
    ];
    let made = place.create(&command(&given));
    assert!(place.delete(&made).unwrap().is_none());
    assert_eq!(place.file("destroyed"), "of then\n");

    let failing = place.create(&command(&[("create", sh("true")), ("destroy", sh("echo no >&2; exit 2"))]));
    let failure = place.delete(&failing).unwrap_err();
    assert!(matches!(failure.left, Left::There(_)));
    assert_eq!(failure.error.message, "`destroy` failed: `sh` exited with 2\nno");
}

#[test]
fn a_create_that_fails_leaves_something_unless_it_never_began() {
    let place = Place::new("local_command");
    let failure = place.step(Op::Create, None, &command(&[("create", sh("echo half; exit 9"))])).unwrap_err();
    let Left::There(left) = &failure.left else { panic!("{:?}", failure.left) };
    assert_eq!(left.value.get("stdout").and_then(Value::as_str), Some("half\n"));
    assert!(failure.error.message.contains("`sh` exited with 9\nhalf"), "{}", failure.error.message);

    let failure =
        place.step(Op::Create, None, &command(&[("create", argv(&["no-such-program"]))])).unwrap_err();
    assert_eq!(failure.error.class, ErrorClass::ToolMissing);
    assert!(matches!(failure.left, Left::Untouched));

    let call = place.call();
    call.stop.interrupt();
    let failure = place.step_as(&call, Op::Create, None, &command(&[("create", sh("true"))])).unwrap_err();
    assert_eq!(failure.error.class, ErrorClass::Cancelled);
    assert!(matches!(failure.left, Left::Untouched));

    let deadline = Some(tokio::time::Instant::now() + std::time::Duration::from_millis(200));
    let call = Call { deadline, ..place.call() };
    let failure =
        place.step_as(&call, Op::Create, None, &command(&[("create", sh("sleep 30"))])).unwrap_err();
    assert_eq!(failure.error.class, ErrorClass::Timeout);
    assert!(matches!(failure.left, Left::There(_)));
}

#[test]
fn an_update_that_fails_leaves_the_record() {
    let place = Place::new("local_command");
    let with = |trigger: i64, update: &str| {
        command(&[("create", sh("echo made")), ("update", sh(update)), ("triggers", trigger.into())])
    };
    let made = place.create(&with(1, "exit 1"));
    let failure = place.step(Op::Update, Some(&made), &with(2, "exit 1")).unwrap_err();
    let Left::There(left) = failure.left else { panic!() };
    assert!(left.value.same(&made.value.0));
}

#[test]
fn too_much_or_no_text_is_a_clear_error() {
    let place = Place::new("local_command");
    for (script, says) in [
        ("head -c 2000000 /dev/zero | tr '\\0' x", "state keeps at most 1048576"),
        ("printf '\\377'", "not UTF-8"),
    ] {
        let failure = place.step(Op::Create, None, &command(&[("create", sh(script))])).unwrap_err();
        assert!(failure.error.message.contains(says), "{}", failure.error.message);
        assert!(matches!(failure.left, Left::There(_)));
    }
}

#[test]
fn secrets_stay_secret() {
    let place = Place::new("local_command");
    let secret = || Value::from("hunter2hunter2").sensitive();
    let given = [
        ("create", sh("echo \"got $TOKEN\"; echo \"said $TOKEN\" >&2; exit 3")),
        ("env", env("TOKEN", secret())),
    ];
    let failure = place.step(Op::Create, None, &command(&given)).unwrap_err();
    assert_eq!(failure.error.message, "`create` failed: `sh` exited with 3\nsaid (sensitive)");
    assert_eq!(place.bench.engine.lines(), ["said (sensitive)"]);
    let Left::There(left) = failure.left else { panic!() };
    assert!(left.value.get("stdout").unwrap().is_sensitive());

    let in_argv = command(&[("create", Value::list(Type::String, vec!["echo".into(), secret()]))]);
    let found = windlass_provider_local::provider().check("local_command", &in_argv);
    assert_eq!(found.iter().filter(|finding| finding.severity == Severity::Error).count(), 1);
    let failure = place.step(Op::Create, None, &in_argv).unwrap_err();
    assert_eq!(failure.error.class, ErrorClass::InvalidConfig);
    assert!(matches!(failure.left, Left::Untouched));
}

#[test]
fn check_finds_what_cannot_run() {
    let provider = windlass_provider_local::provider();
    let found = |given: &[(&str, Value)]| {
        let found = provider.check("local_command", &command(given));
        found.into_iter().map(|finding| finding.path.to_string()).collect::<Vec<_>>()
    };
    let create = ("create", sh("true"));
    assert_eq!(found(std::slice::from_ref(&create)), Vec::<String>::new());
    assert_eq!(found(&[("create", argv(&[]))]), ["create"]);
    assert_eq!(found(&[("create", argv(&["a\0b"]))]), ["create[0]"]);
    assert_eq!(found(&[create.clone(), ("env", env("A=B", "x".into()))]), ["env[\"A=B\"]"]);
    assert_eq!(found(&[create, ("files", strings(&["a[", "b"]))]), ["files[0]"]);
}

#[test]
fn read_tells_what_is_there() {
    let place = Place::new("local_command");
    let wanted = |read: &str| command(&[("create", sh("touch thing")), ("read", sh(read))]);
    let made = place.create(&wanted("test -e thing"));
    assert_eq!(place.plan(Some(&made), Some(&wanted("test -e thing"))).verdict, Verdict::Same);
    std::fs::remove_file(place.dir.join("thing")).unwrap();
    assert!(place.plan(Some(&made), Some(&wanted("test -e thing"))).drift.is_some());
    // A `read` that is mended in the stack is the one that is asked.
    let broken = Record { value: wanted("exit 4").into(), ..made.clone() };
    assert!(place.plan(Some(&broken), Some(&wanted("exit 0"))).drift.is_none());
    let error = place.try_plan(Some(&made), Some(&wanted("echo why >&2; exit 4"))).unwrap_err();
    assert_eq!(error.message, "`read` failed: `sh` exited with 4\nwhy");
}

#[test]
fn files_run_in_a_snapshot_that_the_record_keeps() {
    let place = Place::new("local_command");
    place.put("scripts/make.sh", "#!/bin/sh\necho \"made by $(cat data/name)\"; echo new > left-behind\n");
    place.put("scripts/gone.sh", "#!/bin/sh\necho old-destroy > \"$OUT\"\n");
    place.put("data/name", "one");
    place.put("not/this", "x");
    for script in ["make.sh", "gone.sh"] {
        let path = place.dir.join("scripts").join(script);
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let out = place.dir.join("destroyed").to_string_lossy().into_owned();
    let wanted = command(&[
        ("create", argv(&["./scripts/make.sh"])),
        ("update", argv(&["./scripts/make.sh"])),
        ("destroy", argv(&["./scripts/gone.sh"])),
        ("files", strings(&["scripts/*.sh", "data"])),
        ("env", env("OUT", out.into())),
    ]);
    let files = Directory(place.dir.clone());
    let sources = place.session().sources("local_command", &wanted, &files).unwrap();
    assert_eq!(sources, ["data/name", "scripts/gone.sh", "scripts/make.sh"]);
    let made = place.create(&wanted);
    assert_eq!(text(&made, "stdout"), "made by one\n");
    assert!(!place.dir.join("left-behind").exists());
    let told = place.bench.engine.lines();
    assert!(told.iter().any(|line| line.contains("thrown away: left-behind")), "{told:?}");
    assert_eq!(place.plan(Some(&made), Some(&wanted)).verdict, Verdict::Same);

    place.put("data/name", "two");
    let proposed = place.plan(Some(&made), Some(&wanted));
    assert_eq!((proposed.verdict, why(&proposed)), (Verdict::Change, vec!["files".to_owned()]));
    // The checkout is gone; the record's own files run.
    std::fs::remove_dir_all(place.dir.join("scripts")).unwrap();
    place.delete(&made).unwrap();
    assert_eq!(place.file("destroyed"), "old-destroy\n");

    let error = place.try_plan(Some(&made), Some(&wanted)).unwrap_err();
    assert!(error.message.contains("no file matches `scripts/*.sh`"), "{}", error.message);
}

/// Answers for the tools what became of a command.
struct Became(Attached, i32);

#[async_trait::async_trait]
impl Runner for Became {
    async fn run(&self, _: &Call, _: &Command) -> Result<Exit, ProviderError> {
        Ok(Exit { code: Some(self.1), ..Exit::default() })
    }

    async fn attach(&self, _: &Call, _: &str) -> Result<Attached, ProviderError> {
        Ok(self.0.clone())
    }
}

#[test]
fn probe_tells_what_became_of_a_command() {
    let place = Place::new("local_command");
    let done = Exit { code: Some(0), stdout: b"out".to_vec(), ..Exit::default() };
    let bare = command(&[("create", sh("true"))]);
    let with_read = command(&[("create", sh("true")), ("read", sh("true"))]);
    let asked = |became: Attached, read: i32, wanted: &Value| {
        let tools = Toolbox {
            host: place.bench.tools.host.clone(),
            runner: Arc::new(Became(became, read)),
            env: place.bench.tools.env.clone(),
            cache: place.dir.clone(),
            redact: place.bench.tools.redact.clone(),
            known: place.bench.tools.known.clone(),
        };
        let call = Call { tools: Arc::new(tools), ..place.call() };
        let work = Work {
            op: Op::Create,
            prior: None,
            desired: wanted,
            planned: wanted,
            artefact: None::<&Private>,
            noted: &[],
        };
        on_time(place.session().probe(&call, work)).unwrap()
    };
    assert!(matches!(asked(Attached::Ended(done.clone()), 0, &bare), Probe::Done(Some(_))));
    let failed = Exit { code: Some(1), ..Exit::default() };
    let Probe::Failed(failure) = asked(Attached::Ended(failed), 0, &bare) else { panic!() };
    assert!(matches!(failure.left, Left::There(_)));
    assert!(matches!(asked(Attached::NeverBegun, 0, &bare), Probe::NotBegun));
    assert!(matches!(asked(Attached::Lost(done.clone()), 0, &bare), Probe::Unknown { .. }));
    assert!(matches!(asked(Attached::Lost(done.clone()), 0, &with_read), Probe::Done(Some(_))));
    assert!(matches!(asked(Attached::Lost(done), 1, &with_read), Probe::NotBegun));
}

#[test]
fn import_takes_in_what_read_says() {
    let place = Place::new("local_command");
    let session = place.session();
    let import = |given: &[(&str, Value)]| on_time(session.import(&place.call(), "it", &command(given)));
    let seen = import(&[("create", sh("exit 9")), ("read", sh("echo there"))]).unwrap();
    assert_eq!(seen.value.get("stdout").and_then(Value::as_str), Some("there\n"));
    assert_eq!(
        import(&[("create", sh("true")), ("read", sh("exit 1"))]).unwrap_err().class,
        ErrorClass::NotFound
    );
    assert_eq!(import(&[("create", sh("true"))]).unwrap_err().class, ErrorClass::InvalidConfig);
    assert!(place.bench.engine.events().iter().all(|event| matches!(event, StepEvent::Log(_))));
}
