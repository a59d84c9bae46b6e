//! Incremental deployments, deployments to a subscription, and what the conformance suite asks of both kinds.

#![expect(clippy::disallowed_methods, reason = "tests deal with real processes, time and surroundings")]
#![expect(clippy::unwrap_used, reason = "tests")]

#[expect(dead_code, reason = "it uses a part")]
mod support;

use serde_json::json;
use support::{World, nested, output, parameters, wish};
use windlass_model::{ErrorClass, Value};
use windlass_provider::conformance::{Case, run};
use windlass_provider::{Left, Verdict, supervise};
use windlass_testing::arm::{Failure, Pace};

/// Not a test of its own: the supervisor, when a test starts it.
#[test]
fn another_process() {
    if std::env::var_os("AS_SUPERVISOR").is_some() {
        std::process::exit(i32::from(supervise(std::io::stdin(), std::io::stderr())));
    }
}

fn deployment(more: &[(&str, Value)]) -> Value {
    let mode = [("mode", Value::from("deployment"))];
    wish(&mode.into_iter().chain(more.iter().cloned()).collect::<Vec<_>>())
}

#[tokio::test]
async fn a_deployment_is_made_changed_and_deleted() {
    let Some(world) = World::with_group().await else { return };
    let first = deployment(&[parameters("a", &[])]);
    let plan = world.plan(None, Some(&first)).await.unwrap();
    assert_eq!(world.calls(), ["deployment group what-if"]);
    assert_eq!(nested(&plan).len(), 2);
    let seen = world.apply(None, Some(&first), &plan).await.unwrap().unwrap();
    assert_eq!(world.calls(), ["deployment group create"]);
    assert_eq!(output(&seen.value, "tls").as_str(), Some("TLS1_2"));
    let record = world.record(&first, seen);
    let plan = world.plan(Some(&record), Some(&first)).await.unwrap();
    assert_eq!(plan.verdict, Verdict::Same, "{:?}", plan.nested);
    let mut calls = world.calls();
    calls.sort();
    assert_eq!(calls, ["deployment group show", "deployment group what-if"]);

    // What leaves an incremental deployment is left alone, and is told so.
    let second = deployment(&[parameters("a", &[("network", false.into()), ("tls", "TLS1_1".into())])]);
    let plan = world.plan(Some(&record), Some(&second)).await.unwrap();
    assert_eq!(
        nested(&plan),
        ["forget Microsoft.Network/virtualNetworks/main", "update Microsoft.Storage/storageAccounts/astore"]
    );
    let seen = world.apply(Some(&record), Some(&second), &plan).await.unwrap().unwrap();
    assert_eq!(world.resources(), ["astore", "main"]);
    let record = world.record(&second, seen);
    world.calls();
    let plan = world.destroy(&record).await;
    assert_eq!(nested(&plan), ["delete Microsoft.Storage/storageAccounts/astore"]);
    assert_eq!(world.calls(), ["deployment group show", "resource delete", "deployment group delete"]);
    assert_eq!(world.resources(), ["main"]);
    assert!(world.arm.deployments().is_empty());
}

#[tokio::test]
async fn an_entry_that_azure_swept_is_not_the_end_of_what_it_made() {
    let Some(world) = World::with_group().await else { return };
    let desired = deployment(&[parameters("a", &[])]);
    let record = world.go(None, &desired).await;
    let swept = world.arm.az(["deployment", "group", "delete", "-n", "app", "-g", "rg"]);
    assert!(swept.status.success(), "{swept:?}");
    let plan = world.plan(Some(&record), Some(&desired)).await.unwrap();
    assert_eq!((plan.verdict, plan.drift.is_some()), (Verdict::Same, false), "{:?}", plan.drift);
    let seen = world.session.read(&world.call(), &record).await.unwrap().unwrap();
    assert!(seen.value.same(&record.value.0));
    world.destroy(&record).await;
    assert!(world.resources().is_empty());
}

#[tokio::test]
async fn a_failed_deployment_tells_the_error_that_matters() {
    let Some(world) = World::with_group().await else { return };
    let desired = deployment(&[parameters("a", &[])]);
    world.arm.fail("astore", Failure::new(409, "SkuNotAvailable", "The requested size is not available."));
    let plan = world.plan(None, Some(&desired)).await.unwrap();
    let failure = world.apply(None, Some(&desired), &plan).await.unwrap_err();
    let message = &failure.error.message;
    assert!(message.contains("SkuNotAvailable: The requested size is not available."), "{message}");
    assert_eq!(failure.error.class, ErrorClass::InvalidConfig);
    assert!(matches!(failure.left, Left::There(_)), "{:?}", failure.left);
    // Refused before it is begun: nothing is left.
    world.arm.behave();
    let other = deployment(&[parameters("b", &[]), ("name", "other".into())]);
    let plan = world.plan(None, Some(&other)).await.unwrap();
    world.arm.invalid(
        Failure::new(400, "InvalidTemplateDeployment", "The template deployment is not valid.").with(vec![
            json!({"code": "AccountNameInvalid", "message": "B is not a valid storage account name.", "target": "b"}),
        ]),
    );
    let failure = world.apply(None, Some(&other), &plan).await.unwrap_err();
    assert!(failure.error.message.contains("AccountNameInvalid"), "{}", failure.error.message);
    assert!(matches!(failure.left, Left::Untouched), "{:?}", failure.left);
}

#[tokio::test]
async fn an_interrupted_deployment_is_cancelled() {
    let Some(world) = World::with_group().await else { return };
    let desired = deployment(&[parameters("a", &[])]);
    let plan = world.plan(None, Some(&desired)).await.unwrap();
    world.arm.pace(Pace::Held);
    let call = world.call();
    let stopping = async {
        while world.arm.deployments().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        call.stop.interrupt();
    };
    let (applied, ()) = tokio::join!(world.apply_as(&call, None, Some(&desired), &plan), stopping);
    let failure = applied.unwrap_err();
    assert_eq!(failure.error.class, ErrorClass::Cancelled, "{:?}", failure.error);
    assert!(world.calls().contains(&"deployment group cancel".to_owned()));
    assert!(matches!(failure.left, Left::There(_)), "{:?}", failure.left);
    assert_eq!(world.arm.deployments()[0]["properties"]["provisioningState"], "Canceled");
}

const OF_SUBSCRIPTION: &str = r#"{
  "$schema": "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#",
  "contentVersion": "1.0.0.0",
  "parameters": { "name": { "type": "string" } },
  "resources": [
    { "type": "Microsoft.Resources/resourceGroups", "apiVersion": "2024-03-01", "name": "[parameters('name')]", "location": "westeurope", "properties": {} },
    { "type": "Microsoft.Resources/deployments", "apiVersion": "2024-03-01", "name": "inner", "resourceGroup": "[parameters('name')]",
      "dependsOn": ["[parameters('name')]"],
      "properties": { "mode": "Incremental", "expressionEvaluationOptions": { "scope": "inner" }, "template": {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0",
        "resources": [{ "type": "Microsoft.Network/virtualNetworks", "apiVersion": "2023-09-01", "name": "v", "location": "westeurope", "properties": {} }] } } }
  ],
  "outputs": { "group": { "type": "string", "value": "[parameters('name')]" } }
}"#;

#[tokio::test]
async fn a_subscription_is_deployed_to_in_both_ways() {
    let Some(world) = World::new().await else { return };
    world.write("sub.json", OF_SUBSCRIPTION);
    for mode in ["stack", "deployment"] {
        let desired = wish(&[
            ("mode", mode.into()),
            ("scope", "subscription".into()),
            ("resource_group", Value::NULL),
            ("location", "westeurope".into()),
            ("template_file", "sub.json".into()),
            ("parameters", Value::object([("name", Value::from(format!("{mode}-rg")))])),
        ]);
        let plan = world.plan(None, Some(&desired)).await.unwrap();
        let group = format!("resourceGroups/{mode}-rg");
        let network = format!("{group}/Microsoft.Network/virtualNetworks/v");
        assert_eq!(nested(&plan), [format!("create {group}"), format!("create {network}")]);
        let seen = world.apply(None, Some(&desired), &plan).await.unwrap().unwrap();
        assert_eq!(output(&seen.value, "group").as_str(), Some(format!("{mode}-rg").as_str()));
        let record = world.record(&desired, seen);
        let plan = world.plan(Some(&record), Some(&desired)).await.unwrap();
        assert_eq!(plan.verdict, Verdict::Same, "{mode}: {:?} {:?}", plan.why, plan.nested);
        world.destroy(&record).await;
        assert!(world.arm.resource_groups().is_empty(), "{mode}: {:?}", world.arm.resource_groups());
    }
}

async fn conforms(mode: &str) {
    let Some(world) = World::with_group().await else { return };
    let value = |name: &str, tls: &str| {
        let parameters =
            parameters("a", &[("tls", tls.into()), ("key", Value::from("t0psecret").sensitive())]);
        wish(&[("mode", mode.into()), ("name", name.into()), parameters])
    };
    let remove = |value: &Value| {
        let id = value.get("deployment_id").and_then(Value::as_str).unwrap();
        let name = id.rsplit('/').next().unwrap();
        let out = match mode {
            "stack" => world.arm.az([
                "stack",
                "group",
                "delete",
                "-n",
                name,
                "-g",
                "rg",
                "--aou",
                "deleteAll",
                "--yes",
            ]),
            _ => world.arm.az(["deployment", "group", "delete", "-n", name, "-g", "rg"]),
        };
        assert!(out.status.success(), "{out:?}");
        for id in value.get("resources").unwrap().items().unwrap() {
            world.arm.delete(id.as_str().unwrap());
        }
    };
    let case = Case {
        kind: "bicep_deployment",
        config: Value::NULL,
        desired: value("app", "TLS1_2"),
        updated: Some(value("app", "TLS1_1")),
        replaced: Some(value("other", "TLS1_1")),
        import: Some("app".to_owned()),
        remove: Some(&remove),
        repeatable: false,
    };
    run(&windlass_provider_bicep::provider(), &world.bench, &case).await.unwrap();
    assert_eq!(world.arm.resources(), Vec::<serde_json::Value>::new(), "{}", json!(world.arm.stacks()));
}

#[tokio::test]
async fn stacks_conform() {
    conforms("stack").await;
}

#[tokio::test]
async fn deployments_conform() {
    conforms("deployment").await;
}
