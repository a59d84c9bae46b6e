//! Operations that fail, are lost or are interrupted, as no local server does them; by a scripted `aws`.

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

/// An update that ends in a status, after these resources failed.
async fn failed_update(
    status: &str,
    fails: &[(&str, &str, &str)],
    given: &[(&str, Value)],
) -> (World, Script, windlass_provider::ApplyFailure) {
    let (world, script) = world().await;
    let prior = made(&world, &script, &queue(&[])).await;
    let desired = invoices(given);
    let proposed = planned_update(&world, &script, &prior, &desired).await;
    let mut all = vec![("shop", "UPDATE_IN_PROGRESS", "")];
    all.extend(fails);
    all.push(("shop", status, "it failed"));
    script.answers("describe-stack-events", &[&events(&all)]);
    let later = stack_with(status, r#""LastUpdatedTime": "2023-11-15T00:00:00Z","#);
    script.answers("describe-stacks", &["", &later, &later]);
    let failure = world.apply(Some(&prior), Some(&desired), &proposed).await.unwrap_err();
    (world, script, *failure)
}

#[tokio::test]
async fn the_approved_change_set_is_executed_and_its_events_are_told() {
    let (world, script) = world().await;
    let desired = queue(&[("on_failure", Value::from("delete"))]);
    let proposed = planned(&world, &script, &desired).await;
    assert_eq!(script.request("create-change-set")["OnStackFailure"], "DELETE");
    let begun = [("shop", "CREATE_IN_PROGRESS", "User Initiated"), ("Queue", "CREATE_IN_PROGRESS", "")];
    let ended = [begun[0], begun[1], ("Queue", "CREATE_COMPLETE", ""), ("shop", "CREATE_COMPLETE", "")];
    let throttled = failure("Throttling", "Rate exceeded");
    script.answers("describe-stack-events", &[&events(&begun), &throttled, &events(&ended)]);
    let (going, over) = (stack("CREATE_IN_PROGRESS"), stack("CREATE_COMPLETE"));
    script.answers("describe-stacks", &["", &going, &over]);
    let call = world.call();
    let seen = world.apply_as(&call, None, Some(&desired), &proposed).await.unwrap().unwrap();
    assert_eq!(output(&seen.value, "Url").as_str(), Some("https://q"));
    assert_eq!(seen.nested.len(), 1);
    assert_eq!(seen.nested[0].id.as_deref(), Some("https://q"));
    let execute = script.last("execute-change-set");
    assert!(execute.contains(&format!("--change-set-name {SET_ID}")), "{execute}");
    assert!(execute.contains(&format!("--client-request-token {}", call.token)), "{execute}");
    let said = world.said();
    assert_eq!(said.matches("Queue (AWS::SQS::Queue) create in progress").count(), 1, "{said}");
    assert!(said.contains("stack create complete"), "{said}");
    assert_eq!(script.count("describe-stack-events"), 3);
}

#[tokio::test]
async fn a_create_that_was_taken_back_names_what_failed_first() {
    let (world, script) = world().await;
    let desired = queue(&[]);
    let proposed = planned(&world, &script, &desired).await;
    script.answers(
        "describe-stack-events",
        &[&events(&[
            ("shop", "CREATE_IN_PROGRESS", "User Initiated"),
            ("Queue", "CREATE_FAILED", "A queue named orders already exists"),
            ("Other", "CREATE_FAILED", "Resource creation cancelled"),
            (
                "shop",
                "ROLLBACK_IN_PROGRESS",
                "The following resource(s) failed to create: [Queue, Other]. Rollback requested by user.",
            ),
            ("shop", "ROLLBACK_COMPLETE", ""),
        ])],
    );
    script.answers("describe-stacks", &["", &stack("ROLLBACK_COMPLETE")]);
    let failure = world.apply(None, Some(&desired), &proposed).await.unwrap_err();
    let message = &failure.error.message;
    assert!(
        message.contains("Queue (AWS::SQS::Queue): create failed: A queue named orders already exists"),
        "{message}"
    );
    assert!(!message.contains("cancelled") && message.contains("rollback complete"), "{message}");
    assert_eq!(failure.error.class, ErrorClass::NameTaken);
    assert!(failure.error.hint.unwrap().contains("deleted first and made anew"));
    let Left::There(left) = failure.left else { panic!("{:?}", failure.left) };

    // Next time it is deleted and made anew.
    let record = world.record(&desired, *left);
    script.answers("describe-stacks", &[&stack("ROLLBACK_COMPLETE")]);
    script.answers("describe-stacks", &["", "", &stack("ROLLBACK_COMPLETE")]);
    let again = world.plan(Some(&record), Some(&desired)).await.unwrap();
    assert_eq!(again.verdict, Verdict::Replace);
    assert!(again.warnings[0].message.contains("rollback complete"), "{:?}", again.warnings);
    assert_eq!(again.nested[0].action, "create");
}

#[tokio::test]
async fn a_create_that_deletes_itself_leaves_nothing() {
    let (world, script) = world().await;
    let desired = queue(&[("on_failure", Value::from("delete"))]);
    let proposed = planned(&world, &script, &desired).await;
    script.answers(
        "describe-stack-events",
        &[&events(&[
            ("shop", "CREATE_IN_PROGRESS", ""),
            ("Queue", "CREATE_FAILED", "no"),
            ("shop", "DELETE_IN_PROGRESS", ""),
            ("shop", "DELETE_COMPLETE", ""),
        ])],
    );
    script
        .answers("describe-stacks", &["", &failure("ValidationError", "Stack with id shop does not exist")]);
    let failure = world.apply(None, Some(&desired), &proposed).await.unwrap_err();
    assert!(matches!(failure.left, Left::Gone), "{:?}", failure.left);
}

#[tokio::test]
async fn an_update_that_was_taken_back_leaves_what_was() {
    let fails = [("Queue", "UPDATE_FAILED", "Access Denied")];
    let (_, _, failure) = failed_update("UPDATE_ROLLBACK_COMPLETE", &fails, &[]).await;
    assert_eq!(failure.error.class, ErrorClass::Permission);
    assert!(failure.error.message.contains("Queue (AWS::SQS::Queue): update failed: Access Denied"));
    let Left::There(left) = failure.left else { panic!("{:?}", failure.left) };
    assert_eq!(left.value.get("parameters").unwrap().get("Name").unwrap().as_str(), Some("orders"));
    assert_eq!(output(&left.value, "Url").as_str(), Some("https://q"));
    assert_eq!(left.private.data["updated"], "2023-11-15T00:00:00Z");
}

#[tokio::test]
async fn a_rollback_that_failed_is_continued_by_command_or_by_the_next_apply() {
    let fails = [("Queue", "UPDATE_FAILED", "in the way"), ("Queue", "UPDATE_FAILED", "still in the way")];
    let (world, script, failure) = failed_update("UPDATE_ROLLBACK_FAILED", &fails, &[]).await;
    let hint = failure.error.hint.unwrap();
    assert!(
        hint.contains("aws cloudformation continue-update-rollback --stack-name shop --region eu-west-1"),
        "{hint}"
    );
    assert!(
        hint.contains("--resources-to-skip Queue") && hint.contains("resources_to_skip = [\"Queue\"]"),
        "{hint}"
    );

    script.clear();
    let prior = made(&world, &script, &queue(&[])).await;
    script.answers("get-caller-identity", &[r#"{"Account": "123456789012"}"#]);
    script.answers("describe-stacks", &[&stack("UPDATE_ROLLBACK_FAILED")]);
    let error = world.plan(Some(&prior), Some(&invoices(&[]))).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Conflict);
    assert!(error.hint.unwrap().contains("continue-update-rollback"));

    let desired = invoices(&[("resources_to_skip", Value::tuple(vec![Value::from("Queue")]))]);
    let proposed = world.plan(Some(&prior), Some(&desired)).await.unwrap();
    assert_eq!(proposed.verdict, Verdict::Change);
    assert_eq!(script.count("create-change-set"), 0);
    script.answers("continue-update-rollback", &[""]);
    script.answers("create-change-set", &[&created()]);
    script.answers("describe-change-set", &[&change_set("CREATE_COMPLETE", "AVAILABLE", "", "")]);
    script.answers("execute-change-set", &[""]);
    let back =
        events(&[("shop", "UPDATE_ROLLBACK_IN_PROGRESS", ""), ("shop", "UPDATE_ROLLBACK_COMPLETE", "")]);
    let done = events(&[("shop", "UPDATE_IN_PROGRESS", ""), ("shop", "UPDATE_COMPLETE", "")]);
    script.answers("describe-stack-events", &[&back, &done]);
    let over = stack("UPDATE_COMPLETE");
    let stuck = stack("UPDATE_ROLLBACK_FAILED");
    script.answers("describe-stacks", &[&stuck, &stuck, &over, &over]);
    world.apply(Some(&prior), Some(&desired), &proposed).await.unwrap().unwrap();
    assert!(script.last("continue-update-rollback").contains("--resources-to-skip Queue"));
    assert_eq!(script.count("execute-change-set"), 1);
}

#[tokio::test]
async fn with_rollback_disabled_what_was_made_is_kept() {
    let fails = [("Queue", "UPDATE_FAILED", "no")];
    let keep = [("on_failure", Value::from("keep"))];
    let (_world, script, failure) = failed_update("UPDATE_FAILED", &fails, &keep).await;
    assert_eq!(script.request("create-change-set")["OnStackFailure"], "DO_NOTHING");
    assert!(failure.error.hint.unwrap().contains("kept"));
    assert!(matches!(failure.left, Left::There(_)));
}

#[tokio::test]
async fn nested_failures_come_down_to_the_one_that_matters() {
    let (world, script) = world().await;
    let desired = queue(&[]);
    let proposed = planned(&world, &script, &desired).await;
    let nested = r#"{"StackId": "arn:x", "EventId": "n1", "LogicalResourceId": "Net", "PhysicalResourceId": "arn:aws:cloudformation:nested",
        "ResourceType": "AWS::CloudFormation::Stack", "Timestamp": "2023-11-14T00:00:01Z", "ResourceStatus": "CREATE_FAILED",
        "ResourceStatusReason": "Embedded stack was not successfully created", "ClientRequestToken": "@TOKEN@"}"#;
    let of_stack = events(&[("shop", "CREATE_IN_PROGRESS", ""), ("shop", "ROLLBACK_COMPLETE", "")]);
    let outer = of_stack.replacen("},{", &format!("}},{nested},{{"), 1);
    let inner = events(&[("Queue", "CREATE_FAILED", "the name is too long")]);
    script.answers("describe-stack-events", &[&outer, &inner]);
    script.answers("describe-stacks", &["", &stack("ROLLBACK_COMPLETE")]);
    let failure = world.apply(None, Some(&desired), &proposed).await.unwrap_err();
    assert!(
        failure.error.message.contains("Net/Queue (AWS::SQS::Queue): create failed: the name is too long"),
        "{}",
        failure.error.message
    );
}

#[tokio::test]
async fn a_change_set_that_is_void_is_made_again_and_executed_only_if_it_is_the_same() {
    for (fails, code) in
        [("ChangeSetNotFound", "ChangeSet does not exist"), ("InvalidChangeSetStatus", "OBSOLETE")]
    {
        for (now, same) in [(ADD, true), (REPLACE, false)] {
            let (world, script) = world().await;
            let desired = queue(&[]);
            let proposed = planned(&world, &script, &desired).await;
            script.answers("execute-change-set", &[&failure(fails, code), ""]);
            let obsolete = change_set("CREATE_COMPLETE", "OBSOLETE", "", ADD);
            let again = change_set("CREATE_COMPLETE", "AVAILABLE", "", now);
            match fails {
                "ChangeSetNotFound" => script.answers("describe-change-set", &["", &again]),
                _ => script.answers("describe-change-set", &["", &obsolete, &again]),
            }
            script.answers("delete-change-set", &[""]);
            script.answers("list-change-sets", &[r#"{"Summaries": []}"#]);
            script.answers("delete-stack", &[""]);
            script.answers(
                "describe-stack-events",
                &[&events(&[("shop", "CREATE_IN_PROGRESS", ""), ("shop", "CREATE_COMPLETE", "")])],
            );
            script.answers("describe-stacks", &["", &stack("CREATE_COMPLETE")]);
            let result = world.apply(None, Some(&desired), &proposed).await;
            assert_eq!(script.count("create-change-set"), 2);
            if same {
                result.unwrap();
                assert_eq!(script.count("execute-change-set"), 2);
            } else {
                let failure = result.unwrap_err();
                assert!(failure.error.stale && matches!(failure.left, Left::Untouched));
                assert_eq!(script.count("execute-change-set"), 1);
                assert_eq!(script.count("delete-change-set"), 1);
            }
        }
    }
}

#[tokio::test]
async fn a_probe_finds_what_was_begun_and_starts_nothing_twice() {
    let (world, script) = world().await;
    let desired = queue(&[]);
    let proposed = planned(&world, &script, &desired).await;
    let call = world.call();
    let work = Work { noted: &[], ..windlass_provider::trial::work(None, &desired, &proposed) };
    let done = events(&[("shop", "CREATE_IN_PROGRESS", ""), ("shop", "CREATE_COMPLETE", "")]);
    let with_token = |text: &str| text.replace("@TOKEN@", &call.token.0);

    // Planned only.
    assert!(matches!(world.session.probe(&call, work).await.unwrap(), Probe::NotBegun));
    // Begun by somebody who died.
    script.answers(
        "describe-change-set",
        &["", "", &change_set("CREATE_COMPLETE", "EXECUTE_IN_PROGRESS", "", ADD)],
    );
    script.answers("describe-stack-events", &[&with_token(&done)]);
    script.answers("describe-stacks", &["", &stack("CREATE_COMPLETE")]);
    let probed = world.session.probe(&call, work).await.unwrap();
    assert!(matches!(probed, Probe::Done(Some(_))), "{probed:?}");
    // The change set is gone with its execution: the events' token tells.
    script.answers("describe-change-set", &["", "", "", &failure("ChangeSetNotFound", "does not exist")]);
    let probed = world.session.probe(&call, work).await.unwrap();
    assert!(matches!(probed, Probe::Done(Some(_))), "{probed:?}");
    // Nobody's token: never begun.
    script.answers("describe-change-set", &["", "", "", "", &failure("ChangeSetNotFound", "does not exist")]);
    let other = world.call();
    let probed = world.session.probe(&other, work).await.unwrap();
    assert!(matches!(probed, Probe::NotBegun), "{probed:?}");
    assert_eq!(script.count("execute-change-set"), 0);
    // A second try of the step looks first.
    let mut again = call.clone();
    again.attempt = 2;
    script.answers(
        "describe-change-set",
        &["", "", "", "", "", &change_set("CREATE_COMPLETE", "EXECUTE_COMPLETE", "", ADD)],
    );
    world.session.apply(&again, work).await.unwrap().unwrap();
    assert_eq!(script.count("execute-change-set"), 0);
}

#[tokio::test]
async fn a_delete_that_failed_names_what_stayed() {
    let (world, script) = world().await;
    let prior = made(&world, &script, &queue(&[])).await;
    let proposed = world.plan(Some(&prior), None).await.unwrap();
    script.answers("delete-stack", &[""]);
    script.answers(
        "describe-stack-events",
        &[&events(&[
            ("shop", "DELETE_IN_PROGRESS", ""),
            ("Queue", "DELETE_FAILED", "The bucket you tried to delete is not empty"),
            ("shop", "DELETE_FAILED", "The following resource(s) failed to delete: [Queue]."),
        ])],
    );
    script.answers("describe-stacks", &["", &stack("DELETE_FAILED")]);
    let call = world.call();
    let failure = world.apply_as(&call, Some(&prior), None, &proposed).await.unwrap_err();
    assert!(failure.error.message.contains("not empty"), "{}", failure.error.message);
    let hint = failure.error.hint.unwrap();
    assert!(
        hint.contains("retain_resources = [\"Queue\"]") && hint.contains("--retain-resources Queue"),
        "{hint}"
    );
    let Left::There(left) = failure.left else { panic!("{:?}", failure.left) };
    let probed = world.probe_as(&call, Some(&prior), &Value::NULL, &proposed).await.unwrap();
    assert!(matches!(probed, Probe::Failed(_)), "{probed:?}");

    // Wanted again with what may stay: the delete leaves it.
    let record = world.record(&queue(&[]), *left);
    let desired = queue(&[("retain_resources", Value::tuple(vec![Value::from("Queue")]))]);
    let again = world.plan(Some(&record), Some(&desired)).await.unwrap();
    assert_eq!(again.verdict, Verdict::Replace);
    let Some(windlass_provider::Drift::Changed(observed)) = again.drift else { panic!("{:?}", again.drift) };
    let record = world.record(&queue(&[]), observed);
    script.answers(
        "describe-stack-events",
        &["", "", "", &events(&[("shop", "DELETE_IN_PROGRESS", ""), ("shop", "DELETE_COMPLETE", "")])],
    );
    let proposed = world.plan(Some(&record), None).await.unwrap();
    assert!(world.apply(Some(&record), None, &proposed).await.unwrap().is_none());
    assert!(
        script.last("delete-stack").contains("--retain-resources Queue"),
        "{}",
        script.last("delete-stack")
    );
}

#[tokio::test]
async fn an_interrupted_update_is_cancelled() {
    let (world, script) = world().await;
    let prior = made(&world, &script, &queue(&[])).await;
    let desired = invoices(&[]);
    let proposed = planned_update(&world, &script, &prior, &desired).await;
    let begun = [("shop", "UPDATE_IN_PROGRESS", "")];
    let back =
        [begun[0], ("shop", "UPDATE_ROLLBACK_IN_PROGRESS", ""), ("shop", "UPDATE_ROLLBACK_COMPLETE", "")];
    script.answers("describe-stack-events", &[&events(&begun), &events(&back)]);
    script.answers("cancel-update-stack", &[""]);
    script.answers("describe-stacks", &["", &stack("UPDATE_ROLLBACK_COMPLETE")]);
    let call = world.call();
    let stop = call.stop.clone();
    let stopper = async {
        while script.count("describe-stack-events") == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        stop.interrupt();
    };
    let (result, ()) = tokio::join!(world.apply_as(&call, Some(&prior), Some(&desired), &proposed), stopper);
    let failure = result.unwrap_err();
    assert_eq!(failure.error.class, ErrorClass::Cancelled);
    assert!(failure.error.message.contains("taken back"), "{}", failure.error.message);
    assert!(matches!(failure.left, Left::There(_)), "{:?}", failure.left);
    assert_eq!(script.count("cancel-update-stack"), 1);
}
