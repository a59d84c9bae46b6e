//! Deployment stacks by the real az, against the fake of ARM: made, changed, what leaves, drift, import, destroy; and how
//! often az is started for it.

#![expect(clippy::disallowed_methods, reason = "tests deal with real processes, time and surroundings")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use serde_json::json;
use support::{World, nested, output, parameters, told, warnings, wish};
use windlass_model::{ErrorClass, Value};
use windlass_provider::{Ask, Drift, Left, Verdict, supervise};
use windlass_testing::arm::{Failure, When};

/// Not a test of its own: the supervisor, when a test starts it.
#[test]
fn another_process() {
    if std::env::var_os("AS_SUPERVISOR").is_some() {
        std::process::exit(i32::from(supervise(std::io::stdin(), std::io::stderr())));
    }
}

#[tokio::test]
async fn a_stack_is_made_changed_and_deleted_with_few_calls() {
    let Some(world) = World::with_group().await else { return };
    let first = wish(&[parameters("a", &[])]);
    let plan = world.plan(None, Some(&first)).await.unwrap();
    assert_eq!(world.calls(), ["stack-whatif group create"]);
    assert_eq!(plan.verdict, Verdict::Change);
    assert_eq!(
        nested(&plan),
        ["create Microsoft.Network/virtualNetworks/main", "create Microsoft.Storage/storageAccounts/astore"]
    );
    assert!(output(&plan.planned, "tls").is_unknown());
    assert!(plan.place.as_deref().unwrap().ends_with("rg stack app"), "{:?}", plan.place);
    let seen = world.apply(None, Some(&first), &plan).await.unwrap().unwrap();
    assert_eq!(world.calls(), ["stack group create"]);
    assert_eq!(world.resources(), ["astore", "main"]);
    assert_eq!(output(&seen.value, "tls").as_str(), Some("TLS1_2"));
    assert_eq!(output(&seen.value, "count").as_i64(), Some(3));
    assert_eq!(seen.value.get("resources").unwrap().items().unwrap().len(), 2);
    let id = |value: &Value| value.get("deployment_id").and_then(Value::as_str).map(str::to_owned);
    assert_eq!((id(&seen.value).is_some(), id(&seen.value)), (true, id(&plan.planned)));
    let tags = &world.arm.stacks()[0]["tags"];
    assert_eq!(tags["windlass:address"], "bicep_deployment.app");
    assert_eq!(tags["windlass:environment"], "default");
    let record = world.record(&first, seen);

    // Nothing new: two calls, and no change.
    let plan = world.plan(Some(&record), Some(&first)).await.unwrap();
    let mut calls = world.calls();
    calls.sort();
    assert_eq!(calls, ["stack group show", "stack-whatif group create"]);
    assert_eq!((plan.verdict, plan.drift.is_some()), (Verdict::Same, false), "{:?}", plan.nested);
    assert!(plan.planned.same(&record.value.0));
    // Nobody looks: no call at all.
    let ask = Ask { prior: Some(&record), desired: Some(&first), refresh: false, replace: false };
    let plan = world.session.plan(&world.call(), ask).await.unwrap();
    assert_eq!(plan.verdict, Verdict::Same);
    assert!(world.calls().is_empty());

    // A change, and a resource that leaves and is deleted.
    let second = wish(&[parameters("a", &[("sku", "Premium_LRS".into()), ("network", false.into())])]);
    let plan = world.plan(Some(&record), Some(&second)).await.unwrap();
    assert_eq!(
        nested(&plan),
        ["delete Microsoft.Network/virtualNetworks/main", "update Microsoft.Storage/storageAccounts/astore"]
    );
    assert!(
        plan.nested[1].lines.contains(&"~ sku.name: \"Standard_LRS\" -> \"Premium_LRS\"".to_owned()),
        "{:?}",
        plan.nested
    );
    assert_eq!(plan.why, ["parameters".into()]);
    assert_eq!(output(&plan.planned, "count").as_i64(), Some(3));
    assert!(output(&plan.planned, "tls").is_unknown());
    world.calls();
    let seen = world.apply(Some(&record), Some(&second), &plan).await.unwrap().unwrap();
    assert_eq!(world.calls(), ["stack group create"]);
    assert_eq!(world.resources(), ["astore"]);
    let record = world.record(&second, seen);

    let plan = world.destroy(&record).await;
    assert_eq!(nested(&plan), ["delete Microsoft.Storage/storageAccounts/astore"]);
    assert_eq!(world.calls(), ["stack group show", "stack group delete"]);
    assert!(world.resources().is_empty() && world.arm.stacks().is_empty());
    assert!(world.scratch().is_empty(), "{:?}", world.scratch());
}

#[tokio::test]
async fn what_leaves_is_detached_where_it_says_so() {
    let Some(world) = World::with_group().await else { return };
    let detach = ("action_on_unmanage", Value::from("detach"));
    let record = world.go(None, &wish(&[parameters("a", &[]), detach.clone()])).await;
    let second = wish(&[parameters("a", &[("network", false.into())]), detach]);
    let plan = world.plan(Some(&record), Some(&second)).await.unwrap();
    assert_eq!(nested(&plan), ["forget Microsoft.Network/virtualNetworks/main"]);
    let record = world.go(Some(&record), &second).await;
    assert_eq!(world.resources(), ["astore", "main"]);
    let plan = world.destroy(&record).await;
    assert_eq!(nested(&plan), ["forget Microsoft.Storage/storageAccounts/astore"]);
    assert_eq!(world.resources(), ["astore", "main"]);
    assert!(world.arm.stacks().is_empty());
}

#[tokio::test]
async fn drift_is_seen_and_undone() {
    let Some(world) = World::with_group().await else { return };
    let desired = wish(&[parameters("a", &[])]);
    let record = world.go(None, &desired).await;
    let account = world.arm.resource_id("rg", "Microsoft.Storage/storageAccounts", "astore");
    world.arm.set_property(&account, "properties.minimumTlsVersion", json!("TLS1_0"));
    world.arm.delete(&world.arm.resource_id("rg", "Microsoft.Network/virtualNetworks", "main"));
    let seen = world.session.read(&world.call(), &record).await.unwrap().unwrap();
    let drift: Vec<&str> =
        seen.value.get("drift").unwrap().items().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(drift.contains(&"create Microsoft.Network/virtualNetworks/main"), "{drift:?}");
    let line =
        "Microsoft.Storage/storageAccounts/astore: ~ properties.minimumTlsVersion: \"TLS1_0\" -> \"TLS1_2\"";
    assert!(drift.contains(&line), "{drift:?}");
    let plan = world.plan(Some(&record), Some(&desired)).await.unwrap();
    assert_eq!(plan.verdict, Verdict::Change);
    assert!(matches!(plan.drift, Some(Drift::Changed(_))));
    let seen = world.apply(Some(&record), Some(&desired), &plan).await.unwrap().unwrap();
    assert_eq!(world.resources(), ["astore", "main"]);
    assert!(seen.value.get("drift").unwrap().items().unwrap().is_empty());
    let record = world.record(&desired, seen);
    assert_eq!(world.plan(Some(&record), Some(&desired)).await.unwrap().verdict, Verdict::Same);
    // Deleted by hand.
    let left =
        world.arm.az(["stack", "group", "delete", "-n", "app", "-g", "rg", "--aou", "deleteAll", "--yes"]);
    assert!(left.status.success(), "{left:?}");
    assert!(world.session.read(&world.call(), &record).await.unwrap().is_none());
    let plan = world.plan(Some(&record), Some(&desired)).await.unwrap();
    assert!(matches!(plan.drift, Some(Drift::Gone)), "{:?}", plan.drift);
    assert_eq!(plan.verdict, Verdict::Change);
}

#[tokio::test]
async fn noise_is_folded_and_listed_on_request() {
    let Some(world) = World::with_group().await else { return };
    let desired = wish(&[parameters("a", &[])]);
    let record = world.go(None, &desired).await;
    let account = world.arm.resource_id("rg", "Microsoft.Storage/storageAccounts", "astore");
    world.arm.noise(&account, "sku.tier", json!("Standard"));
    world.arm.noise(&account, "properties.provisioningState", json!("Succeeded"));
    let plan = world.plan(Some(&record), Some(&desired)).await.unwrap();
    assert_eq!(plan.verdict, Verdict::Same, "{:?}", plan.nested);
    assert!(
        warnings(&plan)
            .iter()
            .any(|line| line.contains("folded away as noise; show_noise = true lists them")),
        "{:?}",
        warnings(&plan)
    );
    let listed = wish(&[parameters("a", &[]), ("show_noise", true.into())]);
    let plan = world.plan(Some(&record), Some(&listed)).await.unwrap();
    assert!(
        warnings(&plan).iter().any(|line| line.contains("- sku.tier: \"Standard\"")),
        "{:?}",
        warnings(&plan)
    );
}

#[tokio::test]
async fn a_foreign_stack_is_name_taken_and_can_be_imported() {
    let Some(world) = World::with_group().await else { return };
    world.write(
        "theirs.json",
        &support::MAIN
            .replace("  // A comment, which `az stack` refuses and `az deployment` sends on.\n", "")
            .replace("\"defaultValue\": \"\" },\n", "\"defaultValue\": \"\" }\n"),
    );
    let theirs = world.dir.join("theirs.json");
    let made = world.arm.az([
        "stack",
        "group",
        "create",
        "-n",
        "app",
        "-g",
        "rg",
        "--aou",
        "deleteAll",
        "--dm",
        "none",
        "--yes",
        "-f",
        theirs.to_str().unwrap(),
        "-p",
        "prefix=a",
    ]);
    assert!(made.status.success(), "{made:?}");
    let desired = wish(&[parameters("a", &[])]);
    let error = world.plan(None, Some(&desired)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::NameTaken, "{error:?}");
    let id = format!("{}/providers/Microsoft.Resources/deploymentStacks/app", world.arm.group_id("rg"));
    assert_eq!(error.hint.unwrap(), format!("take it in: windlass state import bicep_deployment.app {id}"));
    for id in [id.as_str(), "app"] {
        let seen = world.session.import(&world.call(), id, &desired).await.unwrap();
        let record = world.record(&desired, seen);
        let plan = world.plan(Some(&record), Some(&desired)).await.unwrap();
        assert_eq!(plan.verdict, Verdict::Same, "{:?} {:?}", plan.why, plan.nested);
    }
    let error = world.session.import(&world.call(), "/subscriptions/x/other", &desired).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::InvalidConfig);
    let other = wish(&[parameters("a", &[]), ("name", "nothing".into())]);
    let error = world.session.import(&world.call(), "nothing", &other).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::NotFound, "{error:?}");
}

#[tokio::test]
async fn secrets_are_nowhere() {
    let Some(world) = World::with_group().await else { return };
    let secret = "s3cr3t-geheim";
    let desired = wish(&[parameters("a", &[("key", Value::from(secret).sensitive())])]);
    let plan = world.plan(None, Some(&desired)).await.unwrap();
    assert!(warnings(&plan).iter().any(|line| line.contains("null here: key")), "{:?}", warnings(&plan));
    assert!(!format!("{:?}{:?}{:?}", plan.nested, plan.warnings, plan.artefact).contains(secret));
    assert!(output(&plan.planned, "shown").is_sensitive());
    let seen = world.apply(None, Some(&desired), &plan).await.unwrap().unwrap();
    assert!(output(&seen.value, "key").is_null() && output(&seen.value, "key").is_sensitive());
    assert!(output(&seen.value, "shown").is_sensitive());
    assert_eq!(output(&seen.value, "shown").as_str(), Some("key:s3cr3t-geheim"));
    assert!(!told(&world).contains(secret));
    assert!(world.scratch().is_empty());
    // One that the template declares secure is as secret without a mark.
    let record = world.record(&desired, seen);
    let other = wish(&[parameters("a", &[("key", "an0ther-geheim".into())])]);
    let plan = world.plan(Some(&record), Some(&other)).await.unwrap();
    assert!(plan.planned.get("parameters").unwrap().get("key").unwrap().is_sensitive());
    assert!(!format!("{:?}", plan.nested).contains("an0ther"), "{:?}", plan.nested);
}

#[tokio::test]
async fn without_a_what_if_of_stacks_the_deployment_s_is_taken() {
    let Some(world) = World::with_group().await else { return };
    world.arm.stacks_what_if(false);
    let first = wish(&[parameters("a", &[])]);
    let plan = world.plan(None, Some(&first)).await.unwrap();
    assert_eq!(nested(&plan).len(), 2);
    assert!(
        warnings(&plan).iter().any(|line| line.contains("no what-if for stacks")),
        "{:?}",
        warnings(&plan)
    );
    let seen = world.apply(None, Some(&first), &plan).await.unwrap().unwrap();
    let record = world.record(&first, seen);
    let second = wish(&[parameters("a", &[("network", false.into())])]);
    world.calls();
    let plan = world.plan(Some(&record), Some(&second)).await.unwrap();
    assert_eq!(nested(&plan), ["delete Microsoft.Network/virtualNetworks/main"]);
    let mut calls = world.calls();
    calls.sort();
    assert_eq!(calls, ["deployment group what-if", "stack group show"]);
}

#[tokio::test]
async fn a_nested_failure_says_what_matters_and_what_is_there() {
    let Some(world) = World::with_group().await else { return };
    let desired = wish(&[parameters("a", &[])]);
    let inner =
        Failure::new(409, "StorageAccountAlreadyTaken", "The storage account named astore is already taken.");
    world.arm.fail("astore", inner);
    let plan = world.plan(None, Some(&desired)).await.unwrap();
    let failure = world.apply(None, Some(&desired), &plan).await.unwrap_err();
    assert_eq!(failure.error.class, ErrorClass::NameTaken, "{:?}", failure.error);
    assert!(
        failure.error.message.contains("StorageAccountAlreadyTaken: The storage account"),
        "{}",
        failure.error.message
    );
    assert!(failure.error.hint.as_deref().unwrap().contains("unique in all of Azure"));
    let Left::There(seen) = failure.left else { panic!("{:?}", failure.left) };
    assert!(seen.value.get("outputs").is_some());
    // Refused before anything is begun.
    world.arm.behave();
    world.arm.invalid(Failure::new(400, "InvalidTemplate", "Deployment template validation failed."));
    let record = world.record(&desired, *seen);
    let error = world.plan(Some(&record), Some(&desired)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::InvalidConfig, "{error:?}");
}

#[tokio::test]
async fn throttling_is_a_class_of_its_own() {
    let Some(world) = World::with_group().await else { return };
    world.arm.throttle(When::path("deploymentStacksWhatIfResults").times(10), std::time::Duration::ZERO);
    let error = world.plan(None, Some(&wish(&[parameters("a", &[])]))).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::RateLimited, "{error:?}");
    assert!(error.hint.unwrap().contains("concurrency"));
}
