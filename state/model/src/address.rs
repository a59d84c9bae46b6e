//! Where a resource stands: `type.name`, `type.name["key"]`, `module.m.type.name`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The address of a resource instance, or (without a key) of a resource block.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The modules it is in, outermost first.
    pub module: Arc<[ModuleStep]>,
    /// The resource type.
    pub kind: Arc<str>,
    /// The block's name.
    pub name: Arc<str>,
    /// Which instance of a block with `count` or `for_each`.
    pub key: Option<Key>,
}

/// One module call on the way to a resource.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleStep {
    /// The call's name.
    pub name: Arc<str>,
    /// Which instance of the call.
    pub key: Option<Key>,
}

/// An instance key: of `count` a number, of `for_each` a string.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// `[0]`
    Index(u64),
    /// `["key"]`
    Name(Arc<str>),
}

/// An object of an address: the current one, or one that was set aside to be deleted (`deposed`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// The resource.
    pub address: Address,
    /// The id of a deposed object; `None` for the current one.
    pub deposed: Option<Arc<str>>,
}

/// Text that is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address: it reads `type.name`, `type.name[\"key\"]` or `module.m.type.name`")]
pub struct AddressError(pub String);

impl Address {
    /// An address in the root module, without a key.
    pub fn new(kind: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Address {
        Address { module: Arc::new([]), kind: kind.into(), name: name.into(), key: None }
    }

    /// The same block with this key.
    pub fn with_key(&self, key: Option<Key>) -> Address {
        Address { key, ..self.clone() }
    }

    /// The address of the block: without the key.
    pub fn block(&self) -> Address {
        self.with_key(None)
    }

    /// Whether `self`, as named by a user, covers `other`: the same instance, or the block it is of.
    pub fn covers(&self, other: &Address) -> bool {
        let same_block = self.module == other.module && self.kind == other.kind && self.name == other.name;
        same_block && (self.key.is_none() || self.key == other.key)
    }

    /// The slot of its current object.
    pub fn slot(&self) -> Slot {
        Slot { address: self.clone(), deposed: None }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Index(index) => write!(f, "[{index}]"),
            Key::Name(name) => {
                f.write_str("[\"")?;
                for c in name.chars() {
                    match c {
                        '"' => f.write_str("\\\"")?,
                        '\\' => f.write_str("\\\\")?,
                        '\n' => f.write_str("\\n")?,
                        '\r' => f.write_str("\\r")?,
                        '\t' => f.write_str("\\t")?,
                        c => write!(f, "{c}")?,
                    }
                }
                f.write_str("\"]")
            }
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in self.module.iter() {
            write!(f, "module.{}", step.name)?;
            if let Some(key) = &step.key {
                write!(f, "{key}")?;
            }
            f.write_str(".")?;
        }
        write!(f, "{}.{}", self.kind, self.name)?;
        self.key.as_ref().map_or(Ok(()), |key| write!(f, "{key}"))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Slot {
    /// The address; a deposed object has its id behind a `~`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.deposed {
            None => write!(f, "{}", self.address),
            Some(id) => write!(f, "{}~{id}", self.address),
        }
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads names, dots and keys off the front of a text.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn name(&mut self) -> Option<Arc<str>> {
        let end = self
            .rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!name.is_empty()).then(|| Arc::from(name))
    }

    fn eat(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// `Ok(None)` where no key stands here.
    fn key(&mut self) -> Result<Option<Key>, ()> {
        if !self.eat("[") {
            return Ok(None);
        }
        if !self.eat("\"") {
            let (digits, rest) = self.rest.split_once(']').ok_or(())?;
            self.rest = rest;
            return digits.parse().map(|index| Some(Key::Index(index))).map_err(|_| ());
        }
        let mut name = String::new();
        let mut chars = self.rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return if self.eat("]") { Ok(Some(Key::Name(name.into()))) } else { Err(()) };
                }
                '\\' => name.push(match chars.next().ok_or(())?.1 {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    c @ ('"' | '\\') => c,
                    _ => return Err(()),
                }),
                c => name.push(c),
            }
        }
        Err(())
    }

    fn address(&mut self) -> Option<Address> {
        let mut module = Vec::new();
        while self.eat("module.") {
            let step = ModuleStep { name: self.name()?, key: self.key().ok()? };
            module.push(step);
            self.eat(".").then_some(())?;
        }
        let kind = self.name()?;
        self.eat(".").then_some(())?;
        let name = self.name()?;
        Some(Address { module: module.into(), kind, name, key: self.key().ok()? })
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let mut reader = Reader { rest: text };
        let address = reader.address().filter(|_| reader.rest.is_empty());
        address.ok_or_else(|| AddressError(text.to_owned()))
    }
}

impl FromStr for Slot {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let mut reader = Reader { rest: text };
        let address = reader.address().ok_or_else(|| AddressError(text.to_owned()))?;
        match reader.rest.strip_prefix('~') {
            None if reader.rest.is_empty() => Ok(address.slot()),
            Some(id) if !id.is_empty() => Ok(Slot { address, deposed: Some(id.into()) }),
            _ => Err(AddressError(text.to_owned())),
        }
    }
}

macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
as_text!(Address, Slot);
