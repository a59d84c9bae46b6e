//! Version constraints as Terraform writes them: `>= 1.5, < 2`, `~> 1.11.0`.

use std::cmp::Ordering;

/// A constraint: all of its parts must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint(Vec<(Operator, Vec<u64>)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    AtLeast,
    Less,
    AtMost,
    Pessimistic,
}

const OPERATORS: &[(&str, Operator)] = &[
    ("~>", Operator::Pessimistic),
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("!=", Operator::NotEqual),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("=", Operator::Equal),
];

impl Constraint {
    /// Reads a constraint.
    ///
    /// # Errors
    /// Which part is none.
    pub fn parse(text: &str) -> Result<Constraint, String> {
        let part = |part: &str| {
            let part = part.trim();
            let found = OPERATORS.iter().find_map(|(sign, op)| Some((*op, part.strip_prefix(sign)?)));
            let (operator, number) = found.unwrap_or((Operator::Equal, part));
            let numbers = numbers(number.trim()).filter(|_| !number.contains('-'));
            let why = || format!("`{part}` is not a version constraint: it reads `>= 1.5, < 2` or `~> 1.11`");
            Ok((operator, numbers.ok_or_else(why)?))
        };
        text.split(',').map(part).collect::<Result<_, String>>().map(Constraint)
    }

    /// Whether a version will do. A pre-release counts as the release that it precedes.
    pub fn allows(&self, version: &str) -> bool {
        let Some(have) = numbers(version) else { return false };
        self.0.iter().all(|(operator, want)| {
            let order = compare(&have, want);
            match operator {
                Operator::Equal => order.is_eq(),
                Operator::NotEqual => order.is_ne(),
                Operator::Greater => order.is_gt(),
                Operator::AtLeast => order.is_ge(),
                Operator::Less => order.is_lt(),
                Operator::AtMost => order.is_le(),
                Operator::Pessimistic => {
                    let fixed = want.len().saturating_sub(1).max(1);
                    let prefix: Vec<u64> = have.iter().copied().take(fixed).collect();
                    order.is_ge() && compare(&prefix, &want[..fixed.min(want.len())]).is_eq()
                }
            }
        })
    }
}

/// Whether a version is at least another.
pub fn at_least(version: &str, least: &str) -> bool {
    match (numbers(version), numbers(least)) {
        (Some(have), Some(least)) => compare(&have, &least).is_ge(),
        _ => false,
    }
}

fn numbers(version: &str) -> Option<Vec<u64>> {
    let release = version.trim_start_matches('v').split(['-', '+']).next()?;
    release.split('.').map(|part| part.parse().ok()).collect()
}

fn compare(a: &[u64], b: &[u64]) -> Ordering {
    let part = |numbers: &[u64], i: usize| numbers.get(i).copied().unwrap_or(0);
    let orders = (0..a.len().max(b.len())).map(|i| part(a, i).cmp(&part(b, i)));
    orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_hold_as_in_terraform() {
        for (constraint, version, holds) in [
            (">= 1.5, < 2", "1.11.4", true),
            (">= 1.5, < 2", "2.0.0", false),
            ("~> 1.11", "1.12.0", true),
            ("~> 1.11", "2.0.0", false),
            ("~> 1.11.0", "1.11.4", true),
            ("~> 1.11.0", "1.12.0", false),
            ("1.11.4", "1.11.4", true),
            ("= 1.11", "1.11.0", true),
            ("!= 1.11.4", "1.11.4", false),
            ("> 1.11.4", "1.12.0-beta1", true),
            ("~> 1", "1.9.0", true),
        ] {
            let parsed = Constraint::parse(constraint).unwrap();
            assert_eq!(parsed.allows(version), holds, "{constraint} {version}");
        }
        assert!(Constraint::parse("about 1").is_err() && Constraint::parse("").is_err());
        assert!(at_least("1.9.1", "1.9") && !at_least("1.8.9", "1.9"));
    }
}
