//! Who outlives whom: engines and supervisors that are killed, and what is known afterwards.

#![expect(clippy::disallowed_methods, reason = "tests deal with real processes, time and surroundings")]

mod support;

use std::time::Duration;

use support::{Place, be_another_process, kill, on_time};
use windlass_model::{ErrorClass, StepEvent};
use windlass_provider::{Attached, Command, Runner};

/// Not a test: another process of the others.
#[test]
fn another_process() {
    be_another_process();
}

#[test]
fn a_command_of_a_step_runs_once() {
    let place = Place::new();
    place.run(&place.call(), &place.script("echo x >> ran")).unwrap();
    let error = place.run(&place.call(), &place.script("echo x >> ran")).unwrap_err();
    assert_eq!(error.class, ErrorClass::Conflict);
    assert_eq!(place.file("ran"), "x\n");
    let Attached::Ended(exit) = place.attach() else { panic!() };
    assert!(exit.success());
}

#[test]
fn what_was_given_up_never_starts() {
    let place = Place::new();
    std::fs::create_dir(place.dir.join("steps")).unwrap();
    assert!(matches!(place.attach(), Attached::NeverBegun));
    let error = place.run(&place.call(), &place.script("touch ran")).unwrap_err();
    assert_eq!(error.class, ErrorClass::Conflict);
    assert!(!place.dir.join("ran").exists());
    // The later run does it itself, and its own start is no fence to it.
    let later = place.later();
    on_time(later.run(&place.call(), &place.script("touch ran"))).unwrap();
    assert!(place.dir.join("ran").exists());
    assert!(matches!(on_time(later.attach(&place.call(), "create")).unwrap(), Attached::Ended(_)));
}

#[test]
fn a_killed_engine_loses_nothing() {
    let place = Place::new();
    let script = "echo begun > begun; sleep 0.7; echo done >> ran; echo told; exit 5";
    let mut engine = place.engine(script);
    place.wait_for("begun");
    engine.kill().unwrap();
    engine.wait().unwrap();
    let Attached::Ended(exit) = place.attach() else { panic!() };
    assert_eq!(exit.code, Some(5));
    assert_eq!(exit.output, b"told\n");
    assert_eq!(place.file("ran"), "done\n");
    let waited = place.bench.engine.events();
    let told = |event: &StepEvent| matches!(event, StepEvent::Progress(text) if text.contains("which an earlier run started"));
    assert!(waited.iter().any(told), "{waited:?}");
    assert!(place.bench.engine.lines().contains(&"told".to_owned()));
}

#[test]
fn engines_killed_at_any_moment_agree_with_what_was_done() {
    for moment in 0..12 {
        let place = Place::new();
        let mut engine = place.engine("echo x >> ran");
        std::thread::sleep(Duration::from_millis(moment * 6));
        engine.kill().unwrap();
        engine.wait().unwrap();
        std::fs::create_dir_all(place.dir.join("steps")).unwrap();
        let attached = place.attach();
        // A supervisor that comes late must not start any more.
        std::thread::sleep(Duration::from_millis(100));
        match attached {
            Attached::NeverBegun => assert_eq!(place.file("ran"), "", "moment {moment}"),
            Attached::Ended(exit) => {
                assert!(exit.success());
                assert_eq!(place.file("ran"), "x\n", "moment {moment}");
            }
            Attached::Lost(_) => panic!("nothing killed the supervisor"),
        }
    }
}

#[test]
fn a_killed_supervisor_leaves_a_tool_that_is_waited_for() {
    let place = Place::new();
    let mut engine = place.engine("echo begun > begun; echo told; sleep 0.7; echo done > ran");
    place.wait_for("begun");
    engine.kill().unwrap();
    kill(place.supervisor(), "-KILL");
    engine.wait().unwrap();
    let Attached::Lost(exit) = place.attach() else { panic!() };
    assert_eq!(exit.output, b"told\n");
    assert_eq!(place.file("ran"), "done\n", "the tool was not waited for");
}

#[test]
fn a_supervisor_killed_under_a_living_engine_is_an_error() {
    let place = Place::new();
    let call = place.call();
    let command =
        Command { stdin: Some(b"input".to_vec()), ..place.script("cat > begun; sleep 0.5; echo done > ran") };
    let error = on_time(async {
        let killer = async {
            while place.file("begun").is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            kill(place.supervisor(), "-KILL");
        };
        tokio::join!(place.runner.run(&call, &command), killer).0.unwrap_err()
    });
    assert_eq!(error.class, ErrorClass::Unknown);
    assert_eq!(place.file("ran"), "done\n");
    assert!(matches!(place.attach(), Attached::Lost(_)));
}

#[test]
fn the_supervisor_takes_no_notice_of_signals() {
    let place = Place::new();
    let mut engine = place.engine("echo begun > begun; sleep 0.5; exit 4");
    place.wait_for("begun");
    for signal in ["-INT", "-TERM", "-HUP"] {
        kill(place.supervisor(), signal);
    }
    engine.kill().unwrap();
    engine.wait().unwrap();
    let Attached::Ended(exit) = place.attach() else { panic!() };
    assert_eq!(exit.code, Some(4));
}

#[test]
fn an_orphan_is_ended_when_the_later_run_is_interrupted() {
    let place = Place::new();
    let mut engine = place.engine("echo begun > begun; sleep 60");
    place.wait_for("begun");
    engine.kill().unwrap();
    engine.wait().unwrap();
    let call = place.call();
    call.stop.interrupt();
    let Attached::Ended(exit) = on_time(place.later().attach(&call, "create")).unwrap() else { panic!() };
    // By which signal, or with 130, is up to the shell.
    assert!(!exit.success(), "{exit:?}");
}
