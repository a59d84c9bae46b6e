//! What a plan says and asks where no local server answers so; by a scripted `aws`.

#![expect(clippy::disallowed_methods, reason = "tests deal with real processes and surroundings")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use support::case::*;
use support::scripted::*;
use support::*;
use windlass_model::*;
use windlass_provider::*;

#[test]
fn another_process() {
    support::as_another_process();
}

fn planned_nothing() -> Proposed {
    Proposed {
        verdict: Verdict::Same,
        planned: Value::NULL,
        why: Vec::new(),
        nested: Vec::new(),
        artefact: None,
        drift: None,
        place: None,
        warnings: Vec::new(),
        waits_for: Vec::new(),
    }
}

async fn join_all<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        for (one, done) in waiting.iter_mut().filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(value) = one.as_mut().poll(context) {
                *done = Some(value);
            }
        }
        if waiting.iter().all(|(_, done)| done.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}

#[tokio::test]
async fn a_change_set_is_described_whole() {
    let (world, script) = world().await;
    let old = queue(&[]);
    let prior = made(&world, &script, &old).await;
    let proposed = planned_update(&world, &script, &prior, &invoices(&[])).await;
    assert_eq!(proposed.verdict, Verdict::Change);
    let change = &proposed.nested[0];
    assert_eq!((change.action.as_str(), change.because.join(",").as_str()), ("replace", "QueueName"));
    assert_eq!(change.lines, ["the old one is deleted", "~ QueueName: \"orders\" -> \"invoices\""]);
    assert!(output(&proposed.planned, "Url").is_unknown());
    let call = script.last("create-change-set");
    assert!(
        call.contains("--change-set-type UPDATE") && call.contains("--change-set-name windlass-01bench-"),
        "{call}"
    );
    assert!(call.contains("--client-token windlass-"), "{call}");
    assert!(script.last("describe-change-set").contains("--include-property-values"));
    let request = script.request("create-change-set");
    assert_eq!(request["IncludeNestedStacks"], true);
    assert_eq!(request["OnStackFailure"], "ROLLBACK");
    assert_eq!(request["Tags"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn what_is_protected_or_in_use_is_not_deleted() {
    let (world, script) = world().await;
    let prior = made(&world, &script, &queue(&[])).await;
    script.answers(
        "describe-stacks",
        &[&stack_with("CREATE_COMPLETE", r#""EnableTerminationProtection": true,"#)],
    );
    let error = world.plan(Some(&prior), None).await.unwrap_err();
    assert!(error.hint.unwrap().contains("termination_protection = false"));
    assert_eq!(error.at.unwrap().to_string(), "termination_protection");

    script.fails(
        "delete-stack",
        "ValidationError",
        "Export shop-queue cannot be deleted as it is in use by orders",
    );
    let proposed = Proposed { verdict: Verdict::Change, ..planned_nothing() };
    let failure = world.apply(Some(&prior), None, &proposed).await.unwrap_err();
    assert_eq!(failure.error.class, ErrorClass::Conflict);
    assert!(failure.error.message.contains("in use by orders") && matches!(failure.left, Left::Untouched));
}

#[tokio::test]
async fn no_changes_are_no_change_in_both_words() {
    for words in [
        "The submitted information didn't contain changes. Submit different information to create a change set.",
        "No updates are to be performed.",
    ] {
        let (world, script) = world().await;
        let desired = queue(&[]);
        let prior = made(&world, &script, &desired).await;
        script.answers("create-change-set", &[&created()]);
        script.answers("describe-change-set", &[&change_set("FAILED", "UNAVAILABLE", words, "")]);
        script.answers("delete-change-set", &[""]);
        let proposed = world.plan(Some(&prior), Some(&desired)).await.unwrap();
        assert_eq!(proposed.verdict, Verdict::Same);
        assert!(proposed.planned.same(&prior.value.0), "{:?}", proposed.planned);
        assert_eq!(script.count("delete-change-set"), 1);
    }
    let (world, script) = world().await;
    script.answers("create-change-set", &[&created()]);
    script.answers(
        "describe-change-set",
        &[&change_set("FAILED", "UNAVAILABLE", "Template error: no such resource", "")],
    );
    script.answers("delete-change-set", &[""]);
    script.answers("list-change-sets", &[r#"{"Summaries": []}"#]);
    let error = world.plan(None, Some(&queue(&[]))).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::InvalidConfig);
    assert!(error.message.contains("no such resource"));
    assert_eq!(script.count("delete-change-set"), 1);
}

#[tokio::test]
async fn settings_beside_the_template_are_changes_of_their_own() {
    let (world, script) = world().await;
    let prior = made(&world, &script, &queue(&[])).await;
    script.answers("create-change-set", &[&created()]);
    script.answers(
        "describe-change-set",
        &[&change_set("FAILED", "UNAVAILABLE", "No updates are to be performed.", "")],
    );
    script.answers("delete-change-set", &[""]);
    let policy = r#"{"Statement":[{"Effect":"Deny","Action":"Update:*","Principal":"*","Resource":"*"}]}"#;
    let desired =
        queue(&[("stack_policy", Value::from(policy)), ("termination_protection", Value::from(true))]);
    let proposed = world.plan(Some(&prior), Some(&desired)).await.unwrap();
    assert_eq!(proposed.verdict, Verdict::Change);
    let why: Vec<String> = proposed.why.iter().map(ToString::to_string).collect();
    assert_eq!(why, ["stack_policy", "termination_protection"]);
    script.answers("set-stack-policy", &[""]);
    script.answers("update-termination-protection", &[""]);
    world.apply(Some(&prior), Some(&desired), &proposed).await.unwrap().unwrap();
    assert_eq!(script.request("set-stack-policy")["StackPolicyBody"], policy);
    assert!(script.last("update-termination-protection").contains("--enable-termination-protection"));
    assert_eq!(script.count("execute-change-set"), 0);
}

#[tokio::test]
async fn drift_inside_is_detected_and_put_right() {
    let (world, script) = world().await;
    let desired = queue(&[]);
    let prior = made(&world, &script, &desired).await;
    script.answers("detect-stack-drift", &[r#"{"StackDriftDetectionId": "d"}"#]);
    let status = |detection: &str, drift: &str| {
        format!(r#"{{"DetectionStatus": "{detection}", "StackDriftStatus": "{drift}"}}"#)
    };
    script.answers(
        "describe-stack-drift-detection-status",
        &[&status("DETECTION_IN_PROGRESS", "UNKNOWN"), &status("DETECTION_COMPLETE", "DRIFTED")],
    );
    script.answers(
        "describe-stack-resource-drifts",
        &[r#"{"StackResourceDrifts": [{"LogicalResourceId": "Queue", "ResourceType": "AWS::SQS::Queue",
            "StackResourceDriftStatus": "MODIFIED", "PropertyDifferences": [{"PropertyPath": "/DelaySeconds",
            "ExpectedValue": "0", "ActualValue": "5", "DifferenceType": "NOT_EQUAL"}]}]}"#],
    );
    let seen = world.session.read(&world.call(), &prior).await.unwrap().unwrap();
    assert!(!seen.value.same(&prior.value.0));
    let drifted = seen.value.get("drifted").unwrap().get("Queue").unwrap().as_str().unwrap().to_owned();
    assert_eq!(drifted, "DelaySeconds: 0 -> 5");

    let mut record = prior.clone();
    record.value = seen.value.into();
    let proposed = planned_update(&world, &script, &record, &desired).await;
    assert_eq!(proposed.verdict, Verdict::Change);
    assert_eq!(script.request("create-change-set")["DeploymentMode"], "REVERT_DRIFT");

    script.answers(
        "describe-stack-drift-detection-status",
        &["", "", &status("DETECTION_COMPLETE", "IN_SYNC")],
    );
    let seen = world.session.read(&world.call(), &prior).await.unwrap().unwrap();
    assert!(seen.value.same(&prior.value.0));
}

#[tokio::test]
async fn what_is_wrong_is_said_before_anybody_is_asked() {
    let (world, script) = world().await;
    let role = "Resources: {R: {Type: AWS::IAM::Role, Properties: {RoleName: x}}}";
    let error = world
        .plan(None, Some(&queue(&[("template_body", Value::from(role)), ("parameters", Value::NULL)])))
        .await
        .unwrap_err();
    assert!(
        error.message.contains("CAPABILITY_NAMED_IAM is needed by R (AWS::IAM::Role with RoleName)"),
        "{}",
        error.message
    );
    assert_eq!(error.hint.as_deref(), Some("if that is meant: capabilities = [\"CAPABILITY_NAMED_IAM\"]"));
    let error =
        world.plan(None, Some(&queue(&[("parameters", parameters(&[("Nam", "x")]))]))).await.unwrap_err();
    assert!(error.message.contains("did you mean `Name`?"), "{}", error.message);
    assert!(script.calls().is_empty(), "{:?}", script.calls());
}

#[tokio::test]
async fn another_account_is_told_before_anything_is_believed() {
    let (world, script) = world().await;
    let prior = made(&world, &script, &queue(&[])).await;
    script.answers("get-caller-identity", &[r#"{"Account": "999999999999"}"#]);
    script.answers("describe-stacks", &[r#"{"Stacks": []}"#]);
    for desired in [Some(queue(&[])), None] {
        let error = world.plan(Some(&prior), desired.as_ref()).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Auth);
        assert!(error.message.contains("123456789012") && error.message.contains("999999999999"));
    }
    assert!(world.session.read(&world.call(), &prior).await.is_err());
    let account = world.session.account_for("cloudformation_stack", &queue(&[])).await.unwrap();
    assert_eq!(account.as_deref(), Some("aws 999999999999 eu-west-1"));
    assert_eq!(script.count("get-caller-identity"), 1);
}

#[tokio::test]
async fn old_leftovers_are_swept_and_young_ones_are_not() {
    for (created_at, swept) in [("2023-11-01T00:00:00Z", true), ("2023-11-14T00:00:00Z", false)] {
        let (world, script) = world().await;
        let left = stack("REVIEW_IN_PROGRESS")
            .replace("2023-11-01T00:00:00.000Z", created_at)
            .replace("\"shop\"", "\"old\"");
        script.answers("describe-stacks", &[&left]);
        let sets = format!(
            r#"{{"Summaries": [{{"ChangeSetId": "{SET_ID}", "ChangeSetName": "windlass-a-b", "Status": "CREATE_COMPLETE",
            "ExecutionStatus": "AVAILABLE", "CreationTime": "{created_at}"}}]}}"#
        );
        script.answers("list-change-sets", &[&sets]);
        script.answers("delete-change-set", &[""]);
        script.answers("delete-stack", &[""]);
        planned(&world, &script, &queue(&[])).await;
        assert_eq!(script.count("delete-stack"), usize::from(swept), "{created_at}");
        assert_eq!(script.count("delete-change-set"), usize::from(swept));
    }
}

#[tokio::test]
async fn a_stack_in_doubt_is_taken_in_by_the_next_plan() {
    let (world, script) = world().await;
    let desired = queue(&[]);
    let proposed = planned(&world, &script, &desired).await;
    let mut record = made(&world, &script, &desired).await;
    record.value = proposed.planned.clone().into();
    record.private = windlass_model::Private::default();
    record.in_doubt = Some("create was asked for".to_owned());
    script.answers("describe-stacks", &["", &stack("CREATE_COMPLETE")]);
    script.answers(
        "describe-change-set",
        &[&change_set("FAILED", "UNAVAILABLE", "No updates are to be performed.", "")],
    );
    script.answers(
        "describe-change-set",
        &["", &change_set("FAILED", "UNAVAILABLE", "No updates are to be performed.", "")],
    );
    script.answers("delete-change-set", &[""]);
    // As another process: nothing is described yet.
    let provider = windlass_provider_cloudformation::provider();
    use windlass_provider::Provider as _;
    let session = provider.open(&Value::object::<&str>([]), world.bench.tools.clone()).await.unwrap();
    let ask = Ask { prior: Some(&record), desired: Some(&desired), refresh: true, replace: false };
    let proposed = session.plan(&world.call(), ask).await.unwrap();
    assert_eq!(proposed.verdict, Verdict::Same);
    let Some(windlass_provider::Drift::Changed(observed)) = proposed.drift else {
        panic!("{:?}", proposed.drift)
    };
    assert!(observed.value.is_known(), "{:?}", observed.value);
    assert_eq!(observed.private.data["account"], "123456789012");
}

#[tokio::test]
async fn the_plans_of_many_stacks_share_their_describes() {
    let (world, script) = world().await;
    script.answers("create-change-set", &[&created()]);
    script.answers("describe-change-set", &[&change_set("CREATE_COMPLETE", "AVAILABLE", "", ADD)]);
    let all: Vec<Value> = (0..10).map(|i| queue(&[("name", Value::from(format!("shop-{i}")))])).collect();
    let (one, two) = all.split_at(5);
    for group in [one, two] {
        let plans = group.iter().map(|desired| world.plan(None, Some(desired)));
        for proposed in join_all(plans).await {
            assert_eq!(proposed.unwrap().verdict, Verdict::Change);
        }
    }
    assert_eq!(script.count("get-caller-identity"), 1);
    assert_eq!(script.count("describe-stacks"), 1);
    assert_eq!(script.count("create-change-set"), 10);
}

#[test]
fn every_call_is_a_row_of_the_documentation() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("../../docs/providers/cloudformation.md")).unwrap();
    let table = page.split("## Calls").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut operations = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(root.join("src")).unwrap().flatten() {
        let Ok(text) = std::fs::read_to_string(entry.path()) else { continue };
        let code: String = text.split_whitespace().collect();
        for call in code.split("=cloudformation(\"").chain(code.split(",cloudformation(\"")).skip(1) {
            let name = call.split('"').next().unwrap();
            if name.chars().all(|c| c.is_ascii_lowercase() || c == '-') && name.contains('-') {
                operations.insert(name.to_owned());
            }
        }
    }
    assert!(operations.len() > 15, "{operations:?}");
    let missing: Vec<&String> =
        operations.iter().filter(|name| !table.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn a_stack_of_that_name_that_is_not_ours_is_never_deleted() {
    let (world, script) = world().await;
    let mut record = made(&world, &script, &queue(&[])).await;
    // A create in doubt: only the name is known.
    record.value = queue(&[]).into();
    record.private = windlass_model::Private::default();
    script.answers(
        "describe-stacks",
        &[&stack("CREATE_COMPLETE").replace("cloudformation_stack.queue", "other")],
    );
    let proposed = world.plan(Some(&record), None).await.unwrap();
    assert!(matches!(proposed.drift, Some(windlass_provider::Drift::Gone)));
    assert!(world.apply(Some(&record), None, &proposed).await.unwrap().is_none());
    assert_eq!(script.count("delete-stack"), 0);
}
