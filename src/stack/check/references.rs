//! References in expressions: whether what they name is there.

use windlass_model::{Body, Diagnostic, Help, Kind, Span};

use super::{Check, Place};
use crate::lang::{At, Expr, Node, Reference, Use};
use crate::stack::ResourceBlock;

impl<'a> Check<'a> {
    pub(super) fn depends_on(&mut self, references: &'a [(Reference, At)], place: Place<'a>) {
        for (reference, at) in references {
            let found = Use { reference, at: *at, index: None, attribute: None, splat: false };
            self.reference(&found, place);
        }
    }

    pub(super) fn reference(&mut self, found: &Use<'_>, place: Place<'a>) {
        let at = place.span(found.at);
        match found.reference {
            Reference::Variable(name) if !self.stack.variables.contains_key(name) => {
                let near = self.suggest.nearest(name, self.stack.variables.keys());
                let otherwise = format!("declare it with `variable \"{name}\" {{ … }}`");
                let near = near.map(|near| format!("var.{near}"));
                self.misnamed(format!("unknown variable `var.{name}`"), &at, near, Some(otherwise));
            }
            Reference::Local(name) if !self.stack.locals.contains_key(name) => {
                let near = self.suggest.nearest(name, self.stack.locals.keys());
                let otherwise = format!("declare it with `locals {{ {name} = … }}`");
                let near = near.map(|near| format!("local.{near}"));
                self.misnamed(format!("unknown local `local.{name}`"), &at, near, Some(otherwise));
            }
            Reference::Resource(kind, name) => self.resource_reference(kind, name, found, place),
            Reference::Module(name) => {
                let title = format!("`module.{name}`: modules are not supported yet");
                self.report.push(Diagnostic::error(title).at(&at, ""));
            }
            Reference::EachKey | Reference::EachValue if !place.each => {
                let title = "`each` has a meaning only in a resource with `for_each`";
                self.report.push(Diagnostic::error(title).at(&at, ""));
            }
            Reference::CountIndex if !place.count => {
                let title = "`count.index` has a meaning only in a resource with `count`";
                self.report.push(Diagnostic::error(title).at(&at, ""));
            }
            Reference::SelfObject if !place.done => {
                let title = "`self` has a meaning only in a `health` block";
                self.report.push(Diagnostic::error(title).at(&at, ""));
            }
            Reference::Unknown(name) => self.unknown_name(name, &at),
            _ => {}
        }
    }

    /// `lang::check` has told of it; here it is known which variable or local was meant.
    fn unknown_name(&mut self, name: &str, at: &Span) {
        let meant = match name {
            _ if self.stack.variables.contains_key(name) => format!("var.{name}"),
            _ if self.stack.locals.contains_key(name) => format!("local.{name}"),
            _ => return,
        };
        let told = self.report.iter_mut().rev().take(100);
        if let Some(told) =
            told.into_iter().find(|told| told.labels.first().is_some_and(|label| label.span == *at))
        {
            let text = format!("did you mean `{meant}`?");
            told.help = Some(Help { text, patch: Some((at.clone(), meant)) });
        }
    }

    fn resource_reference(&mut self, kind: &str, name: &str, found: &Use<'_>, place: Place<'a>) {
        let at = place.span(found.at);
        let Some(target) = self.resources.get(&(kind, name)).copied() else {
            return self.unknown_resource(kind, name, found, place);
        };
        if let Some(own) = place.own
            && !place.done
            && std::ptr::eq(own, target)
        {
            let title = format!("`{kind}.{name}` refers to itself");
            let head = own.head.in_file(&own.file);
            self.report.push(Diagnostic::error(title).at(&at, "").at(&head, "in this resource"));
            return;
        }
        if self.instance(target, found, place)
            && let Some((attribute, at)) = found.attribute
            && let Some(schema) = self.schema(kind)
        {
            self.attribute(&schema.body, target, attribute, at, place);
        }
    }

    fn unknown_resource(&mut self, kind: &str, name: &str, found: &Use<'_>, place: Place<'a>) {
        let address = format!("{kind}.{name}");
        // Of the same type first: that is what a slip of the pen looks like.
        let same = self.resources.range((kind, "")..).take_while(|((of, _), _)| *of == kind);
        let near = self.suggest.nearest(name, same.map(|((_, name), _)| *name));
        let near = near.map(|near| format!("{kind}.{near}")).or_else(|| {
            let near = self.suggest.nearest(kind, self.catalog.kinds())?;
            self.resources.contains_key(&(&*near, name)).then(|| format!("{near}.{name}"))
        });
        let otherwise = match self.catalog.resource(kind) {
            None if near.is_none() => {
                Some(format!("`{kind}` is not a resource type, nor another name that can stand here"))
            }
            _ => None,
        };
        self.misnamed(format!("unknown resource `{address}`"), &place.span(found.at), near, otherwise);
    }

    /// Whether a use names an instance as it must be named; says so where not.
    fn instance(&mut self, target: &ResourceBlock, found: &Use<'_>, place: Place<'a>) -> bool {
        let address = format!("{}.{}", target.kind, target.name);
        let many = match (&target.count, &target.for_each) {
            (None, None) => None,
            (Some(_), _) => Some(("count", "[0]")),
            (None, Some(_)) => Some(("for_each", "[\"key\"]")),
        };
        let problem = match (many, found.index, found.attribute) {
            (Some((by, index)), None, Some((attribute, _))) if !found.splat => Some((
                format!("`{address}` has `{by}`, so one of its instances must be named"),
                format!(
                    "write `{address}{index}.{attribute}`, or `{address}[*].{attribute}` for all of them"
                ),
            )),
            (None, Some(index), _) if is_number(index) => Some((
                format!("`{address}` has neither `count` nor `for_each`, so it has no instances"),
                format!("write `{address}`"),
            )),
            _ => None,
        };
        let wrong = problem.is_some();
        if let Some((title, help)) = problem {
            self.report.push(Diagnostic::error(title).at(&place.span(found.at), "").help(help));
        }
        // An index into a resource without instances is its attribute, which the evaluation looks up.
        !wrong && (found.splat || many.is_some() == found.index.is_some())
    }

    fn attribute(&mut self, schema: &Body, target: &ResourceBlock, name: &str, at: At, place: Place<'a>) {
        if schema.attributes.contains_key(name) || schema.blocks.contains_key(name) {
            return;
        }
        let names = schema.attributes.keys().chain(schema.blocks.keys());
        let near = self.suggest.nearest(name, names.clone());
        let all: Vec<&str> = names.copied().collect();
        let otherwise = format!("it has {}", crate::stack::decode::list(&all));
        let title = format!("`{}.{}` has no attribute `{name}`", target.kind, target.name);
        self.misnamed(title, &place.span(at), near, Some(otherwise));
    }
}

fn is_number(expr: &Expr) -> bool {
    matches!(&expr.node, Node::Literal(value) if matches!(value.kind, Kind::Number(_)))
}
