//! How often `aws` is started: the table of docs/providers/cloudformation.md, held.

use std::collections::BTreeMap;

use windlass_testing::{shim, tools};

use crate::account::Account;

const STACKS: &str = r#"
stack "calls" {}
resource "cloudformation_stack" "s" {
  for_each      = toset(["a", "b", "c"])
  name          = "calls-${each.key}"
  template_body = jsonencode({
    Parameters = { Name = { Type = "String" } }
    Resources  = { Queue = { Type = "AWS::SQS::Queue", Properties = { QueueName = { Ref = "Name" } } } }
    Outputs    = { Url = { Value = { Ref = "Queue" } } }
  })
  parameters = { Name = "${each.key}-VERSION" }
}
"#;

/// The calls by what they are.
fn counted(calls: &shim::Counted) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for line in calls.calls() {
        let word = line.split_whitespace().find(|word| word.contains('-') && !word.starts_with("--"));
        let name = if line.contains("--version") { "version" } else { word.unwrap_or("?") };
        *found.entry(name.to_owned()).or_default() += 1;
    }
    calls.forget();
    found
}

fn of(calls: &BTreeMap<String, usize>, name: &str) -> usize {
    calls.get(name).copied().unwrap_or_default()
}

#[test]
fn each_call_is_in_the_table() {
    let Some(mut account) = Account::new(None) else { return };
    let Some(aws) = tools::aws() else { return };
    account.sandbox.write("main.stack.hcl", STACKS.replace("VERSION", "one"));
    let calls = shim::counting(&aws, &account.sandbox.root().join("counted"));
    account.env.insert("PATH".to_owned(), tools::path_with(calls.bin()));

    // A plan that is saved: one look at all stacks, who we are, and two calls a stack. The version of `aws` is asked once for
    // good.
    account.run("plan --out plan.bin", 0);
    let plan = counted(&calls);
    assert_eq!(of(&plan, "version"), 1, "{plan:?}");
    assert_eq!(of(&plan, "get-caller-identity"), 1, "{plan:?}");
    assert_eq!(of(&plan, "describe-stacks"), 1, "{plan:?}");
    assert_eq!((of(&plan, "create-change-set"), of(&plan, "describe-change-set")), (3, 3), "{plan:?}");
    assert_eq!(plan.values().sum::<usize>(), 9, "{plan:?}");

    // Its apply: execute and watch; looks at the stacks are shared. (This imitation of the cloud tells no outputs: they are
    // worked out from the list of resources, one call a stack that a real one does not need.)
    account.run("apply plan.bin", 0);
    let apply = counted(&calls);
    assert_eq!(of(&apply, "get-caller-identity"), 1, "{apply:?}");
    assert_eq!(of(&apply, "execute-change-set"), 3, "{apply:?}");
    let watched = of(&apply, "describe-stack-events") + of(&apply, "describe-stacks");
    let untold = of(&apply, "list-stack-resources");
    assert_eq!(watched + untold + 4, apply.values().sum::<usize>(), "{apply:?}");
    assert!(watched <= 4 && untold <= 3, "{apply:?}");

    // Nothing has changed: nothing is asked.
    account.run("plan --detailed-exitcode", 0);
    assert!(counted(&calls).is_empty());

    // A plan that is not saved throws its change sets away: one more call a stack that is there.
    account.sandbox.write("main.stack.hcl", STACKS.replace("VERSION", "two"));
    account.run("plan", 0);
    let dropped = counted(&calls);
    assert_eq!(of(&dropped, "delete-change-set"), 3, "{dropped:?}");
    assert_eq!(dropped.values().sum::<usize>(), 11, "{dropped:?}");
    for name in ["calls-a", "calls-b", "calls-c"] {
        assert!(account.change_sets(name).is_empty());
    }
}
