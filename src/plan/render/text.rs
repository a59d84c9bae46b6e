//! The plan as text that an engineer reads before saying yes: what is done and why, danger again at the end.

use std::fmt::Write as _;

use windlass_model::{Diagnostic, NestedChange, Operation, OutputChange, Plan, Reason, Severity, Value};

use super::attributes::{self, INDENT};
use super::diff;
use super::paint::{Paint, Style, push_safe};
use super::values::{self, pad};
use super::view::{self, Action, Item, Summary};
use super::words;

/// How many nested changes of one resource are listed where not everything is asked for.
const NESTED: usize = 20;
/// How many dangers are listed by name.
const DANGERS: usize = 50;

/// Renders a plan. Equal plans and styles give equal text.
pub fn text(plan: &Plan, style: &Style) -> String {
    let items = view::items(plan);
    let summary = view::summary(plan, &items);
    let mut out = String::with_capacity(256 + items.len() * 160);
    header(&mut out, plan, style);
    for entry in &items {
        item(&mut out, entry, style);
    }
    if !items.is_empty() {
        out.push('\n');
    }
    outputs(&mut out, plan, style);
    diagnostics(&mut out, &plan.diagnostics, style);
    dangers(&mut out, &items, style);
    total(&mut out, plan, &summary, style);
    not_asked(&mut out, plan);
    out
}

fn header(out: &mut String, plan: &Plan, style: &Style) {
    let header = &plan.header;
    style.put(out, Paint::Strong, &format!("{} / {}", header.stack, header.environment));
    let _ = match (header.operation, header.rollback_to) {
        (Operation::Rollback, Some(version)) => write!(out, ": rollback to version {version}"),
        (operation, _) => write!(out, ": {}", operation.as_str()),
    };
    let _ = match plan.seal.base_version {
        0 => write!(out, ", nothing applied yet"),
        version => write!(out, ", based on version {version}"),
    };
    let _ = writeln!(out, ", plan {}", plan.id.short());
    if let Some(reason) = &plan.seal.reason {
        out.push_str("reason: ");
        push_safe(out, reason);
        out.push('\n');
    }
    if !header.targets.is_empty() {
        let targets: Vec<String> = header.targets.iter().map(ToString::to_string).collect();
        out.push_str("only (--target): ");
        push_safe(out, &targets.join(", "));
        out.push('\n');
    }
    if let Some(version) = plan.seal.after_rollback {
        let note = format!(
            "version {version} is a rollback and the checkout differs from it: this plan undoes that rollback"
        );
        style.put(out, Paint::Warn, &note);
        out.push('\n');
    }
    out.push('\n');
}

fn item(out: &mut String, item: &Item<'_>, style: &Style) {
    head(out, item, style);
    attributes::attributes(out, item, style);
    if style.verbose {
        runs(out, item, style);
    }
    nested(out, item.nested, style);
}

fn paint(action: Action) -> Paint {
    match action {
        Action::Create => Paint::Add,
        Action::Update => Paint::Change,
        Action::Replace => Paint::Replace,
        Action::Delete => Paint::Remove,
        Action::Record | Action::Move | Action::Import | Action::Forget | Action::Deferred => Paint::Other,
    }
}

fn head(out: &mut String, item: &Item<'_>, style: &Style) {
    let action = item.action;
    style.put(out, paint(action), &format!("{:<3} {}", action.symbol(), action.as_str()));
    out.push(' ');
    style.put(out, Paint::Strong, &item.slot.to_string());
    if action == Action::Deferred {
        style.put(out, Paint::Dim, &format!(" ({})", item.kind.as_str()));
    }
    for mark in marks(item) {
        out.push(' ');
        style.put(out, Paint::Warn, mark);
    }
    // That everything goes is said at the top.
    let said = item.why == [Reason::Destroy];
    if let Some(reason) = words::reason(item).filter(|_| !said) {
        let because = if action == Action::Deferred || action == Action::Record { ":" } else { " because" };
        style.put(out, Paint::Dim, &format!("{because} {reason}"));
    }
    out.push('\n');
}

fn marks(item: &Item<'_>) -> Vec<&'static str> {
    let mut marks = Vec::new();
    if item.slot.deposed.is_some() {
        marks.push("[deposed]");
    }
    if let Some(policy) = item.policy {
        if policy.protect {
            marks.push("[protected]");
        }
        if policy.uses_checkout {
            marks.push("[uses the checkout]");
        }
    }
    marks
}

/// How it is run, for those who ask.
fn runs(out: &mut String, item: &Item<'_>, style: &Style) {
    let Some(policy) = item.policy else { return };
    let mut parts = Vec::new();
    if !item.tool.is_empty() {
        parts.push(item.tool.to_owned());
    }
    parts.extend(item.account.map(|account| format!("in {account}")));
    parts.push(format!("at most {} s", policy.timeout_s));
    if policy.attempts > 1 {
        parts.push(format!("{} attempts", policy.attempts));
    }
    if policy.health {
        parts.push("health gate".to_owned());
    }
    if policy.reverts {
        parts.push("goes back by itself on failure".to_owned());
    }
    if !item.depends_on.is_empty() {
        let list: Vec<String> = item.depends_on.iter().map(ToString::to_string).collect();
        parts.push(format!("depends on {}", list.join(", ")));
    }
    pad(out, INDENT);
    style.put(out, Paint::Dim, &format!("({})", parts.join("; ")));
    out.push('\n');
}

/// Whether a nested change loses something.
fn is_danger(change: &NestedChange) -> bool {
    matches!(change.action.as_str(), "delete" | "replace")
}

fn nested(out: &mut String, changes: &[NestedChange], style: &Style) {
    let most = if style.verbose { usize::MAX } else { NESTED };
    if changes.len() <= most {
        changes.iter().for_each(|change| nested_line(out, change, style));
        return;
    }
    // What loses something is never the part that is cut.
    let (danger, rest): (Vec<&NestedChange>, Vec<&NestedChange>) =
        changes.iter().partition(|change| is_danger(change));
    let room = most.saturating_sub(danger.len());
    danger.iter().chain(rest.iter().take(room)).for_each(|change| nested_line(out, change, style));
    let hidden = rest.len().saturating_sub(room);
    if hidden > 0 {
        pad(out, INDENT);
        style.put(out, Paint::Dim, &format!("... {hidden} more of {}; --verbose shows all", changes.len()));
        out.push('\n');
    }
}

fn nested_line(out: &mut String, change: &NestedChange, style: &Style) {
    let (symbol, paint) = match change.action.as_str() {
        "create" => ("+", Paint::Add),
        "update" => ("~", Paint::Change),
        "replace" => ("-/+", Paint::Replace),
        "delete" => ("-", Paint::Remove),
        "read" => ("<=", Paint::Other),
        "import" => ("<", Paint::Other),
        "move" => (">", Paint::Other),
        "forget" => ("x", Paint::Other),
        _ => ("*", Paint::Other),
    };
    pad(out, INDENT);
    style.put(out, paint, &format!("{symbol:<3}"));
    out.push(' ');
    push_safe(out, &change.address);
    if !change.because.is_empty() {
        let list: Vec<String> = change.because.iter().map(|name| format!("`{name}`")).collect();
        style.put(out, Paint::Dim, &format!(" because of {}", list.join(", ")));
    }
    out.push('\n');
    for line in change.lines.iter().flat_map(|line| line.lines()) {
        pad(out, INDENT + 4);
        push_safe(out, line);
        out.push('\n');
    }
}

fn outputs(out: &mut String, plan: &Plan, style: &Style) {
    let changed = |change: &OutputChange| change.before != change.after;
    let mut list = plan.header.outputs.iter().filter(|(_, change)| changed(change)).peekable();
    if list.peek().is_none() {
        return;
    }
    out.push_str("Outputs:\n");
    for (name, change) in list {
        output(out, name, change, style);
    }
    out.push('\n');
}

fn output(out: &mut String, name: &str, change: &OutputChange, style: &Style) {
    let value = |side: &Option<windlass_model::Stored>| {
        let value = side.as_ref().map_or(Value::NULL, |stored| stored.0.clone());
        Value::object([(name, if change.sensitive && !value.is_null() { value.sensitive() } else { value })])
    };
    let (before, after) = (value(&change.before), value(&change.after));
    let changes = diff::changes(&before, &after);
    for change in &changes {
        attributes::changed(out, change, &[], style);
    }
    if changes.is_empty() {
        // It differs in its mark or its type only.
        pad(out, INDENT);
        style.put(out, Paint::Change, "~");
        out.push(' ');
        values::push_key(out, name);
        style.put(out, Paint::Dim, " (same value; sensitivity or type changes)");
        out.push('\n');
    }
}

fn diagnostics(out: &mut String, list: &[Diagnostic], style: &Style) {
    for diagnostic in list {
        let word = if diagnostic.severity == Severity::Error { "error" } else { "warning" };
        style.put(out, Paint::Warn, word);
        out.push_str(": ");
        push_safe(out, &diagnostic.title);
        out.push('\n');
        if let Some(label) = diagnostic.labels.first() {
            pad(out, 2);
            out.push_str("in ");
            push_safe(out, &label.span.file);
            if !label.text.is_empty() {
                out.push_str(": ");
                push_safe(out, &label.text);
            }
            out.push('\n');
        }
        let help = diagnostic.help.iter().map(|help| ("help", &help.text));
        for (word, text) in diagnostic.notes.iter().map(|note| ("note", note)).chain(help) {
            for (i, line) in text.lines().enumerate() {
                pad(out, if i == 0 { 2 } else { 8 });
                if i == 0 {
                    let _ = write!(out, "{word}: ");
                }
                push_safe(out, line);
                out.push('\n');
            }
        }
    }
    if !list.is_empty() {
        out.push('\n');
    }
}

/// What loses something, by name.
fn dangers(out: &mut String, items: &[Item<'_>], style: &Style) {
    let own = |item: &&Item<'_>| matches!(item.kind, Action::Delete | Action::Replace);
    let inner = |item: &&Item<'_>| !own(item) && item.nested.iter().any(is_danger);
    let count = items.iter().filter(|item| own(item) || inner(item)).count();
    if count == 0 {
        return;
    }
    style.put(out, Paint::Warn, "Deletes and replaces:");
    out.push('\n');
    let mut names: Vec<String> = Vec::new();
    for (action, word) in [(Action::Delete, "deletes"), (Action::Replace, "replaces")] {
        let list = items.iter().filter(|item| item.kind == action);
        names.extend(list.map(|item| danger(item, word)));
    }
    for item in items.iter().filter(inner) {
        let change = |change: &&NestedChange| is_danger(change);
        names.extend(item.nested.iter().filter(change).map(|change| {
            format!("{:<8} {} in {}", format!("{}s", change.action), change.address, item.slot)
        }));
    }
    for name in names.iter().take(DANGERS) {
        pad(out, 2);
        style.put(out, Paint::Remove, name);
        out.push('\n');
    }
    if names.len() > DANGERS {
        let _ = writeln!(out, "  ... and {} more", names.len() - DANGERS);
    }
    out.push('\n');
}

fn danger(item: &Item<'_>, word: &str) -> String {
    let protected = item.policy.is_some_and(|policy| policy.protect);
    let inside = item.nested.iter().filter(|change| is_danger(change)).count();
    let mut text = format!("{word:<8} {}", item.slot);
    if item.deferred.is_some() {
        text.push_str(" (deferred)");
    }
    if inside > 0 {
        let _ = write!(text, " with {inside} inside");
    }
    if protected {
        text.push_str(" (protected)");
    }
    text
}

fn total(out: &mut String, plan: &Plan, summary: &Summary, style: &Style) {
    let counts = [
        (summary.create, "to create", Paint::Add),
        (summary.update, "to update", Paint::Change),
        (summary.replace, "to replace", Paint::Replace),
        (summary.delete, "to delete", Paint::Remove),
        (summary.import, "to import", Paint::Other),
        (summary.moved, "to move", Paint::Other),
        (summary.forget, "to forget", Paint::Other),
        (summary.record, "to record", Paint::Other),
        (summary.deferred, "deferred", Paint::Other),
    ];
    if counts.iter().all(|(count, ..)| *count == 0) {
        let what = if plan.is_empty() { "No changes." } else { "Only outputs change." };
        style.put(out, Paint::Strong, what);
        let _ = match summary.unchanged {
            0 => writeln!(out, " There are no resources."),
            1 => writeln!(out, " 1 resource is as the stack says."),
            count => writeln!(out, " {count} resources are as the stack says."),
        };
        return;
    }
    style.put(out, Paint::Strong, "Plan:");
    let mut comma = " ";
    for (count, words, paint) in counts.into_iter().filter(|(count, ..)| *count > 0) {
        out.push_str(comma);
        style.put(out, paint, &format!("{count} {words}"));
        comma = ", ";
    }
    let _ = writeln!(out, "; {} unchanged.", summary.unchanged);
}

fn not_asked(out: &mut String, plan: &Plan) {
    if let Some((count, oldest_ms)) = plan.not_asked.filter(|(count, _)| *count > 0) {
        let minutes = oldest_ms / 60_000;
        let (hour, minute) = (minutes / 60 % 24, minutes % 60);
        let _ =
            writeln!(out, "{count} not asked since {hour:02}:{minute:02} UTC; --refresh=always asks them");
    }
}
