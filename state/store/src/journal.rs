//! The journal of a run: hash-chained JSON lines, appended in batches, each batch durable before the next begins.
//!
//! The first line is the header, `{"format":1,"run":…,"epoch":…,"base":…,"h":…}`. Then
//! `{"n":17,"b":15,"at":…,"prev":"…","e":{…},"h":"…"}`: `n` counts from 1, `b` is the `n` of the first line of its batch, `prev`
//! is the `h` of the line before, and `h` is the sha256 of all of the line that stands before it.
//!
//! What a crash may leave of a batch that was never acknowledged is accepted and left out: a last line without an end, and
//! zeros where a page was never written, if only lines of the same batch follow. Everything else that does not fit is damage.
//! A fence may follow a torn line, and may follow lines that its writer had not seen: a holder whose lock was broken can write
//! until it notices. What stands behind a fence does not count.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use windlass_model::{Digest, Entry, Epoch, RunId};

use crate::disk::Writer;
use crate::files::{Disk, FORMAT, check_format, damaged, io_error, parse};
use crate::layout::RunPlaces;
use crate::traits::StoreError;

/// What the first line says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Header {
    pub format: u64,
    pub run: RunId,
    pub epoch: Epoch,
    /// The version that it was based on.
    pub base: u64,
}

#[derive(Serialize)]
struct LineOut<'a> {
    n: u64,
    b: u64,
    at: u64,
    prev: &'a str,
    e: &'a Entry,
}

#[derive(Deserialize)]
struct LineIn {
    n: u64,
    b: u64,
    prev: String,
    e: Entry,
}

/// A journal as it was read.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Log {
    pub header: Header,
    /// Up to the end or the first fence, the end included.
    pub entries: Vec<Entry>,
    pub ended: bool,
    pub fenced: bool,
    /// The `h` of each line, the header's first.
    sums: Vec<Digest>,
    /// The last line has no end.
    torn: bool,
}

const SUM: &str = ",\"h\":\"";
/// `,"h":"`, 64 digits, `"}`
const SUM_LEN: usize = SUM.len() + 64 + 2;

/// Serialises a struct as a line whose last member is the digest of what stands before it.
fn push_line(buffer: &mut Vec<u8>, value: &impl Serialize) -> io::Result<Digest> {
    let start = buffer.len();
    serde_json::to_writer(&mut *buffer, value)?;
    buffer.pop();
    let sum = Digest::of(buffer.get(start..).unwrap_or_default());
    buffer.extend_from_slice(SUM.as_bytes());
    buffer.extend_from_slice(sum.hex().as_bytes());
    buffer.extend_from_slice(b"\"}\n");
    Ok(sum)
}

/// The sum of a line, if it fits the line.
fn sum_of(line: &[u8]) -> Option<Digest> {
    let (body, tail) = line.split_at_checked(line.len().checked_sub(SUM_LEN)?)?;
    let digits = tail.strip_prefix(SUM.as_bytes())?.strip_suffix(b"\"}")?;
    let sum = Digest::of(body);
    (sum.hex().as_bytes() == digits).then_some(sum)
}

/// The writing end.
pub(crate) struct Journal {
    places: RunPlaces,
    header: Header,
    file: Option<Box<dyn Writer>>,
    n: u64,
    last: String,
    ended: bool,
    failed: bool,
    buffer: Vec<u8>,
}

impl Journal {
    pub fn new(places: RunPlaces, run: RunId, epoch: Epoch, base: u64) -> Journal {
        let header = Header { format: FORMAT, run, epoch, base };
        Journal {
            places,
            header,
            file: None,
            n: 0,
            last: String::new(),
            ended: false,
            failed: false,
            buffer: Vec::new(),
        }
    }

    /// Something may be on disk that asks for an end, and has none.
    pub fn is_open(&self) -> bool {
        self.is_begun() && !self.has_ended()
    }

    pub fn has_ended(&self) -> bool {
        self.ended && !self.failed
    }

    pub fn is_begun(&self) -> bool {
        self.file.is_some() || self.failed
    }

    /// Writes a batch: one write, one sync. After an error nothing can be written any more: what is on disk is not known, and
    /// a sync that failed once tells nothing the second time.
    pub fn append(&mut self, disk: &Disk, entries: &[Entry]) -> Result<(), StoreError> {
        let path = self.places.journal();
        if self.failed {
            let cause =
                io::Error::other("an earlier write to it failed, nothing more can be noted in this run");
            return Err(io_error("write", &path, cause));
        }
        let result = self.write(disk, &path, entries);
        self.failed = result.is_err();
        result
    }

    fn write(&mut self, disk: &Disk, path: &Path, entries: &[Entry]) -> Result<(), StoreError> {
        self.buffer.clear();
        let is_new = self.file.is_none();
        let encoded = self.encode(entries, disk.host.now_ms());
        encoded.map_err(|error| io_error("write", path, error))?;
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(disk.fs.create(path).map_err(|error| io_error("write", path, error))?),
        };
        file.write_all(&self.buffer).map_err(|error| io_error("write", path, error))?;
        file.sync().map_err(|error| io_error("sync", path, error))?;
        if is_new {
            disk.sync_dir(&self.places.dir)?;
        }
        self.ended |= entries.iter().any(|entry| matches!(entry, Entry::End { .. }));
        Ok(())
    }

    fn encode(&mut self, entries: &[Entry], at: u64) -> io::Result<()> {
        if self.file.is_none() {
            self.last = push_line(&mut self.buffer, &self.header)?.hex();
        }
        let b = self.n + 1;
        for e in entries {
            self.n += 1;
            let line = LineOut { n: self.n, b, at, prev: &self.last, e };
            self.last = push_line(&mut self.buffer, &line)?.hex();
        }
        Ok(())
    }
}

/// Reads a run's journal; `None`: it never had one, or nothing of it was ever acknowledged.
pub(crate) fn read(disk: &Disk, places: &RunPlaces) -> Result<Option<Log>, StoreError> {
    let path = places.journal();
    match disk.read(&path)? {
        Some(bytes) => parse_log(&path, &bytes),
        None => Ok(None),
    }
}

/// Appends a fence, durably, and reads again: what its writer could acknowledge stands before it.
pub(crate) fn fence(disk: &Disk, places: &RunPlaces, by: Epoch) -> Result<Option<Log>, StoreError> {
    let Some(log) = read(disk, places)? else { return Ok(None) };
    if log.fenced || log.ended {
        return Ok(Some(log));
    }
    let path = places.journal();
    let mut bytes = Vec::new();
    if log.torn {
        bytes.push(b'\n');
    }
    let n = log.sums.len() as u64;
    let prev = log.sums.last().map(Digest::hex).unwrap_or_default();
    let line = LineOut { n, b: n, at: disk.host.now_ms(), prev: &prev, e: &Entry::Fence { by } };
    push_line(&mut bytes, &line).map_err(|error| io_error("write", &path, error))?;
    let mut file = disk.fs.append(&path).map_err(|error| io_error("write", &path, error))?;
    file.write_all(&bytes).map_err(|error| io_error("write", &path, error))?;
    file.sync().map_err(|error| io_error("sync", &path, error))?;
    disk.sync_dir(&places.dir)?;
    read(disk, places)
}

fn parse_log(path: &Path, bytes: &[u8]) -> Result<Option<Log>, StoreError> {
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let tail = lines.pop().unwrap_or_default();
    let Some((first, lines)) = lines.split_first() else { return Ok(None) };
    let Some(sum) = sum_of(first) else {
        // Not even the first batch was acknowledged, if this is what a crash left of it.
        return match first.contains(&0) && same_batch(1, lines) {
            true => Ok(None),
            false => Err(bad_header(path, first)),
        };
    };
    let header: Header = parse(path, first)?;
    check_format(path, header.format)?;
    let mut log = Log {
        header,
        entries: Vec::new(),
        ended: false,
        fenced: false,
        sums: vec![sum],
        torn: !tail.is_empty(),
    };
    for (at, line) in lines.iter().enumerate() {
        if line.is_empty() {
            continue;
        }
        let rest = lines.get(at + 1..).unwrap_or_default();
        if !log.take(path, line, rest)? || log.fenced {
            break;
        }
    }
    Ok(Some(log))
}

fn bad_header(path: &Path, first: &[u8]) -> StoreError {
    match parse::<Header>(path, first).and_then(|header| check_format(path, header.format)) {
        Err(newer @ StoreError::Newer { .. }) => newer,
        _ => damaged(path, "line 1 does not fit its sum"),
    }
}

impl Log {
    /// Takes a line in; `false`: it and what follows were never acknowledged.
    fn take(&mut self, path: &Path, line: &[u8], rest: &[&[u8]]) -> Result<bool, StoreError> {
        let n = self.sums.len() as u64;
        let Some((sum, parsed)) = verified(line) else { return self.torn_at(path, line, rest) };
        let is_fence = matches!(parsed.e, Entry::Fence { .. });
        let follows = parsed.n == n || (is_fence && parsed.n < n);
        let before = usize::try_from(parsed.n).ok().and_then(|n| self.sums.get(n.checked_sub(1)?));
        if !follows || before.map(Digest::hex).as_ref() != Some(&parsed.prev) {
            return Err(damaged(path, format!("line {} does not follow the line before it", n + 1)));
        }
        self.fenced = is_fence;
        self.sums.push(sum);
        if !is_fence && !self.ended {
            self.ended = matches!(parsed.e, Entry::End { .. });
            self.entries.push(parsed.e);
        }
        Ok(true)
    }

    /// A line that does not fit: damage, unless it can be what a crash left of a batch that was never acknowledged.
    fn torn_at(&mut self, path: &Path, line: &[u8], rest: &[&[u8]]) -> Result<bool, StoreError> {
        let n = self.sums.len() as u64;
        let mut after = rest.iter().filter(|line| !line.is_empty()).map(|line| verified(line));
        let fence_of = |n: u64, line: &Option<(Digest, LineIn)>| {
            line.as_ref().is_some_and(|(_, line)| matches!(line.e, Entry::Fence { .. }) && line.n <= n)
        };
        let next = after.next().flatten();
        let cut = !looks_whole(line) && fence_of(n, &next);
        if cut || (line.contains(&0) && same_batch(n, rest)) {
            self.fenced = fence_of(n, &next) || after.any(|line| fence_of(n, &line));
            return Ok(false);
        }
        Err(damaged(path, format!("line {} does not fit its sum", n + 1)))
    }
}

/// Whether no line that follows shows that the batch of line `n` was acknowledged.
fn same_batch(n: u64, rest: &[&[u8]]) -> bool {
    let within = |line: &LineIn| line.b <= n || matches!(line.e, Entry::Fence { .. });
    rest.iter().filter_map(|line| verified(line)).all(|(_, line)| within(&line))
}

/// A line with its end: not cut off, so a crash did not make it.
fn looks_whole(line: &[u8]) -> bool {
    let tail = line.len().checked_sub(SUM_LEN).and_then(|at| line.get(at..));
    tail.is_some_and(|tail| tail.starts_with(SUM.as_bytes()) && tail.ends_with(b"\"}"))
}

fn verified(line: &[u8]) -> Option<(Digest, LineIn)> {
    Some((sum_of(line)?, serde_json::from_slice(line).ok()?))
}

/// A file of a step that no intent in the journal announces: the journal has lost its end at a line (rule V4).
pub(crate) fn check_steps(disk: &Disk, places: &RunPlaces, log: Option<&Log>) -> Result<(), StoreError> {
    let entries = log.map(|log| log.entries.as_slice()).unwrap_or_default();
    let token = |entry: &Entry| match entry {
        Entry::Intent { token, .. } => Some(token.0.clone()),
        _ => None,
    };
    let announced: BTreeSet<String> = entries.iter().filter_map(token).collect();
    for item in disk.list(&places.steps())? {
        if let Some(token) = step_token(&item.name)
            && !announced.contains(token)
        {
            let reason = format!("it has lost its end: no intent of it announces {}", item.name);
            return Err(damaged(&places.journal(), reason));
        }
    }
    Ok(())
}

/// The token in `<token>.<attempt>-<label>.{lock,start,out,exit}`; `None` for other names.
fn step_token(name: &str) -> Option<&str> {
    let (token, rest) = name.split_once('.')?;
    let (rest, kind) = rest.rsplit_once('.')?;
    let (attempt, _label) = rest.split_once('-')?;
    let known = ["lock", "start", "out", "exit"].contains(&kind);
    (known && !token.is_empty() && attempt.parse::<u32>().is_ok()).then_some(token)
}
