//! Tables of what was measured, and whether the goals are met.

use std::fmt::Write as _;

use super::generate::Shape;
use super::{Case, Measured, Sizes, Work};
use crate::measure::Cost;

/// Planning: how many times faster than terraform at least, and which part of its memory at most.
const PLAN_SPEED_MIN: f64 = 40.0;
const PLAN_MEMORY_MAX: f64 = 1.0 / 8.0;
/// Apply in layers: how many times faster at least.
const APPLY_SPEED_MIN: f64 = 25.0;
/// The cost of a resource in the largest stack, over that in a tenth of it.
const SCALE_MAX: f64 = 1.3;

const HEAD: &str = "\
# Benchmarks

Written by `cargo xtask bench`. The same stack twice: `local_data` for windlass (release build), `terraform_data` in one root for
terraform, generated, run in turns on one machine. What counts are the ratios: absolute times are this machine's.
Every step of windlass's apply is durable (intent and outcome are on disk before the next step that needs them begins).
";

/// The report.
pub struct Report {
    /// As Markdown.
    pub text: String,
    /// Whether all goals are met.
    pub goals_met: bool,
}

/// A goal, what came out, and whether that is enough.
struct Goal {
    text: String,
    got: String,
    met: bool,
}

impl Report {
    /// Of all cases.
    pub fn new(all: &[Measured], sizes: &Sizes, runs: usize, terraform: &str) -> Self {
        let mut text = String::from(HEAD);
        let _ =
            write!(text, "Medians of {runs}. {terraform}. Wall and CPU in seconds, peak memory in MiB.\n\n");
        text.push_str(&side_by_side(all));
        text.push_str(&alone(all));
        let goals = goals(all, sizes);
        text.push_str("\n## Goals\n\n| goal | measured | |\n|---|--:|---|\n");
        for goal in &goals {
            let met = if goal.met { "met" } else { "**missed**" };
            let _ = writeln!(text, "| {} | {} | {met} |", goal.text, goal.got);
        }
        Self { text, goals_met: goals.iter().all(|goal| goal.met) }
    }
}

/// One line while it runs.
pub fn progress(measured: &Measured) -> String {
    let case = &measured.case;
    let theirs = measured.terraform.map_or(String::new(), |cost| format!("terraform {:.2} s, ", cost.wall_s));
    let (work, shape, ours) = (case.work.word(), case.shape.word(), measured.windlass.wall_s);
    format!("{work} of {} {shape}: {theirs}windlass {ours:.3} s", thousands(case.count))
}

fn side_by_side(all: &[Measured]) -> String {
    let mut text = String::from(
        "## Side by side\n\n\
         | work | resources | shape | terraform wall | windlass wall | faster | terraform CPU | windlass CPU | terraform peak | windlass peak | memory |\n\
         |---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for Measured { case, windlass, terraform } in all {
        let Some(theirs) = terraform else { continue };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.2} | {:.3} | {:.1}× | {:.2} | {:.3} | {:.0} | {:.1} | 1/{:.1} |",
            case.work.word(),
            thousands(case.count),
            case.shape.word(),
            theirs.wall_s,
            windlass.wall_s,
            theirs.wall_s / windlass.wall_s,
            theirs.cpu_s,
            windlass.cpu_s,
            theirs.peak_mib,
            windlass.peak_mib,
            theirs.peak_mib / windlass.peak_mib,
        );
    }
    text
}

fn alone(all: &[Measured]) -> String {
    let mut text = String::from(
        "\n## Windlass by size\n\n\
         | work | resources | shape | wall | CPU | peak | wall a resource |\n|---|--:|---|--:|--:|--:|--:|\n",
    );
    for Measured { case, windlass, .. } in all {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.3} | {:.3} | {:.1} | {:.1} µs |",
            case.work.word(),
            thousands(case.count),
            case.shape.word(),
            windlass.wall_s,
            windlass.cpu_s,
            windlass.peak_mib,
            a_resource_us(case, windlass),
        );
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
fn a_resource_us(case: &Case, cost: &Cost) -> f64 {
    cost.wall_s * 1e6 / case.count as f64
}

fn goals(all: &[Measured], sizes: &Sizes) -> Vec<Goal> {
    let mut goals = Vec::new();
    for measured in all {
        let Some(theirs) = measured.terraform else { continue };
        let (case, ours) = (measured.case, measured.windlass);
        let faster = theirs.wall_s / ours.wall_s;
        let name = format!("{} of {} {}", case.work.word(), thousands(case.count), case.shape.word());
        match case.work {
            Work::Plan | Work::NoChange if case.count == sizes.plan[1] => {
                goals.push(at_least(&name, "times faster", faster, PLAN_SPEED_MIN));
                let part = ours.peak_mib / theirs.peak_mib;
                goals.push(at_most(&format!("{name}: part of its memory"), part, PLAN_MEMORY_MAX));
            }
            Work::Apply if case.shape == Shape::Layers => {
                goals.push(at_least(&name, "times faster", faster, APPLY_SPEED_MIN));
            }
            _ => {}
        }
    }
    goals.extend(scale_goals(all, sizes));
    goals
}

fn scale_goals(all: &[Measured], sizes: &Sizes) -> Vec<Goal> {
    let of = |work, shape, count| {
        let found =
            all.iter().find(|m| m.case.work == work && m.case.shape == shape && m.case.count == count)?;
        Some(a_resource_us(&found.case, &found.windlass))
    };
    let mut goals = Vec::new();
    for work in [Work::Plan, Work::NoChange, Work::Apply] {
        for shape in [Shape::Independent, Shape::Layers] {
            let (large, small) = (of(work, shape, sizes.alone), of(work, shape, sizes.plan[1]));
            let (Some(large), Some(small)) = (large, small) else { continue };
            let (from, to) = (thousands(sizes.plan[1]), thousands(sizes.alone));
            let name = format!("{}, {}: a resource of {to} over one of {from}", work.word(), shape.word());
            goals.push(at_most(&name, large / small, SCALE_MAX));
        }
    }
    goals
}

fn at_least(name: &str, unit: &str, got: f64, limit: f64) -> Goal {
    Goal { text: format!("{name}: at least {limit} {unit}"), got: format!("{got:.1}"), met: got >= limit }
}

fn at_most(name: &str, got: f64, limit: f64) -> Goal {
    Goal { text: format!("{name}: at most {limit}"), got: format!("{got:.3}"), met: got <= limit }
}

/// `10000` as `10,000`.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::FULL;
    use super::*;

    fn measured(work: Work, shape: Shape, count: usize, ours: f64, theirs: Option<f64>) -> Measured {
        let cost = |wall_s: f64| Cost { wall_s, cpu_s: wall_s, peak_mib: wall_s * 100.0 };
        let case = Case { work, shape, count, twin: theirs.is_some() };
        Measured { case, windlass: cost(ours), terraform: theirs.map(cost) }
    }

    #[test]
    fn goals_are_held_against_what_was_measured() {
        let good = [
            measured(Work::Plan, Shape::Independent, 10_000, 0.1, Some(10.0)),
            measured(Work::Plan, Shape::Independent, 100_000, 1.2, None),
            measured(Work::Apply, Shape::Layers, 1_000, 0.3, Some(11.0)),
        ];
        let report = Report::new(&good, &FULL, 3, "Terraform v1");
        assert!(report.goals_met, "{}", report.text);
        assert!(
            report.text.contains("| plan | 10,000 | independent | 10.00 | 0.100 | 100.0× |"),
            "{}",
            report.text
        );
        for (index, slow) in [(0, 0.3), (1, 1.4), (2, 0.5)] {
            let mut bad = good;
            bad[index].windlass.wall_s = slow;
            let report = Report::new(&bad, &FULL, 3, "Terraform v1");
            assert!(!report.goals_met, "{index}: {}", report.text);
            assert!(report.text.contains("**missed**"));
        }
    }

    #[test]
    fn thousands_have_commas() {
        assert_eq!([7, 999, 1_000, 100_000].map(thousands), ["7", "999", "1,000", "100,000"]);
    }
}
