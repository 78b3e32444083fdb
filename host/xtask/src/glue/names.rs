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
        "type" | "func" | "range" | "map" | "var" | "package" | "import" | "select" | "default" => {
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
}
