//! Where things are below the store's root.
//!
//! ```text
//! windlass.json                          store id, plan key
//! stacks/<stack>/<environment>/
//!     HEAD.json  HEAD.flock              the one mutable object, and the lock around each swap of it
//!     versions/00000043-<hash>.json      immutable, chained from HEAD to parents
//!     objects/ab/<sha256>                packs of records, indexes, plans, sources, tool state: immutable
//!     approvals/<plan>-<seal>.json       made once
//!     runs/<epoch>-<ulid>/               journal.jsonl, run.flock, steps/
//!     plans/<ulid>/                      what a plan made outside: plan.flock, notes.jsonl, steps/, saved.json
//!     seen.json                          a cache
//! ```
//! `run.flock` is in the run's own directory, so that each holder has a lock file of its own: a holder whose lock was broken
//! and who lives on can neither keep others out nor make a dead successor look alive.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use windlass_model::{Digest, Epoch, RunId};

use crate::traits::EnvRef;

/// The places of an environment.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// The store's root.
    pub root: PathBuf,
    /// The environment's directory.
    pub dir: PathBuf,
}

impl Places {
    pub fn of(root: &Path, env: &EnvRef) -> Places {
        let dir = stacks(root).join(encode(&env.stack)).join(encode(&env.environment));
        Places { root: root.to_owned(), dir }
    }

    pub fn head(&self) -> PathBuf {
        self.dir.join("HEAD.json")
    }

    pub fn head_lock(&self) -> PathBuf {
        self.dir.join("HEAD.flock")
    }

    pub fn versions(&self) -> PathBuf {
        self.dir.join("versions")
    }

    pub fn objects(&self) -> PathBuf {
        self.dir.join("objects")
    }

    pub fn seen(&self) -> PathBuf {
        self.dir.join("seen.json")
    }

    pub fn approvals(&self) -> PathBuf {
        self.dir.join("approvals")
    }

    pub fn approval(&self, plan: &Digest, seal: &Digest) -> PathBuf {
        self.approvals().join(format!("{}-{}.json", plan.hex(), seal.hex()))
    }

    pub fn runs(&self) -> PathBuf {
        self.dir.join("runs")
    }

    pub fn plans(&self) -> PathBuf {
        self.dir.join("plans")
    }

    pub fn plan(&self, run: &RunId) -> PlanPlaces {
        PlanPlaces { dir: self.plans().join(file_name(run)) }
    }

    pub fn run(&self, epoch: Epoch, run: &RunId) -> RunPlaces {
        let run = file_name(run);
        RunPlaces { dir: self.runs().join(format!("{epoch:08}-{run}")) }
    }
}

/// The places of a plan that made something outside.
#[derive(Clone, Debug)]
pub(crate) struct PlanPlaces {
    pub dir: PathBuf,
}

impl PlanPlaces {
    pub fn lock(&self) -> PathBuf {
        self.dir.join("plan.flock")
    }

    pub fn notes(&self) -> PathBuf {
        self.dir.join("notes.jsonl")
    }

    pub fn saved(&self) -> PathBuf {
        self.dir.join("saved.json")
    }

    pub fn steps(&self) -> PathBuf {
        self.dir.join("steps")
    }
}

/// The places of a run.
#[derive(Clone, Debug)]
pub(crate) struct RunPlaces {
    pub dir: PathBuf,
}

impl RunPlaces {
    pub fn journal(&self) -> PathBuf {
        self.dir.join("journal.jsonl")
    }

    pub fn lock(&self) -> PathBuf {
        self.dir.join("run.flock")
    }

    pub fn steps(&self) -> PathBuf {
        self.dir.join("steps")
    }
}

pub(crate) fn stacks(root: &Path) -> PathBuf {
    root.join("stacks")
}

/// A name as a file name: `a-z 0-9 _ - .` stay (no dot in front), every other byte is `%XX`. Capital letters too, so that
/// `Prod` and `prod` are two on every file system.
pub(crate) fn encode(name: &str) -> String {
    if name.is_empty() {
        return "%".to_owned();
    }
    let mut text = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => text.push(char::from(byte)),
            b'.' if at > 0 => text.push('.'),
            _ => {
                // Writing to a String cannot fail.
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

/// The name that [`encode`] made a file name of; `None` for file names that it does not make.
pub(crate) fn decode(text: &str) -> Option<String> {
    if text == "%" {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = rest.get(2..)?;
        } else {
            bytes.push(*first);
        }
    }
    let name = String::from_utf8(bytes).ok()?;
    (encode(&name) == text).then_some(name)
}

fn file_name(run: &RunId) -> String {
    if is_plain(&run.0) { run.0.clone() } else { encode(&run.0) }
}

/// A run's id, of a name that it made.
pub(crate) fn plain_run(name: &str) -> Option<RunId> {
    if is_plain(name) { Some(RunId(name.to_owned())) } else { decode(name).map(RunId) }
}

/// Letters and digits only, as a ULID: kept as it is, the epoch in front tells runs apart on every file system.
fn is_plain(run: &str) -> bool {
    !run.is_empty() && run.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Epoch and run of a run directory's name.
pub(crate) fn run_of(name: &str) -> Option<(Epoch, RunId)> {
    let (epoch, run) = name.split_once('-')?;
    Some((epoch.parse().ok()?, plain_run(run)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_and_stay_apart() {
        for name in ["", "prod", "Prod", "..", ".", "a/b", "ä ö", "%41", "x.y", "con\0", "a-b_c.9"] {
            let text = encode(name);
            assert_eq!(decode(&text).as_deref(), Some(name), "{text}");
            assert!(!text.starts_with('.') && !text.contains(['/', '\0']), "{text}");
        }
        assert_ne!(encode("Prod").to_lowercase(), encode("prod"));
        assert_eq!(decode("Prod"), None);
        assert_eq!(decode("%4"), None);
        assert_eq!(decode("%+1"), None);
    }

    #[test]
    fn run_directories_sort_by_epoch() {
        let places = Places::of(Path::new("r"), &EnvRef { stack: "s".into(), environment: "e".into() });
        for (run, expected) in [("01ABC", "00000007-01ABC"), ("../x", "00000007-%2E.%2Fx")] {
            let run = RunId(run.into());
            let dir = places.run(7, &run).dir;
            let name = dir.file_name().unwrap().to_str().unwrap();
            assert_eq!(name, expected);
            assert_eq!(run_of(name), Some((7, run)));
        }
    }
}
