//! A root with a real provider against a local imitation of its cloud: init, plugin cache, lock file, drift.
//!
//! Needs `moto_server` on `PATH` and a filesystem mirror that holds the AWS provider, named by `WINDLASS_TEST_TF_MIRROR`. What
//! the imitation says is no evidence about AWS; it is about how terraform is run.

#![expect(clippy::disallowed_methods, reason = "tests deal with real processes, time and surroundings")]
#![expect(clippy::unwrap_used, reason = "tests")]

#[expect(dead_code, reason = "it uses a part")]
mod support;

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use support::{World, inputs, output, terraform_is_there};
use windlass_model::Value;
use windlass_provider::{Drift, Verdict, supervise};

/// Not a test of its own: the supervisor, when a test starts it.
#[test]
fn another_process() {
    if std::env::var_os("AS_SUPERVISOR").is_some() {
        std::process::exit(i32::from(supervise(std::io::stdin(), std::io::stderr())));
    }
}

struct Moto(Child, u16);

impl Drop for Moto {
    fn drop(&mut self) {
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

fn moto() -> Option<Moto> {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = Command::new("moto_server");
    server.args(["-p", &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
    let server = Moto(server.spawn().ok()?, port);
    for _ in 0..300 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Some(server);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    None
}

const ROOT: &str = r#"
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
variable "endpoint" { type = string }
variable "visibility" {
  type    = number
  default = 30
}
provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
  endpoints { sqs = var.endpoint }
}
resource "aws_sqs_queue" "q" {
  name                       = "windlass-test"
  visibility_timeout_seconds = var.visibility
}
output "url" { value = aws_sqs_queue.q.url }
output "visibility" { value = aws_sqs_queue.q.visibility_timeout_seconds }
"#;

#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn ready() -> Option<(String, Moto)> {
    if !terraform_is_there() {
        return None;
    }
    let Ok(mirror) = std::env::var("WINDLASS_TEST_TF_MIRROR") else {
        println!("skipped: WINDLASS_TEST_TF_MIRROR names no mirror of the AWS provider");
        return None;
    };
    let moto = moto();
    if moto.is_none() {
        println!("skipped: moto_server is not on PATH or does not start");
    }
    Some((mirror, moto?))
}

/// Changes the queue behind terraform's back, by the query protocol.
fn behind_its_back(port: u16, body: &str) {
    use std::io::{Read, Write};
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let credentials =
        "Authorization: AWS4-HMAC-SHA256 Credential=test/20240101/eu-central-1/sqs/aws4_request";
    let length = body.len();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: sqs.eu-central-1.amazonaws.com\r\n{credentials}, SignedHeaders=host, Signature=x\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_queue_drifts_and_is_seen_to() {
    let Some((mirror, moto)) = ready() else { return };
    let config = tempfile::NamedTempFile::new().unwrap();
    let text = format!("provider_installation {{\n  filesystem_mirror {{ path = \"{mirror}\" }}\n}}\n");
    std::fs::write(config.path(), text).unwrap();
    let env = [("TF_CLI_CONFIG_FILE", config.path().to_str().unwrap()), ("HOME", "/nonexistent")];
    let world = World::with(&[("net/main.tf", ROOT)], &env, Value::object::<&str>([])).await;
    let endpoint = format!("http://127.0.0.1:{}", moto.1);
    let desired = inputs(Value::object([("endpoint", Value::from(endpoint.clone()))]));
    let record = world.go(None, &desired).await;
    let url = output(&record.value.0, "url").as_str().unwrap().to_owned();
    assert!(url.ends_with("/windlass-test"), "{url}");
    assert!(record.private.blobs.contains_key("lock"), "the versions that init chose are remembered");
    assert!(record.nested[0].address == "aws_sqs_queue.q" && record.nested[0].id.as_deref() == Some(&*url));

    // `init` ran for the first plan alone.
    assert_eq!(world.plan(Some(&record), Some(&desired)).await.unwrap().verdict, Verdict::Same);
    let log = std::fs::read_to_string(world.dir.join("log")).unwrap();
    assert_eq!(log.matches(" init run ").count(), 1, "{log}");

    // What terraform's configuration does not set is drift that nobody has to repair.
    let tag =
        "Action=SetQueueAttributes&Version=2012-11-05&Attribute.1.Name=DelaySeconds&Attribute.1.Value=7";
    behind_its_back(moto.1, &format!("{tag}&QueueUrl={url}"));
    let seen = world.session.read(&world.call(), &record).await.unwrap().unwrap();
    assert_ne!(seen.private.blobs["tfstate"], record.private.blobs["tfstate"]);
    let plan = world.plan(Some(&record), Some(&desired)).await.unwrap();
    let drifted = plan.warnings.iter().any(|warning| warning.message.contains("delay_seconds: 0 -> 7"));
    assert!(drifted, "{:?}", plan.warnings);
    assert!(plan.verdict == Verdict::Change || matches!(plan.drift, Some(Drift::Changed(_))), "{plan:?}");

    let gone = world.plan(Some(&record), None).await.unwrap();
    assert!(world.apply(Some(&record), None, &gone).await.unwrap().is_none());
}
