//! moto_server: AWS on this host, in memory.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::tools;

/// The account that everything is in.
pub const ACCOUNT: &str = "123456789012";

/// The region that is set.
pub const REGION: &str = "eu-west-1";

const START_MAX: Duration = Duration::from_secs(60);

/// Ends with its standard input, so that it never outlives the test, however that ends.
const SERVE: &str = "\
import os, sys, threading
def wait():
    sys.stdin.buffer.read()
    os._exit(0)
threading.Thread(target=wait, daemon=True).start()
from moto.server import main
main(['-H', '127.0.0.1', '-p', sys.argv[1]])
";

/// A running server; ended when dropped.
#[derive(Debug)]
pub struct Moto {
    server: Child,
    port: u16,
    bin: PathBuf,
}

impl Moto {
    /// Starts one, on a port of its own. `None`, after a line that says so: it is not installed.
    ///
    /// # Panics
    /// Where it does not come up, or is not installed under `CI=true`.
    #[expect(clippy::panic, reason = "for tests: a server that does not start fails the test")]
    pub fn start() -> Option<Self> {
        let bin = tools::moto_server()?.parent()?.to_path_buf();
        for _ in 0..5 {
            let port = free_port();
            let server = Command::new(bin.join("python"))
                .args(["-c", SERVE, &port.to_string()])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            let server = server.unwrap_or_else(|error| panic!("start moto_server: {error}"));
            let mut moto = Self { server, port, bin: bin.clone() };
            if moto.is_up() {
                return Some(moto);
            }
        }
        panic!("moto_server ended five times before it answered");
    }

    /// Where it listens.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What makes `aws`, and all that speaks to AWS, speak to it, and to nothing else.
    pub fn env(&self) -> BTreeMap<String, String> {
        let nowhere = self.bin.join("no-such-file");
        let nowhere = nowhere.display().to_string();
        let set = [
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", "testing".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "testing".to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_CONFIG_FILE", nowhere.clone()),
            ("AWS_SHARED_CREDENTIALS_FILE", nowhere),
            ("PATH", tools::path_with(&self.bin)),
        ];
        set.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// What `aws ARGS` says, for a look from outside. `Null` where it says nothing.
    ///
    /// # Panics
    /// Where it fails: with what it said.
    #[expect(clippy::panic, reason = "for tests: a look that fails fails the test")]
    pub fn aws<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Value {
        let args: Vec<String> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let mut command = Command::new(self.bin.join("aws"));
        // Said as an option too: for sqs this aws does not ask the environment where to go.
        command
            .args(["--output", "json", "--endpoint-url", &self.endpoint()])
            .args(&args)
            .stdin(Stdio::null());
        for name in ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_OUTPUT"] {
            command.env_remove(name);
        }
        let output = command.envs(self.env()).output();
        let output = output.unwrap_or_else(|error| panic!("start aws: {error}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "`aws {}` failed: {said}", args.join(" "));
        if output.stdout.iter().all(u8::is_ascii_whitespace) {
            return Value::Null;
        }
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("`aws {}`: {error}", args.join(" ")))
    }

    /// Forgets all that was made in it.
    ///
    /// # Panics
    /// Where it does not answer.
    pub fn reset(&self) {
        assert!(self.ask("POST", "/moto-api/reset"), "moto_server does not answer");
    }

    /// Whether it came up; `false`: it ended, as it does where another took the port.
    fn is_up(&mut self) -> bool {
        let started = Instant::now();
        while !self.ask("GET", "/moto-api/data.json") {
            if matches!(self.server.try_wait(), Ok(Some(_)) | Err(_)) {
                return false;
            }
            assert!(started.elapsed() < START_MAX, "moto_server does not answer after {START_MAX:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
        // Another server may have taken the port first and answer in its place.
        matches!(self.server.try_wait(), Ok(None))
    }

    /// Whether it answers with 200.
    fn ask(&self, method: &str, path: &str) -> bool {
        let request = format!("{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n");
        let answer = || -> std::io::Result<Vec<u8>> {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            stream.write_all(request.as_bytes())?;
            let mut status = vec![0; 12];
            stream.read_exact(&mut status)?;
            Ok(status)
        };
        answer().is_ok_and(|status| status.ends_with(b" 200"))
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // One that has ended on its own is as dead.
        let _gone = self.server.kill();
        let _status = self.server.wait();
    }
}

#[expect(clippy::panic, reason = "for tests: a host without a free port fails the test")]
fn free_port() -> u16 {
    let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    free.unwrap_or_else(|error| panic!("find a free port: {error}")).port()
}
