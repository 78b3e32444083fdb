//! RULES.md says which test proves which rule. The tests themselves say it, in comments such as `// S4`; here the two are compared.
//!
//! `LONGHAUL_UPDATE_RULES=1 cargo test -p longhaul-tests --test rules` writes the tests that were found into RULES.md. The text of
//! a rule is written by hand.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
};

use longhaul_tests::artifacts;

/// Folders with tests that name rules.
const FOLDERS: [&str; 3] = ["tests/tests", "host", "guest-sdk/rust"];

/// Rule -> its tests, as `FILE::FUNCTION`.
type Found = BTreeMap<String, BTreeSet<String>>;

#[test]
fn the_table_names_every_test_of_every_rule() {
    let root = artifacts::package().parent().unwrap().to_owned();
    let found = search(&root);
    assert!(found.len() > 20, "the tests were not read: {found:?}");
    let path = root.join("tests/RULES.md");
    let table = fs::read_to_string(&path).unwrap();
    let wanted = rewrite(&table, &found);
    if env::var_os("LONGHAUL_UPDATE_RULES").is_some() {
        fs::write(&path, wanted).unwrap();
    } else if let Some((is, should)) = table
        .lines()
        .zip(wanted.lines())
        .find(|(is, should)| is != should)
    {
        panic!(
            "RULES.md is out of date; LONGHAUL_UPDATE_RULES=1 mends it.\n is:     {is}\n should: {should}"
        );
    }
}

/// The table with the tests that were found. A rule without a row, or a row without a test, is an error.
fn rewrite(table: &str, found: &Found) -> String {
    let mut missing: BTreeSet<&String> = found.keys().collect();
    let mut lines = Vec::new();
    for line in table.lines() {
        let Some((rule, text)) = row(line) else {
            lines.push(line.to_owned());
            continue;
        };
        let tests = found
            .get(rule)
            .unwrap_or_else(|| panic!("{rule} stands in RULES.md, and no test names it"));
        missing.remove(&rule.to_owned());
        let tests: Vec<String> = tests.iter().map(|test| format!("`{test}`")).collect();
        lines.push(format!("| {rule} | {text} | {} |", tests.join("<br>")));
    }
    assert!(
        missing.is_empty(),
        "tests name these rules, and RULES.md has no row for them: {missing:?}"
    );
    lines.join("\n") + "\n"
}

/// Rule and text of a row.
fn row(line: &str) -> Option<(&str, &str)> {
    let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
    let (rule, text) = (cells.next()?, cells.next()?);
    is_rule(rule).then_some((rule, text))
}

/// `S4`, `E12`: a letter of the table's parts and a number.
fn is_rule(word: &str) -> bool {
    let number = word
        .strip_prefix(['S', 'Q', 'U', 'W', 'E', 'A', 'C', 'B'])
        .unwrap_or_default();
    (1..=2).contains(&number.len()) && number.chars().all(|c| c.is_ascii_digit())
}

fn search(root: &Path) -> Found {
    let mut found = Found::new();
    for folder in FOLDERS {
        for path in sources(&root.join(folder)) {
            let file = path.strip_prefix(root).unwrap().display().to_string();
            // This file's examples are no tests.
            if file == "tests/tests/rules.rs" {
                continue;
            }
            for (rule, function) in tests_with_rules(&fs::read_to_string(&path).unwrap()) {
                found
                    .entry(rule)
                    .or_default()
                    .insert(format!("{file}::{function}"));
            }
        }
    }
    found
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let inner = folders
        .iter()
        .filter(|folder| !folder.ends_with("target"))
        .flat_map(|folder| sources(folder));
    inner
        .chain(
            files
                .into_iter()
                .filter(|file| file.extension().is_some_and(|e| e == "rs")),
        )
        .collect()
}

/// Rules that tests name, in the comments above or inside them, with the tests' names.
fn tests_with_rules(source: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let in_languages = in_each_language(source);
    // Rules in comments that belong to no function yet, and whether the function that comes next is a test.
    let (mut rules, mut is_test) = (Vec::new(), false);
    let mut test: Option<String> = None;
    for line in source.lines().map(str::trim) {
        if let Some(named) = rules_of_comment(line) {
            rules.extend(named);
            continue;
        }
        if line.starts_with("#[") {
            is_test |= line.contains("test]") || line.contains("test(");
            continue;
        }
        if line.is_empty() || line.starts_with("//") {
            continue;
        }
        // A comment belongs to the function that follows it, and if other code follows, to the one that it stands in.
        if let Some(function) = function_name(line) {
            is_test |= in_languages.contains(function);
            test = is_test.then(|| function.to_owned());
            is_test = false;
        }
        for rule in rules.drain(..) {
            found.extend(test.clone().map(|test| (rule, test)));
        }
    }
    found
}

/// The functions that a file makes tests of by `in_each_language!`.
fn in_each_language(source: &str) -> BTreeSet<&str> {
    let lines = source
        .lines()
        .skip_while(|line| !line.starts_with("in_each_language! {"))
        .skip(1);
    let names = lines
        .take_while(|line| *line != "}")
        .filter_map(|line| line.trim().strip_suffix(','));
    names.collect()
}

/// The rules at the start of a comment: `// S4, E12: why`.
fn rules_of_comment(line: &str) -> Option<Vec<String>> {
    let list = line.strip_prefix("// ")?.split(':').next()?;
    let words: Vec<&str> = list.split(", ").map(|word| word.trim_end_matches('.')).collect();
    words
        .iter()
        .all(|word| is_rule(word))
        .then(|| words.into_iter().map(str::to_owned).collect())
}

fn function_name(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
    rest.split(['(', '<']).next()
}

#[test]
fn comments_above_and_inside_of_tests_count() {
    let source = "
in_each_language! {
    #[ignore = \"why\"]
    listed,
}
        // S4, E12: why
        #[test]
        fn above() { let a = 1; }

        #[tokio::test(flavor = \"multi_thread\")]
        async fn inside() {
            // B3
            let a = 1; // Q1
        }

        // U1: this is no test
        fn helper() {}

        // W1
        fn listed(language: Language) {}
    ";
    let found = tests_with_rules(source);
    let expected = [
        ("S4", "above"),
        ("E12", "above"),
        ("B3", "inside"),
        ("W1", "listed"),
    ];
    assert_eq!(
        found,
        expected.map(|(rule, test)| (rule.to_owned(), test.to_owned()))
    );
}
