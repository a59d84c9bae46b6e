//! Whether a step that was planned late stays inside what was announced (rule P5). Pure.

use windlass_model::{Kind, Op, Step, Value};

/// How what is to be done stands to what was announced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Within {
    /// A part of it.
    Announced,
    /// It makes or changes more than was announced; each in a line.
    More(Vec<String>),
    /// It deletes or replaces what was not announced; each in a line.
    Destroys(Vec<String>),
}

/// Compares the steps that an announced one turned into with it.
pub fn within(announced: &Step, settled: &[Step]) -> Within {
    let mut destroys = Vec::new();
    let mut more = Vec::new();
    for step in settled {
        let address = &step.id.slot;
        match step.id.op {
            Op::Delete if announced.id.op != Op::Delete && !announced.announces_replacement() => {
                destroys.push(format!("delete {address}"))
            }
            _ => {}
        }
        for nested in &step.nested {
            if announced
                .nested
                .iter()
                .any(|known| known.address == nested.address && known.action == nested.action)
            {
                continue;
            }
            let line = format!("{} {}", nested.action, nested.address);
            match nested.action.as_str() {
                "delete" | "replace" => destroys.push(line),
                "read" => {}
                _ => more.push(line),
            }
        }
        if step.id.op != Op::Delete && !fits(&announced.planned.0, &step.planned.0) {
            more.push(format!("{} {address} with other values", step.id.op.as_str()));
        }
    }
    match (destroys.is_empty(), more.is_empty()) {
        (false, _) => Within::Destroys(destroys),
        (true, false) => Within::More(more),
        (true, true) => Within::Announced,
    }
}

/// Whether a value is what was announced, wherever the announcement was known.
pub fn fits(announced: &Value, now: &Value) -> bool {
    match (&announced.kind, &now.kind) {
        (Kind::Unknown(_), _) => true,
        (Kind::Map(a) | Kind::Object(a), Kind::Map(b) | Kind::Object(b)) => {
            a.entries.len() == b.entries.len()
                && a.entries.iter().zip(&b.entries).all(|((ka, a), (kb, b))| ka == kb && fits(a, b))
        }
        (Kind::List(a) | Kind::Tuple(a), Kind::List(b) | Kind::Tuple(b)) => {
            a.items.len() == b.items.len() && a.items.iter().zip(&b.items).all(|(a, b)| fits(a, b))
        }
        (Kind::Set(_), Kind::Set(_)) if announced.has_unknown() => true,
        _ => announced.same(now) || (now.has_unknown() && announced.is_unknown()),
    }
}
