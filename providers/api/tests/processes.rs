//! Real processes: how they end, and what is said of them.

#![expect(clippy::disallowed_methods, reason = "tests deal with real processes, time and surroundings")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use support::{Place, again, be_another_process, on_time};
use windlass_model::ErrorClass;
use windlass_provider::{Attached, Call, Command, Runner};

/// Not a test: another process of the others.
#[test]
fn another_process() {
    be_another_process();
}

#[test]
fn exit_codes_signals_and_output() {
    let place = Place::new();
    place.both(&place.script("echo out; echo err >&2; exit 7"), |exit| {
        let exit = exit.unwrap();
        assert_eq!((exit.code, exit.signal, exit.success()), (Some(7), None, false));
        let mut lines: Vec<&str> = std::str::from_utf8(&exit.output).unwrap().lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["err", "out"]);
        assert!(exit.stdout.is_empty());
    });
    let lines = place.bench.engine.lines();
    assert_eq!(lines.iter().filter(|line| *line == "out").count(), 2);
    let log = place.file("log");
    assert!(log.contains("local_command.it create run \"sh\" \"-c\""), "{log}");
    assert!(log.contains("| err") && log.contains("exit 7") && log.contains("with PATH"), "{log}");

    let place = Place::new();
    place.both(&place.script("kill -TERM $$"), |exit| {
        let exit = exit.unwrap();
        assert_eq!((exit.code, exit.signal), (None, Some(15)));
    });
}

#[test]
fn data_is_kept_apart_and_raw() {
    let place = Place::new();
    let command = Command { stdout_is_data: true, ..place.script("printf 'a\\0b\\n'; echo told >&2") };
    place.both(&command, |exit| {
        let exit = exit.unwrap();
        assert_eq!(exit.stdout, b"a\0b\n");
        assert_eq!(exit.output, b"told\n");
    });
    assert_eq!(place.bench.engine.lines(), ["told", "told"]);
}

#[test]
fn big_output_and_big_input_do_not_block() {
    let place = Place::new();
    let input = vec![b'x'; 3 << 20];
    let script = "cat; cat /dev/zero | head -c 2000000 | tr '\\0' e >&2";
    let command = Command { stdout_is_data: true, stdin: Some(input.clone()), ..place.script(script) };
    place.both(&command, |exit| {
        let exit = exit.unwrap();
        assert!(exit.success());
        assert!(exit.stdout == input);
        assert_eq!(exit.output.len(), 2_000_000);
    });
    // A tool that does not read its input is no failure.
    let place = Place::new();
    let command = Command { stdin: Some(input), ..place.script("exit 0") };
    place.both(&command, |exit| assert!(exit.unwrap().success()));
}

#[test]
fn without_input_it_reads_nothing() {
    let place = Place::new();
    place.both(&place.script("test -z \"$(cat)\""), |exit| assert!(exit.unwrap().success()));
}

#[test]
fn the_environment_is_what_was_given() {
    let place = Place::new();
    let mut command =
        Command { stdout_is_data: true, ..place.script("env | cut -d= -f1 | sort | tr '\\n' ' '") };
    command.env.insert("ONLY".to_owned(), "this".to_owned());
    place.both(&command, |exit| {
        let exit = exit.unwrap();
        let names = String::from_utf8(exit.stdout).unwrap();
        let names: Vec<&str> =
            names.split(' ').filter(|name| !matches!(*name, "" | "_" | "PWD" | "OLDPWD" | "SHLVL")).collect();
        assert_eq!(names, ["ONLY", "PATH"]);
    });
}

#[test]
fn a_missing_program_names_itself_and_how_to_get_it() {
    let place = Place::new();
    let missing = Command {
        program: "terraform-that-is-not".to_owned(),
        get_it: "install it".to_owned(),
        ..place.script("")
    };
    place.both(&missing, |exit| {
        let error = exit.unwrap_err();
        assert_eq!(error.class, ErrorClass::ToolMissing);
        assert!(error.message.contains("`terraform-that-is-not`"), "{}", error.message);
        assert_eq!(error.hint.as_deref(), Some("install it"));
    });
    // A script of an interpreter that is not there is found only when it starts; nothing has begun then.
    let script = place.dir.join("it.sh");
    std::fs::write(&script, "#!/no/such/interpreter\n").unwrap();
    let path = Command { program: "./it.sh".to_owned(), ..place.script("") };
    place.both(&path, |exit| assert!(exit.unwrap_err().message.contains("not executable")));
    set_mode(&script, 0o755);
    place.both(&path, |exit| {
        let error = exit.unwrap_err();
        assert_eq!(error.class, ErrorClass::ToolMissing, "{}", error.message);
    });
    assert!(matches!(place.attach(), Attached::NeverBegun));
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_takes_too_long_is_ended() {
    let place = Place::new();
    let slow = Command { timeout: Some(Duration::from_millis(200)), ..place.script("sleep 30; echo never") };
    place.both(&slow, |exit| {
        let exit = exit.unwrap();
        assert!(exit.timed_out && !exit.interrupted && !exit.success(), "{exit:?}");
    });
    // The call's own time counts too.
    let place = Place::new();
    let begun = Instant::now();
    on_time(async {
        let deadline = Some(tokio::time::Instant::now() + Duration::from_millis(200));
        let exit = place.runner.run(&Call { deadline, ..place.call() }, &place.script("sleep 30")).await;
        assert!(exit.unwrap().timed_out);
    });
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn an_interrupt_asks_first_and_kills_in_the_end() {
    for (script, signal) in [
        ("trap 'echo bye; exit 3' INT; echo up; while :; do sleep 0.05; done", None),
        ("trap '' INT; echo up; while :; do sleep 0.05; done", Some(15)),
        ("trap '' INT TERM; echo up; while :; do sleep 0.05; done", Some(9)),
    ] {
        for supervised in [false, true] {
            let place = Place::new();
            let call = place.call();
            let command = Command { supervised, ..place.script(script) };
            let exit = on_time(async {
                let stop = async {
                    while place.bench.engine.lines().is_empty() {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                    call.stop.interrupt();
                };
                tokio::join!(place.runner.run(&call, &command), stop).0.unwrap()
            });
            assert!(exit.interrupted && !exit.timed_out, "{exit:?}");
            assert_eq!(exit.signal, signal, "{script} {supervised}");
            if signal.is_none() {
                assert_eq!(exit.code, Some(3));
                assert!(place.bench.engine.lines().contains(&"bye".to_owned()));
            }
        }
    }
}

#[test]
fn secrets_are_masked_over_line_borders() {
    let place = Place::new();
    place.bench.tools.redact.add("hunter2-first\nsecond-line");
    std::fs::write(place.dir.join("one"), "a hunter2-first\n").unwrap();
    std::fs::write(place.dir.join("two"), "second-line b\nplain\n").unwrap();
    let script = "cat one; sleep 0.2; cat two";
    place.both(&place.script(script), |exit| {
        assert!(exit.unwrap().success());
    });
    let lines = place.bench.engine.lines();
    assert_eq!(lines, ["a (sensitive) b", "plain", "a (sensitive) b", "plain"]);
    assert!(!place.file("log").contains("second-line"));
}

#[test]
fn what_a_settled_step_put_out_is_removed() {
    let place = Place::new();
    let command = Command { stdout_is_data: true, ..place.script("echo secret; echo secret >&2") };
    place.run(&place.call(), &command).unwrap();
    let left = |what: &str| place.dir.join(format!("steps/0123456789abcdef.1-create.{what}")).exists();
    assert!(left("out") && left("data"));
    place.runner.settled(&place.call().token).unwrap();
    assert!(!left("out") && !left("data") && left("start") && left("exit"));
    place.runner.settled(&place.call().token).unwrap();
}

#[test]
fn files_of_a_step_are_for_the_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let command = Command { stdout_is_data: true, ..place.script("echo secret") };
    place.run(&place.call(), &command).unwrap();
    let mode = |path: PathBuf| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(place.dir.join("steps")), 0o700);
    for file in std::fs::read_dir(place.dir.join("steps")).unwrap() {
        assert_eq!(mode(file.unwrap().path()), 0o600);
    }
    assert_eq!(mode(place.dir.join("log")), 0o600);
}

#[test]
fn a_short_command_costs_little() {
    let place = Place::new();
    let mut fastest = Duration::MAX;
    on_time(async {
        for attempt in 1..=20 {
            let call = Call { attempt, ..place.call() };
            let begun = Instant::now();
            place.runner.run(&call, &place.script("exit 0")).await.unwrap();
            fastest = fastest.min(begun.elapsed());
        }
    });
    // What it cannot do without: a process of this test binary, and four things on disk.
    let bare = (0..20).map(|_| without_a_runner(&place.dir)).min().unwrap();
    assert!(fastest < bare * 2 + Duration::from_millis(40), "{fastest:?}, and {bare:?} without a runner");
}

fn without_a_runner(dir: &Path) -> Duration {
    let begun = Instant::now();
    let argv = again("NOBODY=1");
    std::process::Command::new(&argv[0])
        .args(&argv[1..])
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    for name in ["one", "two"] {
        let file = std::fs::File::create(dir.join(name)).unwrap();
        std::io::Write::write_all(&mut &file, b"x").unwrap();
        file.sync_all().unwrap();
        std::fs::File::open(dir).unwrap().sync_all().unwrap();
    }
    begun.elapsed()
}
