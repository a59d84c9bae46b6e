//! What differs between two values, as a list of changes by path.

use std::sync::Arc;

use windlass_model::{AttrPath, Kind, PathStep, Value};

/// One difference. It is at least one of gone, new, or other.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    /// Where.
    pub path: AttrPath,
    /// What was there; `None`: nothing, or null.
    pub before: Option<&'a Value>,
    /// What will be there; `None`: nothing, or null.
    pub after: Option<&'a Value>,
    /// What will be there is not known yet, in whole or (of a set, or a list of another length) in part.
    pub unknown: bool,
    /// Neither side may be shown.
    pub sensitive: bool,
}

impl Change<'_> {
    /// Whether a change at one of these paths is this one, is inside it, or holds it.
    pub fn touches(&self, paths: &[AttrPath]) -> bool {
        paths.iter().any(|path| path.0.starts_with(&self.path.0) || self.path.0.starts_with(&path.0))
    }
}

/// All differences between two values, in the order of their paths.
///
/// Objects and maps are compared by key, sequences of equal length by index; a set, a sequence of another length and a
/// value of another kind is one change as a whole. Where only one side is there, it is taken apart just as far as it
/// has unknown or sensitive parts, so that the flags of a change always mean the whole of it. Two values that differ
/// only in their marks are the same; an unknown is a difference.
pub fn changes<'a>(before: &'a Value, after: &'a Value) -> Vec<Change<'a>> {
    let mut walk = Walk { found: Vec::new(), path: Vec::new() };
    let top = |value: &'a Value| if value.is_null() { None } else { Some(value) };
    match (top(before), top(after)) {
        // The outermost value is taken apart always: the attributes of a resource are what people review.
        (None, Some(after)) if parts(after).is_some() && !after.is_sensitive() => walk.one_side(after, false),
        (Some(before), None) if parts(before).is_some() && !before.is_sensitive() => {
            walk.one_side(before, true);
        }
        (before, after) => walk.compare(before, after),
    }
    walk.found
}

struct Walk<'a> {
    found: Vec<Change<'a>>,
    path: Vec<PathStep>,
}

impl<'a> Walk<'a> {
    fn compare(&mut self, before: Option<&'a Value>, after: Option<&'a Value>) {
        let before = before.filter(|value| !value.is_null());
        let after = after.filter(|value| !value.is_null());
        match (before, after) {
            (None, None) => {}
            (Some(b), Some(a)) if a.is_known() && b.same(a) => {}
            (Some(b), Some(a)) if b.is_sensitive() || a.is_sensitive() => self.push(before, after),
            (Some(b), Some(a)) => self.inside(b, a),
            (None, Some(only)) | (Some(only), None) => {
                let plain = !only.has_unknown() && !only.has_sensitive();
                if plain || only.is_sensitive() || parts(only).is_none() {
                    self.push(before, after);
                } else {
                    self.one_side(only, before.is_some());
                }
            }
        }
    }

    fn inside(&mut self, before: &'a Value, after: &'a Value) {
        match (parts(before), parts(after)) {
            (Some(Parts::Entries(b)), Some(Parts::Entries(a))) => self.entries(b, a),
            (Some(Parts::Items(b)), Some(Parts::Items(a))) if a.len() == b.len() => {
                for (index, (b, a)) in b.iter().zip(a).enumerate() {
                    self.at(PathStep::Index(index as u64), Some(b), Some(a));
                }
            }
            _ => self.push(Some(before), Some(after)),
        }
    }

    /// Both are sorted by key.
    fn entries(&mut self, before: &'a [(Arc<str>, Value)], after: &'a [(Arc<str>, Value)]) {
        let (mut b, mut a) = (before.iter().peekable(), after.iter().peekable());
        loop {
            let order = match (b.peek(), a.peek()) {
                (None, None) => return,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some((b, _)), Some((a, _))) => b.cmp(a),
            };
            let left = if order.is_le() { b.next() } else { None };
            let right = if order.is_ge() { a.next() } else { None };
            if let Some((key, _)) = left.or(right) {
                let values = (left.map(|(_, value)| value), right.map(|(_, value)| value));
                self.at(PathStep::Name(key.clone()), values.0, values.1);
            }
        }
    }

    fn one_side(&mut self, only: &'a Value, is_before: bool) {
        let sides = |value| if is_before { (Some(value), None) } else { (None, Some(value)) };
        match parts(only) {
            Some(Parts::Entries(entries)) => {
                for (key, value) in entries {
                    let (before, after) = sides(value);
                    self.at(PathStep::Name(key.clone()), before, after);
                }
            }
            Some(Parts::Items(items)) => {
                for (index, value) in items.iter().enumerate() {
                    let (before, after) = sides(value);
                    self.at(PathStep::Index(index as u64), before, after);
                }
            }
            None => {}
        }
    }

    fn at(&mut self, step: PathStep, before: Option<&'a Value>, after: Option<&'a Value>) {
        self.path.push(step);
        self.compare(before, after);
        self.path.pop();
    }

    fn push(&mut self, before: Option<&'a Value>, after: Option<&'a Value>) {
        // Of a change as a whole nothing is shown where either side has a secret anywhere: the same text may stand
        // on the other side without its mark.
        let sensitive = before.is_some_and(Value::has_sensitive) || after.is_some_and(Value::has_sensitive);
        let unknown = after.is_some_and(Value::has_unknown);
        self.found.push(Change { path: AttrPath(self.path.clone()), before, after, unknown, sensitive });
    }
}

enum Parts<'a> {
    Entries(&'a [(Arc<str>, Value)]),
    Items(&'a [Value]),
}

/// The parts of a value that have paths of their own: none of a set and of an empty container.
fn parts(value: &Value) -> Option<Parts<'_>> {
    match &value.kind {
        Kind::Map(f) | Kind::Object(f) if !f.entries.is_empty() => Some(Parts::Entries(&f.entries)),
        Kind::List(s) | Kind::Tuple(s) if !s.items.is_empty() => Some(Parts::Items(&s.items)),
        _ => None,
    }
}

/// How the elements of two sequences differ: `(equal at the start, removed, added, equal at the end)`. Sets are compared
/// by their elements, with nothing at the end.
pub fn elements<'a>(before: &'a Value, after: &'a Value) -> Option<Elements<'a>> {
    let (b, a) = (before.items()?, after.items()?);
    if matches!((&before.kind, &after.kind), (Kind::Set(_), Kind::Set(_))) {
        return Some(set_elements(b, a));
    }
    let same = |(b, a): &(&Value, &Value)| a.is_known() && b.same(a);
    let head = b.iter().zip(a).take_while(same).count();
    let tail = b[head..].iter().rev().zip(a[head..].iter().rev()).take_while(same).count();
    Some(Elements {
        head,
        removed: b[head..b.len() - tail].iter().collect(),
        added: a[head..a.len() - tail].iter().collect(),
        tail,
    })
}

/// See [`elements`].
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    /// How many are equal at the start.
    pub head: usize,
    /// What goes.
    pub removed: Vec<&'a Value>,
    /// What comes in its place.
    pub added: Vec<&'a Value>,
    /// How many are equal at the end.
    pub tail: usize,
}

/// Both are sorted by `Value::order`.
fn set_elements<'a>(before: &'a [Value], after: &'a [Value]) -> Elements<'a> {
    let absent = |value: &Value, from: &[Value]| from.binary_search_by(|other| other.order(value)).is_err();
    let removed: Vec<&Value> = before.iter().filter(|value| absent(value, after)).collect();
    let added = after.iter().filter(|value| value.has_unknown() || absent(value, before)).collect();
    Elements { head: before.len() - removed.len(), removed, added, tail: 0 }
}

#[cfg(test)]
mod tests {
    use windlass_model::Type;

    use super::*;

    fn summary(before: &Value, after: &Value) -> Vec<String> {
        let flag = |set, name| if set { name } else { "" };
        let line = |c: &Change<'_>| {
            let sign = match (c.before, c.after) {
                (None, _) => '+',
                (_, None) => '-',
                _ => '~',
            };
            format!("{sign}{}{}{}", c.path, flag(c.unknown, " unknown"), flag(c.sensitive, " sensitive"))
        };
        changes(before, after).iter().map(line).collect()
    }

    fn object(entries: Vec<(&str, Value)>) -> Value {
        Value::object(entries)
    }

    #[test]
    fn equal_values_have_no_change() {
        let value = object(vec![("a", Value::from(1)), ("b", Value::tuple(vec![Value::from("x")]))]);
        assert!(summary(&value, &value).is_empty());
        assert!(summary(&Value::NULL, &Value::NULL).is_empty());
        let marked = object(vec![("a", Value::from(1).sensitive()), ("b", Value::tuple(vec!["x".into()]))]);
        assert!(summary(&value, &marked).is_empty(), "marks alone are no change");
    }

    #[test]
    fn keys_are_merged_in_order() {
        let before = object(vec![("a", 1.into()), ("b", 2.into()), ("d", 4.into())]);
        let after = object(vec![("b", 3.into()), ("c", 0.into()), ("d", 4.into()), ("e", Value::NULL)]);
        assert_eq!(summary(&before, &after), ["-a", "~b", "+c"]);
    }

    #[test]
    fn a_list_and_a_tuple_of_equal_content_are_the_same() {
        let list = Value::list(Type::Number, vec![1.into(), 2.into()]);
        let tuple = Value::tuple(vec![1.into(), 2.into()]);
        assert!(summary(&object(vec![("x", list)]), &object(vec![("x", tuple)])).is_empty());
    }

    #[test]
    fn sequences_by_index_or_as_a_whole() {
        let of = |items: Vec<Value>| object(vec![("x", Value::tuple(items))]);
        assert_eq!(summary(&of(vec![1.into(), 2.into()]), &of(vec![1.into(), 3.into()])), ["~x[1]"]);
        assert_eq!(summary(&of(vec![1.into()]), &of(vec![1.into(), 3.into()])), ["~x"]);
        let set = |items| object(vec![("x", Value::set(Type::Number, items))]);
        assert_eq!(summary(&set(vec![1.into(), 2.into()]), &set(vec![1.into(), 3.into()])), ["~x"]);
    }

    #[test]
    fn unknowns_have_paths_of_their_own() {
        let after = object(vec![
            ("env", object(vec![("A", "x".into()), ("B", Value::unknown(Type::String))])),
            ("id", Value::unknown(Type::String)),
            ("plain", object(vec![("A", "x".into())])),
        ]);
        assert_eq!(summary(&Value::NULL, &after), ["+env.A", "+env.B unknown", "+id unknown", "+plain"]);
        let before = object(vec![("id", "1".into())]);
        let later = object(vec![("id", Value::unknown(Type::String))]);
        assert_eq!(summary(&before, &later), ["~id unknown"]);
    }

    #[test]
    fn a_secret_on_either_side_hides_both() {
        let open = object(vec![("x", "old".into())]);
        let secret = object(vec![("x", Value::from("new").sensitive())]);
        assert_eq!(summary(&open, &secret), ["~x sensitive"]);
        assert_eq!(summary(&secret, &open), ["~x sensitive"]);
        let list = |items| object(vec![("x", Value::tuple(items))]);
        let before = list(vec![Value::from("a").sensitive()]);
        assert_eq!(summary(&before, &list(vec!["a".into(), "b".into()])), ["~x sensitive"]);
        assert_eq!(
            summary(&Value::NULL, &list(vec![Value::from("a").sensitive(), 1.into()])),
            ["+x[0] sensitive", "+x[1]"]
        );
    }

    #[test]
    fn a_value_of_another_kind_is_one_change() {
        let before = object(vec![("x", "a".into())]);
        let after = object(vec![("x", object(vec![("a", 1.into())]))]);
        assert_eq!(summary(&before, &after), ["~x"]);
        assert_eq!(summary(&"a".into(), &"b".into()), ["~"]);
    }

    #[test]
    fn touching_is_prefix_either_way() {
        let (before, after) = (object(vec![("x", 1.into())]), object(vec![("x", 2.into())]));
        let change = changes(&before, &after).remove(0);
        assert!(change.touches(&[AttrPath::from("x")]));
        assert!(change.touches(&[AttrPath::from("x").name("y")]));
        assert!(!change.touches(&[AttrPath::from("y")]));
    }

    #[test]
    fn elements_of_lists_and_sets() {
        let list = |items: &[i64]| Value::tuple(items.iter().copied().map(Value::from).collect());
        let (before, after) = (list(&[1, 2, 3, 4]), list(&[1, 9, 8, 3, 4]));
        let found = elements(&before, &after).unwrap();
        assert_eq!((found.head, found.removed.len(), found.added.len(), found.tail), (1, 1, 2, 2));
        let set = |items: &[i64]| Value::set(Type::Number, items.iter().copied().map(Value::from).collect());
        let (before, after) = (set(&[1, 2, 3]), set(&[3, 4, 1]));
        let found = elements(&before, &after).unwrap();
        assert_eq!((found.head, found.removed.len(), found.added.len(), found.tail), (2, 1, 1, 0));
    }
}
