//! Go's names for what WIT names.

/// `activity-options` becomes `ActivityOptions`.
pub(super) fn public(name: &str) -> String {
    name.split('-').map(word).collect()
}

/// `activity-options` becomes `activityOptions`.
pub(super) fn private(name: &str) -> String {
    let mut words = name.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    let rest: String = words.map(word).collect();
    match first.as_str() {
        "type" | "func" | "range" | "map" | "var" | "package" | "import" | "select" | "default" | "len" => {
            format!("{first}_{rest}")
        }
        _ => first + &rest,
    }
}

/// `activity-definition` becomes `activitydefinition`.
pub(super) fn package(name: &str) -> String {
    name.replace('-', "")
}

fn word(word: &str) -> String {
    match word {
        "id" | "sdk" | "json" => word.to_uppercase(),
        _ => {
            let mut letters = word.chars();
            letters
                .next()
                .map(|first| first.to_uppercase().chain(letters).collect())
                .unwrap_or_default()
        }
    }
}

/// Whether a text names something of a package: `types.` counts, `iotypes.` does not.
pub(super) fn qualifies(text: &str, package: &str) -> bool {
    let qualifier = format!("{package}.");
    text.match_indices(&qualifier).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == '.')
    })
}

/// A line of a comment.
pub(super) fn comment(line: &str) -> String {
    format!("// {line}").trim_end().to_owned()
}

/// A documentation comment, each line behind an indent; empty if there is no text.
pub(super) fn docs(docs: &wit_parser::Docs, indent: &str) -> String {
    let text = docs.contents.as_deref().unwrap_or_default();
    text.trim()
        .lines()
        .map(|line| format!("{indent}{}\n", comment(line)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_as_in_go() {
        assert_eq!(public("run-id"), "RunID");
        assert_eq!(public("child-start-failed"), "ChildStartFailed");
        assert_eq!(private("history-length"), "historyLength");
        assert_eq!(private("type"), "type_");
    }

    #[test]
    fn a_package_is_named_by_its_whole_name() {
        assert!(qualifies("var a types.Failure", "types"));
        assert!(qualifies("types.LoadFailure(p)", "types"));
        assert!(!qualifies("var a httptypes.Method", "types"));
        assert!(!qualifies("v.types.First", "types"));
    }
}
