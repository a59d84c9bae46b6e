//! `count` and `for_each`: which instances a block has.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_model::{Diagnostic, Key, Kind, Value};

use super::world::Instance;
use crate::lang::{self, Expr, Scope};
use crate::stack::ResourceBlock;

/// The instances of a block.
#[derive(Clone, Debug)]
pub enum Expansion {
    /// Neither `count` nor `for_each`.
    Single,
    /// `count`
    Count(u64),
    /// `for_each`: keys and values.
    Each(BTreeMap<Arc<str>, Value>),
}

/// More instances than this of one block is taken for a mistake.
const MOST_INSTANCES: i64 = 1_000_000;

impl Expansion {
    /// Evaluates a block's `count` or `for_each`.
    ///
    /// # Errors
    /// Where it is not known, sensitive, or not of the right shape.
    pub fn of(block: &ResourceBlock, scope: &dyn Scope) -> Result<Expansion, Box<Diagnostic>> {
        match (&block.count, &block.for_each) {
            (Some(count), _) => of_count(block, count, scope),
            (None, Some(each)) => of_each(block, each, scope),
            (None, None) => Ok(Expansion::Single),
        }
    }

    /// The instances, in order.
    pub fn instances(&self) -> Vec<Instance> {
        match self {
            Expansion::Single => vec![Instance::default()],
            Expansion::Count(count) => {
                (0..*count).map(|i| Instance { key: Some(Key::Index(i)), ..Instance::default() }).collect()
            }
            Expansion::Each(entries) => {
                let instance = |(key, value): (&Arc<str>, &Value)| Instance {
                    key: Some(Key::Name(key.clone())),
                    each: Some(value.clone()),
                    this: None,
                };
                entries.iter().map(instance).collect()
            }
        }
    }

    /// Whether there is an instance of this key.
    pub fn has(&self, key: &Option<Key>) -> bool {
        match (self, key) {
            (Expansion::Single, None) => true,
            (Expansion::Count(count), Some(Key::Index(index))) => index < count,
            (Expansion::Each(entries), Some(Key::Name(name))) => entries.contains_key(name),
            _ => false,
        }
    }
}

fn of_count(block: &ResourceBlock, expr: &Expr, scope: &dyn Scope) -> Result<Expansion, Box<Diagnostic>> {
    let value = lang::evaluate(expr, &block.file, scope)?;
    let span = expr.at.in_file(&block.file);
    if value.has_unknown() {
        return Err(unknown("count", &value, block, expr));
    }
    let number = lang::convert(&value, &windlass_model::Type::Number).ok().and_then(|n| n.as_i64());
    match number {
        Some(count) if (0..=MOST_INSTANCES).contains(&count) => Ok(Expansion::Count(count.unsigned_abs())),
        Some(count) if count > MOST_INSTANCES => Err(Box::new(
            Diagnostic::error(format!("`count` is over {MOST_INSTANCES}"))
                .at(&span, format!("this is {count}")),
        )),
        _ => Err(Box::new(
            Diagnostic::error("`count` must be a whole number from 0 up").at(&span, "this is not one"),
        )),
    }
}

fn of_each(block: &ResourceBlock, expr: &Expr, scope: &dyn Scope) -> Result<Expansion, Box<Diagnostic>> {
    let value = lang::evaluate(expr, &block.file, scope)?;
    let span = expr.at.in_file(&block.file);
    if value.is_sensitive() {
        let error = Diagnostic::error("`for_each` may not be sensitive").at(&span, "this is sensitive");
        let why = "its keys become addresses, which every plan and log shows";
        return Err(Box::new(
            error.note(why).help("take keys that are not secret, and look the secret up by them"),
        ));
    }
    if value.is_unknown() {
        return Err(unknown("for_each", &value, block, expr));
    }
    let entries: Option<BTreeMap<Arc<str>, Value>> = match &value.kind {
        Kind::Map(fields) | Kind::Object(fields) => Some(fields.entries.iter().cloned().collect()),
        Kind::Set(seq) if seq.items.iter().any(Value::is_unknown) => {
            return Err(unknown("for_each", &value, block, expr));
        }
        Kind::Set(seq) => {
            seq.items.iter().map(|item| Some((Arc::from(item.as_str()?), item.clone()))).collect()
        }
        _ => None,
    };
    entries.map(Expansion::Each).ok_or_else(|| {
        let what = value.type_of();
        let error = Diagnostic::error("`for_each` must be a map, an object or a set of strings");
        let list = matches!(value.kind, Kind::Tuple(_) | Kind::List(_));
        let help = if list {
            "write `toset(…)` around a list of strings"
        } else {
            "use a map or a set of strings"
        };
        Box::new(error.at(&span, format!("this is {what}")).help(help))
    })
}

fn unknown(what: &str, value: &Value, block: &ResourceBlock, expr: &Expr) -> Box<Diagnostic> {
    let error = Diagnostic::error(format!("`{what}` is not known until apply"));
    let waits = super::waits_for(value);
    let label = match waits.first() {
        Some(source) => format!("this waits for `{source}`"),
        None => "this is known only after apply".to_owned(),
    };
    let help = match waits.first() {
        Some(source) => format!(
            "make the keys from what is known now, or first run `windlass apply --target {}`",
            source.split('.').take(2).collect::<Vec<_>>().join(".")
        ),
        None => "make it from what is known now".to_owned(),
    };
    Box::new(error.at(&expr.at.in_file(&block.file), label).help(help))
}
