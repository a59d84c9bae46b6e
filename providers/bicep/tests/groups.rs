//! The group that a deployment makes, inputs that are not known yet, who is logged in, and tools that are missing.

#![expect(clippy::disallowed_methods, reason = "tests deal with real processes, time and surroundings")]
#![expect(clippy::unwrap_used, reason = "tests")]

#[expect(dead_code, reason = "it uses a part")]
mod support;

use std::collections::BTreeMap;

use serde_json::json;
use support::{Here, World, nested, output, parameters, warnings, wish};
use windlass_model::{ErrorClass, Type, Value};
use windlass_provider::{Left, Verdict, supervise};
use windlass_testing::arm::{Failure, Login};

/// Not a test of its own: the supervisor, when a test starts it.
#[test]
fn another_process() {
    if std::env::var_os("AS_SUPERVISOR").is_some() {
        std::process::exit(i32::from(supervise(std::io::stdin(), std::io::stderr())));
    }
}

fn owning(more: &[(&str, Value)]) -> Value {
    let group = [("create_resource_group", Value::from(true)), ("location", Value::from("westeurope"))];
    wish(&group.into_iter().chain(more.iter().cloned()).collect::<Vec<_>>())
}

#[tokio::test]
async fn a_group_is_made_owned_and_deleted() {
    let Some(world) = World::new().await else { return };
    for mode in ["stack", "deployment"] {
        let first = owning(&[("mode", mode.into()), parameters("a", &[])]);
        let plan = world.plan(None, Some(&first)).await.unwrap();
        assert_eq!(world.calls().len(), 1);
        assert_eq!(
            nested(&plan),
            [
                "create resourceGroups/rg",
                "create Microsoft.Network/virtualNetworks/main",
                "create Microsoft.Storage/storageAccounts/astore"
            ]
        );
        assert!(warnings(&plan).iter().any(|line| line.contains("not there yet")), "{:?}", warnings(&plan));
        let seen = world.apply(None, Some(&first), &plan).await.unwrap().unwrap();
        assert_eq!(world.calls(), ["group create", &format!("{mode} group create")]);
        assert_eq!(world.arm.resource_groups()[0]["tags"]["windlass:address"], "bicep_deployment.app");
        let record = world.record(&first, seen);
        let plan = world.plan(Some(&record), Some(&first)).await.unwrap();
        assert_eq!(plan.verdict, Verdict::Same, "{:?}", plan.nested);
        assert_eq!(world.calls().len(), 2);

        // Nothing that is somebody else's is deleted with it.
        let stranger = world.arm.resource_id("rg", "Microsoft.Web/sites", "theirs");
        world.arm.put_resource(&stranger, &json!({"location": "westeurope", "properties": {}}));
        let plan = world.plan(Some(&record), None).await.unwrap();
        let warned = warnings(&plan).iter().any(|line| line.contains("Microsoft.Web/sites/theirs"));
        assert!(warned, "{:?}", warnings(&plan));
        assert_eq!(nested(&plan).last().unwrap(), "delete resourceGroups/rg");
        let failure = world.apply(Some(&record), None, &plan).await.unwrap_err();
        assert!(matches!(failure.left, Left::Untouched));
        assert_eq!(failure.error.class, ErrorClass::Conflict);
        world.arm.delete(&stranger);
        world.destroy(&record).await;
        assert!(world.arm.resource_groups().is_empty());
        world.calls();
    }
}

#[tokio::test]
async fn a_foreign_group_is_name_taken_and_can_be_taken_in() {
    let Some(world) = World::with_group().await else { return };
    let desired = owning(&[parameters("a", &[])]);
    let error = world.plan(None, Some(&desired)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::NameTaken, "{error:?}");
    let hint = error.hint.unwrap();
    assert!(
        hint.contains(&format!("windlass state import bicep_deployment.app {}", world.arm.group_id("rg"))),
        "{hint}"
    );
    let seen = world.session.import(&world.call(), &world.arm.group_id("rg"), &desired).await.unwrap();
    let record = world.record(&desired, seen);
    let plan = world.plan(Some(&record), Some(&desired)).await.unwrap();
    assert_eq!(plan.verdict, Verdict::Change);
    let seen = world.apply(None, Some(&desired), &plan).await.unwrap().unwrap();
    world.destroy(&world.record(&desired, seen)).await;
    assert!(world.arm.resource_groups().is_empty());
}

#[tokio::test]
async fn a_group_that_was_made_for_a_stack_that_failed_is_known() {
    let Some(world) = World::new().await else { return };
    let desired = owning(&[parameters("a", &[])]);
    let plan = world.plan(None, Some(&desired)).await.unwrap();
    world.arm.invalid(Failure::new(400, "InvalidTemplate", "Deployment template validation failed."));
    let failure = world.apply(None, Some(&desired), &plan).await.unwrap_err();
    let Left::There(seen) = failure.left else { panic!("{:?}", failure.left) };
    world.arm.behave();
    world.destroy(&world.record(&desired, *seen)).await;
    assert!(world.arm.resource_groups().is_empty());
}

#[tokio::test]
async fn what_does_not_wait_is_certain() {
    let Some(world) = World::with_group().await else { return };
    let unknown = |source: &str| Value::unknown_from(Type::String, source);
    let prefix = ("prefix", unknown("terraform_root.net.outputs.prefix"));
    let desired = wish(&[("parameters", Value::object([prefix]))]);
    let plan = world.plan(None, Some(&desired)).await.unwrap();
    assert!(world.calls().is_empty());
    assert_eq!(plan.verdict, Verdict::Deferred);
    assert_eq!(nested(&plan), ["create Microsoft.Network/virtualNetworks/main"]);
    assert_eq!(plan.waits_for, ["terraform_root.net.outputs.prefix"]);
    assert!(output(&plan.planned, "account").is_unknown());
    // The name is known, a property is not.
    let desired = wish(&[parameters("a", &[("tls", unknown("x.y.outputs.tls"))])]);
    let plan = world.plan(None, Some(&desired)).await.unwrap();
    let account =
        plan.nested.iter().find(|one| one.address.contains("storage")).or(plan.nested.last()).unwrap();
    assert_eq!(account.address, "Microsoft.Storage/storageAccounts/astore");
    assert!(
        account.lines.contains(&"? properties.minimumTlsVersion: known after x.y.outputs.tls".to_owned()),
        "{:?}",
        account.lines
    );
    // Of what is there nothing certain changes; what was an output and cannot change stays.
    let record = world.go(None, &wish(&[parameters("a", &[])])).await;
    let plan = world.plan(Some(&record), Some(&desired)).await.unwrap();
    assert_eq!((plan.verdict, nested(&plan).len()), (Verdict::Deferred, 0), "{:?}", plan.nested);
    assert_eq!(output(&plan.planned, "count").as_i64(), Some(3));
    assert!(output(&plan.planned, "tls").is_unknown());
    // Not even the place is known.
    let desired = wish(&[parameters("a", &[]), ("name", unknown("x.y.outputs.name"))]);
    let plan = world.plan(None, Some(&desired)).await.unwrap();
    assert_eq!((plan.verdict, plan.waits_for), (Verdict::Deferred, vec!["x.y.outputs.name".to_owned()]));
}

async fn as_somebody(
    world: &World,
    login: Login,
    more: &[(&str, Value)],
) -> windlass_provider::ProviderError {
    let mut env = world.arm.env_as(login);
    env.insert("PATH".to_owned(), std::env::var("PATH").unwrap());
    env.insert("PATH".to_owned(), windlass_testing::tools::path_with(world.az.bin()));
    let here = Here::at(&world.dir, env, Value::object::<&str>([])).await;
    let desired = wish(&[&[parameters("a", &[])], more].concat());
    here.plan(None, Some(&desired)).await.unwrap_err()
}

#[tokio::test]
async fn who_is_not_logged_in_is_told_what_to_do() {
    let Some(world) = World::with_group().await else { return };
    let error = as_somebody(&world, Login::No, &[]).await;
    assert_eq!((error.class, error.hint.as_deref()), (ErrorClass::Auth, Some("run `az login`")));
    assert!(world.calls().is_empty());
    let error = as_somebody(&world, Login::WrongSecret, &[]).await;
    assert_eq!(error.class, ErrorClass::Auth, "{error:?}");
    assert!(error.message.contains("AADSTS7000215"), "{}", error.message);
    assert!(error.hint.unwrap().contains("secret"));
    world.calls();
    let other = ("subscription", Value::from("no such one"));
    let error = as_somebody(&world, Login::ServicePrincipal, &[other]).await;
    assert_eq!(error.class, ErrorClass::InvalidConfig, "{error:?}");
    assert!(error.message.contains(&world.arm.default_subscription()), "{}", error.message);
    assert!(world.calls().is_empty());
}

#[tokio::test]
async fn another_default_subscription_is_another_account() {
    let Some(world) = World::with_group().await else { return };
    let desired = wish(&[parameters("a", &[])]);
    let account = world.session.account_for("bicep_deployment", &desired).await.unwrap().unwrap();
    assert_eq!(
        account,
        format!("azure {} {}", windlass_testing::arm::TENANT, world.arm.default_subscription())
    );
    let plan = world.plan(None, Some(&desired)).await.unwrap();
    let (other, _) = windlass_testing::arm::SUBSCRIPTIONS[1];
    world.arm.switch_subscription(other);
    assert_ne!(world.session.account_for("bicep_deployment", &desired).await.unwrap().unwrap(), account);
    world.arm.forget_requests();
    let failure = world.apply(None, Some(&desired), &plan).await.unwrap_err();
    assert!(failure.error.stale && matches!(failure.left, Left::Untouched), "{:?}", failure.error);
    assert!(world.arm.requests().is_empty());
}

#[tokio::test]
async fn a_missing_group_and_a_missing_az_are_told() {
    let Some(world) = World::new().await else { return };
    let error = world.plan(None, Some(&wish(&[parameters("a", &[])]))).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::NotFound, "{error:?}");
    assert!(error.hint.unwrap().contains("create_resource_group = true"));
    let mut env: BTreeMap<String, String> = world.arm.env();
    env.insert("PATH".to_owned(), "/nowhere".to_owned());
    let here = Here::at(&world.dir, env, Value::object::<&str>([])).await;
    let error = here.plan(None, Some(&wish(&[parameters("a", &[])]))).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::ToolMissing, "{error:?}");
    assert!(error.hint.unwrap().contains("aka.ms/installazurecli"));
    // What Azure need not be asked for is told without it.
    let error =
        world.plan(None, Some(&wish(&[parameters("a", &[("prefixx", 1.into())])]))).await.unwrap_err();
    assert_eq!(error.hint.as_deref(), Some("did you mean `prefix`?"));
}

#[tokio::test]
async fn the_version_is_asked_once() {
    let Some(world) = World::new().await else { return };
    for _ in 0..2 {
        assert_eq!(world.session.tool().await.unwrap(), "az 2.91.0");
    }
    assert_eq!(world.az.calls().len(), 1);
}
