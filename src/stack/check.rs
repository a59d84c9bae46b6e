//! What is wrong with a stack that can be told without state and without any tool.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use windlass_model::{Catalog, Diagnostic, ResourceSchema, Span};

use super::suggest::Suggest;
use super::{ProviderBlock, ResourceBlock, Stack};
use crate::lang::{self, At, Expr, Node, Reference};

mod bodies;
mod locals;
mod references;

/// Attributes that every provider block may hold.
const PROVIDER_ATTRIBUTES: [&str; 2] = ["concurrency", "refresh_after"];
/// Blocks that every provider block may hold.
const PROVIDER_BLOCKS: [&str; 1] = ["retry"];

/// Checks all names, references and constant values of a stack.
pub(super) fn check(stack: &Stack, catalog: &Catalog, report: &mut Vec<Diagnostic>) {
    let mut check = Check::new(stack, catalog, report);
    check.variables();
    check.locals();
    check.environments();
    check.providers();
    for resource in &stack.resources {
        check.resource(resource);
    }
    check.outputs();
}

struct Check<'a> {
    stack: &'a Stack,
    catalog: &'a Catalog,
    /// Resource blocks by type and name.
    resources: BTreeMap<(&'a str, &'a str), &'a ResourceBlock>,
    /// Providers and the aliases of their blocks.
    aliases: BTreeSet<(&'a str, &'a str)>,
    suggest: Suggest,
    report: &'a mut Vec<Diagnostic>,
}

/// Where an expression stands: what it may refer to.
#[derive(Clone, Copy)]
struct Place<'a> {
    file: &'a Arc<str>,
    /// `each.key` and `each.value` have a meaning.
    each: bool,
    /// `count.index` has a meaning.
    count: bool,
    /// The resource that the expression is of: it may not refer to itself.
    own: Option<&'a ResourceBlock>,
    /// `self` and the resource itself have a meaning: the step is done.
    done: bool,
}

impl<'a> Place<'a> {
    fn plain(file: &'a Arc<str>) -> Place<'a> {
        Place { file, each: false, count: false, own: None, done: false }
    }

    fn span(&self, at: At) -> Span {
        at.in_file(self.file)
    }
}

impl<'a> Check<'a> {
    fn new(stack: &'a Stack, catalog: &'a Catalog, report: &'a mut Vec<Diagnostic>) -> Check<'a> {
        let key = |resource: &'a ResourceBlock| ((&*resource.kind, &*resource.name), resource);
        let resources = stack.resources.iter().map(key).collect();
        let alias = |block: &'a ProviderBlock| Some((&*block.name, block.alias.as_deref()?));
        let aliases = stack.providers.iter().filter_map(alias).collect();
        Check { stack, catalog, resources, aliases, suggest: Suggest::default(), report }
    }

    fn schema(&self, kind: &str) -> Option<&'a ResourceSchema> {
        self.catalog.resource(kind).map(|(_, schema)| schema)
    }

    /// An error about a name, with the nearest right one as a patch.
    fn misnamed(&mut self, title: String, place: &Span, near: Option<String>, otherwise: Option<String>) {
        let diagnostic = Diagnostic::error(title).at(place, "");
        self.report.push(match (near, otherwise) {
            (Some(near), _) => diagnostic.patch(format!("did you mean `{near}`?"), place, near),
            (None, Some(text)) => diagnostic.help(text),
            (None, None) => diagnostic,
        });
    }

    /// Checks the names and calls in an expression.
    fn expression(&mut self, expr: &'a Expr, place: Place<'a>) {
        if matches!(expr.node, Node::Literal(_)) {
            return;
        }
        lang::check(expr, place.file, self.report);
        expr.uses(&mut |found| self.reference(&found, place));
    }

    fn variables(&mut self) {
        for (name, variable) in &self.stack.variables {
            for validation in &variable.validations {
                for expr in [&validation.condition, &validation.message] {
                    lang::check(expr, &validation.file, self.report);
                    let mut mentioned = false;
                    expr.uses(&mut |found| match found.reference {
                        Reference::Variable(other) if other == name => mentioned = true,
                        _ => {
                            let title =
                                format!("a validation can refer to its own variable only: `var.{name}`");
                            let place = found.at.in_file(&validation.file);
                            self.report.push(Diagnostic::error(title).at(&place, ""));
                        }
                    });
                    let is_condition = std::ptr::eq(expr, &raw const validation.condition);
                    if is_condition && !mentioned {
                        let title = format!("the condition does not look at `var.{name}`");
                        let place = expr.at.in_file(&validation.file);
                        self.report.push(Diagnostic::error(title).at(&place, ""));
                    }
                }
            }
        }
    }

    fn environments(&mut self) {
        for (environment, block) in &self.stack.environments {
            for (name, (expr, file)) in &block.variables {
                lang::check(expr, file, self.report);
                expr.uses(&mut |found| {
                    if !matches!(found.reference, Reference::StackName | Reference::EnvironmentName) {
                        let title =
                            "values in an `environment` block can refer to `stack.name` and `environment.name` only";
                        self.report.push(Diagnostic::error(title).at(&found.at.in_file(file), ""));
                    }
                });
                if self.stack.variables.contains_key(name) {
                    continue;
                }
                let title = format!(
                    "environment `{environment}` sets `{name}`, which is not a variable of this stack"
                );
                let diagnostic = Diagnostic::error(title).at(&expr.at.in_file(file), "its value");
                let near = self.suggest.nearest(name, self.stack.variables.keys());
                self.report.push(match near {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => diagnostic.help(format!("declare it with `variable \"{name}\" {{ … }}`")),
                });
            }
        }
    }

    fn providers(&mut self) {
        for block in &self.stack.providers {
            let Some(schema) = self.catalog.providers.get(&*block.name) else {
                let near = self.suggest.nearest(&block.name, self.catalog.providers.keys());
                let names: Vec<&str> = self.catalog.providers.keys().copied().collect();
                let diagnostic = Diagnostic::error(format!("unknown provider `{}`", block.name));
                self.report.push(diagnostic.at(&block.span, "").help(match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("there are {}", super::decode::list(&names)),
                }));
                continue;
            };
            let whose = format!("provider `{}`", block.name);
            self.body(&schema.config, &block.body, &block.span, &whose, &|name, is_block| match is_block {
                true => PROVIDER_BLOCKS.contains(&name),
                false => PROVIDER_ATTRIBUTES.contains(&name),
            });
            block.read_settings(self.report);
            let file = &block.span.file;
            block.body.expressions(&mut |expr| self.expression(expr, Place::plain(file)));
        }
    }

    fn resource(&mut self, resource: &'a ResourceBlock) {
        let outside = Place { own: Some(resource), ..Place::plain(&resource.file) };
        for expr in [&resource.count, &resource.for_each].into_iter().flatten() {
            self.expression(expr, outside);
        }
        if let Some(for_each) = &resource.for_each
            && matches!(for_each.node, Node::Tuple(_))
        {
            let title = "`for_each` takes a map or a set of strings, not a list";
            let diagnostic = Diagnostic::error(title).at(&outside.span(for_each.at), "");
            self.report.push(diagnostic.help("write `toset([…])`"));
        }
        let place = Place { each: resource.for_each.is_some(), count: resource.count.is_some(), ..outside };
        resource.body.expressions(&mut |expr| self.expression(expr, place));
        if let Some(health) = &resource.meta.health {
            let place = Place { done: true, ..place };
            health.body.expressions(&mut |expr| self.expression(expr, place));
        }
        self.depends_on(&resource.depends_on, outside);
        let head = resource.head.in_file(&resource.file);
        let Some((provider, schema)) = self.catalog.resource(&resource.kind) else {
            return self.unknown_kind(resource);
        };
        self.alias(resource, provider.name, &head);
        let whose = format!("`{}`", resource.kind);
        self.body(&schema.body, &resource.body, &head, &whose, &|_, _| false);
        for path in &resource.meta.ignore_changes {
            let Some(top) = path.top() else { continue };
            if !schema.body.attributes.contains_key(top) && !schema.body.blocks.contains_key(top) {
                let title =
                    format!("`ignore_changes` names `{top}`, which is no attribute of `{}`", resource.kind);
                let near = self.suggest.nearest(top, schema.body.attributes.keys());
                let diagnostic = Diagnostic::error(title).at(&head, "in this resource");
                self.report.push(match near {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => diagnostic,
                });
            }
        }
    }

    fn unknown_kind(&mut self, resource: &ResourceBlock) {
        let (kind, place) = (&*resource.kind, resource.head.in_file(&resource.file));
        let near = self.suggest.nearest(kind, self.catalog.kinds());
        let diagnostic = Diagnostic::error(format!("unknown resource type `{kind}`")).at(&place, "");
        let kinds: Vec<&str> = self.catalog.kinds().collect();
        self.report.push(match near {
            Some(near) => {
                let head = format!("resource \"{near}\" \"{}\"", resource.name);
                diagnostic.patch(format!("did you mean `{near}`?"), &place, head)
            }
            None => diagnostic.help(format!("there are {}", super::decode::list(&kinds))),
        });
    }

    fn alias(&mut self, resource: &ResourceBlock, provider: &str, head: &Span) {
        let Some(alias) = &resource.provider_alias else { return };
        if self.aliases.contains(&(provider, &**alias)) {
            return;
        }
        let title = format!("no provider block `{provider}` has the alias `{alias}`");
        let diagnostic = Diagnostic::error(title).at(head, "in this resource");
        let same = self.aliases.range((provider, "")..).take_while(|(of, _)| *of == provider);
        let near = self.suggest.nearest(alias, same.map(|(_, alias)| *alias));
        self.report.push(diagnostic.help(match near {
            Some(near) => format!("did you mean `{provider}.{near}`?"),
            None => format!("write `provider \"{provider}\" {{ alias = \"{alias}\" }}`"),
        }));
    }

    fn outputs(&mut self) {
        for output in self.stack.outputs.values() {
            let place = Place::plain(&output.file);
            self.expression(&output.value, place);
            self.depends_on(&output.depends_on, place);
        }
    }
}
