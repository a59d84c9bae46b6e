//! Every example is run as its text says.

#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

mod support;

use support::sandbox::Sandbox;

fn versions(sandbox: &Sandbox) -> usize {
    let versions = sandbox.windlass(["state", "versions", "--json"]).run().success().json();
    versions.as_array().expect("versions are an array").len()
}

#[test]
fn quickstart() {
    let sandbox = Sandbox::of("examples/quickstart");
    let sources = sandbox.files();
    sandbox.windlass(["validate"]).run().success();
    sandbox.windlass(["plan", "--detailed-exitcode"]).run().exits(2);
    assert_eq!(sandbox.files(), sources, "a plan writes nothing");

    sandbox.windlass(["apply", "--auto-approve"]).run().success();
    for name in ["api", "web", "worker"] {
        assert!(sandbox.read(format!("out/{name}.conf")).contains("greeting = hello"));
    }
    assert_eq!(sandbox.read("out/bundle.txt").matches("service  = ").count(), 3);
    let outputs = sandbox.windlass(["output", "--json"]).run().success().json();
    assert_eq!(outputs["files"]["value"]["web"], "out/web.conf");

    sandbox.windlass(["plan", "--detailed-exitcode"]).run().success();
    sandbox.windlass(["apply", "--auto-approve"]).run().success();
    assert_eq!(versions(&sandbox), 1, "a second run changes nothing");

    let ahoy = ["--var", "greeting=ahoy"];
    sandbox.windlass(["apply", "--auto-approve"].iter().chain(&ahoy)).run().success();
    assert!(sandbox.read("out/bundle.txt").contains("greeting = ahoy"));
    let again = sandbox.windlass(["output", "--json"]).run().success().json();
    assert_eq!(again["release"]["value"], outputs["release"]["value"], "the id stays");

    sandbox.windlass(["destroy", "--auto-approve"]).run().success();
    assert_eq!(sandbox.files(), sources, "what was made is gone");
}

#[test]
fn three_roots() {
    if support::tool("terraform", "examples/three-roots").is_none() {
        return;
    }
    let sandbox = Sandbox::of("examples/three-roots");
    let sources = sandbox.files();
    let steps = sandbox.windlass(["plan", "--json"]).run().success().steps();
    assert_eq!(steps.len(), 4, "{steps:?}");

    sandbox.windlass(["apply", "--auto-approve"]).run().success();
    let outputs = sandbox.windlass(["output", "--json"]).run().success().json();
    let url = outputs["url"]["value"].as_str().expect("url is a text");
    let endpoint = outputs["endpoint"]["value"].as_str().expect("endpoint is a text");
    assert!(url.starts_with(endpoint) && url.ends_with("tag=v1"), "{url}");
    assert_eq!(sandbox.read("handover.txt"), format!("cluster: {endpoint}\n"));
    let made = {
        let mut made = sources.clone();
        made.push("handover.txt".to_owned());
        made.sort();
        made
    };
    assert_eq!(sandbox.files(), made, "nothing else is written");

    let changed = ["--var", "image_tag=v2"];
    let plan = sandbox.windlass(["plan", "--json"].iter().chain(&changed)).run().success();
    assert_eq!(plan.steps(), ["update terraform_root.app"]);
    sandbox.windlass(["apply", "--auto-approve"].iter().chain(&changed)).run().success();
    let output = sandbox.windlass(["output", "url", "--raw"]).run().success();
    assert!(output.stdout.trim_end().ends_with("tag=v2"), "{output}");

    sandbox.windlass(["rollback", "--to", "1", "--auto-approve"]).run().success();
    let output = sandbox.windlass(["output", "url", "--raw"]).run().success();
    assert_eq!(output.stdout.trim_end(), url);
    assert_eq!(versions(&sandbox), 3);

    sandbox.windlass(["destroy", "--auto-approve"]).run().success();
    assert_eq!(sandbox.files(), sources, "what was made is gone");
}
