//! `graph`: the resources and what they depend on, instances included where they are known.

use std::collections::BTreeSet;

use serde::Serialize;
use windlass_model::Address;

use super::apply::selected_now;
use super::context::Context;
use super::failure::Failure;
use super::plan::PlanOptions;
use crate::graph::address;
use crate::plan::{Expansion, Instance, World};

/// A graph to be shown.
#[derive(Clone, Debug, Serialize)]
pub struct GraphView {
    /// Resources in canonical order.
    pub nodes: Vec<GraphNode>,
    /// Direct dependencies only.
    pub edges: Vec<GraphEdge>,
}

/// A resource instance, or a block whose instances are not known yet.
#[derive(Clone, Debug, Serialize)]
pub struct GraphNode {
    /// Its address.
    pub address: Address,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its instances are known only after apply.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
}

/// `from` depends on `to`; an address without key may stand for a whole block.
#[derive(Clone, Debug, Serialize)]
pub struct GraphEdge {
    /// What depends.
    pub from: Address,
    /// On what.
    pub to: Address,
}

/// The graph of the stack in an environment.
///
/// # Errors
/// Where the stack or its values are wrong.
pub async fn graph(ctx: &Context, options: &PlanOptions) -> Result<GraphView, Failure> {
    let (selected, files) = selected_now(ctx, options).await?;
    let state = match ctx.existing_store()? {
        Some(store) => windlass_store::Store::state(&*store, &selected.env, None).await?,
        None => windlass_model::State::default(),
    };
    let (stack, graph) = (selected.stack.clone(), selected.graph.clone());
    let mut world =
        World::new(stack.clone(), graph.clone(), selected.names(), selected.variables.clone(), files);
    let mut view = GraphView { nodes: Vec::new(), edges: Vec::new() };
    for block in &graph.order {
        world.prepare(&graph.blocks[*block as usize]);
        let resource = &stack.resources[*block as usize];
        let base = address(&stack, *block);
        let node =
            |address: Address, unknown: bool| GraphNode { address, kind: resource.kind.to_string(), unknown };
        let Ok(expansion) = Expansion::of(resource, &world.scope(Instance::default())) else {
            view.nodes.push(node(base.clone(), true));
            let uses = graph.blocks[*block as usize].blocks.iter();
            view.edges
                .extend(uses.map(|used| GraphEdge { from: base.clone(), to: address(&stack, used.block) }));
            continue;
        };
        let instances = expansion.instances();
        world.expand(*block, expansion);
        for instance in instances {
            let from = base.with_key(instance.key.clone());
            let needs: BTreeSet<Address> =
                crate::plan::instance_dependencies(&world, *block, &instance).into_iter().collect();
            view.edges.extend(needs.into_iter().map(|to| GraphEdge { from: from.clone(), to }));
            if let Some(record) = state.get(&from) {
                world.set(*block, instance.key.clone(), record.value.0.clone());
            }
            view.nodes.push(node(from, false));
        }
    }
    Ok(view)
}
