//! Who `az` is.

use std::process::{Command, Output};

use windlass_testing::arm::{Arm, CLIENT, Login, SECRET, SUBSCRIPTIONS, TENANT, When};

use super::{fails, says};

fn run_as(arm: &Arm, login: Login, args: &str) -> Output {
    let az = windlass_testing::tools::az().unwrap();
    Command::new(az).args(args.split(' ')).envs(arm.env_as(login)).output().unwrap()
}

fn said(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn one_token_serves_many_runs() {
    let Some(arm) = Arm::start() else { return };
    arm.put_group("g", "west", serde_json::json!({}));
    says(&arm, "group show -n g");
    says(&arm, "group show -n g");
    let tokens = arm.requests().iter().filter(|request| request.path.ends_with("/oauth2/v2.0/token")).count();
    assert_eq!(tokens, 1);
    assert!(
        arm.requests()
            .iter()
            .all(|request| request.headers.get("authorization").is_none_or(String::is_empty))
    );
    assert_eq!(says(&arm, "account show")["tenantId"], TENANT);
}

#[test]
fn another_subscription_is_another_world() {
    let Some(arm) = Arm::start() else { return };
    says(&arm, "group create -n g -l west");
    let (one, two) = (SUBSCRIPTIONS[0].0, SUBSCRIPTIONS[1].0);
    assert_eq!(says(&arm, "account show")["id"], one);
    arm.switch_subscription(two);
    assert_eq!(says(&arm, "account show")["id"], two);
    assert_eq!(says(&arm, "group exists -n g"), false);
    assert_eq!(says(&arm, &format!("group exists -n g --subscription {one}")), true);
    let (status, said) = fails(&arm, "group show -n g --subscription nosuch");
    assert_eq!(status, 1);
    assert!(said.contains("ERROR: Subscription 'nosuch' not found. Check the spelling"), "{said}");
}

#[test]
fn each_login_works_or_says_why_not() {
    let Some(arm) = Arm::start() else { return };
    arm.put_group("g", "west", serde_json::json!({}));
    let output = run_as(&arm, Login::ManagedIdentity, "group exists -n g");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(arm.requests().iter().any(|request| request.path == "/msi/token"));
    let output = run_as(&arm, Login::No, "group exists -n g");
    assert_eq!(said(&output), "ERROR: Please run 'az login' to setup account.\n");
    let output = run_as(&arm, Login::WrongSecret, "group exists -n g");
    assert!(said(&output).starts_with("ERROR: AADSTS7000215: "), "{}", said(&output));
    let login = format!("login --service-principal -u {CLIENT} -p {SECRET} --tenant {TENANT}");
    let output = run_as(&arm, Login::No, &login);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(run_as(&arm, Login::No, "group exists -n g").status.success());
    arm.expire(When::path("/resourcegroups/"));
    assert!(!run_as(&arm, Login::No, "group exists -n g").status.success());
}

#[test]
fn it_is_gone_when_dropped() {
    let Some(arm) = Arm::start() else { return };
    let (address, dir) = (arm.endpoint().trim_start_matches("https://").to_owned(), arm.dir().to_path_buf());
    assert!(std::net::TcpStream::connect(&address).is_ok() && dir.exists());
    drop(arm);
    assert!(std::net::TcpStream::connect(&address).is_err() && !dir.exists());
}
