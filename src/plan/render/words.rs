//! Reasons in words.

use std::fmt::Write as _;

use windlass_model::{AttrPath, Deferred, Reason};

use super::view::{Action, Item};

/// Why an item is in the plan, without the word "because"; `None` where the action says it all. One line.
pub(super) fn reason(item: &Item<'_>) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    match (item.action, item.deferred) {
        (Action::Deferred, Some(deferred)) => parts.push(waiting(deferred)),
        (Action::Record, _) if item.planned.is_null() => {
            parts.push("it is gone; the state will not know it any more".to_owned());
        }
        (Action::Record, _) => {
            parts.push("the real thing differs from the state, which takes it in".to_owned());
        }
        _ => {}
    }
    let changed = paths(item.why, |why| if let Reason::Changed(path) = why { Some(path) } else { None });
    let drifted = paths(item.why, |why| if let Reason::Drifted(path) = why { Some(path) } else { None });
    let forced = item.kind == Action::Replace && !item.forces_replace.is_empty();
    // Mostly what changed is what forces the replacement: then it is said once.
    let once = forced && changed.is_some() && changed == Some(listed(item.forces_replace.iter()));
    let which = if once { ", which forces replacement" } else { "" };
    parts.extend(changed.map(|list| format!("{list} changed{which}")));
    parts.extend(drifted.map(|list| format!("{list} drifted from what was applied")));
    parts.extend(item.why.iter().filter_map(plain));
    if forced && !once {
        let list = listed(item.forces_replace.iter());
        let verb = if item.forces_replace.len() == 1 { "forces" } else { "force" };
        parts.push(format!("{list} {verb} replacement"));
    }
    if parts.is_empty() { None } else { Some(parts.join("; ")) }
}

/// What a deferred step waits for.
fn waiting(deferred: &Deferred) -> String {
    match deferred.waits_for.as_slice() {
        [] => "it waits for what is not known yet".to_owned(),
        list => format!("it waits for {}", list.join(", ")),
    }
}

fn plain(reason: &Reason) -> Option<String> {
    Some(match reason {
        Reason::New | Reason::Changed(_) | Reason::Drifted(_) => return None,
        Reason::Gone => "state knew it, but it is gone".to_owned(),
        Reason::SourcesChanged => "its sources changed".to_owned(),
        Reason::NotInStack => "it is no longer in the stack".to_owned(),
        Reason::NoSuchInstance => "its key is no longer in `count` or `for_each`".to_owned(),
        Reason::Destroy => "it is to be destroyed".to_owned(),
        Reason::Requested => "--replace asks for it".to_owned(),
        Reason::Tainted(text) if text.is_empty() => "it is tainted".to_owned(),
        Reason::Tainted(text) => format!("it is tainted: {text}"),
        Reason::InDoubt(text) if text.is_empty() => "a step on it was in doubt".to_owned(),
        Reason::InDoubt(text) => format!("a step on it was in doubt: {text}"),
        Reason::Replaced(address) => format!("`{address}` is replaced"),
    })
}

fn paths<'a>(why: &'a [Reason], pick: impl Fn(&'a Reason) -> Option<&'a AttrPath>) -> Option<String> {
    let mut found = why.iter().filter_map(pick).peekable();
    found.peek()?;
    Some(listed(found))
}

/// "`a`, `b` and 3 more".
fn listed<'a>(paths: impl Iterator<Item = &'a AttrPath>) -> String {
    const MOST: usize = 4;
    let all: Vec<&AttrPath> = paths.collect();
    let mut text = String::new();
    for (i, path) in all.iter().take(MOST).enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = if path.0.is_empty() { write!(text, "{comma}it") } else { write!(text, "{comma}`{path}`") };
    }
    if all.len() > MOST {
        let _ = write!(text, " and {} more", all.len() - MOST);
    }
    text
}
