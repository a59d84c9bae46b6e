//! What goes wrong, and how `az` says it.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_testing::arm::{Arm, Failure, When};

use super::{asked, error, fails, resource, says, template};

fn ground() -> Option<(Arm, String)> {
    let arm = Arm::start()?;
    arm.put_group("g", "west", json!({}));
    let parts = json!({
        "parameters": {"size": {"type": "int", "allowedValues": [1, 2], "defaultValue": 1}},
        "resources": [resource("a", json!({})), resource("b", json!({}))]
    });
    let file = template(&arm, "main.json", &parts).display().to_string();
    Some((arm, file))
}

#[test]
fn a_failed_resource_fails_its_deployment_alone() {
    let Some((arm, file)) = ground() else { return };
    let detail = json!({"code": "Inner", "message": "the reason"});
    arm.fail("a", Failure::new(409, "Conflict", "a is taken").with(vec![detail.clone()]));
    let (status, said) = fails(&arm, &format!("deployment group create -g g -n d -f {file}"));
    assert_eq!(status, 1);
    let id = arm.resource_id("g", "Microsoft.Resources/deployments", "d");
    let a = arm.resource_id("g", "Test.Things/things", "a");
    let said = error(&said);
    assert_eq!(said["status"], "Failed");
    assert_eq!([&said["error"]["code"], &said["error"]["target"]], ["DeploymentFailed", &id]);
    assert_eq!(
        said["error"]["details"],
        json!([{"code": "Conflict", "message": "a is taken", "target": a, "details": [detail]}])
    );
    assert_eq!(arm.resources().len(), 1);
    let operations = says(&arm, "deployment operation group list -g g -n d");
    let failed = operations
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["properties"]["provisioningState"] == "Failed")
        .unwrap();
    assert_eq!(failed["properties"]["statusMessage"]["error"]["code"], "Conflict");
    assert_eq!(failed["properties"]["statusCode"], "Conflict");
}

#[test]
fn a_wrong_template_is_refused_before_anything_is_made() {
    let Some((arm, file)) = ground() else { return };
    let (status, said) = fails(&arm, &format!("deployment group create -g g -n d -f {file} -p size=3"));
    assert_eq!(status, 1);
    assert_eq!(error(&said)["code"], "InvalidTemplate");
    assert!(
        error(&said)["message"].as_str().unwrap().contains("is not part of the allowed value(s): '1,2'"),
        "{said}"
    );
    assert_eq!(asked(&arm), ["POST /resourcegroups/g/deployments/d/validate"]);
    let (_, said) = fails(&arm, &format!("deployment group what-if -g g -n d -f {file} -p size=3"));
    assert!(said.starts_with("ERROR: InvalidTemplate - Deployment template validation failed: "), "{said}");

    let inner = json!({"code": "SkuNotAvailable", "message": "not here"});
    arm.invalid(Failure::new(400, "InvalidTemplateDeployment", "see inner errors").with(vec![inner.clone()]));
    let (status, said) = fails(&arm, &format!("deployment group validate -g g -n d -f {file}"));
    assert_eq!(status, 1);
    assert_eq!(error(&said)["code"], "InvalidTemplateDeployment");
    let after = said.split_once("\n\nInner Errors: \n").unwrap().1;
    assert_eq!(serde_json::from_str::<Value>(after.trim()).unwrap(), inner);
    assert!(arm.deployments().is_empty());
}

#[test]
fn throttling_is_waited_out_three_times() {
    let Some((arm, _)) = ground() else { return };
    let soon = Duration::from_millis(10);
    arm.throttle(When::path("/resourcegroups/g").times(3), soon);
    assert_eq!(says(&arm, "group show -n g")["name"], "g");
    assert_eq!(asked(&arm), ["GET /resourcegroups/g"; 4]);
    arm.throttle(When::path("/resourcegroups/g"), soon);
    let (status, said) = fails(&arm, "group show -n g");
    assert_eq!(status, 1);
    assert!(said.starts_with("ERROR: (TooManyRequests) "), "{said}");
    assert_eq!(asked(&arm).len(), 4);
}

#[test]
fn giving_up_on_a_poll_leaves_the_deployment_running() {
    let Some((arm, file)) = ground() else { return };
    arm.throttle(When::path("/operationStatuses/").after(1), Duration::from_millis(10));
    let (status, _) = fails(&arm, &format!("deployment group create -g g -n d -f {file}"));
    assert_eq!(status, 1);
    assert!(arm.is_busy());
    arm.behave();
    assert_eq!(says(&arm, "deployment group show -g g -n d")["properties"]["provisioningState"], "Succeeded");
}

#[test]
fn no_right_and_old_tokens_are_said() {
    let Some((arm, file)) = ground() else { return };
    let scope = arm.group_id("g");
    arm.forbid(When::path("/validate"), "Microsoft.Resources/deployments/validate/action", &scope);
    let (status, said) = fails(&arm, &format!("deployment group validate -g g -n d -f {file}"));
    assert_eq!(status, 1);
    assert!(said.contains("AuthorizationFailed") && said.contains(&scope), "{said}");
    arm.behave();
    arm.expire(When::path("/resourcegroups/g"));
    let (status, said) = fails(&arm, "group show -n g");
    assert_eq!(status, 1);
    assert!(said.contains("ExpiredAuthenticationToken"), "{said}");
    arm.behave();
    arm.refuse(When::path("/whatIf"), &Failure::new(403, "AuthorizationFailed", "no"));
    let (status, said) = fails(&arm, &format!("deployment group what-if -g g -n d -f {file}"));
    assert_eq!(status, 1);
    assert!(said.contains("azure.core.exceptions.HttpResponseError: (AuthorizationFailed) no"), "{said}");
}
