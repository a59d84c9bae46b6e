//! The suite that every store passes. A store's own tests call [`all`] with something that opens it.
//!
//! Each case uses an environment of its own, named like the case, so that one store serves them all.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use windlass_model::{
    Address, Digest, Entry, Op, Operation, Outcome, Output, Private, Record, RunId, RunStatus, Slot, State,
    StepId, Stored, Token, Value,
};

use crate::traits::{
    Approval, EnvRef, Held, Holder, Seen, SeenEntry, Store, StoreError, VersionMeta, VersionStatus,
};

/// Why a store does not conform.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It did something else than it should.
    #[error("{case}: {what}")]
    Wrong {
        /// The case.
        case: &'static str,
        /// What should hold.
        what: String,
    },
    /// It failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

type Case = Result<(), Failure>;

/// A store under test.
#[async_trait]
pub trait Subject: Sync {
    /// Opens the store, as another process would: the same one each time.
    async fn open(&self) -> Box<dyn Store>;

    /// Lets a holder that was dropped without a release count as dead (a store with a lease: lets it run out).
    async fn bury(&self) {}
}

/// Runs all cases.
///
/// # Errors
/// The first case that fails.
pub async fn all(subject: &dyn Subject) -> Case {
    identity(subject).await?;
    empty(subject).await?;
    exclusion(subject).await?;
    fencing(subject).await?;
    fenced_appends(subject).await?;
    commit_and_read(subject).await?;
    commit_again(subject).await?;
    blobs(subject).await?;
    approvals(subject).await?;
    handover(subject).await?;
    handover_until_settled(subject).await?;
    runs(subject).await?;
    seen(subject).await
}

fn check(case: &'static str, what: &str, holds: bool) -> Case {
    if holds { Ok(()) } else { Err(Failure::Wrong { case, what: what.to_owned() }) }
}

/// The environment of a case.
pub fn env(case: &str) -> EnvRef {
    EnvRef { stack: "Conformance / ä".to_owned(), environment: case.to_owned() }
}

/// A holder; runs of different numbers are different runs.
pub fn holder(number: u32) -> Holder {
    Holder {
        run: RunId::new(1_700_000_000_000 + u64::from(number), u128::from(number) << 64),
        operation: Operation::Apply,
        who: format!("user{number}@example"),
        host: "example".to_owned(),
        pid: number,
        now_ms: 1_700_000_000_000 + u64::from(number),
        nonce: u128::from(number) << 32,
    }
}

/// A record whose value tells it from others.
pub fn record(name: &str, value: i64) -> Record {
    let value = Value::object([
        ("name", Value::string(name)),
        ("value", Value::from(value)),
        ("secret", Value::string("x").sensitive()),
    ]);
    Record {
        slot: Address::new("local_data", name).slot(),
        provider: "local".to_owned(),
        schema: 1,
        inputs: Stored(value.clone()),
        value: Stored(value),
        private: Private::default(),
        nested: Vec::new(),
        depends_on: Vec::new(),
        fingerprint: Digest::of(name.as_bytes()),
        place: None,
        account: None,
        protect: false,
        tainted: None,
        in_doubt: None,
    }
}

/// A state of records, with the number of them as its output.
pub fn state(records: impl IntoIterator<Item = Record>) -> State {
    let records: BTreeMap<_, _> =
        records.into_iter().map(|record| (record.slot.clone(), Arc::new(record))).collect();
    let count = i64::try_from(records.len()).unwrap_or(i64::MAX);
    let output = Output { value: Stored(Value::from(count)), sensitive: false };
    State { records, outputs: BTreeMap::from([("count".to_owned(), output)]) }
}

/// What a run commits.
pub fn meta(run: &RunId, status: VersionStatus) -> VersionMeta {
    VersionMeta {
        number: 0,
        parent: 0,
        status,
        operation: Operation::Apply,
        rolls_back_to: None,
        who: "user@example".to_owned(),
        why: Some("to test".to_owned()),
        when_ms: 1_700_000_000_000,
        run: run.clone(),
        plan: Some(Digest::of(b"plan")),
        plan_object: None,
        sources: None,
        inputs: BTreeMap::from([("x".to_owned(), Stored(Value::from(1)))]),
        approval: None,
        tools: BTreeMap::from([("terraform".to_owned(), "1.11.4".to_owned())]),
    }
}

/// The first entry of a run.
pub fn begin(run: &RunId, epoch: u64) -> Entry {
    Entry::Begin {
        run: run.clone(),
        resumes: None,
        operation: Operation::Apply,
        plan: Digest::of(b"plan"),
        plan_object: Digest::of(b"plan object"),
        epoch,
        started_ms: 1_700_000_000_000,
        seed: "seed".to_owned(),
        who: "user@example".to_owned(),
    }
}

/// The step that creates a record.
pub fn step(name: &str) -> StepId {
    StepId { slot: Address::new("local_data", name).slot(), op: Op::Create }
}

/// The token of that step.
pub fn token(name: &str) -> Token {
    Token::new(&Digest::of(b"plan"), &step(name).to_string())
}

/// That it begins.
pub fn intent(name: &str) -> Entry {
    Entry::Intent { step: step(name), token: token(name), attempt: 1, host: "example".to_owned() }
}

/// That it is done.
pub fn outcome(name: &str, value: i64) -> Entry {
    Entry::Outcome { step: step(name), result: Outcome::Done { record: Some(Box::new(record(name, value))) } }
}

/// That a run ended.
pub fn end(version: Option<u64>) -> Entry {
    Entry::End { status: RunStatus::Applied, version }
}

fn slots(state: &State) -> Vec<Slot> {
    state.records.keys().cloned().collect()
}

async fn commit(held: &mut Box<dyn Held>, number: u32, next: &State) -> Result<u64, StoreError> {
    held.commit(meta(&holder(number).run, VersionStatus::Applied), next, &slots(next)).await
}

async fn identity(subject: &dyn Subject) -> Case {
    let (a, b) = (subject.open().await, subject.open().await);
    check("identity", "opened twice it is the same store", a.id() == b.id())?;
    check("identity", "the plan key has 32 bytes", a.id().plan_key.len() == 32)
}

async fn empty(subject: &dyn Subject) -> Case {
    let (store, env) = (subject.open().await, env("empty"));
    let head = store.head(&env).await?;
    let nothing = (head.version, head.epoch, head.lock) == (0, 0, None);
    check("empty", "HEAD of an unknown environment is the default one", nothing)?;
    check("empty", "its state is empty", store.state(&env, None).await? == State::default())?;
    check("empty", "version 0 is empty", store.state(&env, Some(0)).await? == State::default())?;
    check("empty", "it has no versions", store.versions(&env).await?.is_empty())?;
    check("empty", "it has no runs", store.runs(&env).await?.is_empty())?;
    let absent = matches!(store.state(&env, Some(1)).await, Err(StoreError::Absent(_)));
    check("empty", "version 1 is absent", absent)?;
    check("empty", "asking does not make it", !store.environments().await?.contains(&env))
}

async fn exclusion(subject: &dyn Subject) -> Case {
    let (a, b, env) = (subject.open().await, subject.open().await, env("exclusion"));
    let held = a.lock(&env, holder(1)).await?;
    match b.lock(&env, holder(2)).await {
        Err(StoreError::Locked(info)) => {
            let told = (info.run, info.epoch, info.pid) == (holder(1).run, held.epoch(), 1);
            check("exclusion", "who is refused is told who holds it", told)?;
        }
        _ => return check("exclusion", "a second holder is refused", false),
    }
    let lock = b.head(&env).await?.lock;
    check("exclusion", "HEAD names the holder", lock.is_some_and(|lock| lock.run == holder(1).run))?;
    let first = held.epoch();
    held.release().await?;
    check("exclusion", "HEAD names nobody afterwards", b.head(&env).await?.lock.is_none())?;
    let held = b.lock(&env, holder(2)).await?;
    check("exclusion", "a later lock has a later epoch", held.epoch() > first)?;
    check("exclusion", "nothing was left unfinished", held.unfinished().is_none())?;
    held.release().await?;
    check("exclusion", "the environment is listed", b.environments().await?.contains(&env))
}

async fn fencing(subject: &dyn Subject) -> Case {
    let (a, b, env) = (subject.open().await, subject.open().await, env("fencing"));
    let mut old = a.lock(&env, holder(1)).await?;
    old.append(&[begin(&holder(1).run, old.epoch()), intent("a")]).await?;
    let other = b.unlock(&env, &holder(2).run, 7).await;
    check("fencing", "only the exact run is unlocked", matches!(other, Err(StoreError::Absent(_))))?;
    let epoch = b.unlock(&env, &holder(1).run, 7).await?;
    check("fencing", "unlocking raises the epoch", epoch > old.epoch())?;
    let again = b.unlock(&env, &holder(1).run, 8).await;
    check("fencing", "it is unlocked once", matches!(again, Err(StoreError::Absent(_))))?;
    let new = b.lock(&env, holder(3)).await?;
    check("fencing", "the next lock has a later epoch", new.epoch() > epoch)?;
    let left = new.unfinished().map(|left| (left.run.clone(), left.entries.len()));
    check("fencing", "it is given what the old run left", left == Some((holder(1).run, 2)))?;
    let commit = commit(&mut old, 1, &state([record("a", 1)])).await;
    check("fencing", "the old holder cannot commit", matches!(commit, Err(StoreError::Fenced { .. })))?;
    let append = old.append(&[outcome("a", 1)]).await;
    check("fencing", "nor append", matches!(append, Err(StoreError::Fenced { .. })))?;
    check("fencing", "nor keep", matches!(old.keep(b"x").await, Err(StoreError::Fenced { .. })))?;
    check("fencing", "nor release", matches!(old.release().await, Err(StoreError::Fenced { .. })))?;
    let lock = a.head(&env).await?.lock;
    check("fencing", "the new holder still holds it", lock.is_some_and(|lock| lock.run == holder(3).run))?;
    check("fencing", "nothing was committed", a.head(&env).await?.version == 0)?;
    new.release().await?;
    Ok(())
}

/// What a broken holder writes before it notices does not count, and does no harm.
async fn fenced_appends(subject: &dyn Subject) -> Case {
    let (store, env) = (subject.open().await, env("fenced appends"));
    let mut old = store.lock(&env, holder(1)).await?;
    old.append(&[begin(&holder(1).run, old.epoch()), intent("a")]).await?;
    store.unlock(&env, &holder(1).run, 7).await?;
    let new = store.lock(&env, holder(2)).await?;
    let late = old.append(&[outcome("a", 1), end(None)]).await;
    check("fenced appends", "a late entry is refused", matches!(late, Err(StoreError::Fenced { .. })))?;
    drop(old);
    drop(new);
    subject.bury().await;
    let third = store.lock(&env, holder(3)).await?;
    let left = third.unfinished().map(|left| (left.run.clone(), left.entries.len()));
    check("fenced appends", "it does not end the run", left == Some((holder(1).run, 2)))?;
    third.release().await?;
    Ok(())
}

async fn commit_and_read(subject: &dyn Subject) -> Case {
    let (store, env) = (subject.open().await, env("commit"));
    let one = state([record("a", 1), record("b", 1), record("c", 1)]);
    let two = state([record("a", 1), record("b", 2), record("d", 1)]);
    let mut held = store.lock(&env, holder(1)).await?;
    check("commit", "the first version is 1", commit(&mut held, 1, &one).await? == 1)?;
    check("commit", "the base stays", held.base() == 0 && held.state() == &State::default())?;
    held.release().await?;
    let mut held = store.lock(&env, holder(2)).await?;
    check("commit", "the next base is 1", held.base() == 1 && held.state() == &one)?;
    check("commit", "the second version is 2", commit(&mut held, 2, &two).await? == 2)?;
    let locked = store.head(&env).await?;
    check("commit", "HEAD is at 2, locked", locked.version == 2 && locked.lock.is_some())?;
    held.release().await?;
    let store = subject.open().await;
    check("commit", "the current state is 2", store.state(&env, None).await? == two)?;
    check("commit", "version 2 is 2", store.state(&env, Some(2)).await? == two)?;
    check("commit", "version 1 is 1", store.state(&env, Some(1)).await? == one)?;
    let absent = matches!(store.state(&env, Some(3)).await, Err(StoreError::Absent(_)));
    check("commit", "version 3 is absent", absent)?;
    let told: Vec<_> = store.versions(&env).await?;
    let expected = [(2, 1), (1, 0)].map(|(number, parent)| VersionMeta {
        number,
        parent,
        ..meta(&holder(u32::try_from(number).unwrap_or(0)).run, VersionStatus::Applied)
    });
    check("commit", "the versions are told newest first", told == expected)
}

/// A recovered version and then an applied one, under one lock; and one that changes nothing.
async fn commit_again(subject: &dyn Subject) -> Case {
    let (store, env) = (subject.open().await, env("commit again"));
    let one = state([record("a", 1)]);
    let two = state([record("a", 1), record("b", 2)]);
    let mut held = store.lock(&env, holder(1)).await?;
    let recovered = meta(&holder(1).run, VersionStatus::Recovered);
    held.commit(recovered, &one, &slots(&one)).await?;
    check("commit again", "a second commit is the next", commit(&mut held, 1, &two).await? == 2)?;
    check(
        "commit again",
        "the same once more",
        held.commit(meta(&holder(1).run, VersionStatus::Applied), &two, &[]).await? == 3,
    )?;
    check("commit again", "nothing at all", commit(&mut held, 1, &State::default()).await? == 4)?;
    held.release().await?;
    for (version, expected) in [(1, &one), (2, &two), (3, &two), (4, &State::default())] {
        let found = store.state(&env, Some(version)).await?;
        check("commit again", &format!("version {version} reads back"), found == *expected)?;
    }
    Ok(())
}

async fn blobs(subject: &dyn Subject) -> Case {
    let (store, env) = (subject.open().await, env("blobs"));
    let mut held = store.lock(&env, holder(1)).await?;
    for content in [b"".as_slice(), b"some content", &[0, 255, 10]] {
        let id = held.keep(content).await?;
        check("blobs", "an object is named by its digest", id == Digest::of(content))?;
        check("blobs", "kept twice it is one", held.keep(content).await? == id)?;
        check("blobs", "it reads back", store.blob(&env, &id).await?.as_ref() == content)?;
    }
    held.release().await?;
    let absent = store.blob(&env, &Digest::of(b"another")).await;
    check("blobs", "another one is absent", matches!(absent, Err(StoreError::Absent(_))))
}

async fn approvals(subject: &dyn Subject) -> Case {
    let (store, env) = (subject.open().await, env("approvals"));
    let (plan, seal) = (Digest::of(b"plan"), Digest::of(b"seal"));
    check("approvals", "there is none at first", store.approval(&env, &plan, &seal).await?.is_none())?;
    let first = Approval { plan, seal, who: "a".to_owned(), when_ms: 1 };
    let second = Approval { who: "b".to_owned(), when_ms: 2, ..first.clone() };
    check("approvals", "the first is recorded", store.approve(&env, &first).await? == first)?;
    check("approvals", "the first stays", store.approve(&env, &second).await? == first)?;
    let found = store.approval(&env, &plan, &seal).await?;
    check("approvals", "it reads back", found == Some(first))?;
    let other = store.approval(&env, &plan, &Digest::of(b"other")).await?;
    check("approvals", "another seal is not approved", other.is_none())
}

async fn handover(subject: &dyn Subject) -> Case {
    let (store, env) = (subject.open().await, env("handover"));
    let mut held = store.lock(&env, holder(1)).await?;
    commit(&mut held, 1, &state([record("a", 1)])).await?;
    held.release().await?;
    let mut dying = store.lock(&env, holder(2)).await?;
    let entries = [begin(&holder(2).run, dying.epoch()), intent("b"), outcome("b", 1), intent("c")];
    dying.append(&entries[..2]).await?;
    dying.append(&entries[2..]).await?;
    let steps = dying.steps();
    drop(dying);
    subject.bury().await;
    let mut held = store.lock(&env, holder(3)).await?;
    let left = held.unfinished().cloned();
    let left =
        left.ok_or(Failure::Wrong { case: "handover", what: "what a dead run left is handed over".into() })?;
    check("handover", "the run", left.run == holder(2).run)?;
    check("handover", "its base", left.base == 1)?;
    check("handover", "its entries", left.entries == entries)?;
    check("handover", "its steps", left.steps == steps)?;
    check("handover", "the base of the new one", held.base() == 1)?;
    check("handover", "another directory for the new one's steps", held.steps() != steps)?;
    commit(&mut held, 3, &state([record("a", 1), record("b", 1)])).await?;
    held.release().await?;
    let held = store.lock(&env, holder(4)).await?;
    check("handover", "a commit settles it", held.unfinished().is_none())?;
    held.release().await?;
    Ok(())
}

/// A recovery that dies before it commits loses nothing.
async fn handover_until_settled(subject: &dyn Subject) -> Case {
    let case = "handover until settled";
    let (store, env) = (subject.open().await, env(case));
    let mut dying = store.lock(&env, holder(1)).await?;
    dying.append(&[begin(&holder(1).run, dying.epoch()), intent("a")]).await?;
    drop(dying);
    subject.bury().await;
    let mut recovering = store.lock(&env, holder(2)).await?;
    recovering.append(&[begin(&holder(2).run, recovering.epoch()), intent("b")]).await?;
    drop(recovering);
    subject.bury().await;
    let gives_up = store.lock(&env, holder(3)).await?;
    let runs: Vec<_> = gives_up.earlier().iter().chain(gives_up.unfinished()).map(|left| &left.run).collect();
    check(case, "both are handed over, in order", runs == [&holder(1).run, &holder(2).run])?;
    gives_up.release().await?;
    let mut held = store.lock(&env, holder(4)).await?;
    check(case, "and again after a release without a commit", held.earlier().len() == 1)?;
    commit(&mut held, 4, &state([record("a", 1)])).await?;
    held.release().await?;
    let held = store.lock(&env, holder(5)).await?;
    check(case, "a commit settles both", held.unfinished().is_none() && held.earlier().is_empty())?;
    held.release().await?;
    Ok(())
}

async fn runs(subject: &dyn Subject) -> Case {
    let (store, env) = (subject.open().await, env("runs"));
    for number in [1, 2] {
        let mut held = store.lock(&env, holder(number)).await?;
        held.append(&[begin(&holder(number).run, held.epoch()), intent("a")]).await?;
        held.append(&[outcome("a", 1), end(None)]).await?;
        held.release().await?;
    }
    store.lock(&env, holder(3)).await?.release().await?;
    let runs = store.runs(&env).await?;
    let told: Vec<_> = runs.iter().map(|run| (&run.run, run.entries.len())).collect();
    check(
        "runs",
        "runs that noted something, newest first",
        told == [(&holder(2).run, 4), (&holder(1).run, 4)],
    )?;
    let ends = runs.iter().all(|run| run.entries.last() == Some(&end(None)));
    check("runs", "each with its end", ends)?;
    let held = store.lock(&env, holder(4)).await?;
    check("runs", "ended runs are not unfinished", held.unfinished().is_none())?;
    held.release().await?;
    Ok(())
}

async fn seen(subject: &dyn Subject) -> Case {
    let (store, env) = (subject.open().await, env("seen"));
    check("seen", "nothing at first", store.seen(&env).await == Seen::default())?;
    let entry = SeenEntry { at_ms: 1, fingerprint: Digest::of(b"x") };
    let seen = Seen { resources: BTreeMap::from([("local_data.a".to_owned(), entry)]) };
    store.put_seen(&env, &seen).await?;
    check("seen", "it reads back", subject.open().await.seen(&env).await == seen)?;
    store.put_seen(&env, &Seen::default()).await?;
    check("seen", "it is replaced", store.seen(&env).await == Seen::default())
}
