//! `examples/azure` as its text says: planned, applied, changed, drifted, rolled back, destroyed.

use serde_json::json;

use crate::cloud::{Cloud, names};

const PLAN: &str = "windlass-example-app-plan";

#[test]
fn the_example_lives_its_whole_life() {
    let Some(cloud) = Cloud::new(Some("examples/azure")) else { return };
    cloud.run("plan", 0).says("windlass-example-vnet").says_not("not-a-real-key");
    cloud.is_empty();

    let applied = cloud.run("apply --auto-approve", 0).says_not("not-a-real-key");
    drop(applied);
    assert_eq!(names(&cloud.arm.resource_groups()), ["windlass-example-rg"]);
    assert_eq!(names(&cloud.arm.stacks()), ["windlass-example-app", "windlass-example-network"]);
    let made = ["windlass-example-app", PLAN, "windlass-example-nsg", "windlass-example-vnet"];
    assert_eq!(names(&cloud.arm.resources()), made);
    assert!(cloud.output("network_id").ends_with("/virtualNetworks/windlass-example-vnet"));
    cloud.run("plan --detailed-exitcode", 0);
    cloud.run("plan --detailed-exitcode --refresh=always", 0);

    let bigger = "--var sku=Premium";
    assert_eq!(cloud.planned(bigger), ["update bicep_deployment.app"]);
    cloud.run(&format!("apply --auto-approve {bigger}"), 0);
    let plan = cloud.arm.resource_id("windlass-example-rg", "Microsoft.Web/serverfarms", PLAN);
    assert_eq!(cloud.arm.get(&plan).unwrap()["sku"]["name"], "Premium");

    // By hand: somebody makes it small again.
    cloud.arm.set_property(&plan, "sku.name", json!("Basic"));
    cloud.run("drift --detailed-exitcode", 2).says("bicep_deployment.app");
    let back = cloud.planned(&format!("--refresh=always {bigger}"));
    assert_eq!(back, ["update bicep_deployment.app"]);
    cloud.run(&format!("apply --auto-approve --refresh=always {bigger}"), 0);
    assert_eq!(cloud.arm.get(&plan).unwrap()["sku"]["name"], "Premium");

    cloud.run("rollback --to 1 --auto-approve", 0);
    assert_eq!(cloud.arm.get(&plan).unwrap()["sku"]["name"], "Standard");

    cloud.run("destroy --auto-approve", 0);
    cloud.is_empty();
}
