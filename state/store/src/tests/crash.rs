//! Crashes and failing disks at every operation of a life of a store: whatever was acknowledged is there afterwards, and
//! HEAD always resolves.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;

use windlass_model::{Digest, Entry, RunId, State};

use super::host;
use super::sim::{Fault, SimFs, TAILS, Tail};
use crate::LocalStore;
use crate::conformance::{begin, end, env, holder, intent, meta, outcome, record, state};
use crate::traits::{Approval, EnvRef, Store, StoreError, StoreId, VersionStatus};

const ROOT: &str = "/w/.windlass";

/// What callers were told is done, and what they asked for.
#[derive(Default)]
struct Told {
    id: Option<StoreId>,
    version: u64,
    asked: BTreeMap<u64, State>,
    /// By run: entries that were acknowledged, entries that were handed in.
    runs: BTreeMap<RunId, (Vec<Entry>, Vec<Entry>)>,
    /// Runs that died and that a later commit was to settle.
    settling: BTreeSet<RunId>,
    released: bool,
    blobs: Vec<Vec<u8>>,
    approval: Option<Approval>,
}

fn place() -> EnvRef {
    env("crash")
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn open(fs: &SimFs) -> Result<LocalStore, StoreError> {
    LocalStore::open_on(std::sync::Arc::new(fs.clone()), Path::new(ROOT), host())
}

/// The states that the life commits, in order.
fn states() -> Vec<State> {
    vec![
        state([record("a", 1), record("b", 1)]),
        state([record("a", 1), record("b", 2), record("c", 1)]),
        state([record("a", 1), record("c", 1)]),
        state([record("a", 1), record("c", 1), record("d", 4)]),
    ]
}

/// One run: two batches, a blob, two commits, the end.
async fn run(store: &LocalStore, number: u32, told: &mut Told) -> Result<(), StoreError> {
    let run = holder(number).run;
    let mut held = store.lock(&place(), holder(number)).await?;
    let epoch = held.epoch();
    let commits = &states()[2 * number as usize - 2..][..2];
    let batches = [
        vec![begin(&run, epoch), intent("a"), intent("b")],
        vec![outcome("a", 1), outcome("b", 1), intent("c")],
        vec![outcome("c", 1)],
    ];
    for batch in &batches {
        append(&mut *held, &run, batch, told).await?;
    }
    told.settling.extend(held.unfinished().map(|left| left.run.clone()));
    let blob = format!("blob of {number}").into_bytes();
    held.keep(&blob).await?;
    told.blobs.push(blob);
    for (at, next) in commits.iter().enumerate() {
        let version = told.version + 1;
        told.asked.insert(version, next.clone());
        let status = if at == 0 { VersionStatus::Recovered } else { VersionStatus::Applied };
        let meta = meta(&run, status);
        // A full disk may be less full the second time. Nothing may go wrong by trying.
        let first = held.commit(meta.clone(), next, &[]).await;
        told.version = match first {
            Ok(version) => version,
            Err(_) => held.commit(meta, next, &[]).await?,
        };
    }
    append(&mut *held, &run, &[end(Some(told.version))], told).await?;
    held.release().await
}

/// A run that dies after its first batch, and leaves a fence to be written.
async fn die(store: &LocalStore, told: &mut Told) -> Result<(), StoreError> {
    let run = holder(3).run;
    let mut held = store.lock(&place(), holder(3)).await?;
    let batch = [begin(&run, held.epoch()), intent("x")];
    append(&mut *held, &run, &batch, told).await
}

async fn append(
    held: &mut dyn crate::Held,
    run: &RunId,
    batch: &[Entry],
    told: &mut Told,
) -> Result<(), StoreError> {
    let (acknowledged, asked) = told.runs.entry(run.clone()).or_default();
    asked.extend_from_slice(batch);
    held.append(batch).await?;
    acknowledged.extend_from_slice(batch);
    Ok(())
}

async fn live(fs: &SimFs, told: &mut Told) -> Result<(), StoreError> {
    let store = open(fs)?;
    told.id = Some(store.id().clone());
    run(&store, 1, told).await?;
    let approval = Approval { plan: Digest::of(b"p"), seal: Digest::of(b"s"), who: "w".into(), when_ms: 1 };
    told.approval = Some(store.approve(&place(), &approval).await?);
    die(&store, told).await?;
    run(&store, 2, told).await?;
    told.released = true;
    Ok(())
}

type Verdict = Result<(), String>;

fn must(holds: bool, what: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(what()) }
}

/// Looks at a disk after the crash.
async fn judge(fs: &SimFs, told: &Told) -> Verdict {
    let text = |what: &str, error: StoreError| format!("{what}: {error}");
    let store = open(fs).map_err(|error| text("open", error))?;
    must(told.id.as_ref().is_none_or(|id| id == store.id()), || "another store id".into())?;
    let head = store.head(&place()).await.map_err(|error| text("head", error))?;
    must(head.version >= told.version, || format!("version {} is lost", told.version))?;
    let expected = told.asked.get(&head.version).cloned().unwrap_or_default();
    let found = store.state(&place(), None).await.map_err(|error| text("state", error))?;
    must(found == expected, || format!("version {} is another state", head.version))?;
    for version in store.versions(&place()).await.map_err(|error| text("versions", error))? {
        let found =
            store.state(&place(), Some(version.number)).await.map_err(|error| text("old state", error))?;
        must(Some(&found) == told.asked.get(&version.number), || format!("version {}", version.number))?;
    }
    for blob in &told.blobs {
        store.blob(&place(), &Digest::of(blob)).await.map_err(|error| text("blob", error))?;
    }
    if let Some(approval) = &told.approval {
        let found = store.approval(&place(), &approval.plan, &approval.seal).await;
        must(found.map_err(|error| text("approval", error))? == Some(approval.clone()), || {
            "approval".into()
        })?;
    }
    runs(&store, told).await?;
    go_on(&store, told).await
}

fn begins_with(run: &RunId, found: &[Entry], told: &Told) -> Verdict {
    let (acknowledged, asked) = told.runs.get(run).cloned().unwrap_or_default();
    must(found.starts_with(&acknowledged), || format!("{run}: {} of {}", found.len(), acknowledged.len()))?;
    must(asked.starts_with(found), || format!("{run} has entries that nobody wrote"))
}

async fn runs(store: &LocalStore, told: &Told) -> Verdict {
    let found = store.runs(&place()).await.map_err(|error| format!("runs: {error}"))?;
    for (run, (acknowledged, _)) in &told.runs {
        let found = found.iter().find(|info| info.run == *run).map(|info| info.entries.as_slice());
        let found = found.unwrap_or_default();
        must(acknowledged.is_empty() || !found.is_empty(), || format!("the journal of {run} is lost"))?;
        begins_with(run, found, told)?;
    }
    Ok(())
}

/// The next command takes over: it is handed what did not end, and can work.
async fn go_on(store: &LocalStore, told: &Told) -> Verdict {
    let text = |what: &str, error: StoreError| format!("{what}: {error}");
    let mut held = store.lock(&place(), holder(9)).await.map_err(|error| text("lock", error))?;
    let left: Vec<_> = held.earlier().iter().chain(held.unfinished()).cloned().collect();
    for (run, (acknowledged, asked)) in &told.runs {
        let left = left.iter().find(|left| left.run == *run);
        let can_have_ended = matches!(asked.last(), Some(Entry::End { .. }));
        let has_ended = matches!(acknowledged.last(), Some(Entry::End { .. }));
        must(!acknowledged.is_empty() || left.is_none_or(|_| !asked.is_empty()), || {
            format!("{run} came from nowhere")
        })?;
        must(!has_ended || left.is_none(), || format!("{run} ended, and is unfinished"))?;
        let can_be_settled = can_have_ended || told.settling.contains(run);
        must(acknowledged.is_empty() || can_be_settled || left.is_some(), || format!("{run} is forgotten"))?;
        left.map_or(Ok(()), |left| begins_with(run, &left.entries, told))?;
    }
    let next = state([record("new", 9)]);
    let entries = [begin(&holder(9).run, held.epoch()), intent("new")];
    held.append(&entries).await.map_err(|error| text("append", error))?;
    held.commit(meta(&holder(9).run, VersionStatus::Recovered), &next, &[])
        .await
        .map_err(|error| text("commit", error))?;
    held.append(&[end(None)]).await.map_err(|error| text("append the end", error))?;
    held.release().await.map_err(|error| text("release", error))?;
    let found = store.state(&place(), None).await.map_err(|error| text("state", error))?;
    must(found == next, || "what was committed afterwards is not there".into())?;
    let problems = store.doctor(&place());
    must(problems.is_empty(), || format!("the doctor says {problems:?}"))
}

/// How many operations a whole life has.
fn length() -> usize {
    let fs = SimFs::new(Path::new("/w"));
    let mut told = Told::default();
    wait(live(&fs, &mut told)).unwrap();
    assert_eq!(told.settling, BTreeSet::from([holder(3).run]));
    fs.count()
}

/// Every crash point, with ordered and with arbitrary losses: how many disks were looked at, and what is wrong with the first
/// that something is wrong with.
fn violation(skip_sync: bool, skip_sync_dir: bool) -> (usize, Option<String>) {
    let (mut count, mut found) = (0, None);
    for at in 0..=length() {
        let fs = SimFs::new(Path::new("/w"));
        fs.skip(skip_sync, skip_sync_dir);
        fs.set_fault(at, Fault::Crash);
        let mut told = Told::default();
        let result = wait(live(&fs, &mut told));
        assert_eq!(result.is_ok(), told.released);
        let pending = fs.pending();
        let mut known = BTreeSet::new();
        let mut look = |what: String, disk: SimFs| {
            if found.is_some() || !known.insert(disk.fingerprint()) {
                return;
            }
            count += 1;
            if let Err(wrong) = wait(judge(&disk, &told)) {
                found = Some(format!("crash before operation {at}, {what}: {wrong}"));
            }
        };
        let all = if pending <= 12 { (0..=pending).collect() } else { vec![0, pending / 2, pending] };
        for tail in TAILS {
            let is_end = matches!(tail, Tail::Nothing | Tail::All);
            let lengths = if is_end { all.clone() } else { vec![pending] };
            for kept in &lengths {
                look(format!("{kept} of {pending} names, {tail:?}"), fs.after_crash(|i| i < *kept, |_| tail));
            }
        }
        for seed in 0..6_usize {
            let bit = |i: usize, salt: usize| (i + 1).wrapping_mul(seed * 2 + 3).wrapping_mul(salt) >> 3;
            let kept = |i: usize| bit(i, 0x9E37) % 2 == 0;
            let tail = |i: usize| TAILS[bit(i, 0x85EB) % TAILS.len()];
            look(format!("seed {seed}"), fs.after_crash(kept, tail));
        }
    }
    (count, found)
}

#[test]
fn no_crash_loses_what_was_acknowledged() {
    let (count, found) = violation(false, false);
    assert_eq!(found, None);
    println!("{count} different disks looked at");
    assert!(count > 500, "{count}");
}

/// The test above means something only if it notices a protection that is left out.
#[test]
fn leaving_a_sync_out_is_noticed() {
    assert_ne!(violation(true, false).1, None);
    assert_ne!(violation(false, true).1, None);
}

#[test]
fn no_failing_operation_loses_what_was_acknowledged() {
    let mut failed = 0;
    for at in 0..length() {
        for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
            for fault in [Fault::Fails(kind), Fault::Lies(kind)] {
                let fs = SimFs::new(Path::new("/w"));
                fs.set_fault(at, fault);
                let mut told = Told::default();
                let result = wait(live(&fs, &mut told));
                failed += usize::from(result.is_err());
                if let Err(error) = result {
                    assert!(matches!(error, StoreError::Io { .. }), "{fault:?} at {at}: {error}");
                }
                let images = [fs.after_kill(), fs.after_crash(|_| false, |_| Tail::Nothing)];
                for image in images {
                    let verdict = wait(judge(&image, &told));
                    assert_eq!(verdict, Ok(()), "{fault:?} at operation {at}");
                }
            }
        }
    }
    assert!(failed > 100, "{failed}");
}
