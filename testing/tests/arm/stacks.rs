//! Deployment stacks.

use serde_json::{Value, json};
use windlass_testing::arm::{Arm, Failure, Pace};

use super::{asked, error, fails, names, resource, says, template};

fn ground() -> Option<(Arm, String, String)> {
    let arm = Arm::start()?;
    arm.put_group("g", "west", json!({}));
    let outputs = json!({"o": {"type": "string", "value": "[uniqueString(resourceGroup().id)]"}});
    let both = json!({"resources": [resource("a", json!({"x": 1})), resource("b", json!({"x": 1}))], "outputs": outputs});
    let one = json!({"resources": [resource("a", json!({"x": 2}))], "outputs": outputs});
    let both = template(&arm, "both.json", &both).display().to_string();
    let one = template(&arm, "one.json", &one).display().to_string();
    Some((arm, both, one))
}

fn create(file: &str, action: &str) -> String {
    format!(
        "stack group create -g g -n s -f {file} --action-on-unmanage {action} --deny-settings-mode none --yes"
    )
}

#[test]
fn what_leaves_the_template_is_deleted() {
    let Some((arm, both, one)) = ground() else { return };
    let made = says(&arm, &create(&both, "deleteResources"));
    let lines = asked(&arm);
    let stack = "/resourceGroups/g/deploymentStacks/s";
    assert_eq!(
        lines[..3],
        [format!("GET {stack}"), format!("POST {stack}/validate"), format!("PUT {stack}")]
    );
    assert_eq!(lines.last().unwrap(), &format!("GET {stack}"));
    assert_eq!(made["provisioningState"], "succeeded");
    assert_eq!(made["actionOnUnmanage"]["resources"], "delete");
    assert_eq!(names(made["resources"].as_array().unwrap()), ["a", "b"]);
    assert_eq!(made["resources"][0]["status"], "managed");
    assert_eq!(made["outputs"]["o"]["value"].as_str().unwrap().len(), 13);

    let changed = says(&arm, &create(&one, "deleteResources"));
    assert_eq!(names(changed["deletedResources"].as_array().unwrap()), ["b"]);
    assert_eq!(names(changed["resources"].as_array().unwrap()), ["a"]);
    assert_eq!(names(&arm.resources()), ["a"]);
    assert_eq!(says(&arm, "stack group show -g g -n s"), changed);
    assert_eq!(names(says(&arm, "stack group list -g g").as_array().unwrap()), ["s"]);

    asked(&arm);
    says(&arm, "stack group delete -g g -n s --action-on-unmanage deleteResources --yes");
    let lines = asked(&arm);
    assert_eq!(lines[..2], [format!("GET {stack}"), format!("DELETE {stack}")]);
    assert!(arm.resources().is_empty() && arm.stacks().is_empty());
    let (status, said) = fails(&arm, "stack group show -g g -n s");
    assert_eq!(status, 3);
    assert!(said.starts_with("ERROR: (DeploymentStackNotFound) "), "{said}");
}

#[test]
fn or_let_go() {
    let Some((arm, both, one)) = ground() else { return };
    says(&arm, &create(&both, "detachAll"));
    let changed = says(&arm, &create(&one, "detachAll"));
    assert_eq!(names(changed["detachedResources"].as_array().unwrap()), ["b"]);
    assert_eq!(names(&arm.resources()), ["a", "b"]);
    says(&arm, "stack group delete -g g -n s --action-on-unmanage detachAll --yes");
    assert_eq!(names(&arm.resources()), ["a", "b"]);
}

#[test]
fn what_if_of_a_stack_tells_what_leaves_it() {
    let Some((arm, both, one)) = ground() else { return };
    let ask = |file: &str, action: &str| {
        let stack = arm.resource_id("g", "Microsoft.Resources/deploymentStacks", "s");
        let said = says(
            &arm,
            &format!(
                "stack-whatif group create -g g -n w --stack-id {stack} -f {file} --action-on-unmanage {action} --deny-settings-mode denyDelete --retention-interval P1D --no-pretty-print"
            ),
        );
        let brief = |one: &Value| {
            let name = one["id"].as_str().unwrap().rsplit('/').next().unwrap();
            format!(
                "{} {name} {}",
                one["changeType"].as_str().unwrap(),
                one["managementStatusChange"]["before"].as_str().unwrap()
            )
        };
        let changes = said["properties"]["changes"]["resourceChanges"].as_array().unwrap().clone();
        (changes.iter().map(brief).collect::<Vec<_>>(), said)
    };
    let (first, _) = ask(&both, "deleteResources");
    assert_eq!(first, ["create a unmanaged", "create b unmanaged"]);
    let lines = asked(&arm);
    let result = "/resourceGroups/g/deploymentStacksWhatIfResults/w";
    assert_eq!(lines[0], format!("PUT {result}"));
    assert_eq!(lines[lines.len() - 2..], [format!("GET {result}"), format!("POST {result}/whatIf")]);
    assert!(arm.resources().is_empty() && arm.stacks().is_empty());

    says(&arm, &create(&both, "deleteResources"));
    let (second, said) = ask(&one, "deleteResources");
    assert_eq!(second, ["modify a managed", "delete b managed"]);
    let change = &said["properties"]["changes"]["resourceChanges"][0];
    assert_eq!(change["changeCertainty"], "definite");
    assert_eq!(change["denyStatusChange"], json!({"before": "none", "after": "denyDelete"}));
    let delta = &change["resourceConfigurationChanges"]["delta"][0];
    assert_eq!([&delta["path"], &delta["changeType"]], ["properties.x", "modify"]);
    assert_eq!([&delta["before"], &delta["after"]], [1, 2]);
    let (third, _) = ask(&one, "detachAll");
    assert_eq!(third, ["modify a managed", "detach b managed"]);
    let (same, _) = ask(&both, "deleteResources");
    assert_eq!(same, ["noChange a managed", "noChange b managed"]);
    assert_eq!(says(&arm, "stack-whatif group list -g g").as_array().unwrap().len(), 1);
    says(&arm, "stack-whatif group delete -g g -n w --yes");
    assert!(arm.stack_what_ifs().is_empty());
    arm.stacks_what_if(false);
    let (status, said) = fails(&arm, "stack-whatif group list -g g");
    assert_eq!(status, 3);
    assert!(said.contains("InvalidResourceType"), "{said}");
}

#[test]
fn a_failed_stack_says_why_and_what() {
    let Some((arm, both, one)) = ground() else { return };
    arm.fail("b", Failure::new(409, "Conflict", "b is taken"));
    let (status, said) = fails(&arm, &create(&both, "deleteResources"));
    assert_eq!(status, 1);
    let said = error(&said);
    assert_eq!([&said["status"], &said["error"]["code"]], ["failed", "DeploymentStackDeploymentFailed"]);
    assert_eq!(said["error"]["details"][0]["details"][0]["message"], "b is taken");
    let shown = says(&arm, "stack group show -g g -n s");
    assert_eq!(names(shown["failedResources"].as_array().unwrap()), ["b"]);
    assert_eq!(names(shown["resources"].as_array().unwrap()), ["a"]);
    arm.behave();
    says(&arm, &create(&both, "deleteResources"));
    arm.undeletable("b", Some(Failure::new(409, "InUse", "b is in use")));
    let (status, said) = fails(&arm, &create(&one, "deleteResources"));
    assert_eq!(
        (status, error(&said)["error"]["code"].clone()),
        (1, json!("DeploymentStackDeleteResourcesFailed"))
    );
    let shown = says(&arm, "stack group show -g g -n s");
    let kept = &shown["resources"][1];
    assert_eq!(
        (&kept["id"], kept["status"].as_str()),
        (&shown["failedResources"][0]["id"], Some("deleteFailed"))
    );
    let (status, said) =
        fails(&arm, "stack group delete -g g -n s --action-on-unmanage deleteResources --yes");
    assert_eq!(status, 1);
    assert!(said.contains("(DeploymentStackDeleteResourcesFailed)"), "{said}");
    assert_eq!(arm.stacks().len(), 1);
}

#[test]
fn a_stack_is_cancelled_by_its_deployment() {
    let Some((arm, both, _)) = ground() else { return };
    arm.pace(Pace::Held);
    says(&arm, &format!("{} --no-wait", create(&both, "deleteResources")));
    let deployment = says(&arm, "stack group show -g g -n s")["deploymentId"].as_str().unwrap().to_owned();
    says(&arm, &format!("deployment group cancel -g g -n {}", deployment.rsplit('/').next().unwrap()));
    assert_eq!(says(&arm, "stack group show -g g -n s")["provisioningState"], "canceled");
    assert!(!arm.is_busy() && arm.resources().is_empty());
}

#[test]
fn a_busy_or_odd_stack_is_left_alone() {
    let Some((arm, both, _)) = ground() else { return };
    arm.pace(Pace::Held);
    says(&arm, &format!("{} --no-wait", create(&both, "deleteResources")));
    assert_eq!(says(&arm, "stack group show -g g -n s")["provisioningState"], "deploying");
    let (status, said) = fails(&arm, &create(&both, "deleteResources"));
    assert_eq!(status, 1);
    assert!(said.contains("DeploymentStackInNonTerminalState"), "{said}");
    arm.pace(Pace::Polls(0));
    assert_eq!(says(&arm, "stack group show -g g -n s")["provisioningState"], "succeeded");
    arm.out_of_sync("s");
    let (_, said) = fails(&arm, "stack group delete -g g -n s --action-on-unmanage detachAll --yes");
    assert!(said.contains("DeploymentStackOutOfSync"), "{said}");
    says(
        &arm,
        "stack group delete -g g -n s --action-on-unmanage detachAll --bypass-stack-out-of-sync-error --yes",
    );
    assert!(arm.stacks().is_empty());
}
