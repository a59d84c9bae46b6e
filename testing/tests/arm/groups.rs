//! Resource groups and resources.

use serde_json::json;
use windlass_testing::arm::Arm;

use super::{asked, fails, names, says};

#[test]
fn a_group_is_made_shown_and_deleted() {
    let Some(arm) = Arm::start() else { return };
    let made = says(&arm, "group create -n g -l west --tags a=b");
    assert_eq!(made["properties"]["provisioningState"], "Succeeded");
    assert_eq!(made["tags"], json!({"a": "b"}));
    assert_eq!(asked(&arm), ["PUT /resourcegroups/g"]);
    assert_eq!(says(&arm, "group show -n g")["id"], arm.group_id("g"));
    assert_eq!(says(&arm, "group exists -n g"), true);
    assert_eq!(asked(&arm), ["GET /resourcegroups/g", "HEAD /resourcegroups/g"]);
    says(&arm, "group delete -n g --yes");
    let polls = asked(&arm);
    assert_eq!(polls[0], "DELETE /resourcegroups/g");
    assert!(
        polls[1..].iter().all(|line| line.starts_with("GET /operationresults/")) && polls.len() == 3,
        "{polls:?}"
    );
    assert_eq!(says(&arm, "group exists -n g"), false);
    let (status, said) = fails(&arm, "group show -n g");
    assert_eq!(status, 3);
    assert_eq!(
        said,
        "ERROR: (ResourceGroupNotFound) Resource group 'g' could not be found.\nCode: ResourceGroupNotFound\nMessage: Resource group 'g' could not be found.\n"
    );
}

#[test]
fn resources_are_listed_shown_tagged_and_deleted() {
    let Some(arm) = Arm::start() else { return };
    arm.put_group("g", "west", json!({}));
    let id = arm.resource_id("g", "Test.Things/things", "a");
    arm.put_resource(&id, &json!({"location": "west", "properties": {"x": 1}}));
    let listed = says(&arm, "resource list -g g");
    assert_eq!(names(listed.as_array().unwrap()), ["a"]);
    assert_eq!(says(&arm, &format!("resource show --ids {id}"))["properties"]["x"], 1);
    let tagged = says(&arm, &format!("tag update --resource-id {id} --operation merge --tags a=b"));
    assert_eq!(tagged["properties"]["tags"], json!({"a": "b"}));
    arm.set_property(&id, "properties.x", json!(2));
    assert_eq!(arm.get(&id).unwrap()["properties"]["x"], 2);
    says(&arm, &format!("resource delete --ids {id}"));
    assert!(arm.resources().is_empty());
}

#[test]
fn what_cannot_be_deleted_keeps_its_group() {
    let Some(arm) = Arm::start() else { return };
    arm.put_group("g", "west", json!({}));
    let id = arm.resource_id("g", "Test.Things/things", "a");
    arm.put_resource(&id, &json!({"location": "west"}));
    let failure = windlass_testing::arm::Failure::new(409, "ScopeLocked", "The scope is locked.");
    arm.undeletable("a", Some(failure));
    let (status, said) = fails(&arm, "group delete -n g --yes");
    assert_eq!(status, 1);
    assert!(said.contains("(ResourceGroupDeletionBlocked)"), "{said}");
    assert_eq!(arm.resource_groups()[0]["properties"]["provisioningState"], "Succeeded");
    arm.behave();
    arm.undeletable("a", None);
    says(&arm, "group delete -n g --yes --no-wait");
    assert_eq!(says(&arm, "group show -n g")["properties"]["provisioningState"], "Deleting");
}
