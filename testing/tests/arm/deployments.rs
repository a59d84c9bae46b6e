//! Deployments in a group.

use serde_json::{Value, json};
use windlass_testing::arm::{Arm, Pace};

use super::{asked, fails, names, resource, says, template};

fn ground() -> Option<(Arm, String)> {
    let arm = Arm::start()?;
    arm.put_group("g", "west", json!({}));
    let parts = json!({
        "parameters": {
            "prefix": {"type": "string"},
            "size": {"type": "int", "defaultValue": 1, "allowedValues": [1, 2]},
            "secret": {"type": "secureString", "defaultValue": "hush"}
        },
        "variables": {"store": "[concat(parameters('prefix'), 'store')]"},
        "resources": [
            {"type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-01-01", "name": "[variables('store')]",
                "location": "[resourceGroup().location]", "sku": {"name": "Standard_LRS"}, "properties": {}},
            {"type": "Test.Things/things", "apiVersion": "2024-01-01", "name": "reader", "properties": {
                "size": "[parameters('size')]", "blob": "[reference(variables('store')).primaryEndpoints.blob]"},
                "dependsOn": ["[resourceId('Microsoft.Storage/storageAccounts', variables('store'))]"]},
            {"type": "Test.Things/things", "apiVersion": "2024-01-01", "name": "never", "condition": "[equals(parameters('size'), 7)]"}
        ],
        "outputs": {
            "blob": {"type": "string", "value": "[reference(variables('store')).primaryEndpoints.blob]"},
            "id": {"type": "string", "value": "[resourceId('Test.Things/things', 'reader')]"},
            "secret": {"type": "secureString", "value": "[parameters('secret')]"}
        }
    });
    let path = template(&arm, "main.json", &parts);
    // As people write them.
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("// a template\n{text}")).unwrap();
    Some((arm, path.display().to_string()))
}

#[test]
fn a_deployment_is_made_and_shown() {
    let Some((arm, file)) = ground() else { return };
    let made = says(&arm, &format!("deployment group create -g g -n d -f {file} -p prefix=a"));
    let requests = arm.requests();
    let sent = requests.iter().find(|request| request.method == "PUT").unwrap();
    assert!(sent.body.contains("template:// a template\n"), "{}", sent.body);
    assert_eq!(sent.json()["properties"]["parameters"], json!({"prefix": {"value": "a"}}));
    let lines = asked(&arm);
    assert_eq!(
        lines[..2],
        ["POST /resourcegroups/g/deployments/d/validate", "PUT /resourcegroups/g/deployments/d"]
    );
    assert_eq!(lines.last().unwrap(), "GET /resourcegroups/g/deployments/d");
    let polls = &lines[2..lines.len() - 1];
    assert!(
        polls.iter().all(|line| line.starts_with("GET /operationStatuses/")) && polls.len() == 2,
        "{lines:?}"
    );

    let properties = &made["properties"];
    assert_eq!(properties["provisioningState"], "Succeeded");
    assert_eq!(
        properties["outputs"]["blob"],
        json!({"type": "String", "value": "https://astore.blob.storage.local/"})
    );
    assert_eq!(properties["outputs"]["id"]["value"], arm.resource_id("g", "Test.Things/things", "reader"));
    assert_eq!(properties["outputs"]["secret"], json!({"type": "SecureString"}));
    assert_eq!(properties["parameters"]["secret"], json!({"type": "SecureString"}));
    assert_eq!(names(properties["outputResources"].as_array().unwrap()), ["astore", "reader"]);
    assert_eq!(
        arm.get(&arm.resource_id("g", "Test.Things/things", "reader")).unwrap()["properties"]["size"],
        1
    );

    assert_eq!(says(&arm, "deployment group show -g g -n d"), made);
    let listed = says(&arm, "deployment group list -g g");
    assert_eq!(names(listed.as_array().unwrap()), ["d"]);
    asked(&arm);
    let operations = says(&arm, "deployment operation group list -g g -n d");
    assert_eq!(asked(&arm), ["GET /resourcegroups/g/deployments/d/operations"]);
    let brief = |one: &Value| {
        format!(
            "{} {}",
            one["properties"]["provisioningOperation"], one["properties"]["targetResource"]["resourceName"]
        )
    };
    let brief: Vec<String> = operations.as_array().unwrap().iter().map(brief).collect();
    assert_eq!(brief, [r#""Create" "astore""#, r#""Create" "reader""#, r#""EvaluateDeploymentOutput" null"#]);
    says(&arm, "deployment group delete -g g -n d");
    let (status, said) = fails(&arm, "deployment group show -g g -n d");
    assert_eq!(status, 3);
    assert!(said.starts_with("ERROR: (DeploymentNotFound) Deployment 'd' could not be found.\nCode: DeploymentNotFound\nMessage: "), "{said}");
}

#[test]
fn what_if_tells_what_would_change() {
    let Some((arm, file)) = ground() else { return };
    let ask = |more: &str| {
        says(
            &arm,
            &format!("deployment group what-if -g g -n d -f {file} -p prefix=a {more} --no-pretty-print"),
        )
    };
    let kinds = |said: &Value| {
        let one = |change: &Value| {
            format!(
                "{} {}",
                change["changeType"].as_str().unwrap(),
                change["resourceId"].as_str().unwrap().rsplit('/').next().unwrap()
            )
        };
        said["changes"].as_array().unwrap().iter().map(one).collect::<Vec<_>>()
    };
    let first = ask("");
    assert_eq!(kinds(&first), ["Create astore", "Create reader"]);
    assert!(first["changes"][0]["before"].is_null());
    assert_eq!(
        first["changes"][1]["after"]["properties"]["blob"],
        "[reference(variables('store')).primaryEndpoints.blob]"
    );
    let lines = asked(&arm);
    assert_eq!(lines[0], "POST /resourcegroups/g/deployments/d/whatIf");
    assert!(lines[1..].iter().all(|line| line.starts_with("GET /operationresults/")), "{lines:?}");
    assert!(arm.deployments().is_empty() && arm.resources().is_empty());

    says(&arm, &format!("deployment group create -g g -n d -f {file} -p prefix=a"));
    arm.put_resource(&arm.resource_id("g", "Test.Things/things", "other"), &json!({"location": "west"}));
    arm.noise("astore", "properties.tier", json!("Hot"));
    let second = ask("size=2");
    // What is only known at run time is always a change.
    assert_eq!(kinds(&second), ["Modify astore", "Ignore other", "Modify reader"]);
    let noise = &second["changes"][0]["delta"][0];
    assert_eq!(
        [&noise["path"], &noise["propertyChangeType"], &noise["before"]],
        ["properties.tier", "Delete", "Hot"]
    );
    let paths: Vec<&Value> =
        second["changes"][2]["delta"].as_array().unwrap().iter().map(|one| &one["path"]).collect();
    assert_eq!(paths, ["properties.blob", "properties.size"]);
    let ids = ask("--result-format ResourceIdOnly --mode Complete");
    assert_eq!(kinds(&ids), ["Deploy astore", "Delete other", "Deploy reader"]);
    arm.potential("reader");
    arm.unsupported("astore", "it is odd");
    arm.diagnostic(json!({"level": "Warning", "code": "Odd", "message": "it is odd"}));
    let third = ask("size=2");
    assert_eq!(kinds(&third), ["Unsupported astore", "Ignore other"]);
    assert_eq!(third["potentialChanges"][0]["changeType"], "Modify");
    assert_eq!(
        [&third["changes"][0]["unsupportedReason"], &third["diagnostics"][0]["message"]],
        ["it is odd"; 2]
    );
}

#[test]
fn a_running_deployment_is_cancelled() {
    let Some((arm, file)) = ground() else { return };
    arm.pace(Pace::Held);
    let nothing = says(&arm, &format!("deployment group create -g g -n d -f {file} -p prefix=a --no-wait"));
    assert_eq!(nothing, Value::Null);
    assert_eq!(says(&arm, "deployment group show -g g -n d")["properties"]["provisioningState"], "Accepted");
    asked(&arm);
    let (status, said) = fails(&arm, &format!("deployment group create -g g -n d -f {file} -p prefix=a"));
    assert_eq!(status, 1);
    // az does not get further than its own fault.
    assert!(said.contains("azure.core.exceptions.ResourceExistsError: (DeploymentActive) "), "{said}");
    says(&arm, "deployment group cancel -g g -n d");
    arm.pace(Pace::Polls(0));
    assert_eq!(arm.deployments()[0]["properties"]["provisioningState"], "Canceled");
    assert!(arm.resources().is_empty() && !arm.is_busy());
    let (status, said) = fails(&arm, "deployment group cancel -g g -n d");
    assert_eq!(status, 1);
    assert!(said.contains("DeploymentCannotBeCancelled"), "{said}");
}

#[test]
fn complete_mode_deletes_the_rest_and_incremental_does_not() {
    let Some(arm) = Arm::start() else { return };
    arm.put_group("g", "west", json!({}));
    let file = template(&arm, "one.json", &json!({"resources": [resource("a", json!({"list": [1, 2]}))]}))
        .display()
        .to_string();
    arm.put_resource(&arm.resource_id("g", "Test.Things/things", "other"), &json!({"location": "west"}));
    says(&arm, &format!("deployment group create -g g -n d -f {file}"));
    assert_eq!(names(&arm.resources()), ["a", "other"]);
    let same = says(&arm, &format!("deployment group what-if -g g -n d -f {file} --no-pretty-print"));
    assert_eq!(same["changes"][0]["changeType"], "NoChange");
    says(&arm, &format!("deployment group create -g g -n d -f {file} --mode Complete"));
    assert_eq!(names(&arm.resources()), ["a"]);
}
