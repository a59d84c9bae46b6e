//! Operations that take their time.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use windlass_testing::arm::{Arm, Pace};

use super::{names, resource, says, template};

fn ground() -> Option<(Arm, String)> {
    let arm = Arm::start()?;
    arm.put_group("g", "west", json!({}));
    let resources: Vec<Value> = ["a", "b", "c"].map(|name| resource(name, json!({}))).into();
    let file = template(&arm, "main.json", &json!({"resources": resources})).display().to_string();
    Some((arm, file))
}

#[test]
fn resources_come_one_after_the_other() {
    let Some((arm, file)) = ground() else { return };
    arm.pace(Pace::Polls(3));
    says(&arm, &format!("deployment group create -g g -n d -f {file} --no-wait"));
    let look = || {
        says(&arm, "deployment group show -g g -n d")["properties"]["provisioningState"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    for made in 1..=3 {
        assert_eq!(look(), "Running");
        assert_eq!(arm.resources().len(), made);
    }
    assert_eq!(look(), "Succeeded");
    let operations = says(&arm, "deployment operation group list -g g -n d");
    assert_eq!(operations.as_array().unwrap().len(), 4);
}

#[test]
fn time_goes_on_when_nobody_looks() {
    let Some((arm, file)) = ground() else { return };
    arm.pace(Pace::Time(Duration::from_secs(600)));
    says(&arm, &format!("deployment group create -g g -n d -f {file} --no-wait"));
    assert!(arm.is_busy());
    let id = arm.resource_id("g", "Microsoft.Resources/deployments", "d");
    assert_eq!(arm.get(&id).unwrap()["properties"]["provisioningState"], "Running");
    arm.pace(Pace::Time(Duration::from_secs(2)));
    says(&arm, &format!("deployment group create -g g -n e -f {file} --no-wait"));
    let started = Instant::now();
    let other = arm.resource_id("g", "Microsoft.Resources/deployments", "e");
    while arm.get(&other).unwrap()["properties"]["provisioningState"] != "Succeeded" {
        assert!(started.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(arm.is_busy());
    assert_eq!(names(&arm.resources()), ["a", "b", "c"]);
}

#[test]
fn a_deployment_outlives_the_az_that_began_it() {
    let Some((arm, file)) = ground() else { return };
    arm.pace(Pace::Held);
    let az = windlass_testing::tools::az().unwrap();
    let mut child = Command::new(az)
        .args(["deployment", "group", "create", "-g", "g", "-n", "d", "-f", &file])
        .envs(arm.env())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while !arm.is_busy() {
        assert!(started.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(arm.resources().is_empty());
    arm.pace(Pace::Polls(0));
    assert_eq!(says(&arm, "deployment group show -g g -n d")["properties"]["provisioningState"], "Succeeded");
    assert_eq!(arm.resources().len(), 3);
}
