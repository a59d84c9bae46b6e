//! The same stack twice: as `local_data` for windlass, as `terraform_data` in one root for terraform; and terraform's state of it.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// How the resources depend on each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Not at all.
    Independent,
    /// Five layers of equal size; each resource depends on up to five of the layer below.
    Layers,
}

impl Shape {
    /// The word for tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Independent => "independent",
            Self::Layers => "five layers",
        }
    }
}

/// How many layers, and on how many of the layer below a resource depends.
const LAYERS: usize = 5;
const FAN_IN: usize = 5;

/// Which language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `local_data`
    Windlass,
    /// `terraform_data`
    Terraform,
}

impl Dialect {
    fn kind(self) -> &'static str {
        match self {
            Self::Windlass => "local_data",
            Self::Terraform => "terraform_data",
        }
    }
}

/// The text of a stack of `count` resources.
pub fn stack(dialect: Dialect, shape: Shape, count: usize) -> String {
    let kind = dialect.kind();
    let mut text = String::with_capacity(count * 100);
    if dialect == Dialect::Windlass {
        text.push_str("stack \"bench\" {\n  description = \"generated\"\n}\n\n");
    }
    for index in 0..count {
        let input = input(kind, shape, index, count);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "resource \"{kind}\" \"r{index}\" {{\n  input = {input}\n}}\n");
    }
    text
}

fn input(kind: &str, shape: Shape, index: usize, count: usize) -> String {
    let needs = needs(shape, index, count);
    if needs.is_empty() {
        return format!("\"value-{index}\"");
    }
    // Ids and not outputs: five outputs in each would make the text of the top layer hundreds of times longer.
    let refs: Vec<String> = needs.iter().map(|need| format!("${{{kind}.r{need}.id}}")).collect();
    format!("\"value-{index} {}\"", refs.join(" "))
}

/// What a resource depends on: spread over the layer below, each once.
fn needs(shape: Shape, index: usize, count: usize) -> Vec<usize> {
    let width = count.div_ceil(LAYERS);
    let layer = index.checked_div(width).unwrap_or(0);
    if shape == Shape::Independent || layer == 0 {
        return Vec::new();
    }
    let below = (layer - 1) * width;
    // An odd stride that is not a small factor of the width: neighbours do not share all that they need.
    let mut needs: Vec<usize> = (0..FAN_IN).map(|n| below + (index % width + n * 37) % width).collect();
    needs.sort_unstable();
    needs.dedup();
    needs
}

/// Terraform's state (format 4) after an apply of the independent stack, so that its no-change plan can be measured without
/// waiting for its apply.
pub fn terraform_state(count: usize) -> Value {
    let resources: Vec<Value> = (0..count).map(state_resource).collect();
    json!({
        "version": 4,
        "terraform_version": "1.4.0",
        "serial": 1,
        "lineage": "00000000-0000-4000-8000-000000000000",
        "outputs": {},
        "resources": resources,
        "check_results": null,
    })
}

fn state_resource(index: usize) -> Value {
    let value = json!({ "value": format!("value-{index}"), "type": "string" });
    json!({
        "mode": "managed",
        "type": "terraform_data",
        "name": format!("r{index}"),
        "provider": "provider[\"terraform.io/builtin/terraform\"]",
        "instances": [{
            "schema_version": 0,
            "attributes": {
                "id": format!("00000000-0000-4000-8000-{index:012}"),
                "input": value,
                "output": value,
                "triggers_replace": null,
            },
            "sensitive_attributes": [],
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_twins_differ_in_the_kind_only() {
        let ours = stack(Dialect::Windlass, Shape::Layers, 100).replace("local_data", "terraform_data");
        let theirs = stack(Dialect::Terraform, Shape::Layers, 100);
        assert!(ours.ends_with(&theirs));
        assert_eq!(theirs.matches("resource ").count(), 100);
    }

    #[test]
    fn a_resource_depends_on_the_layer_below_only() {
        for count in [7, 100, 1_000_usize] {
            let width = count.div_ceil(LAYERS);
            for index in 0..count {
                let needs = needs(Shape::Layers, index, count);
                assert!(needs.len() <= FAN_IN);
                assert_eq!(needs.is_empty(), index < width, "{index} of {count}");
                assert!(needs.iter().all(|need| need / width + 1 == index / width), "{index}: {needs:?}");
            }
        }
        assert_eq!(needs(Shape::Layers, 999, 1_000).len(), 5);
        assert!(needs(Shape::Independent, 999, 1_000).is_empty());
    }

    #[test]
    fn the_state_has_every_resource() {
        let state = terraform_state(3);
        assert_eq!(state["resources"].as_array().unwrap().len(), 3);
        assert_eq!(state["resources"][2]["instances"][0]["attributes"]["input"]["value"], "value-2");
    }
}
