//! `examples/aws` as its text says: planned, applied, changed, replaced, drifted, rolled back, destroyed.

use serde_json::json;

use crate::account::Account;
use crate::support;

#[test]
fn the_example_lives_its_whole_life() {
    if support::tool("terraform", "examples/aws").is_none() {
        return;
    }
    let Some(account) = Account::new(Some("examples/aws")) else { return };
    let plan = account.run("plan", 0);
    let plan = plan.says("Queue").says("Alarms").says("it waits for cloudformation_stack.queue.outputs");
    drop(plan);
    account.is_empty();

    account.run("apply --auto-approve", 0);
    let made = ["windlass-example-queue CREATE_COMPLETE", "windlass-example-worker CREATE_COMPLETE"];
    assert_eq!(account.stacks(), made);
    let url = account.output("queue_url");
    assert!(url.ends_with("/windlass-example-jobs"), "{url}");
    assert!(account.output("summary").ends_with(&format!(" reads {url}")));
    account.run("plan --detailed-exitcode", 0);
    account.run("plan --detailed-exitcode --refresh=always", 0);

    // In place: the queue keeps its messages longer, nobody else is touched.
    let longer = "--var retention=7200";
    assert_eq!(account.planned(longer), ["update cloudformation_stack.queue"]);
    account.run(&format!("apply --auto-approve {longer}"), 0);
    // (This imitation of the cloud takes the parameter and leaves the queue alone.)
    let stack =
        account.moto.aws(["cloudformation", "describe-stacks", "--stack-name", "windlass-example-queue"]);
    let retention = json!({ "ParameterKey": "Retention", "ParameterValue": "7200" });
    assert!(stack["Stacks"][0]["Parameters"].as_array().unwrap().contains(&retention), "{stack}");
    assert!(account.change_sets("windlass-example-queue").is_empty());

    // Another name is another stack.
    let renamed = "--var retention=7200 --var prefix=other";
    let steps = account.planned(renamed);
    assert!(steps.contains(&"replace cloudformation_stack.queue".to_owned()), "{steps:?}");
    account.run(&format!("apply --auto-approve {renamed}"), 0);
    assert_eq!(account.stacks(), ["other-queue CREATE_COMPLETE", "other-worker CREATE_COMPLETE"]);
    assert_eq!(account.queues(), ["other-dead-letters", "other-jobs"]);

    // By hand: a stack goes away.
    account.moto.aws(["cloudformation", "delete-stack", "--stack-name", "other-worker"]);
    account.run("drift --detailed-exitcode", 2).says("cloudformation_stack.worker");
    let back = account.planned(&format!("--refresh=always {renamed}"));
    assert!(back.contains(&"create cloudformation_stack.worker".to_owned()), "{back:?}");
    account.run(&format!("apply --auto-approve --refresh=always {renamed}"), 0);
    assert_eq!(account.stacks(), ["other-queue CREATE_COMPLETE", "other-worker CREATE_COMPLETE"]);

    account.run("rollback --to 1 --auto-approve", 0);
    assert_eq!(account.stacks(), made);
    assert_eq!(account.output("queue_url"), url);

    account.run("destroy --auto-approve", 0);
    account.is_empty();
}
