//! Deployments and stacks of a whole subscription.

use serde_json::json;
use windlass_testing::arm::Arm;

use super::{asked, names, says, template_of};

fn ground(arm: &Arm) -> String {
    let inner = json!({"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0",
        "resources": [{"type": "Test.Things/things", "apiVersion": "2024-01-01", "name": "a", "location": "[resourceGroup().location]"}]});
    let parts = json!({"resources": [
        {"type": "Microsoft.Resources/resourceGroups", "apiVersion": "2024-11-01", "name": "made", "location": "[deployment().location]", "tags": {"a": "b"}},
        {"type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "inner", "resourceGroup": "made",
            "dependsOn": ["[subscriptionResourceId('Microsoft.Resources/resourceGroups', 'made')]"],
            "properties": {"mode": "Incremental", "expressionEvaluationOptions": {"scope": "inner"}, "template": inner}}
    ], "outputs": {"id": {"type": "string", "value": "[subscriptionResourceId('Microsoft.Resources/resourceGroups', 'made')]"}}});
    template_of(arm, "sub.json", "subscriptionDeploymentTemplate", &parts).display().to_string()
}

#[test]
fn a_deployment_makes_a_group_and_what_is_in_it() {
    let Some(arm) = Arm::start() else { return };
    let file = ground(&arm);
    let planned = says(&arm, &format!("deployment sub what-if -l west -n d -f {file} --no-pretty-print"));
    let kinds: Vec<_> = planned["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["changeType"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["Create", "Create"]);
    asked(&arm);
    let made = says(&arm, &format!("deployment sub create -l west -n d -f {file}"));
    assert_eq!(asked(&arm)[..2], ["POST /deployments/d/validate", "PUT /deployments/d"]);
    assert_eq!(made["location"], "west");
    assert_eq!(made["properties"]["outputs"]["id"]["value"], arm.group_id("made"));
    assert_eq!(arm.resource_groups()[0]["tags"], json!({"a": "b"}));
    assert_eq!(arm.resources()[0]["location"], "west");
    assert_eq!(says(&arm, "deployment operation sub list -n d").as_array().unwrap().len(), 3);
    let again = says(&arm, &format!("deployment sub what-if -l west -n d -f {file} --no-pretty-print"));
    assert!(
        again["changes"].as_array().unwrap().iter().all(|one| one["changeType"] == "NoChange"),
        "{again}"
    );
}

#[test]
fn a_stack_takes_its_group_with_it() {
    let Some(arm) = Arm::start() else { return };
    let file = ground(&arm);
    let stack = format!(
        "/subscriptions/{}/providers/Microsoft.Resources/deploymentStacks/s",
        arm.default_subscription()
    );
    let planned = says(
        &arm,
        &format!(
            "stack-whatif sub create -l west -n w --stack-id {stack} -f {file} --action-on-unmanage deleteAll --deny-settings-mode none --retention-interval P1D --no-pretty-print"
        ),
    );
    assert_eq!(planned["properties"]["changes"]["resourceChanges"].as_array().unwrap().len(), 2);
    let made = says(
        &arm,
        &format!(
            "stack sub create -l west -n s -f {file} --action-on-unmanage deleteAll --deny-settings-mode none --yes"
        ),
    );
    assert_eq!(names(made["resources"].as_array().unwrap()), ["made", "a"]);
    assert_eq!(made["location"], "west");
    says(&arm, "stack sub delete -n s --action-on-unmanage deleteResources --yes");
    assert_eq!((arm.resources().len(), arm.resource_groups().len()), (0, 1));
    says(
        &arm,
        &format!(
            "stack sub create -l west -n s -f {file} --action-on-unmanage deleteAll --deny-settings-mode none --yes"
        ),
    );
    says(&arm, "stack sub delete -n s --action-on-unmanage deleteAll --yes");
    assert!(arm.resource_groups().is_empty());
}
