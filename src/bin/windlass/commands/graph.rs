//! `windlass graph`

use std::fmt::Write as _;

use windlass::ops::{self, GraphView, PlanOptions};
use windlass_model::Address;

use super::Context;
use crate::args::Options;
use crate::engine;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// Flags. Without one: lines of text.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// For Graphviz
    #[arg(long, conflicts_with = "mermaid")]
    pub dot: bool,
    /// For Mermaid
    #[arg(long)]
    pub mermaid: bool,
}

impl Args {
    /// One form at a time.
    pub fn check(&self, options: &Options) -> Result<(), Failure> {
        if options.json && (self.dot || self.mermaid) {
            return Err(Failure::usage("`graph` takes one of `--json`, `--dot` and `--mermaid`"));
        }
        Ok(())
    }
}

/// Runs it.
pub async fn run(context: &mut Context, args: Args) -> Outcome {
    let ctx = engine::context(context);
    let mut options = PlanOptions { selection: engine::selection(context, None)?, ..PlanOptions::default() };
    let view = loop {
        match ops::graph(&ctx, &options).await {
            Ok(view) => break view,
            Err(failure) => engine::ask_for(context, failure, &mut options.selection).await?,
        }
    };
    match (context.options.json, args.dot, args.mermaid) {
        (true, _, _) => context.output.document(&view),
        (_, true, _) => context.output.result(&dot(&view)),
        (_, _, true) => context.output.result(&mermaid(&view)),
        _ => context.output.result(&text(&view)),
    }
    Ok(Exit::Done)
}

/// Each resource, and below it what it needs.
fn text(view: &GraphView) -> String {
    let mut out = String::new();
    for node in &view.nodes {
        let unknown = if node.unknown { "  (its instances are known after apply)" } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}{unknown}", node.address);
        for edge in view.edges.iter().filter(|edge| edge.from == node.address) {
            let _ = writeln!(out, "  needs {}", edge.to);
        }
    }
    out
}

fn dot(view: &GraphView) -> String {
    let mut out = String::from("digraph {\n  rankdir = \"RL\"\n  node [shape = box]\n");
    for node in &view.nodes {
        let style = if node.unknown { " [style = dashed]" } else { "" };
        let _ = writeln!(out, "  {}{style}", quoted(&node.address));
    }
    for edge in &view.edges {
        let _ = writeln!(out, "  {} -> {}", quoted(&edge.from), quoted(&edge.to));
    }
    out.push_str("}\n");
    out
}

/// As a DOT string.
fn quoted(address: &Address) -> String {
    format!("\"{}\"", address.to_string().replace('\\', "\\\\").replace('"', "\\\""))
}

fn mermaid(view: &GraphView) -> String {
    let mut out = String::from("graph RL\n");
    // Addresses have signs that Mermaid does not take in names: nodes are numbered.
    let mut known: Vec<&Address> = view.nodes.iter().map(|node| &node.address).collect();
    known.extend(
        view.edges.iter().map(|edge| &edge.to).filter(|to| !view.nodes.iter().any(|n| n.address == **to)),
    );
    known.sort_unstable();
    known.dedup();
    let name = |address: &Address| known.binary_search(&address).map_or(0, |index| index + 1);
    for address in &known {
        let label = address.to_string().replace('"', "#quot;");
        let _ = writeln!(out, "  n{}[\"{label}\"]", name(address));
    }
    for edge in &view.edges {
        let _ = writeln!(out, "  n{} --> n{}", name(&edge.from), name(&edge.to));
    }
    out
}

#[cfg(test)]
mod tests {
    use windlass::ops::{GraphEdge, GraphNode};

    use super::*;

    #[test]
    fn forms() {
        let address = |text: &str| text.parse::<Address>().unwrap();
        let node = |text: &str, unknown| GraphNode { address: address(text), kind: "t".into(), unknown };
        let edge = |from: &str, to: &str| GraphEdge { from: address(from), to: address(to) };
        let view = GraphView {
            nodes: vec![node("a.x", false), node("a.y[\"k\"]", false), node("a.z", true)],
            edges: vec![edge("a.y[\"k\"]", "a.x"), edge("a.z", "a.y")],
        };
        insta::assert_snapshot!(text(&view), @r#"
        a.x
        a.y["k"]
          needs a.x
        a.z  (its instances are known after apply)
          needs a.y
        "#);
        insta::assert_snapshot!(dot(&view), @r#"
        digraph {
          rankdir = "RL"
          node [shape = box]
          "a.x"
          "a.y[\"k\"]"
          "a.z" [style = dashed]
          "a.y[\"k\"]" -> "a.x"
          "a.z" -> "a.y"
        }
        "#);
        insta::assert_snapshot!(mermaid(&view), @r#"
        graph RL
          n1["a.x"]
          n2["a.y"]
          n3["a.y[#quot;k#quot;]"]
          n4["a.z"]
          n3 --> n1
          n4 --> n2
        "#);
    }
}
