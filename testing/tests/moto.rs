//! moto_server and the real `aws` against it.

use std::process::Command;

use serde_json::json;
use windlass_testing::moto::{self, Moto};
use windlass_testing::{shim, tools};

const TEMPLATE: &str = r#"{"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"Queue": {"Type": "AWS::SQS::Queue"},
    "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}], "BillingMode": "PAY_PER_REQUEST"}},
    "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "windlass-moto"}}, "Topic": {"Type": "AWS::SNS::Topic"},
    "Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "a", "Type": "String", "Value": "a"}},
    "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}}},
    "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}}}}"#;

#[test]
fn the_real_aws_makes_a_stack_in_it() {
    let Some(moto) = Moto::start() else { return };
    assert_eq!(moto.aws(["sts", "get-caller-identity"])["Account"], moto::ACCOUNT);
    assert_eq!(moto.aws(["cloudformation", "list-stacks"]), json!({"StackSummaries": []}));
    moto.aws(["cloudformation", "create-stack", "--stack-name", "one", "--template-body", TEMPLATE]);
    let resources = moto.aws(["cloudformation", "list-stack-resources", "--stack-name", "one"]);
    let done = resources["StackResourceSummaries"].as_array().unwrap().clone();
    assert_eq!(done.len(), 7, "{resources}");
    assert!(done.iter().all(|one| one["ResourceStatus"] == "CREATE_COMPLETE"), "{resources}");
    moto.reset();
    assert_eq!(moto.aws(["s3api", "list-buckets"])["Buckets"], json!([]));
}

#[test]
fn a_counted_aws_is_the_real_one() {
    let Some(moto) = Moto::start() else { return };
    let Some(aws) = tools::aws() else { return };
    let dir = tempfile::tempdir().unwrap();
    let counted = shim::counting(&aws, dir.path());
    let env = moto.env();
    let output = Command::new(counted.bin().join("aws"))
        .args(["sns", "list-topics"])
        .env("PATH", format!("{}:{}", counted.bin().display(), env["PATH"]))
        .envs(env.iter().filter(|(name, _)| *name != "PATH"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(counted.calls(), ["sns list-topics"]);
}

#[test]
fn it_is_gone_when_dropped() {
    let Some(moto) = Moto::start() else { return };
    let address = moto.endpoint().trim_start_matches("http://").to_owned();
    drop(moto);
    assert!(std::net::TcpStream::connect(address).is_err());
}
