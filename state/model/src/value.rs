//! Values that flow from expressions to plans to records: with marks (sensitive) and unknowns.
//!
//! `Value` has no `Serialize`, and its `Debug` redacts: it leaves the process only as [`Stored`](crate::Stored)
//! (state, plans) or [`Shown`](crate::Shown) (events, plan documents), so that a secret in an event does not compile.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};
use std::sync::Arc;

use crate::number::Number;
use crate::ty::{Field, Type};

/// A value, possibly unknown in part, each node with its own marks.
#[derive(Clone)]
pub struct Value {
    /// What it is.
    pub kind: Kind,
    /// The marks of this node (not of those inside it).
    pub marks: Marks,
}

/// What a value is.
#[derive(Clone)]
pub enum Kind {
    /// Absent.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    String(Arc<str>),
    /// A sequence of one element type.
    List(Arc<Seq>),
    /// Distinct elements, sorted by [`Value::order`].
    Set(Arc<Seq>),
    /// A sequence with a type for each element.
    Tuple(Arc<Seq>),
    /// String keys to one element type.
    Map(Arc<Fields>),
    /// Fixed attributes.
    Object(Arc<Fields>),
    /// Not known yet.
    Unknown(Arc<Unknown>),
}

/// Marks of a value node: a small set.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Marks(u8);

impl Marks {
    /// No mark.
    pub const NONE: Marks = Marks(0);
    /// The value must not be shown.
    pub const SENSITIVE: Marks = Marks(1);

    /// Whether there is no mark.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` are in this set.
    pub fn contains(self, other: Marks) -> bool {
        self.0 & other.0 == other.0
    }

    /// This set without those of `other`.
    pub fn without(self, other: Marks) -> Marks {
        Marks(self.0 & !other.0)
    }
}

impl BitOr for Marks {
    type Output = Marks;
    fn bitor(self, other: Marks) -> Marks {
        Marks(self.0 | other.0)
    }
}

impl BitOrAssign for Marks {
    fn bitor_assign(&mut self, other: Marks) {
        self.0 |= other.0;
    }
}

/// The elements of a list, set or tuple.
pub struct Seq {
    /// The element type of a list or set; `Any` where it is not known, and for a tuple.
    pub element: Type,
    /// The elements.
    pub items: Box<[Value]>,
    has_unknown: bool,
    marks: Marks,
}

/// The entries of a map or object, sorted by key (bytewise).
pub struct Fields {
    /// The element type of a map; `Any` for an object.
    pub element: Type,
    /// Keys and values.
    pub entries: Box<[(Arc<str>, Value)]>,
    has_unknown: bool,
    marks: Marks,
}

/// What is known of a value that is not known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Unknown {
    /// Its type, `Any` if that is not known either.
    pub ty: Type,
    /// Known not to be null.
    pub not_null: bool,
    /// Known beginning of a string.
    pub prefix: Option<Arc<str>>,
    /// What it waits for, as text for people: `terraform_root.network.outputs`.
    pub source: Option<Arc<str>>,
}

impl Seq {
    fn new(element: Type, items: Box<[Value]>) -> Seq {
        let has_unknown = items.iter().any(Value::has_unknown);
        let marks = items.iter().fold(Marks::NONE, |marks, item| marks | item.deep_marks());
        Seq { element, items, has_unknown, marks }
    }
}

impl Fields {
    fn new(element: Type, mut entries: Vec<(Arc<str>, Value)>) -> Fields {
        if !entries.is_sorted_by(|a, b| a.0 < b.0) {
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            // Of equal keys the last one given stays.
            entries.reverse();
            entries.dedup_by(|a, b| a.0 == b.0);
            entries.reverse();
        }
        let has_unknown = entries.iter().any(|(_, v)| v.has_unknown());
        let marks = entries.iter().fold(Marks::NONE, |marks, (_, v)| marks | v.deep_marks());
        Fields { element, entries: entries.into_boxed_slice(), has_unknown, marks }
    }

    /// The value at a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let at = self.entries.binary_search_by(|(k, _)| (**k).cmp(key)).ok()?;
        self.entries.get(at).map(|(_, value)| value)
    }
}

impl Value {
    /// Null.
    pub const NULL: Value = Value { kind: Kind::Null, marks: Marks::NONE };

    /// An unmarked value of a kind.
    pub fn new(kind: Kind) -> Value {
        Value { kind, marks: Marks::NONE }
    }

    /// A string.
    pub fn string(text: impl Into<Arc<str>>) -> Value {
        Value::new(Kind::String(text.into()))
    }

    /// A list; `element` is its element type (`Any` if not known).
    pub fn list(element: Type, items: Vec<Value>) -> Value {
        Value::new(Kind::List(Arc::new(Seq::new(element, items.into_boxed_slice()))))
    }

    /// A tuple.
    pub fn tuple(items: Vec<Value>) -> Value {
        Value::new(Kind::Tuple(Arc::new(Seq::new(Type::Any, items.into_boxed_slice()))))
    }

    /// A set: sorted, equal elements once; marks of elements move to the set.
    pub fn set(element: Type, mut items: Vec<Value>) -> Value {
        let mut marks = Marks::NONE;
        for item in &mut items {
            let (plain, found) = item.unmark_deep();
            *item = plain;
            marks |= found;
        }
        items.sort_by(Value::order);
        items.dedup_by(|a, b| a.is_known() && a.same(b));
        Value::new(Kind::Set(Arc::new(Seq::new(element, items.into_boxed_slice())))).marked(marks)
    }

    /// A map; `element` is its element type (`Any` if not known). Of equal keys the last stays.
    pub fn map(element: Type, entries: Vec<(Arc<str>, Value)>) -> Value {
        Value::new(Kind::Map(Arc::new(Fields::new(element, entries))))
    }

    /// An object. Of equal keys the last stays.
    pub fn object<K: Into<Arc<str>>>(entries: impl IntoIterator<Item = (K, Value)>) -> Value {
        let entries = entries.into_iter().map(|(key, value)| (key.into(), value)).collect();
        Value::new(Kind::Object(Arc::new(Fields::new(Type::Any, entries))))
    }

    /// An unknown value of a type.
    pub fn unknown(ty: Type) -> Value {
        Value::new(Kind::Unknown(Arc::new(Unknown { ty, ..Unknown::default() })))
    }

    /// An unknown value that waits for `source` (an attribute's text form).
    pub fn unknown_from(ty: Type, source: impl Into<Arc<str>>) -> Value {
        Value::new(Kind::Unknown(Arc::new(Unknown { ty, source: Some(source.into()), ..Unknown::default() })))
    }

    /// This value with marks added to its top node.
    pub fn marked(mut self, marks: Marks) -> Value {
        self.marks |= marks;
        self
    }

    /// This value marked sensitive.
    pub fn sensitive(self) -> Value {
        self.marked(Marks::SENSITIVE)
    }

    /// Whether the top node is null.
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// Whether the top node is unknown.
    pub fn is_unknown(&self) -> bool {
        matches!(self.kind, Kind::Unknown(_))
    }

    /// Whether an unknown is anywhere in it. Constant time.
    pub fn has_unknown(&self) -> bool {
        match &self.kind {
            Kind::Unknown(_) => true,
            Kind::List(s) | Kind::Set(s) | Kind::Tuple(s) => s.has_unknown,
            Kind::Map(f) | Kind::Object(f) => f.has_unknown,
            _ => false,
        }
    }

    /// Whether it is known whole.
    pub fn is_known(&self) -> bool {
        !self.has_unknown()
    }

    /// The marks found anywhere in it. Constant time.
    pub fn deep_marks(&self) -> Marks {
        let inner = match &self.kind {
            Kind::List(s) | Kind::Set(s) | Kind::Tuple(s) => s.marks,
            Kind::Map(f) | Kind::Object(f) => f.marks,
            _ => Marks::NONE,
        };
        self.marks | inner
    }

    /// Whether the top node is sensitive.
    pub fn is_sensitive(&self) -> bool {
        self.marks.contains(Marks::SENSITIVE)
    }

    /// Whether anything in it is sensitive. Constant time.
    pub fn has_sensitive(&self) -> bool {
        self.deep_marks().contains(Marks::SENSITIVE)
    }

    /// The value without any mark, and the marks that were found.
    pub fn unmark_deep(&self) -> (Value, Marks) {
        let marks = self.deep_marks();
        if marks.is_empty() {
            return (self.clone(), marks);
        }
        let plain = self.map_children(|child| child.unmark_deep().0);
        (Value { kind: plain.kind, marks: Marks::NONE }, marks)
    }

    /// The same node with each direct child replaced.
    pub fn map_children(&self, mut change: impl FnMut(&Value) -> Value) -> Value {
        let mut seq = |s: &Seq| {
            let items = s.items.iter().map(&mut change).collect();
            Arc::new(Seq::new(s.element.clone(), items))
        };
        let kind = match &self.kind {
            Kind::List(s) => Kind::List(seq(s)),
            Kind::Set(s) => Kind::Set(seq(s)),
            Kind::Tuple(s) => Kind::Tuple(seq(s)),
            Kind::Map(f) => Kind::Map(map_fields(f, change)),
            Kind::Object(f) => Kind::Object(map_fields(f, change)),
            other => other.clone(),
        };
        Value { kind, marks: self.marks }
    }

    /// Text, where it is a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    /// `true` or `false`, where it is a bool.
    pub fn as_bool(&self) -> Option<bool> {
        match self.kind {
            Kind::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The number, where it is one.
    pub fn as_number(&self) -> Option<&Number> {
        match &self.kind {
            Kind::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The number as `i64`, where it is whole and fits.
    pub fn as_i64(&self) -> Option<i64> {
        self.as_number().and_then(Number::as_i64)
    }

    /// The elements of a list, set or tuple.
    pub fn items(&self) -> Option<&[Value]> {
        match &self.kind {
            Kind::List(s) | Kind::Set(s) | Kind::Tuple(s) => Some(&s.items),
            _ => None,
        }
    }

    /// The entries of a map or object, sorted by key.
    pub fn entries(&self) -> Option<&[(Arc<str>, Value)]> {
        match &self.kind {
            Kind::Map(f) | Kind::Object(f) => Some(&f.entries),
            _ => None,
        }
    }

    /// The value at a key of a map or object.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match &self.kind {
            Kind::Map(f) | Kind::Object(f) => f.get(key),
            _ => None,
        }
    }

    /// The value's type; `Any` for null and what is not known.
    pub fn type_of(&self) -> Type {
        match &self.kind {
            Kind::Null => Type::Any,
            Kind::Bool(_) => Type::Bool,
            Kind::Number(_) => Type::Number,
            Kind::String(_) => Type::String,
            Kind::List(s) => Type::list(s.element.clone()),
            Kind::Set(s) => Type::set(s.element.clone()),
            Kind::Tuple(s) => Type::Tuple(s.items.iter().map(Value::type_of).collect()),
            Kind::Map(f) => Type::map(f.element.clone()),
            Kind::Object(f) => {
                let field = |(name, value): &(Arc<str>, Value)| {
                    (name.clone(), Field { ty: value.type_of(), optional: false })
                };
                Type::Object(Arc::new(f.entries.iter().map(field).collect()))
            }
            Kind::Unknown(u) => u.ty.clone(),
        }
    }

    /// Whether both hold the same data: marks are ignored, list and tuple are alike, and so are map and object. An
    /// unknown is the same as nothing, not even itself.
    pub fn same(&self, other: &Value) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Null, Kind::Null) => true,
            (Kind::Bool(a), Kind::Bool(b)) => a == b,
            (Kind::Number(a), Kind::Number(b)) => a == b,
            (Kind::String(a), Kind::String(b)) => a == b,
            (Kind::Set(a), Kind::Set(b)) => same_items(a, b),
            (Kind::List(a) | Kind::Tuple(a), Kind::List(b) | Kind::Tuple(b)) => same_items(a, b),
            (Kind::Map(a) | Kind::Object(a), Kind::Map(b) | Kind::Object(b)) => {
                a.entries.len() == b.entries.len()
                    && a.entries.iter().zip(&b.entries).all(|((ka, a), (kb, b))| ka == kb && a.same(b))
            }
            _ => false,
        }
    }

    /// A total order over values, for sets: by kind, then by content; strings bytewise. Marks are ignored.
    pub fn order(&self, other: &Value) -> std::cmp::Ordering {
        use std::cmp::Ordering;
        match (&self.kind, &other.kind) {
            (Kind::Bool(a), Kind::Bool(b)) => a.cmp(b),
            (Kind::Number(a), Kind::Number(b)) => a.cmp(b),
            (Kind::String(a), Kind::String(b)) => a.cmp(b),
            (
                Kind::List(a) | Kind::Set(a) | Kind::Tuple(a),
                Kind::List(b) | Kind::Set(b) | Kind::Tuple(b),
            ) => {
                let pairs = a.items.iter().zip(&b.items).map(|(a, b)| a.order(b));
                first_difference(pairs).unwrap_or(a.items.len().cmp(&b.items.len()))
            }
            (Kind::Map(a) | Kind::Object(a), Kind::Map(b) | Kind::Object(b)) => {
                let pairs =
                    a.entries.iter().zip(&b.entries).map(|(a, b)| a.0.cmp(&b.0).then(a.1.order(&b.1)));
                first_difference(pairs).unwrap_or(a.entries.len().cmp(&b.entries.len()))
            }
            (Kind::Null, Kind::Null) | (Kind::Unknown(_), Kind::Unknown(_)) => Ordering::Equal,
            _ => self.rank().cmp(&other.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match self.kind {
            Kind::Null => 0,
            Kind::Bool(_) => 1,
            Kind::Number(_) => 2,
            Kind::String(_) => 3,
            Kind::List(_) | Kind::Set(_) | Kind::Tuple(_) => 4,
            Kind::Map(_) | Kind::Object(_) => 5,
            Kind::Unknown(_) => 6,
        }
    }
}

fn map_fields(fields: &Fields, mut change: impl FnMut(&Value) -> Value) -> Arc<Fields> {
    let entries = fields.entries.iter().map(|(key, value)| (key.clone(), change(value))).collect();
    Arc::new(Fields::new(fields.element.clone(), entries))
}

fn same_items(a: &Seq, b: &Seq) -> bool {
    a.items.len() == b.items.len() && a.items.iter().zip(&b.items).all(|(a, b)| a.same(b))
}

fn first_difference(mut orders: impl Iterator<Item = std::cmp::Ordering>) -> Option<std::cmp::Ordering> {
    orders.find(|order| order.is_ne())
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::new(Kind::Bool(value))
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::new(Kind::Number(Number::Int(value)))
    }
}

impl From<Number> for Value {
    fn from(value: Number) -> Self {
        Value::new(Kind::Number(value))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::string(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::string(value)
    }
}

impl fmt::Debug for Value {
    /// For tests and panics: a sensitive node shows as `(sensitive)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_sensitive() {
            return f.write_str("(sensitive)");
        }
        match &self.kind {
            Kind::Null => f.write_str("null"),
            Kind::Bool(value) => write!(f, "{value}"),
            Kind::Number(number) => write!(f, "{number}"),
            Kind::String(text) => write!(f, "{text:?}"),
            Kind::List(s) => f.debug_list().entries(s.items.iter()).finish(),
            Kind::Set(s) => f.debug_set().entries(s.items.iter()).finish(),
            Kind::Tuple(s) => {
                f.write_str("tuple")?;
                f.debug_list().entries(s.items.iter()).finish()
            }
            Kind::Map(m) | Kind::Object(m) => {
                f.debug_map().entries(m.entries.iter().map(|(k, v)| (k, v))).finish()
            }
            Kind::Unknown(u) => write!(f, "unknown({})", u.ty),
        }
    }
}
