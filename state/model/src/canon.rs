//! Canonical bytes and the digests over them.
//!
//! Everything digested here is built of structs (fields in declared order) and sorted maps, so its compact JSON is the
//! same bytes for the same data. It is streamed into the hash, never built up in memory.

use std::io::{self, Write};

use hmac::{Hmac, Mac};
use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::ids::{Digest, hex};
use crate::stored::{Form, Node, tagged, write_plain};
use crate::value::Value;

struct HashWriter(Sha256);

impl Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The digest of a value's canonical JSON.
///
/// # Panics
/// Never for the types of this crate: their serialisation does not fail and the writer takes everything.
pub fn digest(value: &impl Serialize) -> Digest {
    let mut writer = io::BufWriter::with_capacity(1024, HashWriter(Sha256::new()));
    // A failure to serialise would end in a digest of what came before it; the types here have none.
    let written = serde_json::to_writer(&mut writer, value);
    debug_assert!(written.is_ok(), "a model type failed to serialise");
    match writer.into_inner() {
        Ok(hash) => Digest(hash.0.finalize().into()),
        Err(_) => Digest::of(b""),
    }
}

/// A value in which each sensitive node is its HMAC-SHA256 under a key: equal secrets are seen to be equal by who has
/// the key, and by nobody else (rule P1).
pub struct Sealed<'a> {
    /// The value.
    pub value: &'a Value,
    /// The store's plan key.
    pub key: &'a [u8],
}

#[derive(Clone, Copy)]
struct Keyed<'a>(&'a [u8]);

struct Plain<'a>(&'a Value, Keyed<'a>);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_plain(self.0, self.1, serializer)
    }
}

impl Form for Keyed<'_> {
    fn marked<S: Serializer>(self, value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = serde_json::to_vec(&Plain(value, self)).map_err(serde::ser::Error::custom)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0).map_err(serde::ser::Error::custom)?;
        mac.update(&bytes);
        tagged(serializer, "hmac", |map| map.serialize_entry("value", &hex(&mac.finalize().into_bytes())))
    }
}

use serde::ser::SerializeMap;

impl Serialize for Sealed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Node(self.value, Keyed(self.key)).serialize(serializer)
    }
}
