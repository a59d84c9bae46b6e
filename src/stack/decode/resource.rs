//! `resource` blocks: what is the engine's, and the rest for the provider.

use std::collections::BTreeMap;
use std::sync::Arc;

use hcl_edit::expr::{Expression, Traversal, TraversalOperator};
use hcl_edit::structure::{Block, Body};
use windlass_model::{AttrPath, Diagnostic, PathStep};

use super::Decoder;
use crate::lang::{Expr, Source};
use crate::stack::time::duration_seconds;
use crate::stack::{HealthBlock, Meta, ResourceBlock, Retry};

/// Attributes and blocks of any resource that are not its provider's.
const META_ATTRIBUTES: [&str; 5] = ["count", "for_each", "depends_on", "provider", "refresh_after"];
const META_BLOCKS: [&str; 4] = ["lifecycle", "timeouts", "retry", "health"];

impl Decoder<'_> {
    pub(super) fn resource(&mut self, block: &Block, source: &Source) {
        let form = "resource \"type\" \"name\" { … }";
        let Some([kind, name]) = self.labels::<2>(block, source, form) else { return };
        let head = self.head(block, source);
        let place = head.in_file(source.file);
        let key = (kind.clone(), name.clone());
        if let Some(first) = self.resources.get(&key).cloned() {
            return self.duplicate(&format!("`{kind}.{name}`"), &place, &first);
        }
        self.resources.insert(key, place.clone());
        let body = &block.body;
        let (count, for_each) = (self.part(body, "count", source), self.part(body, "for_each", source));
        if let (Some(count), Some(for_each)) = (&count, &for_each) {
            let title = format!("`{kind}.{name}` has both `count` and `for_each`");
            let diagnostic = Diagnostic::error(title).at(&for_each.at.in_file(source.file), "");
            self.report.push(diagnostic.at(&count.at.in_file(source.file), "").help("use one of them"));
        }
        let resource = ResourceBlock {
            depends_on: self.depends_on(body, source),
            provider_alias: self.provider_alias(body, source, &kind),
            meta: self.meta(body, source),
            body: self.body(body, source, &|name, is_block| match is_block {
                true => META_BLOCKS.contains(&name),
                false => META_ATTRIBUTES.contains(&name),
            }),
            kind,
            name,
            file: source.file.clone(),
            head,
            count,
            for_each,
        };
        self.stack.resources.push(resource);
    }

    fn part(&mut self, body: &Body, name: &str, source: &Source) -> Option<Expr> {
        let attribute = body.get_attribute(name)?;
        self.lower(&attribute.value, source)
    }

    /// The alias of `provider = name.alias`, where `name` is the provider of the type. Whether there is such a block is
    /// looked at by `check`.
    fn provider_alias(&mut self, body: &Body, source: &Source, kind: &str) -> Option<Arc<str>> {
        let expr = &body.get_attribute("provider")?.value;
        let place = source.span(hcl_edit::Span::span(expr));
        let path = path_of(expr).unwrap_or_default();
        let (name, alias) = match path.0.as_slice() {
            [PathStep::Name(name)] => (name, None),
            [PathStep::Name(name), PathStep::Name(alias)] => (name, Some(alias.clone())),
            _ => {
                self.wrong_type("provider", "a provider block's name and alias: `name.alias`", &place);
                return None;
            }
        };
        let own = self.catalog.resource(kind).map(|(provider, _)| provider.name);
        if let Some(own) = own.filter(|own| **own != **name) {
            let title = format!("`{kind}` belongs to provider `{own}`, not to `{name}`");
            self.report.push(Diagnostic::error(title).at(&place, ""));
        }
        alias
    }

    fn meta(&mut self, body: &Body, source: &Source) -> Meta {
        let mut meta = Meta::default();
        if let Some(attribute) = body.get_attribute("refresh_after") {
            meta.refresh_after = self.seconds("refresh_after", &attribute.value, source);
        }
        if let Some(block) = self.single(body, "lifecycle", source) {
            self.lifecycle(&block.body, source, &mut meta);
        }
        if let Some(block) = self.single(body, "timeouts", source) {
            meta.timeouts = self.timeouts(&block.body, source);
        }
        if let Some(block) = self.single(body, "retry", source) {
            let body = self.body(&block.body, source, &|_, _| false);
            meta.retry = Some(Retry::read(&body, source.file, &mut self.report));
        }
        if let Some(block) = self.single(body, "health", source) {
            let known = ["url", "path", "command", "status", "body", "interval", "timeout", "attempts"];
            self.only(&block.body, source, &known, &[], "a `health` block");
            let gates =
                ["url", "path", "command"].iter().filter(|name| block.body.has_attribute(name)).count();
            if gates != 1 {
                let place = self.head(block, source).in_file(source.file);
                let title = "a `health` block needs one of `url`, `path` and `command`";
                self.report.push(Diagnostic::error(title).at(&place, ""));
            }
            meta.health = Some(HealthBlock { body: self.body(&block.body, source, &|_, _| false) });
        }
        meta
    }

    /// A block that may stand once and has no label.
    fn single<'b>(&mut self, body: &'b Body, name: &'b str, source: &Source) -> Option<&'b Block> {
        let mut blocks = body.get_blocks(name);
        let first = blocks.next()?;
        if let Some(again) = blocks.next() {
            let places = [again, first].map(|block| self.head(block, source).in_file(source.file));
            self.duplicate(&format!("the `{name}` block"), &places[0], &places[1]);
        }
        self.labels::<0>(first, source, &format!("{name} {{ … }}"))?;
        Some(first)
    }

    fn seconds(&mut self, name: &str, expr: &Expression, source: &Source) -> Option<u64> {
        let (value, place) = self.constant(expr, source, &format!("`{name}`"))?;
        if value.is_null() {
            return None;
        }
        duration_seconds(&value).map_err(|problem| self.wrong_setting(name, &problem, &place)).ok()
    }

    fn lifecycle(&mut self, body: &Body, source: &Source, meta: &mut Meta) {
        for later in ["create_before_destroy", "replace_triggered_by"] {
            if let Some(attribute) = body.get_attribute(later) {
                let place = source.span(hcl_edit::Span::span(&attribute.key));
                let title = format!("`lifecycle.{later}` is not supported yet");
                self.report.push(Diagnostic::error(title).at(&place, ""));
            }
        }
        let known = ["prevent_destroy", "ignore_changes", "create_before_destroy", "replace_triggered_by"];
        self.only(body, source, &known, &[], "a `lifecycle` block");
        meta.prevent_destroy = self.constant_bool(body, "prevent_destroy", source).unwrap_or(false);
        let Some(attribute) = body.get_attribute("ignore_changes") else { return };
        let place = source.span(hcl_edit::Span::span(&attribute.value));
        match &attribute.value {
            Expression::Variable(name) if name.as_str() == "all" => meta.ignore_all = true,
            Expression::Array(items) => {
                for item in items.iter() {
                    let Some(path) = path_of(item) else {
                        let place = source.span(hcl_edit::Span::span(item));
                        self.wrong_type(
                            "ignore_changes",
                            "a list of attributes: `[env, tags[\"team\"]]`",
                            &place,
                        );
                        continue;
                    };
                    meta.ignore_changes.push(path);
                }
            }
            _ => self.wrong_type("ignore_changes", "a list of attributes, or `all`", &place),
        }
    }

    fn timeouts(&mut self, body: &Body, source: &Source) -> BTreeMap<&'static str, u64> {
        const OPERATIONS: [&str; 3] = ["create", "update", "delete"];
        self.only(body, source, &OPERATIONS, &[], "a `timeouts` block");
        let mut timeouts = BTreeMap::new();
        for name in OPERATIONS {
            let Some(attribute) = body.get_attribute(name) else { continue };
            if let Some(seconds) = self.seconds(name, &attribute.value, source) {
                timeouts.insert(name, seconds);
            }
        }
        timeouts
    }
}

/// `env`, `env.PORT`, `tags["team"]`, `ports[0]` as a path; a string is the path of one name.
fn path_of(expr: &Expression) -> Option<AttrPath> {
    match expr {
        Expression::Variable(name) => Some(AttrPath::from(name.as_str())),
        Expression::String(name) => Some(AttrPath::from(name.as_str())),
        Expression::Traversal(traversal) => path_of_traversal(traversal),
        _ => None,
    }
}

fn path_of_traversal(traversal: &Traversal) -> Option<AttrPath> {
    let mut path = path_of(&traversal.expr)?;
    for operator in &traversal.operators {
        let step = match operator.value() {
            TraversalOperator::GetAttr(name) => PathStep::Name(name.as_str().into()),
            TraversalOperator::LegacyIndex(index) => PathStep::Index(**index),
            TraversalOperator::Index(Expression::String(key)) => PathStep::Name(key.as_str().into()),
            TraversalOperator::Index(Expression::Number(index)) => PathStep::Index(index.value().as_u64()?),
            _ => return None,
        };
        path.0.push(step);
    }
    Some(path)
}
