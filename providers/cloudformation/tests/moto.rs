//! Stacks by the real `aws` against moto_server.

#![expect(clippy::disallowed_methods, reason = "tests deal with real processes and surroundings")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use support::{World, inputs, output, parameters};
use windlass_model::{ErrorClass, Type, Value};
use windlass_provider::conformance::{Case, run};
use windlass_provider::{Drift, Probe, Verdict};

#[test]
fn another_process() {
    support::as_another_process();
}

const QUEUE: &str = "\
AWSTemplateFormatVersion: '2010-09-09'
Parameters:
  Name: {Type: String}
  Delay: {Type: Number, Default: 0}
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Ref Name
      DelaySeconds: !Ref Delay
  Topic:
    Type: AWS::SNS::Topic
    Properties: {TopicName: fixed}
Outputs:
  Url: {Value: !Ref Queue}
  Topic: {Value: !Ref Topic}
";

/// The bucket of another name is really another one.
const BUCKET: &str = "  Bucket:
    Type: AWS::S3::Bucket
    Properties: {BucketName: NAME}
Outputs:
  Bucket: {Value: !Ref Bucket}
";

fn queue(name: &str, queue: &str) -> Value {
    inputs(&[
        ("name", Value::from(name)),
        ("template_body", Value::from(QUEUE.replace("!Ref Name", queue))),
        ("parameters", parameters(&[("Name", queue)])),
        ("tags", Value::map(Type::String, vec![("team".into(), Value::from("a"))])),
    ])
}

async fn world(region: &str) -> Option<World> {
    let world = World::on(support::moto()?, region).await;
    world.write("queue.yaml", QUEUE);
    Some(world)
}

#[tokio::test]
async fn a_stack_lives() {
    let Some(mut world) = world("eu-west-1").await else { return };
    let with_bucket = |name: &str| {
        let body = QUEUE.replace("Outputs:\n", &BUCKET.replace("NAME", name));
        inputs(&[
            ("name", Value::from("shop")),
            ("template_body", Value::from(body)),
            ("parameters", parameters(&[("Name", "orders")])),
        ])
    };
    let desired = with_bucket("lives-orders");

    let proposed = world.plan(None, Some(&desired)).await.unwrap();
    assert_eq!(proposed.verdict, Verdict::Change);
    let nested: Vec<String> =
        proposed.nested.iter().map(|change| format!("{} {}", change.action, change.address)).collect();
    assert_eq!(nested, ["create Bucket", "create Queue", "create Topic"]);
    assert!(output(&proposed.planned, "Url").is_unknown());
    assert_eq!(proposed.place.as_deref(), Some("cloudformation 123456789012 eu-west-1 shop"));
    assert_eq!(
        world.calls(),
        ["get-caller-identity", "describe-stacks", "create-change-set", "describe-change-set"]
    );
    assert!(world.scratch().is_empty(), "{:?}", world.scratch());
    assert_eq!(world.stacks(), ["shop REVIEW_IN_PROGRESS"]);

    let call = world.call();
    let seen = world.apply_as(&call, None, Some(&desired), &proposed).await.unwrap().unwrap();
    assert!(output(&seen.value, "Url").as_str().unwrap().ends_with("/orders"));
    let calls = world.calls();
    assert_eq!(calls[..2], ["execute-change-set", "describe-stacks"], "{calls:?}");
    let probed = world.probe_as(&call, None, &desired, &proposed).await.unwrap();
    assert!(matches!(probed, Probe::Done(Some(found)) if found.value.same(&seen.value)));
    let made = world.record(&desired, seen);

    world.reopen().await;
    let unchanged = world.plan(Some(&made), Some(&desired)).await.unwrap();
    assert_eq!(unchanged.verdict, Verdict::Same);
    assert!(unchanged.drift.is_none(), "{:?}", unchanged.drift);
    assert!(unchanged.planned.same(&made.value.0), "{:?}", unchanged.planned);

    assert_eq!(
        world.calls(),
        ["describe-stacks", "create-change-set", "describe-change-set", "delete-change-set"]
    );

    world.reopen().await;
    let changed = with_bucket("lives-invoices");
    let proposed = world.plan(Some(&made), Some(&changed)).await.unwrap();
    assert_eq!(proposed.verdict, Verdict::Change);
    let why: Vec<String> = proposed.why.iter().map(ToString::to_string).collect();
    assert_eq!(why, ["template_body"]);
    assert_eq!(world.calls(), ["describe-stacks", "create-change-set", "describe-change-set"]);
    let seen = world.apply(Some(&made), Some(&changed), &proposed).await.unwrap().unwrap();
    assert_eq!(output(&seen.value, "Bucket").as_str(), Some("lives-invoices"));
    let buckets = world.aws(&["s3api", "list-buckets"]).to_string();
    assert!(buckets.contains("lives-invoices") && !buckets.contains("lives-orders"), "{buckets}");
    let made = world.record(&changed, seen);

    world.reopen().await;
    let proposed = world.plan(Some(&made), None).await.unwrap();
    assert!(world.apply(Some(&made), None, &proposed).await.unwrap().is_none());
    let calls = world.calls();
    assert_eq!(calls, ["describe-stacks", "delete-stack", "describe-stack-events"]);
    assert!(world.stacks().is_empty());
    world.reopen().await;
    assert!(world.plan(Some(&made), None).await.unwrap().drift.is_some());
}

#[tokio::test]
async fn what_every_provider_has_to_do() {
    let Some(world) = world("eu-west-2").await else { return };
    let moved = queue("other", "orders");
    let remove = |value: &Value| {
        world.aws(&[
            "cloudformation",
            "delete-stack",
            "--stack-name",
            value.get("name").unwrap().as_str().unwrap(),
        ]);
    };
    let case = Case {
        kind: "cloudformation_stack",
        config: Value::object::<&str>([]),
        desired: queue("shop", "orders"),
        updated: Some(queue("shop", "invoices")),
        replaced: Some(moved),
        import: Some("shop".to_owned()),
        remove: Some(&remove),
        repeatable: false,
    };
    let provider = windlass_provider_cloudformation::provider();
    run(&provider, &world.bench, &case).await.unwrap();
}

#[tokio::test]
async fn a_name_that_is_taken_is_told_with_the_way_out() {
    let Some(world) = world("eu-west-3").await else { return };
    let desired = queue("shop", "orders");
    let made = world.go(None, &desired).await;

    // Ours, but state does not know of it.
    let error = world.plan(None, Some(&desired)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::NameTaken);
    assert!(error.message.contains("this very address"), "{}", error.message);
    assert!(error.hint.unwrap().contains("windlass state import cloudformation_stack.queue shop"));

    world.write("theirs.yaml", &QUEUE.replace("!Ref Name", "theirs"));
    let body = format!("file://{}", world.dir.join("theirs.yaml").display());
    let parameter = "ParameterKey=Name,ParameterValue=theirs";
    world.aws(&[
        "cloudformation",
        "create-stack",
        "--stack-name",
        "theirs",
        "--template-body",
        &body,
        "--parameters",
        parameter,
    ]);
    let theirs = queue("theirs", "theirs");
    let fresh = World::on(support::moto().unwrap(), "eu-west-3").await;
    fresh.write("queue.yaml", QUEUE);
    let error = fresh.plan(None, Some(&theirs)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::NameTaken);
    assert!(error.message.contains("not made by Windlass"), "{}", error.message);

    let imported = fresh.session.import(&fresh.call(), "theirs", &theirs).await.unwrap();
    assert!(output(&imported.value, "Url").as_str().unwrap().ends_with("/theirs"));
    assert_eq!(imported.nested.len(), 2);
    // A replacement does not mind that the old one is there.
    let ask =
        windlass_provider::Ask { prior: Some(&made), desired: Some(&desired), refresh: true, replace: true };
    let proposed = fresh.session.plan(&fresh.call(), ask).await.unwrap();
    assert_eq!(proposed.verdict, Verdict::Replace);
    assert!(output(&proposed.planned, "Url").is_unknown());
    let gone = fresh.plan(Some(&made), None).await.unwrap();
    fresh.apply(Some(&made), None, &gone).await.unwrap();
    let seen = fresh.apply(None, Some(&desired), &proposed).await.unwrap().unwrap();
    assert!(output(&seen.value, "Url").as_str().unwrap().ends_with("/orders"));
}

#[tokio::test]
async fn drift_made_by_hand_is_seen_and_put_right() {
    let Some(world) = world("eu-central-1").await else { return };
    let desired = queue("shop", "orders");
    let made = world.go(None, &desired).await;
    world.write("queue.yaml", &QUEUE.replace("!Ref Name", "orders"));
    let template = format!("file://{}", world.dir.join("queue.yaml").display());
    let parameter = "ParameterKey=Name,ParameterValue=byhand";
    world.aws(&[
        "cloudformation",
        "update-stack",
        "--stack-name",
        "shop",
        "--template-body",
        &template,
        "--parameters",
        parameter,
    ]);

    let seen = world.session.read(&world.call(), &made).await.unwrap().unwrap();
    assert_eq!(seen.value.get("parameters").unwrap().get("Name").unwrap().as_str(), Some("byhand"));
    assert!(world.said().contains("cannot be detected here"));

    let proposed = world.plan(Some(&made), Some(&desired)).await.unwrap();
    assert_eq!(proposed.verdict, Verdict::Change);
    let Some(Drift::Changed(observed)) = &proposed.drift else { panic!("{:?}", proposed.drift) };
    assert!(output(&observed.value, "Url").as_str().unwrap().ends_with("/orders"));
    let why: Vec<String> = proposed.why.iter().map(ToString::to_string).collect();
    assert_eq!(why, ["parameters.Name"]);
    let mut drifted = made.clone();
    drifted.value = observed.value.clone().into();
    let seen = world.apply(Some(&drifted), Some(&desired), &proposed).await.unwrap().unwrap();
    assert!(seen.value.get("parameters").unwrap().get("Name").unwrap().as_str() == Some("orders"));
    let made = world.record(&desired, seen);

    world.aws(&["cloudformation", "delete-stack", "--stack-name", "shop"]);
    assert!(world.session.read(&world.call(), &made).await.unwrap().is_none());
    let proposed = world.plan(Some(&made), Some(&desired)).await.unwrap();
    assert!(matches!(proposed.drift, Some(Drift::Gone)));
    assert_eq!(proposed.verdict, Verdict::Change);
}

#[tokio::test]
async fn a_plan_that_is_thrown_away_leaves_nothing() {
    let Some(world) = world("us-east-2").await else { return };
    let desired = queue("shop", "orders");
    let proposed = world.plan(None, Some(&desired)).await.unwrap();
    let noted = world.bench.engine.notes();
    world.calls();
    world.session.discard(&world.call(), proposed.artefact.as_ref().unwrap()).await.unwrap();
    assert_eq!(world.calls(), ["delete-change-set", "describe-stacks", "list-change-sets", "delete-stack"]);
    assert!(world.stacks().is_empty());
    // Whoever finds only the note finds the same; and that it is gone already is no error.
    world.session.discard(&world.call(), &noted[0]).await.unwrap();
    let made = world.go(None, &desired).await;
    let changed = queue("shop", "invoices");
    let proposed = world.plan(Some(&made), Some(&changed)).await.unwrap();
    world.calls();
    world.session.discard(&world.call(), proposed.artefact.as_ref().unwrap()).await.unwrap();
    assert_eq!(world.calls(), ["delete-change-set"]);
    assert_eq!(world.stacks(), ["shop CREATE_COMPLETE"]);
    let left = world.aws(&["cloudformation", "list-change-sets", "--stack-name", "shop"]);
    let names: Vec<&str> = left["Summaries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|set| set["ExecutionStatus"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["EXECUTE_COMPLETE"]);
}

#[tokio::test]
async fn a_stack_that_waits_for_something_is_deferred() {
    let Some(mut world) = world("us-west-1").await else { return };
    let waiting = |value: Value| {
        let mut given =
            inputs(&[("name", Value::from("shop")), ("template_file", Value::from("queue.yaml"))]);
        let all = Value::object([("Name", value), ("Delay", Value::from(5))]);
        let entries = given.entries().unwrap().iter().map(|(name, value)| (name.to_string(), value.clone()));
        given = Value::object(entries.chain([("parameters".to_owned(), all)]));
        given
    };
    let unknown = waiting(Value::unknown_from(Type::String, "terraform_root.net.outputs.name"));
    let proposed = world.plan(None, Some(&unknown)).await.unwrap();
    assert_eq!(proposed.verdict, Verdict::Deferred);
    assert_eq!(proposed.waits_for, ["terraform_root.net.outputs.name"]);
    let lines: Vec<String> = proposed
        .nested
        .iter()
        .map(|change| format!("{} {}: {}", change.action, change.address, change.lines.join(", ")))
        .collect();
    assert_eq!(
        lines,
        [
            "create Queue: + DelaySeconds: \"5\", + QueueName: (known after apply)",
            "create Topic: + TopicName: \"fixed\""
        ]
    );
    assert!(proposed.artefact.is_none() && output(&proposed.planned, "Url").is_unknown());
    assert_eq!(world.calls(), ["get-caller-identity", "describe-stacks"]);
    assert!(world.stacks().is_empty());

    let made = world.go(None, &waiting(Value::from("orders"))).await;
    world.calls();
    world.reopen().await;
    let proposed = world.plan(Some(&made), Some(&unknown)).await.unwrap();
    assert_eq!(proposed.verdict, Verdict::Deferred);
    let lines: Vec<String> = proposed.nested.iter().map(|change| change.lines.join(", ")).collect();
    assert_eq!(lines, ["~ QueueName: \"orders\" -> (known after apply)"]);
    assert_eq!(world.calls(), ["describe-stacks"]);

    // Nothing of it is known: not even asked for.
    let nameless = inputs(&[
        ("name", Value::unknown_from(Type::String, "a.b.c")),
        ("template_file", Value::from("queue.yaml")),
    ]);
    let proposed = world.plan(None, Some(&nameless)).await.unwrap();
    assert_eq!((proposed.verdict, proposed.waits_for.join(" ")), (Verdict::Deferred, "a.b.c".to_owned()));
    assert!(world.calls().is_empty());
}

#[tokio::test]
async fn an_output_that_nothing_touches_stays_known() {
    let Some(world) = world("us-west-2").await else { return };
    let desired = inputs(&[
        ("name", Value::from("shop")),
        ("template_file", Value::from("./queue.yaml")),
        ("parameters", parameters(&[("Name", "orders")])),
    ]);
    let made = world.go(None, &desired).await;
    world.write("queue.yaml", &QUEUE.replace("TopicName: fixed", "TopicName: other"));
    let proposed = world.plan(Some(&made), Some(&desired)).await.unwrap();
    assert_eq!(proposed.verdict, Verdict::Change);
    assert!(output(&proposed.planned, "Url").is_known());
    assert!(output(&proposed.planned, "Topic").is_unknown());
    assert!(proposed.planned.get("stack_id").unwrap().is_known());
}

#[tokio::test]
async fn secrets_are_in_no_argument_and_marked_in_outputs() {
    let Some(world) = world("ap-south-1").await else { return };
    let secret = "orders-geheim-4711";
    world.bench.tools.redact.add(secret);
    let given = Value::object([("Name", Value::from(secret).sensitive())]);
    let desired = inputs(&[
        ("name", Value::from("shop")),
        ("template_body", Value::from(format!("{QUEUE}  Name: {{Value: !Ref Name}}\n"))),
        ("parameters", given),
    ]);
    let proposed = world.plan(None, Some(&desired)).await.unwrap();
    let seen = world.apply(None, Some(&desired), &proposed).await.unwrap().unwrap();
    assert!(output(&seen.value, "Name").is_sensitive() && !output(&seen.value, "Topic").is_sensitive());
    let calls = world.counted.as_ref().unwrap().calls().join("\n");
    assert!(!calls.contains(secret) && !world.said().contains(secret));
    assert!(!std::fs::read_to_string(world.dir.join("log")).unwrap().contains(secret));
    assert!(world.scratch().is_empty());
}

#[tokio::test]
async fn a_large_template_goes_through_the_bucket() {
    let Some(world) = world("us-east-1").await else { return };
    let large = format!("{QUEUE}# {}\n", "x".repeat(60_000));
    let with = |bucket: Value| {
        inputs(&[
            ("name", Value::from("shop")),
            ("template_body", Value::from(large.as_str())),
            ("parameters", parameters(&[("Name", "orders")])),
            ("template_bucket", bucket),
        ])
    };
    let error = world.plan(None, Some(&with(Value::NULL))).await.unwrap_err();
    assert!(error.hint.unwrap().contains("template_bucket") && world.calls().is_empty());
    let missing = world.plan(None, Some(&with(Value::from("templates")))).await.unwrap_err();
    assert_eq!(missing.class, ErrorClass::NotFound, "{}", missing.message);
    world.aws(&[
        "s3api",
        "create-bucket",
        "--bucket",
        "templates",
        "--create-bucket-configuration",
        "LocationConstraint=eu-west-1",
    ]);
    world.calls();
    let made = world.go(None, &with(Value::from("templates"))).await;
    assert!(world.calls().contains(&"put-object".to_owned()));
    assert!(output(&made.value.0, "Url").as_str().is_some());
}
