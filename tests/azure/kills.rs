//! The engine is killed while Azure works for it.

use std::time::Duration;

use windlass_testing::arm::Pace;

use crate::cloud::Cloud;
use crate::support::wait::wait_until;

const STACK: &str = r#"
stack "kills" {}
resource "bicep_deployment" "d" {
  name           = "kills"
  template_file  = "main.json"
  resource_group = "rg"
  mode           = "MODE"
}
output "made" { value = bicep_deployment.d.outputs.name }
"#;

const TEMPLATE: &str = r#"{
  "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
  "contentVersion": "1.0.0.0",
  "resources": [
    { "type": "Microsoft.Relay/namespaces", "apiVersion": "2021-11-01", "name": "relay", "location": "westeurope", "properties": {} }
  ],
  "outputs": { "name": { "type": "string", "value": "relay" } }
}
"#;

/// Kills an apply while its deployment runs, lets it end, and resumes.
fn killed(mode: &str) {
    let Some(cloud) = Cloud::new(None) else { return };
    cloud.arm.put_group("rg", "westeurope", serde_json::json!({}));
    cloud.sandbox.write("main.stack.hcl", STACK.replace("MODE", mode));
    cloud.sandbox.write("main.json", TEMPLATE);
    let plan = cloud.sandbox.path("saved.plan").display().to_string();
    cloud.run(&format!("plan --out {plan}"), 0);
    cloud.arm.pace(Pace::Held);
    let mut running = cloud.start(&format!("apply {plan}"));
    wait_until("the deployment is begun", 90, || cloud.puts() > 0);
    running.kill_9();
    assert!(running.wait().code.is_none());
    cloud.arm.pace(Pace::Time(Duration::from_millis(10)));
    cloud.run("resume --auto-approve", 0);
    assert_eq!(cloud.puts(), 1, "begun twice");
    assert_eq!(cloud.output("made"), "relay");
    cloud.run("plan --detailed-exitcode", 0);
}

#[test]
fn a_deployment_stack_is_watched_to_its_end() {
    killed("stack");
}

#[test]
fn a_deployment_is_watched_to_its_end() {
    killed("deployment");
}
