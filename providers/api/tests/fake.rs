//! The fake provider does what its scripts say, and passes the suite that real ones pass.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use windlass_model::{Address, ErrorClass, Op, Type, Value};
use windlass_provider::conformance::{Case, run};
use windlass_provider::fake::{Act, FakeProvider, FakeWorld, KIND, Phase, Script};
use windlass_provider::harness::{Bench, NoTools, record};
use windlass_provider::{
    ApplyFailure, Ask, Call, Drift, Left, Observed, Probe, Provider, Session, Verdict, Work,
};

fn thing(name: &str, size: i64) -> Value {
    let tags = Value::map(Type::String, vec![("a".into(), "b".into())]);
    let secret = Value::from("s3cret").sensitive();
    Value::object(vec![("name", name.into()), ("size", size.into()), ("tags", tags), ("secret", secret)])
}

fn bench() -> Bench {
    Bench::new(Path::new("/nowhere"), Arc::new(NoTools), BTreeMap::new())
}

async fn session(world: &Arc<FakeWorld>, bench: &Bench) -> Arc<dyn Session> {
    FakeProvider::new(world.clone()).open(&Value::NULL, bench.tools.clone()).await.unwrap()
}

fn address() -> Address {
    Address::new(KIND, "it")
}

async fn create(
    session: &dyn Session,
    call: &Call,
    desired: &Value,
) -> Result<Option<Observed>, Box<ApplyFailure>> {
    session.apply(call, creation(desired)).await
}

fn creation(desired: &Value) -> Work<'_> {
    Work { op: Op::Create, prior: None, desired, planned: desired, artefact: None, noted: &[] }
}

#[tokio::test(flavor = "current_thread")]
async fn conforms() {
    let world = FakeWorld::new();
    let remove = |value: &Value| assert!(world.remove(value.get("name").unwrap().as_str().unwrap()));
    let case = Case {
        kind: KIND,
        config: Value::NULL,
        desired: thing("a", 1),
        updated: Some(thing("a", 2)),
        replaced: Some(thing("b", 2)),
        import: Some("a".to_owned()),
        remove: Some(&remove),
        repeatable: false,
    };
    run(&FakeProvider::new(world.clone()), &bench(), &case).await.unwrap();
    assert_eq!(world.violations(), Vec::<String>::new());
    assert_eq!((world.counts().creates, world.counts().updates, world.counts().deletes), (2, 1, 1));
}

#[tokio::test(flavor = "current_thread")]
async fn failures_before_and_after_the_effect() {
    let (world, bench) = (FakeWorld::new(), bench());
    let session = session(&world, &bench).await;
    let at = address().to_string();
    world.script(&at, Phase::Create, 1, Act::FailBefore(ErrorClass::RateLimited));
    world.script(&at, Phase::Create, 2, Act::LoseAfter(ErrorClass::Timeout));
    let (call, desired) = (bench.call(&address()), thing("a", 1));
    let failure = create(&*session, &call, &desired).await.unwrap_err();
    assert!(failure.error.class == ErrorClass::RateLimited && matches!(failure.left, Left::Untouched));
    assert!(matches!(session.probe(&call, creation(&desired)).await.unwrap(), Probe::NotBegun));
    let failure = create(&*session, &call, &desired).await.unwrap_err();
    assert!(matches!(failure.left, Left::Unknown(_)));
    assert!(matches!(session.probe(&call, creation(&desired)).await.unwrap(), Probe::Done(Some(_))));
    assert_eq!(world.things().len(), 1);
    // An engine that does not ask creates it twice, and that is seen.
    assert_eq!(create(&*session, &call, &desired).await.unwrap_err().error.class, ErrorClass::NameTaken);
    assert_eq!(world.violations(), ["fake_thing.it creates `a`, which lives"]);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn hanging_delays_and_panics() {
    let (world, bench) = (FakeWorld::new(), bench());
    let session = session(&world, &bench).await;
    let at = address().to_string();
    let delay = Duration::from_secs(3600);
    world.script(&at, Phase::Create, 1, Act::HangBefore);
    world.add(&at, Script { phase: Phase::Create, nth: 2, delay, act: Act::FailAfter(ErrorClass::Conflict) });
    world.script(&at, Phase::Create, 3, Act::PanicBefore);
    let (call, desired) = (bench.call(&address()), thing("a", 1));
    let stop = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        call.stop.interrupt();
    };
    let failure = tokio::join!(create(&*session, &call, &desired), stop).0.unwrap_err();
    assert_eq!(failure.error.class, ErrorClass::Cancelled);
    let begun = tokio::time::Instant::now();
    let failure = create(&*session, &bench.call(&address()), &desired).await.unwrap_err();
    assert!(matches!(failure.left, Left::There(_)) && begun.elapsed() == delay);
    let (session, call) = (session.clone(), bench.call(&address()));
    let panicked = tokio::spawn(async move { create(&*session, &call, &thing("b", 1)).await.is_ok() }).await;
    assert!(panicked.unwrap_err().is_panic());
    assert_eq!(world.peak(), 1);
}

#[tokio::test(flavor = "current_thread")]
async fn plans_that_do_not_know_and_drift_by_hand() {
    let (world, bench) = (FakeWorld::new(), bench());
    let session = session(&world, &bench).await;
    let (call, desired) = (bench.call(&address()), thing("a", 1));
    let at = address().to_string();
    world.script(&at, Phase::Plan, 1, Act::Defer(vec!["x.y.z".to_owned()]));
    world.script(&at, Phase::Plan, 2, Act::Unknown(vec!["size".to_owned()]));
    let ask = Ask { prior: None, desired: Some(&desired), refresh: true, replace: false };
    let deferred = session.plan(&call, ask).await.unwrap();
    assert_eq!((deferred.verdict, deferred.waits_for), (Verdict::Deferred, vec!["x.y.z".to_owned()]));
    assert!(session.plan(&call, ask).await.unwrap().planned.get("size").unwrap().is_unknown());

    let made = create(&*session, &call, &desired).await.unwrap().unwrap();
    let made = record(&address(), "fake", &desired, made);
    assert!(world.change("a", |thing| thing.size = Value::from(9)));
    let proposed = session.plan(&call, Ask { prior: Some(&made), ..ask }).await.unwrap();
    assert!(matches!(proposed.drift, Some(Drift::Changed(_))));
    assert_eq!((proposed.verdict, proposed.why[0].to_string()), (Verdict::Change, "size".to_owned()));
    // Another thing of that name is not this one.
    assert!(world.remove("a"));
    world.put("a");
    let proposed = session.plan(&call, Ask { prior: Some(&made), ..ask }).await.unwrap();
    assert!(matches!(proposed.drift, Some(Drift::Gone)));
}
