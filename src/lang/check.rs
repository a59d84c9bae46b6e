//! What is wrong with an expression whatever the values are.

use std::sync::Arc;

use windlass_model::Diagnostic;

use super::eval::unknown_name;
use super::expr::{Call, Expr, Node, Reference};
use super::functions;
use super::suggest::closest;

const PATHS: [&str; 4] = ["stack", "root", "module", "cwd"];

/// Reports names and functions that do not exist and calls with the wrong number of arguments.
pub fn check(expr: &Expr, file: &Arc<str>, report: &mut Vec<Diagnostic>) {
    match &expr.node {
        Node::Reference(Reference::Unknown(name)) => report.push(*unknown_name(name, expr.at, file)),
        Node::Reference(Reference::Path(name)) if !PATHS.contains(&&**name) => {
            let span = expr.at.in_file(file);
            let error = Diagnostic::error(format!("there is no `path.{name}`")).at(&span, "");
            report.push(match closest(name, PATHS.into_iter()) {
                Some(near) => {
                    error.patch(format!("did you mean `path.{near}`?"), &span, format!("path.{near}"))
                }
                None => error.help("there are path.stack, path.root, path.module and path.cwd"),
            });
        }
        Node::Call(call) => check_call(call, file, report),
        _ => {}
    }
    expr.children(&mut |child| check(child, file, report));
}

fn check_call(call: &Call, file: &Arc<str>, report: &mut Vec<Diagnostic>) {
    let Some(function) = functions::find(&call.name) else {
        report.push(*functions::unknown(&call.name, call.name_at, file));
        return;
    };
    // What is spread may be of any length, also none.
    let wrong = match call.expand {
        true => function.too_many(call.args.len() - 1),
        false => function.wrong_count(call.args.len()),
    };
    if let Some(wrong) = wrong {
        report.push(Diagnostic::error(wrong).at(&call.name_at.in_file(file), ""));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::parse_expression;

    fn report(text: &str) -> Vec<String> {
        let file = Arc::from("t");
        let mut report = Vec::new();
        check(&parse_expression(text, &file).unwrap(), &file, &mut report);
        report.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_that_is_wrong_is_reported_at_once() {
        let found =
            report("[uper(1), upper(), foo, path.stak, [for x in [1] : y], upper(1, 2), max(1, 2, 3)]");
        assert_eq!(found.len(), 6, "{found:#?}");
        assert!(found[0].contains("did you mean `upper`?"));
        assert!(found[3].contains("did you mean `path.stack`?"));
    }

    #[test]
    fn what_may_be_right_is_not_reported() {
        assert!(report("[upper(var.a...), merge(), path.root, each.key, self.x, stack.name]").is_empty());
        assert_eq!(report("upper(1, 2, [3]...)").len(), 1);
    }
}
