//! Going through a tree: what it refers to.

use super::expr::{At, Expr, Node, Part, Use};

impl Expr {
    /// Visits every reference in the tree, in the order of the text, with the index and the attribute behind it.
    pub fn uses<'a>(&'a self, visit: &mut dyn FnMut(Use<'a>)) {
        match &self.node {
            Node::Reference(reference) => {
                visit(Use { reference, at: self.at, index: None, attribute: None, splat: false });
            }
            Node::Attribute(base, name) => {
                let attribute = Some((&**name, name_at(self.at, name)));
                match &base.node {
                    Node::Index(inner, key) => referred(inner, Some(key), attribute, visit),
                    _ => referred(base, None, attribute, visit),
                }
            }
            Node::Index(base, key) => referred(base, Some(key), None, visit),
            Node::Splat(base, each) => {
                match &base.node {
                    Node::Reference(reference) => {
                        let attribute = first_attribute(each);
                        visit(Use { reference, at: base.at, index: None, attribute, splat: true });
                    }
                    _ => base.uses(visit),
                }
                each.uses(visit);
            }
            _ => self.children(&mut |child| child.uses(visit)),
        }
    }

    /// Visits the expressions directly below.
    pub(super) fn children<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        match &self.node {
            Node::Literal(_) | Node::Reference(_) | Node::Bound(_) | Node::Each => {}
            Node::Template(parts) => parts.iter().for_each(|part| part_children(part, visit)),
            Node::Tuple(items) => items.iter().for_each(visit),
            Node::Object(entries) => entries.iter().for_each(|(key, value)| {
                visit(key);
                visit(value);
            }),
            Node::Attribute(base, _) | Node::Unary(_, base) => visit(base),
            Node::Index(a, b) | Node::Splat(a, b) | Node::Binary(_, a, b) => {
                visit(a);
                visit(b);
            }
            Node::Call(call) => call.args.iter().for_each(visit),
            Node::Conditional(condition, then, otherwise) => {
                visit(condition);
                visit(then);
                visit(otherwise);
            }
            Node::For(expr) => {
                visit(&expr.collection);
                expr.key.iter().for_each(&mut *visit);
                visit(&expr.value);
                expr.condition.iter().for_each(visit);
            }
        }
    }
}

fn part_children<'a>(part: &'a Part, visit: &mut dyn FnMut(&'a Expr)) {
    match part {
        Part::Text(_) => {}
        Part::Interpolation(expr) => visit(expr),
        Part::If(part) => {
            visit(&part.condition);
            part.then.iter().chain(&part.otherwise).for_each(|part| part_children(part, visit));
        }
        Part::For(part) => {
            visit(&part.collection);
            part.body.iter().for_each(|part| part_children(part, visit));
        }
    }
}

/// A base with what is behind it: one use where it is a reference, else whatever is in it.
fn referred<'a>(
    base: &'a Expr,
    index: Option<&'a Expr>,
    attribute: Option<(&'a str, At)>,
    visit: &mut dyn FnMut(Use<'a>),
) {
    match &base.node {
        Node::Reference(reference) => visit(Use { reference, at: base.at, index, attribute, splat: false }),
        _ => base.uses(visit),
    }
    if let Some(index) = index {
        index.uses(visit);
    }
}

/// The attribute that is taken of each element of a splat.
fn first_attribute(each: &Expr) -> Option<(&str, At)> {
    match &each.node {
        Node::Attribute(base, name) if matches!(base.node, Node::Each) => {
            Some((&**name, name_at(each.at, name)))
        }
        Node::Attribute(base, _) | Node::Index(base, _) | Node::Splat(base, _) => first_attribute(base),
        _ => None,
    }
}

/// Where the name at the end of an attribute expression stands.
fn name_at(whole: At, name: &str) -> At {
    let length = u32::try_from(name.len()).unwrap_or(0);
    At { start: whole.end.saturating_sub(length).max(whole.start), end: whole.end }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::lang::parse_expression;

    fn uses(text: &str) -> Vec<String> {
        let expr = parse_expression(text, &Arc::from("t")).unwrap();
        let mut found = Vec::new();
        expr.uses(&mut |one| {
            let index = one.index.map_or(String::new(), |index| {
                text[index.at.start as usize..index.at.end as usize].to_owned()
            });
            let attribute = one.attribute.map_or(String::new(), |(name, at)| {
                assert_eq!(name, &text[at.start as usize..at.end as usize]);
                name.to_owned()
            });
            found.push(format!("{} {index} {attribute}", &text[one.at.start as usize..one.at.end as usize]));
        });
        found
    }

    #[test]
    fn references_come_with_what_is_behind_them() {
        assert_eq!(uses("local_file.web.path"), ["local_file.web  path"]);
        assert_eq!(uses("local_file.web[var.k].path.x"), ["local_file.web var.k path", "var.k  "]);
        assert_eq!(uses("local_file.web[*].path"), ["local_file.web  path"]);
        assert_eq!(
            uses("\"${var.a}-%{ if local.b }${var.c}%{ endif }\""),
            ["var.a  ", "local.b  ", "var.c  "]
        );
        assert_eq!(uses("[for x in var.list : x.a if x.b == local.c]"), ["var.list  ", "local.c  "]);
        assert_eq!(uses("each.value.name"), ["each.value  name"]);
    }
}
