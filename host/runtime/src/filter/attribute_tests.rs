//! Conditions on search attributes, from text to what they take and what the indexes answer of them.

use longhaul_engine::proto::common::v1::SearchAttributes;
use longhaul_history::payload::json_payload;
use longhaul_store::{ExecutionRecord, Group, Limit};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{
    Limits, Query,
    testing::{NS, SECOND, attributes, execution, expected, listed, query, store},
};
use crate::attributes::{TYPE, indexed};

/// An execution with search attributes.
fn with(run: u128, fields: Json) -> ExecutionRecord {
    let Json::Object(fields) = fields else {
        panic!("no object")
    };
    let known = attributes();
    let attributes = SearchAttributes {
        indexed_fields: fields
            .into_iter()
            .map(|(name, json)| {
                let mut payload = json_payload(&json);
                payload
                    .metadata
                    .insert(TYPE.to_owned(), known[&name].to_string().into_bytes());
                (name, payload)
            })
            .collect(),
    };
    let (terms, search_attributes) = indexed(&known, &attributes.indexed_fields);
    ExecutionRecord {
        terms,
        search_attributes,
        ..execution(&format!("w{run}"), "Order", run, SECOND)
    }
}

fn refused(text: &str) -> String {
    match Query::of_list(text, Limits::default(), &attributes()) {
        Ok(query) => panic!("{text} was taken: {query:?}"),
        Err(invalid) => invalid.to_string(),
    }
}

// E13
#[test]
fn every_type_compares_by_its_values() {
    let record = with(
        1,
        json!({
            "City": "Rome", "Size": 7, "Weight": 2.5, "Urgent": true, "Due": "2026-01-31T12:00:00Z",
            "Tags": ["new", "paid"], "Note": "Fragile, handle with care",
        }),
    );
    for holds in [
        "City = 'Rome'",
        "City != 'Oslo'",
        "City > 'Oslo'",
        "City IN ('Oslo', 'Rome')",
        "City BETWEEN 'Paris' AND 'Split'",
        "City STARTS_WITH 'Ro'",
        "City IS NOT NULL",
        "Size = 7 AND Size >= 7 AND Size < 8",
        "Weight = 2.5 AND Weight > 2 AND Weight < 2.6e0",
        "Urgent = true AND Urgent != false",
        "Due = '2026-01-31T13:00:00+01:00' AND Due < '2027-01-01T00:00:00Z'",
        "Tags = 'paid' AND Tags = 'new'",
        "Tags IN ('old', 'new')",
        "Tags STARTS_WITH 'pa'",
        "Note = 'fragile'",
        "Note = 'nothing care'",
        "NOT Note = 'nothing'",
        "`City` = \"Rome\"",
    ] {
        assert!(query(holds).takes(&record), "{holds}");
    }
    for fails in [
        "City = 'rome'",
        "Size != 7",
        "Urgent = false",
        "Tags != 'paid'",
        // The words of the text are compared, not its parts.
        "Note = 'frag'",
        "City IS NULL",
    ] {
        assert!(!query(fails).takes(&record), "{fails}");
    }
}

// E13
#[test]
fn what_an_execution_does_not_have_is_neither_true_nor_false() {
    let record = with(1, json!({"City": "Rome", "Size": null, "Tags": []}));
    for text in [
        "Size = 7",
        "Size != 7",
        "NOT Size = 7",
        "Tags = 'a'",
        "Tags != 'a'",
    ] {
        assert!(!query(text).takes(&record), "{text}");
    }
    for text in ["Size IS NULL", "Tags IS NULL", "City = 'Rome' OR Size = 7"] {
        assert!(query(text).takes(&record), "{text}");
    }
}

// E13, B1
#[test]
fn what_does_not_apply_is_refused_with_its_place() {
    for (text, column, why) in [
        ("City = 7", 8, "write '7'"),
        ("Size = 'x'", 8, "Size is compared with an integer"),
        ("Size = 1.5", 8, "Size is compared with an integer"),
        ("Weight = 'x'", 10, "Weight is compared with a number"),
        ("Urgent = 1", 10, "true or false"),
        ("Due = 'soon'", 7, "is no time"),
        ("Urgent > true", 8, "does not apply to Urgent"),
        ("Tags BETWEEN 'a' AND 'b'", 6, "does not apply to Tags"),
        ("Note STARTS_WITH 'a'", 6, "STARTS_WITH does not apply to Note"),
        ("Cty = 'Rome'", 1, "there are City"),
    ] {
        let error = refused(text);
        assert!(
            error.starts_with(&format!("invalid query: at column {column}: ")) && error.contains(why),
            "{text}: {error}"
        );
    }
}

// E13
#[test]
fn equality_is_answered_from_the_index() {
    let group = |text: &str| query(text).plan().filter(NS).map(|filter| filter.group);
    let terms = |terms: &[&str]| Some(Group::Terms(terms.iter().map(|&term| term.to_owned()).collect()));
    assert_eq!(group("City = 'Rome'"), terms(&["City\0Rome"]));
    assert_eq!(
        group("WorkflowType = 'Order' AND (Size IN (1, 2) OR Tags = 'new')"),
        terms(&["Size\u{0}1", "Size\u{0}2", "Tags\0new"])
    );
    assert_eq!(
        group("City = 'Rome' AND WorkflowId = 'w'"),
        Some(Group::WorkflowId("w".into()))
    );
    for everything in [
        "City > 'Rome'",
        "City = 'Rome' OR WorkflowId = 'w'",
        "NOT City = 'Rome'",
        "Note = 'a'",
    ] {
        assert_eq!(group(everything), Some(Group::All), "{everything}");
    }
    assert!(
        !query("City = 'Rome'").plan().is_exact(),
        "there are no counters of it"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_index_finds_what_reading_everything_finds(
        rows in prop::collection::vec((0..4_u8, 0..4_i64, 0..8_u8), 0..30),
        filters in prop::collection::vec((0..12_u8, 0..4_u8, 0..4_i64), 10),
        size in 1..5_usize,
        examined in 1..10_usize,
    ) {
        let records: Vec<_> = rows
            .into_iter()
            .enumerate()
            .map(|(run, (city, size, tags))| {
                let tags: Vec<_> = (0..3).filter(|tag| tags & 1 << tag != 0).map(|tag| format!("t{tag}")).collect();
                let size = (size > 0).then_some(size);
                with(run as u128 + 1, json!({"City": format!("c{city}"), "Size": size, "Tags": tags}))
            })
            .collect();
        let store = store(&records);
        for (shape, city, number) in filters {
            let text = match shape {
                0 => format!("City = 'c{city}'"),
                1 => format!("Size IN ({number}, {})", number + 1),
                2 => format!("Tags = 't{city}' OR Tags = 't{number}'"),
                3 => format!("Tags = 't{city}' AND City = 'c{number}'"),
                4 => format!("NOT Tags = 't{city}'"),
                5 => format!("City = 'c{city}' OR Size > {number}"),
                6 => format!("Size IS NULL AND City != 'c{city}'"),
                7 => format!("City STARTS_WITH 'c{city}'"),
                8 => format!("Tags STARTS_WITH 't' AND City != 'c{city}'"),
                9 => format!("Tags STARTS_WITH 't{city}' AND WorkflowId STARTS_WITH 'w{number}'"),
                10 => "City STARTS_WITH ''".to_owned(),
                _ => format!("City STARTS_WITH 'c' AND Tags IN ('t{city}', 't{number}', 't0')"),
            };
            let query = query(&text);
            let wanted = expected(&records, |record| query.takes(record));
            prop_assert_eq!(listed(&store, &query, Limit { executions: size, examined }), wanted, "{}", &text);
        }
    }
}
