//! Deployments in deployments.

use serde_json::{Value, json};
use windlass_testing::arm::{Arm, Failure};

use super::{error, fails, names, resource, says, template};

/// A deployment of a template with these resources, in it, evaluated on its own.
fn nested(name: &str, parameters: Value, given: Value, resources: Value, outputs: Value) -> Value {
    json!({"type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": name, "properties": {
        "expressionEvaluationOptions": {"scope": "inner"}, "mode": "Incremental", "parameters": given,
        "template": {"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
            "contentVersion": "1.0.0.0", "parameters": parameters, "resources": resources, "outputs": outputs}}})
}

fn ground() -> Option<(Arm, String)> {
    let arm = Arm::start()?;
    arm.put_group("g", "west", json!({}));
    let inmost = nested(
        "inmost",
        json!({"n": {"type": "string"}}),
        json!({"n": {"value": "[parameters('n')]"}}),
        json!([resource("[parameters('n')]", json!({}))]),
        json!({"name": {"type": "string", "value": "[parameters('n')]"}}),
    );
    let middle = nested(
        "middle",
        json!({"n": {"type": "string"}}),
        json!({"n": {"value": "deep"}}),
        json!([inmost]),
        json!({"name": {"type": "string", "value": "[reference('inmost').outputs.name.value]"}}),
    );
    let user = resource("user", json!({"name": "[reference('middle').outputs.name.value]"}));
    let file = template(&arm, "main.json", &json!({"resources": [user, middle]}));
    Some((arm, file.display().to_string()))
}

#[test]
fn outputs_flow_out_of_nested_deployments() {
    let Some((arm, file)) = ground() else { return };
    let planned = says(&arm, &format!("deployment group what-if -g g -n d -f {file} --no-pretty-print"));
    let ids: Vec<String> = planned["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["resourceId"].as_str().unwrap().rsplit('/').next().unwrap().to_owned())
        .collect();
    assert_eq!(ids, ["deep", "user"]);
    says(&arm, &format!("deployment group create -g g -n d -f {file}"));
    assert_eq!(names(&arm.deployments()), ["d", "inmost", "middle"]);
    let user = arm.get(&arm.resource_id("g", "Test.Things/things", "user")).unwrap();
    assert_eq!(user["properties"]["name"], "deep");
}

#[test]
fn a_failure_deep_inside_comes_up_level_by_level() {
    let Some((arm, file)) = ground() else { return };
    arm.fail(
        "deep",
        Failure::new(409, "StorageAccountAlreadyTaken", "The storage account named deep is already taken."),
    );
    let (status, said) = fails(&arm, &format!("deployment group create -g g -n d -f {file}"));
    assert_eq!(status, 1);
    let mut at = error(&said)["error"].clone();
    let mut codes = Vec::new();
    loop {
        codes.push(at["code"].as_str().unwrap().to_owned());
        let Some(inner) = at["details"].get(0).cloned() else { break };
        at = inner;
    }
    let [deployment, resource] = ["DeploymentFailed", "ResourceDeploymentFailure"];
    assert_eq!(codes, [deployment, resource, deployment, resource, deployment, "StorageAccountAlreadyTaken"]);
    assert_eq!(at["target"], arm.resource_id("g", "Test.Things/things", "deep"));
    // What reads its output is not tried.
    assert!(arm.resources().is_empty());
}

#[test]
fn loops_make_one_each() {
    let Some(arm) = Arm::start() else { return };
    arm.put_group("g", "west", json!({}));
    let mut many = resource("[format('n{0}', copyIndex())]", json!({}));
    many["copy"] = json!({"name": "many", "count": 3});
    let mut last =
        resource("last", json!({"copy": [{"name": "list", "count": 2, "input": "[copyIndex('list', 1)]"}]}));
    last["dependsOn"] = json!(["many"]);
    let file = template(&arm, "main.json", &json!({"resources": [last, many]})).display().to_string();
    let made = says(&arm, &format!("deployment group create -g g -n d -f {file}"));
    assert_eq!(names(made["properties"]["outputResources"].as_array().unwrap()), ["n0", "n1", "n2", "last"]);
    assert_eq!(
        arm.get(&arm.resource_id("g", "Test.Things/things", "last")).unwrap()["properties"]["list"],
        json!([1, 2])
    );
}
