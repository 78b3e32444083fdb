//! RULES.md says which test proves which rule. It must stay true.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use longhaul_tests::artifacts;

/// Folders with tests that name rules.
const FOLDERS: [&str; 3] = ["tests/tests", "host", "guest-sdk/rust"];

fn root() -> PathBuf {
    artifacts::package().parent().unwrap().to_owned()
}

/// Rule -> tests.
fn table() -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string(root().join("tests/RULES.md")).unwrap();
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [rule, _, tests] = cells[..] else { return None };
        let tests = tests.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        is_rule(rule).then(|| (rule.to_owned(), tests))
    });
    rows.collect()
}

/// `S4`, `E12`: a capital letter and a number.
fn is_rule(word: &str) -> bool {
    let mut characters = word.chars();
    let number = |rest: &str| !rest.is_empty() && rest.len() <= 2 && rest.chars().all(|c| c.is_ascii_digit());
    characters.next().is_some_and(|first| "SQUWEAB".contains(first)) && number(characters.as_str())
}

#[test]
fn every_rule_has_a_test_and_every_test_exists() {
    let table = table();
    assert!(table.len() > 20, "the table was not read: {table:?}");
    for (rule, tests) in table {
        assert!(!tests.is_empty(), "{rule} has no test");
        for test in tests {
            let (file, function) = test
                .split_once("::")
                .unwrap_or_else(|| panic!("{rule}: {test} is not FILE::FUNCTION"));
            let source = fs::read_to_string(root().join(file))
                .unwrap_or_else(|error| panic!("{rule}: {file}: {error}"));
            assert!(
                source.contains(&format!("fn {function}(")),
                "{rule}: {file} has no {function}"
            );
        }
    }
}

#[test]
fn every_rule_that_a_test_names_is_in_the_table() {
    let table = table();
    let mut missing = BTreeSet::new();
    for folder in FOLDERS {
        visit(&root().join(folder), &mut |path, source| {
            for rule in source
                .lines()
                .flat_map(named_rules)
                .filter(|rule| !table.contains_key(rule))
            {
                missing.insert(format!("{rule} ({})", path.display()));
            }
        });
    }
    assert!(missing.is_empty(), "not in RULES.md: {missing:#?}");
}

/// The rules at the start of a comment: `// S4, S6: why`.
fn named_rules(line: &str) -> Vec<String> {
    let Some(comment) = line.trim_start().strip_prefix("// ") else {
        return Vec::new();
    };
    let list = comment.split(':').next().unwrap_or_default();
    let words: Vec<&str> = list.split(", ").map(|word| word.trim_end_matches('.')).collect();
    if words.iter().all(|word| is_rule(word)) {
        words.into_iter().map(str::to_owned).collect()
    } else {
        Vec::new()
    }
}

fn visit(folder: &Path, see: &mut impl FnMut(&Path, &str)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            visit(&path, see);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            see(&path, &fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn rules_are_read_from_comments() {
    assert_eq!(named_rules("    // S4, E12: why"), ["S4", "E12"]);
    assert_eq!(named_rules("// B3"), ["B3"]);
    assert!(named_rules("// Bytes, not text").is_empty());
    assert!(named_rules("let a = 1; // S4").is_empty());
}
