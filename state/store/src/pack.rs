//! Packs of records, and the index that says where each record is.
//!
//! A pack holds the records that one commit changed, pretty JSON, sorted by slot. The index object of a version names for
//! every record its pack, offset and length, so that what did not change stays where it is. When a version would refer to
//! more than [`MOST_PACKS`] packs, or when less than half of the packs' bytes are still in use, all records are written into one
//! new pack instead.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::ser::{SerializeSeq, SerializeTuple};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use windlass_model::{Digest, Output, Record, Slot, State};

use std::collections::{BTreeMap, BTreeSet};

use crate::files::{Disk, FORMAT, check_format, damaged, object_path, parse};
use crate::traits::StoreError;

/// More packs than this are rewritten into one.
pub(crate) const MOST_PACKS: usize = 16;
/// Dead bytes that are not worth a rewrite.
const DEAD_ALLOWED: u64 = 64 * 1024;

/// A pack that an index refers to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct PackRef {
    pub id: Digest,
    pub size: u64,
}

/// Where a record is: which pack of the index, from which byte, how many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Loc {
    pub pack: u32,
    pub offset: u64,
    pub length: u64,
}

/// The index of a version. `locs` is in the order of the state's records.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Index {
    pub packs: Vec<PackRef>,
    pub locs: Vec<Loc>,
    /// The objects that records refer to, for the sweep.
    pub blobs: BTreeSet<Digest>,
}

#[derive(Serialize)]
struct IndexOut<'a> {
    format: u64,
    packs: &'a [PackRef],
    blobs: &'a BTreeSet<Digest>,
    outputs: &'a BTreeMap<String, Output>,
    records: Places<'a>,
}

struct Places<'a>(&'a State, &'a [Loc]);

struct Place<'a>(&'a Slot, Loc);

impl Serialize for Places<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.1.len()))?;
        for (slot, loc) in self.0.records.keys().zip(self.1) {
            seq.serialize_element(&Place(slot, *loc))?;
        }
        seq.end()
    }
}

impl Serialize for Place<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(4)?;
        tuple.serialize_element(self.0)?;
        tuple.serialize_element(&self.1.pack)?;
        tuple.serialize_element(&self.1.offset)?;
        tuple.serialize_element(&self.1.length)?;
        tuple.end()
    }
}

#[derive(Deserialize)]
struct IndexIn {
    format: u64,
    packs: Vec<PackRef>,
    #[serde(default)]
    blobs: BTreeSet<Digest>,
    outputs: BTreeMap<String, Output>,
    #[serde(deserialize_with = "read_locs")]
    records: Vec<Loc>,
}

/// The slot in front is for people: the record says it again.
fn read_locs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Loc>, D::Error> {
    let rows = Vec::<(serde::de::IgnoredAny, u32, u64, u64)>::deserialize(deserializer)?;
    Ok(rows.into_iter().map(|(_, pack, offset, length)| Loc { pack, offset, length }).collect())
}

/// One line a record, so that two indexes can be compared by a person.
struct Lines {
    depth: usize,
}

impl serde_json::ser::Formatter for Lines {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        writer.write_all(b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        writer.write_all(if self.depth == 1 { b"\n]" } else { b"]" })
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        separate(writer, first, self.depth == 2)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        writer.write_all(if self.depth == 0 { b"\n}\n" } else { b"}" })
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        separate(writer, first, self.depth == 1)
    }
}

fn separate<W: ?Sized + Write>(writer: &mut W, first: bool, line: bool) -> io::Result<()> {
    if !first {
        writer.write_all(b",")?;
    }
    if line {
        writer.write_all(b"\n")?;
    }
    Ok(())
}

/// The index object's bytes.
pub(crate) fn encode_index(index: &Index, state: &State) -> io::Result<Vec<u8>> {
    let out = IndexOut {
        format: FORMAT,
        packs: &index.packs,
        blobs: &index.blobs,
        outputs: &state.outputs,
        records: Places(state, &index.locs),
    };
    let mut bytes = Vec::with_capacity(1024 + index.locs.len() * 64);
    out.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Lines { depth: 0 }))?;
    Ok(bytes)
}

/// The records of one pack while it is written.
struct PackWriter {
    bytes: Vec<u8>,
}

impl PackWriter {
    fn new() -> PackWriter {
        PackWriter { bytes: format!("{{\n\"format\": {FORMAT},\n\"records\": {{").into_bytes() }
    }

    fn push(&mut self, record: &Record, pack: u32) -> io::Result<Loc> {
        self.bytes.extend_from_slice(if self.bytes.ends_with(b"{") { b"\n" } else { b",\n" });
        serde_json::to_writer(&mut self.bytes, &record.slot)?;
        self.bytes.extend_from_slice(b": ");
        let offset = self.bytes.len();
        let pretty = serde_json::ser::PrettyFormatter::with_indent(b" ");
        record.serialize(&mut serde_json::Serializer::with_formatter(&mut self.bytes, pretty))?;
        let length = self.bytes.len() - offset;
        Ok(Loc { pack, offset: offset as u64, length: length as u64 })
    }

    fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(b"\n}\n}\n");
        self.bytes
    }
}

/// What a commit writes: the new pack, if any, and the new index.
pub(crate) struct Packed {
    pub pack: Option<Vec<u8>>,
    pub index: Index,
}

/// Packs `next`: what is as in `base` stays where `index` says it is.
pub(crate) fn pack(base: &State, index: &Index, next: &State) -> io::Result<Packed> {
    let fresh = u32::try_from(index.packs.len()).map_err(io::Error::other)?;
    let mut writer = PackWriter::new();
    let mut locs = Vec::with_capacity(next.records.len());
    let mut old = base.records.iter().zip(&index.locs).peekable();
    let mut written = false;
    for (slot, record) in &next.records {
        while old.next_if(|((old, _), _)| *old < slot).is_some() {}
        let same = old.next_if(|((old, _), _)| *old == slot).filter(|((_, old), _)| is_same(old, record));
        match same {
            Some((_, loc)) => locs.push(*loc),
            None => {
                locs.push(writer.push(record, fresh)?);
                written = true;
            }
        }
    }
    let bytes = writer.finish();
    let mut packs = index.packs.clone();
    if written {
        packs.push(PackRef { id: Digest::of(&bytes), size: bytes.len() as u64 });
    }
    let mut packed = Index { packs, locs, blobs: blobs(next) };
    packed.drop_unused();
    match packed.wants_rewrite() {
        true => rewrite(next, packed.blobs),
        false => Ok(Packed { pack: written.then_some(bytes), index: packed }),
    }
}

fn is_same(old: &Arc<Record>, new: &Arc<Record>) -> bool {
    Arc::ptr_eq(old, new) || old == new
}

fn rewrite(state: &State, blobs: BTreeSet<Digest>) -> io::Result<Packed> {
    let mut writer = PackWriter::new();
    let locs = state.records.values().map(|record| writer.push(record, 0)).collect::<io::Result<_>>()?;
    let bytes = writer.finish();
    let packs = vec![PackRef { id: Digest::of(&bytes), size: bytes.len() as u64 }];
    Ok(Packed { pack: Some(bytes), index: Index { packs, locs, blobs } })
}

fn blobs(state: &State) -> BTreeSet<Digest> {
    state.records.values().flat_map(|record| record.private.blobs.values().copied()).collect()
}

impl Index {
    /// Leaves out packs of which nothing is used.
    fn drop_unused(&mut self) {
        let mut used = vec![false; self.packs.len()];
        for loc in &self.locs {
            if let Some(used) = used.get_mut(loc.pack as usize) {
                *used = true;
            }
        }
        let mut number = 0;
        let mut renumbered = Vec::with_capacity(used.len());
        for used in &used {
            renumbered.push(number);
            number += u32::from(*used);
        }
        for loc in &mut self.locs {
            loc.pack = renumbered.get(loc.pack as usize).copied().unwrap_or(loc.pack);
        }
        let mut used = used.into_iter();
        self.packs.retain(|_| used.next().unwrap_or(true));
    }

    fn wants_rewrite(&self) -> bool {
        let all: u64 = self.packs.iter().map(|pack| pack.size).sum();
        let live: u64 = self.locs.iter().map(|loc| loc.length).sum();
        self.packs.len() > MOST_PACKS || all > 2 * live + DEAD_ALLOWED
    }
}

/// Reads a state by its index object: each pack once, each record straight from its text.
pub(crate) fn read(disk: &Disk, objects: &Path, id: &Digest) -> Result<(Index, State), StoreError> {
    let (index, outputs) = read_index(disk, objects, id)?;
    let packs = index.packs.iter().map(|pack| PackText::read(disk, objects, &pack.id));
    let packs = packs.collect::<Result<Vec<_>, _>>()?;
    let mut records = Vec::with_capacity(index.locs.len());
    for loc in &index.locs {
        let pack = packs.get(loc.pack as usize).ok_or_else(|| {
            damaged(&object_path(objects, id), format!("it refers to a pack that it does not name: {loc:?}"))
        })?;
        let record = pack.record(*loc)?;
        records.push((record.slot.clone(), Arc::new(record)));
    }
    let state = State { records: records.into_iter().collect(), outputs };
    match state.records.len() == index.locs.len() {
        true => Ok((index, state)),
        false => Err(damaged(&object_path(objects, id), "it names an object twice")),
    }
}

/// A pack that was read and checked.
struct PackText {
    path: PathBuf,
    text: String,
}

impl PackText {
    fn read(disk: &Disk, objects: &Path, id: &Digest) -> Result<PackText, StoreError> {
        let path = object_path(objects, id);
        let bytes = disk.object_needed(objects, id)?;
        let text = String::from_utf8(bytes).map_err(|error| damaged(&path, error.to_string()))?;
        Ok(PackText { path, text })
    }

    fn record(&self, loc: Loc) -> Result<Record, StoreError> {
        let range = usize::try_from(loc.offset).ok().zip(usize::try_from(loc.length).ok());
        let range = range.and_then(|(start, length)| Some(start..start.checked_add(length)?));
        let text = range.and_then(|range| self.text.get(range));
        let text = text.ok_or_else(|| damaged(&self.path, format!("it has no record at {loc:?}")))?;
        serde_json::from_str(text).map_err(|error| damaged(&self.path, format!("at {loc:?}: {error}")))
    }
}

/// Reads an index without the records.
pub(crate) fn read_index(
    disk: &Disk,
    objects: &Path,
    id: &Digest,
) -> Result<(Index, BTreeMap<String, Output>), StoreError> {
    let path = object_path(objects, id);
    let bytes = disk.object_needed(objects, id)?;
    let read: IndexIn = parse(&path, &bytes)?;
    check_format(&path, read.format)?;
    Ok((Index { packs: read.packs, locs: read.records, blobs: read.blobs }, read.outputs))
}
