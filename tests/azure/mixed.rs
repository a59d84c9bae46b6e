//! `examples/mixed`: one graph over terraform, CloudFormation, Bicep and a file.

use windlass_testing::moto::Moto;

use crate::cloud::{Cloud, names};
use crate::support;

fn stacks(moto: &Moto) -> usize {
    let all = moto.aws(["cloudformation", "list-stacks"]);
    let there = |stack: &&serde_json::Value| stack["StackStatus"] != "DELETE_COMPLETE";
    all["StackSummaries"].as_array().into_iter().flatten().filter(there).count()
}

#[test]
fn the_example_lives_its_whole_life() {
    if support::tool("terraform", "examples/mixed").is_none() {
        return;
    }
    let (Some(moto), Some(mut cloud)) = (Moto::start(), Cloud::new(Some("examples/mixed"))) else { return };
    let both = format!("{}:{}", moto.env()["PATH"], cloud.env["PATH"]);
    cloud.env.extend(moto.env());
    cloud.env.insert("PATH".to_owned(), both);
    let queue = |cloud: &Cloud| {
        let relay =
            cloud.arm.resource_id("windlass-mixed-rg", "Microsoft.Relay/namespaces", "windlass-mixed-relay");
        cloud.arm.get(&relay).unwrap()["tags"]["source"].as_str().unwrap().to_owned()
    };

    cloud.run("plan", 0).says("cloudformation_stack.queue").says("bicep_deployment.relay");
    cloud.is_empty();
    assert_eq!(stacks(&moto), 0);
    cloud.run("apply --auto-approve", 0);
    assert_eq!((stacks(&moto), names(&cloud.arm.stacks())), (1, vec!["windlass-mixed-relay".to_owned()]));
    assert!(queue(&cloud).ends_with("/windlass-mixed-relay"));
    let handover = cloud.sandbox.read("handover.txt");
    assert!(handover.starts_with("net-10-2-0-0 -> /subscriptions/"), "{handover}");
    cloud.run("plan --detailed-exitcode", 0);

    // A change at the head of the graph runs through it; what it does not reach is not asked.
    let other = "--var cidr=10.9.0.0/16";
    cloud.run(&format!("apply --auto-approve {other}"), 0);
    assert!(cloud.sandbox.read("handover.txt").starts_with("net-10-9-0-0 -> "));

    // By hand: the relay goes away.
    let relay =
        cloud.arm.resource_id("windlass-mixed-rg", "Microsoft.Relay/namespaces", "windlass-mixed-relay");
    cloud.arm.delete(&relay);
    cloud.run(&format!("apply --auto-approve --refresh=always {other}"), 0);
    assert!(cloud.arm.get(&relay).is_some());

    // Another prefix replaces what is named after it.
    let renamed = format!("{other} --var prefix=other");
    cloud.run(&format!("apply --auto-approve {renamed}"), 0);
    assert_eq!((stacks(&moto), names(&cloud.arm.stacks())), (1, vec!["other-relay".to_owned()]));

    cloud.run("rollback --to 1 --auto-approve", 0);
    assert_eq!(cloud.sandbox.read("handover.txt"), handover);
    cloud.run("destroy --auto-approve", 0);
    cloud.is_empty();
    assert_eq!(stacks(&moto), 0);
    assert!(!cloud.sandbox.exists("handover.txt"));
}
