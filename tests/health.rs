//! Health gates (rule T7): a step is done only when its gate is.

#![expect(clippy::disallowed_methods, reason = "a server of the test's own answers on a thread of its own")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(feature = "cli")]

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::sandbox::Sandbox;

/// Answers each request with the next of these (the last one for ever); how many it had.
fn server(answers: &'static [(u16, &'static str)]) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let at = count.fetch_add(1, Ordering::SeqCst);
            let (status, body) = answers[at.min(answers.len() - 1)];
            let _ = stream.read(&mut [0; 4096]);
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
        }
    });
    (port, asked)
}

fn stack(sandbox: &Sandbox, gate: &str) {
    sandbox.write(
        "main.stack.hcl",
        format!(
            "stack \"health\" {{}}\nresource \"local_data\" \"app\" {{\n  input = 1\n  health {{\n{gate}\n    interval = 1\n    timeout = \"2s\"\n  }}\n}}\n\
             resource \"local_data\" \"after\" {{ input = local_data.app.id }}\n"
        ),
    );
}

#[test]
fn http_status_and_body() {
    let sandbox = Sandbox::new();
    let (port, asked) = server(&[(503, "starting"), (200, "starting"), (200, "ready: yes")]);
    stack(
        &sandbox,
        &format!(
            "    url = \"http://127.0.0.1:{port}/live\"\n    status = 200\n    body = \"ready: (yes|ok)\"\n    attempts = 5"
        ),
    );
    let output = sandbox.windlass(["apply", "--auto-approve"]).run().success();
    assert_eq!(asked.load(Ordering::SeqCst), 3, "{output}");
    assert!(output.stderr.contains("503"), "{output}");
    sandbox.windlass(["plan", "--detailed-exitcode"]).run().exits(0);
}

#[test]
fn a_gate_that_never_opens_fails_the_step() {
    let sandbox = Sandbox::new();
    let (port, _) = server(&[(500, "broken")]);
    stack(&sandbox, &format!("    url = \"http://127.0.0.1:{port}/\"\n    attempts = 2"));
    let failed = sandbox.windlass(["apply", "--auto-approve"]).run().exits(1);
    for part in ["not healthy after 2 tries", "500", "local_data.after"] {
        assert!(failed.stderr.contains(part), "`{part}` in {failed}");
    }
    let listed = sandbox.windlass(["state", "list", "--json"]).run().success().json();
    assert_eq!(
        (listed[0]["address"].as_str(), listed[0]["status"].as_str()),
        (Some("local_data.app"), Some("tainted"))
    );
    // Mended: the unhealthy one is replaced.
    stack(&sandbox, "    command = [\"true\"]");
    let planned = sandbox.windlass(["plan"]).run().success();
    assert!(planned.stdout.contains("replace local_data.app"), "{planned}");
    sandbox.windlass(["apply", "--auto-approve"]).run().success();
    sandbox.windlass(["plan", "--detailed-exitcode"]).run().exits(0);
}

#[test]
fn a_command() {
    let sandbox = Sandbox::new();
    stack(
        &sandbox,
        "    command = [\"sh\", \"-c\", \"echo x >> tries; test $(wc -l < tries) -ge 2\"]\n    attempts = 3",
    );
    sandbox.windlass(["apply", "--auto-approve"]).run().success();
    assert_eq!(sandbox.read("tries"), "x\nx\n");
}

#[test]
fn a_gate_that_a_crash_left_unasked_is_asked_by_resume() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "main.stack.hcl",
        "stack \"health\" {}\nresource \"local_command\" \"c\" {\n  create = [\"sh\", \"-c\", \"touch begun; sleep 1; touch made\"]\n  \
         health {\n    command = [\"test\", \"-e\", \"healthy\"]\n    attempts = 1\n  }\n}\n",
    );
    let mut running = sandbox.windlass(["apply", "--auto-approve"]).start();
    support::wait::wait_for_file(&sandbox.path("begun"));
    running.kill_9();
    let resumed = sandbox.windlass(["resume"]).run().exits(1);
    assert!(resumed.stderr.contains("not healthy"), "{resumed}");
    assert!(sandbox.exists("made"));
    let listed = sandbox.windlass(["state", "list", "--json"]).run().success().json();
    assert_eq!(listed[0]["status"].as_str(), Some("tainted"));
}
