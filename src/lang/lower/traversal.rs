//! References, attributes, indexes and splats.

use std::ops::Range;
use std::sync::Arc;

use hcl_edit::Span as _;
use hcl_edit::expr::{Expression, Traversal, TraversalOperator};
use hcl_edit::{Decorated, Ident};
use windlass_model::Value;

use super::{Lowered, Lowering, normal};
use crate::lang::expr::{At, Expr, Node, Reference};
use crate::lang::number;

/// Longer chains of `.a.b.c` are refused: each link is a level of the tree.
const LONGEST: usize = 200;

type Operators<'o> = &'o [Decorated<TraversalOperator>];

impl Lowering<'_> {
    /// A name alone.
    pub(super) fn lone_name(&self, name: &Ident, at: At) -> Expr {
        let name = normal(name.as_str());
        let node = match &*name {
            _ if self.bound.contains(&name) => Node::Bound(name),
            "self" if !self.alone => Node::Reference(Reference::SelfObject),
            _ => Node::Reference(Reference::Unknown(name)),
        };
        Expr { node, at }
    }

    pub(super) fn traversal(&mut self, traversal: &Traversal, at: At) -> Lowered<Expr> {
        let operators = traversal.operators.as_slice();
        if operators.len() > LONGEST {
            let range = operators[LONGEST].span();
            return Err(self.source.error(range, format!("too long a chain: {LONGEST} steps are the most")));
        }
        let (base, used) = match &traversal.expr {
            Expression::Variable(name) => self.reference(name, operators),
            Expression::Number(_) => self.number_with_exponent(&traversal.expr, operators)?,
            other => (self.expr(other)?, 0),
        };
        self.steps(base, operators.get(used..).unwrap_or_default(), at)
    }

    /// `1.e5` is a number, though the parser takes it for an attribute of one.
    fn number_with_exponent(&mut self, base: &Expression, operators: Operators) -> Lowered<(Expr, usize)> {
        let lowered = self.expr(base)?;
        let Some(TraversalOperator::GetAttr(name)) = operators.first().map(Decorated::value) else {
            return Ok((lowered, 0));
        };
        let (Some(start), Some(end)) = (base.span(), name.span()) else { return Ok((lowered, 0)) };
        let range = start.start..end.end;
        let text = self.source.slice(Some(range.clone()));
        let exponent = name.as_str().strip_prefix(['e', 'E']).unwrap_or_default();
        if exponent.is_empty() || !exponent.bytes().all(|b| b.is_ascii_digit()) || text.contains(' ') {
            return Ok((lowered, 0));
        }
        let parsed = number::parse(text).map_err(|e| self.source.error(Some(range.clone()), e.message()))?;
        Ok((Expr { node: Node::Literal(Value::from(parsed)), at: self.source.at(Some(range)) }, 1))
    }

    /// What the first name, with the attributes behind it, refers to; and how many of them belong to the reference.
    fn reference(&self, root: &Decorated<Ident>, operators: Operators) -> (Expr, usize) {
        let root_at = self.source.at(root.span());
        let lone = self.lone_name(root, root_at);
        if self.alone || matches!(lone.node, Node::Bound(_) | Node::Reference(Reference::SelfObject)) {
            return (lone, 0);
        }
        let Some(TraversalOperator::GetAttr(name)) = operators.first().map(Decorated::value) else {
            return (lone, 0);
        };
        let end = self.source.at(name.span()).end;
        let reference = named(root.as_str(), &normal(name.as_str()));
        (Expr { node: Node::Reference(reference), at: At { start: root_at.start, end } }, 1)
    }

    /// Applies attributes, indexes and splats from left to right.
    fn steps(&mut self, mut base: Expr, operators: Operators, whole: At) -> Lowered<Expr> {
        for (i, operator) in operators.iter().enumerate() {
            self.same_line(base.at, operator.span())?;
            let at = At { start: base.at.start, end: self.end_of(operator, whole) };
            let node = match operator.value() {
                TraversalOperator::GetAttr(name) => Node::Attribute(Box::new(base), normal(name.as_str())),
                TraversalOperator::Index(key) => {
                    let key = self.inside(true, |this| this.boxed(key))?;
                    Node::Index(Box::new(base), key)
                }
                TraversalOperator::LegacyIndex(index) => {
                    let place = self.source.at(index.span());
                    let number = i64::try_from(*index.value()).unwrap_or(i64::MAX);
                    let key = Expr { node: Node::Literal(Value::from(number)), at: place };
                    Node::Index(Box::new(base), Box::new(key))
                }
                TraversalOperator::FullSplat(_) => {
                    let each = Expr { node: Node::Each, at: At { start: at.end, end: at.end } };
                    let each = self.steps(each, &operators[i + 1..], whole)?;
                    let at = At { end: whole.end, ..at };
                    return Ok(Expr { node: Node::Splat(Box::new(base), Box::new(each)), at });
                }
                TraversalOperator::AttrSplat(_) => return self.attribute_splat(base, &operators[i..], whole),
            };
            base = Expr { node, at };
        }
        Ok(base)
    }

    /// `a.*.b.0[1]`: attributes and legacy indexes apply to each element, what follows to the result.
    fn attribute_splat(&mut self, base: Expr, operators: Operators, whole: At) -> Lowered<Expr> {
        let per_element = |operator: &&Decorated<TraversalOperator>| {
            matches!(operator.value(), TraversalOperator::GetAttr(_) | TraversalOperator::LegacyIndex(_))
        };
        let count = operators[1..].iter().take_while(per_element).count();
        let (inner, outer) = operators[1..].split_at(count);
        if let Some(next) = outer.first()
            && matches!(next.value(), TraversalOperator::AttrSplat(_))
        {
            let error = self.source.error(next.span(), "a splat inside a splat");
            return Err(Box::new(error.help("use [*], which goes over everything behind it")));
        }
        let end = inner.last().or(operators.first()).map_or(whole.end, |last| self.end_of(last, whole));
        let at = At { start: base.at.start, end };
        let start = self.end_of(&operators[0], whole);
        let each = self.steps(Expr { node: Node::Each, at: At { start, end: start } }, inner, whole)?;
        let splat = Expr { node: Node::Splat(Box::new(base), Box::new(each)), at };
        self.steps(splat, outer, whole)
    }

    fn end_of(&self, operator: &Decorated<TraversalOperator>, whole: At) -> u32 {
        operator.span().map_or(whole.end, |range| self.source.at(Some(range)).end)
    }

    /// Outside brackets a statement ends with its line; the parser forgets that behind `]` and `}`.
    fn same_line(&self, base: At, operator: Option<Range<usize>>) -> Lowered<()> {
        let Some(range) = operator.filter(|_| !self.lines) else { return Ok(()) };
        let start = base.end.saturating_sub(self.source.base) as usize;
        if !self.source.text.get(start..range.start).unwrap_or_default().contains('\n') {
            return Ok(());
        }
        let error = self.source.error(Some(range), "an expression ends with its line");
        Err(Box::new(error.help("put it in parentheses to go on in the next line")))
    }
}

fn named(root: &str, name: &Arc<str>) -> Reference {
    match (root, &**name) {
        ("var", _) => Reference::Variable(name.clone()),
        ("local", _) => Reference::Local(name.clone()),
        ("module", _) => Reference::Module(name.clone()),
        ("path", _) => Reference::Path(name.clone()),
        ("each", "key") => Reference::EachKey,
        ("each", "value") => Reference::EachValue,
        ("count", "index") => Reference::CountIndex,
        ("stack", "name") => Reference::StackName,
        ("environment", "name") => Reference::EnvironmentName,
        ("each" | "count" | "stack" | "environment" | "terraform" | "data", _) => {
            Reference::Unknown(format!("{root}.{name}").into())
        }
        _ => Reference::Resource(normal(root), name.clone()),
    }
}
