//! A queue's stack: planned, made, changed, by a scripted `aws`.

use windlass_model::{Record, Value};
use windlass_provider::{Observed, Proposed};

use super::scripted::{ADD, REPLACE, STACK_ID, Script, change_set, created, stack};
use super::{World, inputs, parameters};

pub const QUEUE: &str = "\
Parameters:
  Name: {Type: String}
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: {QueueName: !Ref Name}
Outputs:
  Url: {Value: !Ref Queue}
";

pub fn queue(given: &[(&str, Value)]) -> Value {
    let own = [
        ("name", Value::from("shop")),
        ("template_body", Value::from(QUEUE)),
        ("parameters", parameters(&[("Name", "orders")])),
    ];
    inputs(&own.into_iter().chain(given.iter().cloned()).collect::<Vec<_>>())
}

/// A planned create.
pub async fn planned(world: &World, script: &Script, desired: &Value) -> Proposed {
    script.answers("create-change-set", &[&created()]);
    script.answers("describe-change-set", &[&change_set("CREATE_COMPLETE", "AVAILABLE", "", ADD)]);
    script.answers("execute-change-set", &[""]);
    world.plan(None, Some(desired)).await.unwrap()
}

/// A stack that is there and recorded.
pub async fn made(world: &World, script: &Script, desired: &Value) -> Record {
    let value = Value::object(
        desired.entries().unwrap().iter().map(|(name, value)| (name.to_string(), value.clone())).chain([
            ("stack_id".to_owned(), Value::from(STACK_ID)),
            ("outputs".to_owned(), Value::object([("Url", Value::from("https://q"))])),
            ("drifted".to_owned(), Value::NULL),
        ]),
    );
    let blob = world.call().engine.keep(QUEUE.as_bytes()).await.unwrap();
    let private = windlass_model::Private {
        version: 1,
        data: serde_json::json!({"region": "eu-west-1", "account": "123456789012"}),
        blobs: [("template".to_owned(), blob)].into(),
    };
    script.answers("describe-stacks", &[&stack("CREATE_COMPLETE")]);
    world.record(desired, Observed { value, private, nested: Vec::new() })
}

/// A planned update, which replaces the queue.
pub async fn planned_update(world: &World, script: &Script, prior: &Record, desired: &Value) -> Proposed {
    script.answers("create-change-set", &[&created()]);
    script.answers("describe-change-set", &[&change_set("CREATE_COMPLETE", "AVAILABLE", "", REPLACE)]);
    script.answers("execute-change-set", &[""]);
    world.plan(Some(prior), Some(desired)).await.unwrap()
}

pub fn invoices(given: &[(&str, Value)]) -> Value {
    let own = [("parameters", parameters(&[("Name", "invoices")]))];
    queue(&own.into_iter().chain(given.iter().cloned()).collect::<Vec<_>>())
}
