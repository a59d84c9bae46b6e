//! "did you mean": the nearest of the names that there are.

use std::cell::Cell;

/// Finds the nearest name, within a budget for the whole load: a file full of wrong names costs no more than a few.
#[derive(Debug)]
pub(super) struct Suggest {
    left: Cell<u32>,
}

impl Default for Suggest {
    fn default() -> Self {
        Suggest { left: Cell::new(200_000) }
    }
}

impl Suggest {
    /// The candidate most like a name, if any is alike enough.
    pub(super) fn nearest<C: AsRef<str>>(
        &self,
        name: &str,
        candidates: impl IntoIterator<Item = C>,
    ) -> Option<String> {
        if name.len() > 80 {
            return None;
        }
        let mut best: Option<(f64, String)> = None;
        for candidate in candidates {
            let candidate = candidate.as_ref();
            let left = self.left.get();
            if left == 0 {
                break;
            }
            self.left.set(left - 1);
            if candidate.len() > 80 {
                continue;
            }
            let score = strsim::jaro_winkler(name, candidate);
            let close = strsim::damerau_levenshtein(name, candidate) <= 1 + name.len() / 6;
            if (score > 0.85 || close) && best.as_ref().is_none_or(|(best, _)| score > *best) {
                best = Some((score, candidate.to_owned()));
            }
        }
        best.map(|(_, name)| name)
    }
}
