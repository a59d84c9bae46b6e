//! `.bicep` and `.bicepparam` through a stand-in for the compiler, which no package registry has: it replays compilations that
//! were recorded, and is none itself.

#![expect(clippy::disallowed_methods, reason = "tests deal with real processes, time and surroundings")]
#![expect(clippy::unwrap_used, reason = "tests")]

#[expect(dead_code, reason = "it uses a part")]
mod support;

use std::os::unix::fs::PermissionsExt;

use support::{World, nested, output, warnings, wish};
use windlass_model::{ErrorClass, Value};
use windlass_provider::{Verdict, supervise};

/// Not a test of its own: the supervisor, when a test starts it.
#[test]
fn another_process() {
    if std::env::var_os("AS_SUPERVISOR").is_some() {
        std::process::exit(i32::from(supervise(std::io::stdin(), std::io::stderr())));
    }
}

const MAIN: &str = include_str!("data/replayed/main.bicep");
const PARAM: &str = include_str!("data/replayed/main.bicepparam");

async fn world() -> Option<World> {
    let compiler = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/replayed/bicep-stand-in");
    std::fs::set_permissions(compiler, std::fs::Permissions::from_mode(0o755)).unwrap();
    let config = Value::object([("bicep", Value::from(compiler))]);
    let world = World::with(config, &[]).await?;
    world.arm.put_group("rg", "westeurope", serde_json::json!({}));
    world.write("app/main.bicep", MAIN);
    world.write("app/main.bicepparam", PARAM);
    Some(world)
}

/// How often the stand-in ran: it notes each run beside the sources' copy, in the cache directory.
fn compilations(world: &World) -> usize {
    let log = std::fs::read_to_string(world.dir.join("log")).unwrap();
    log.lines().filter(|line| line.contains("bicep-stand-in") && line.contains("--stdout")).count()
}

#[tokio::test]
async fn a_bicep_file_is_compiled_once_for_each_content() {
    let Some(world) = world().await else { return };
    let parameters = ("parameters", Value::object([("name", Value::from("net"))]));
    let desired = wish(&[("template_file", "app/main.bicep".into()), parameters]);
    let plan = world.plan(None, Some(&desired)).await.unwrap();
    assert_eq!(nested(&plan), ["create Microsoft.Network/virtualNetworks/net"]);
    assert!(
        warnings(&plan).iter().any(|line| line.contains("app/main.bicep(2,7): no-unused-params")),
        "{:?}",
        warnings(&plan)
    );
    let again = world.plan(None, Some(&desired)).await.unwrap();
    assert_eq!(again.warnings, plan.warnings);
    assert_eq!(compilations(&world), 1);
    // What was compiled is what is applied, whatever becomes of the sources.
    std::fs::remove_file(world.dir.join("app/main.bicep")).unwrap();
    let seen = world.apply(None, Some(&desired), &plan).await.unwrap().unwrap();
    assert_eq!(output(&seen.value, "name").as_str(), Some("net"));
    assert_eq!(world.resources(), ["net"]);
    world.write("app/main.bicep", &format!("{MAIN}\n// changed\n"));
    let record = world.record(&desired, seen);
    let plan = world.plan(Some(&record), Some(&desired)).await.unwrap();
    assert_eq!((plan.verdict, compilations(&world)), (Verdict::Same, 2));
    let found = world.session.sources("bicep_deployment", &desired, &*world.call().files).unwrap();
    assert_eq!(found, ["app/main.bicep"]);
}

#[tokio::test]
async fn a_parameters_file_brings_its_template() {
    let Some(world) = world().await else { return };
    for (template, file) in
        [("app/main.bicepparam", Value::NULL), ("app/main.bicep", "app/main.bicepparam".into())]
    {
        let desired = wish(&[("template_file", template.into()), ("parameters_file", file)]);
        let plan = world.plan(None, Some(&desired)).await.unwrap();
        assert_eq!(nested(&plan), ["create Microsoft.Network/virtualNetworks/from-file"]);
        let seen = world.apply(None, Some(&desired), &plan).await.unwrap().unwrap();
        let record = world.record(&desired, seen);
        assert_eq!(world.plan(Some(&record), Some(&desired)).await.unwrap().verdict, Verdict::Same);
        world.destroy(&record).await;
    }
}

#[tokio::test]
async fn a_template_that_does_not_compile_says_where() {
    let Some(world) = world().await else { return };
    world.write("app/main.bicep", "this does not compile\n");
    let desired = wish(&[("template_file", "app/main.bicep".into())]);
    let error = world.plan(None, Some(&desired)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::BuildFailed);
    assert!(error.message.contains("app/main.bicep(1,1): BCP007: "), "{}", error.message);
    assert!(world.scratch().is_empty());
}

#[tokio::test]
async fn a_missing_compiler_says_how_to_get_it() {
    let Some(world) = World::with_group().await else { return };
    world.write("main.bicep", MAIN);
    let error = world.plan(None, Some(&wish(&[("template_file", "main.bicep".into())]))).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::ToolMissing);
    assert!(error.hint.unwrap().contains("az bicep install"));
    assert!(world.calls().is_empty());
}
