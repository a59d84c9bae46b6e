//! "Did you mean": the known name nearest to a wrong one.

/// The known name at most two edits away (one, for names of up to three letters), the nearest first.
pub(super) fn closest<'n>(wrong: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let limit = if wrong.chars().count() <= 3 { 1 } else { 2 };
    known
        .map(|name| (strsim::damerau_levenshtein(wrong, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}
