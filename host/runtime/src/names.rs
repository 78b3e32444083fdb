//! Names that do not exist, and the ones that may have been meant.

/// The known names in words, nearest first; at most ten.
pub(crate) fn known<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 10;
    let mut names: Vec<(usize, &str)> = known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(wanted, name), name))
        .collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return "none".into();
    }
    let more = names.len().saturating_sub(SHOWN);
    let shown: Vec<&str> = names.iter().take(SHOWN).map(|(_, name)| *name).collect();
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_comes_first() {
        assert_eq!(
            known("get_totl", ["add", "get_status", "get_total"]),
            "get_total, get_status, add"
        );
        assert_eq!(known("x", []), "none");
    }
}
