//! The language, from text to what it takes.

use longhaul_store::Status;
use proptest::prelude::*;

use super::{
    Limits, Query,
    expr::{Comparison, Condition, Expr, Test},
    field::{Field, NumberField, TextField},
    testing::{SECOND, attributes, closed, execution, query},
};

fn parsed(text: &str) -> Expr {
    query(text)
        .filter
        .unwrap_or_else(|| panic!("{text} has no filter"))
}

/// The text of the error of a list's query.
fn refused(text: &str) -> String {
    match Query::of_list(text, Limits::default(), &attributes()) {
        Ok(query) => panic!("{text} was taken: {query:?}"),
        Err(invalid) => invalid.to_string(),
    }
}

fn is_type(name: &str) -> Expr {
    let test = Test::Compare(Comparison::Equal, name.to_owned());
    Expr::Condition(Condition::Text {
        field: TextField::WorkflowType,
        test,
    })
}

fn number(field: NumberField, test: Test<i128>) -> Expr {
    Expr::Condition(Condition::Number { field, test })
}

#[test]
fn and_binds_more_than_or_and_not_more_than_and() {
    let (a, b, c) = (is_type("a"), is_type("b"), is_type("c"));
    let text = "WorkflowType = 'a' or NOT WorkflowType='b' And WorkflowType\n=\t\"c\"";
    let not_b = Expr::Not(Box::new(b.clone()));
    assert_eq!(
        parsed(text),
        Expr::Or(vec![a.clone(), Expr::And(vec![not_b, c.clone()])])
    );
    let text = "NOT (WorkflowType = 'a' OR WorkflowType = 'b') AND (`WorkflowType` = 'c')";
    assert_eq!(
        parsed(text),
        Expr::And(vec![Expr::Not(Box::new(Expr::Or(vec![a, b]))), c])
    );
}

#[test]
fn every_operator_is_read() {
    use Comparison as C;
    let length = |test| number(NumberField::HistoryLength, test);
    for (operator, comparison) in [
        ("=", C::Equal),
        ("!=", C::Unequal),
        ("<>", C::Unequal),
        ("<", C::Less),
        ("<=", C::LessOrEqual),
        (">", C::Greater),
        (">=", C::GreaterOrEqual),
    ] {
        let expected = length(Test::Compare(comparison, -5));
        assert_eq!(
            parsed(&format!("HistoryLength{operator}-5")),
            expected,
            "{operator}"
        );
        assert_eq!(
            parsed(&format!(" HistoryLength {operator} -5 ")),
            expected,
            "{operator}"
        );
    }
    let not = |expr| Expr::Not(Box::new(expr));
    let one_of = length(Test::OneOf(vec![1, 2]));
    assert_eq!(parsed("HistoryLength IN (1,2)"), one_of);
    assert_eq!(parsed("HistoryLength NOT IN ( 1 , 2 )"), not(one_of));
    let between = length(Test::Between(1, 2));
    assert_eq!(parsed("HistoryLength BETWEEN 1 AND 2"), between);
    assert_eq!(
        parsed("HistoryLength not between 1 and 2 AND WorkflowType = 'a'"),
        { Expr::And(vec![not(between), is_type("a")]) }
    );
    let prefix = Expr::Condition(Condition::Prefix {
        field: TextField::RunId,
        prefix: "a".into(),
    });
    assert_eq!(parsed("RunId STARTS_WITH 'a'"), prefix);
    assert_eq!(parsed("RunId NOT starts_with 'a'"), not(prefix));
    let missing = Expr::Condition(Condition::Missing(Field::Number(NumberField::CloseTime)));
    assert_eq!(parsed("CloseTime IS NULL"), missing);
    assert_eq!(parsed("CloseTime is not null"), not(missing));
}

#[test]
fn text_may_hold_quotes_and_escapes() {
    for (written, meant) in [
        (r"'it''s'", "it's"),
        (r"'it\'s'", "it's"),
        (r#""it's""#, "it's"),
        (r#""say ""so""""#, r#"say "so""#),
        (r"'a\\b\n\t\_'", "a\\b\n\t_"),
        ("''", ""),
        ("'grün 漢'", "grün 漢"),
        ("' AND '", " AND "),
    ] {
        assert_eq!(
            parsed(&format!("WorkflowType = {written}")),
            is_type(meant),
            "{written}"
        );
    }
}

#[test]
fn statuses_times_and_durations_are_read_in_every_form() {
    for text in ["'Failed'", "\"Failed\"", "3"] {
        let expected = Expr::Condition(Condition::Status(vec![Status::Failed]));
        assert_eq!(parsed(&format!("ExecutionStatus = {text}")), expected);
    }
    for status in Status::ALL {
        assert_eq!(
            parsed(&format!("ExecutionStatus = '{status}'")),
            Expr::Condition(Condition::Status(vec![status]))
        );
    }
    let noon = 1_767_268_800 * 1_000_000_000_i128;
    for (text, ns) in [
        ("'2026-01-01T12:00:00Z'", noon),
        ("'2026-01-01T13:00:00+01:00'", noon),
        ("'2026-01-01T12:00:00.000000001Z'", noon + 1),
        ("1767268800000000000", noon),
        ("'9999-12-31T00:00:00Z'", 253_402_214_400 * 1_000_000_000),
    ] {
        let expected = number(NumberField::StartTime, Test::Compare(Comparison::Greater, ns));
        assert_eq!(parsed(&format!("StartTime > {text}")), expected, "{text}");
    }
    for (text, ns) in [
        ("'1h30m'", 5_400 * 1_000_000_000_i128),
        ("'1.5s'", 1_500_000_000),
        ("'250ms'", 250_000_000),
        ("'1m1ms1us1ns'", 60_001_001_001),
        ("'2d'", 172_800 * 1_000_000_000),
        ("'-1s'", -1_000_000_000),
        ("17", 17),
    ] {
        let expected = number(
            NumberField::ExecutionDuration,
            Test::Compare(Comparison::Less, ns),
        );
        assert_eq!(parsed(&format!("ExecutionDuration < {text}")), expected, "{text}");
    }
}

#[test]
fn an_empty_query_takes_all() {
    for text in ["", "  \n", "ORDER BY CloseTime DESC"] {
        assert_eq!(
            Query::of_list(text, Limits::default(), &attributes())
                .unwrap()
                .filter,
            None
        );
    }
    assert!(query("GROUP BY ExecutionStatus").is_grouped());
    assert!(query(" WorkflowType = 'a' group by `ExecutionStatus` ").is_grouped());
    assert!(!query("WorkflowType = 'a'").is_grouped());
}

#[test]
fn what_is_malformed_is_refused_with_its_place() {
    for (text, column, says) in [
        ("Foo = 'a'", 1, "\"Foo\" is no field"),
        ("WorkflowTyp = 'a'", 1, "there are WorkflowType, "),
        ("workflowtype = 'a'", 1, "there are WorkflowType, "),
        ("WorkflowType", 13, "expected an operator (=, "),
        ("WorkflowType 'a'", 14, "expected an operator (=, "),
        ("WorkflowType LIKE 'a'", 14, "found \"LIKE\""),
        (
            "WorkflowType NOT 'a'",
            18,
            "expected IN, BETWEEN or STARTS_WITH, found \"'\"",
        ),
        ("WorkflowType IS 'a'", 17, "expected NULL or NOT NULL"),
        (
            "WorkflowType = ",
            16,
            "expected a value (text in quotes, a number, true or false), found the end of the query",
        ),
        (
            "ExecutionStatus = Running",
            19,
            "text is written in quotes: 'Running'",
        ),
        ("WorkflowType = 'a", 16, "the text has no closing '"),
        ("WorkflowType = 'a\\", 16, "the text has no closing '"),
        ("`WorkflowType = 'a'", 1, "the name has no closing `"),
        (
            "WorkflowType = 5",
            16,
            "expected text in quotes, found a number; write '5'",
        ),
        (
            "HistoryLength = '5'",
            17,
            "HistoryLength is compared with an integer",
        ),
        (
            "HistoryLength = 1.5",
            17,
            "HistoryLength is compared with an integer",
        ),
        ("ExecutionDuration = 5s", 21, "written in quotes"),
        ("HistoryLength = 9223372036854775808", 17, "out of range"),
        (
            "ExecutionStatus = 'Runing'",
            19,
            "\"Runing\" is no status; there are Running, ",
        ),
        ("ExecutionStatus = 8", 19, "\"8\" is no status"),
        (
            "ExecutionStatus > 'Running'",
            17,
            "an order of values does not apply to ExecutionStatus, which is a status",
        ),
        ("ExecutionStatus BETWEEN 1 AND 2", 17, "BETWEEN does not apply"),
        (
            "StartTime STARTS_WITH '2026'",
            11,
            "STARTS_WITH does not apply to StartTime, which is a time",
        ),
        (
            "StartTime > 'yesterday'",
            13,
            "\"yesterday\" is no time; write it as '2026-01-31T12:00:00Z'",
        ),
        (
            "ExecutionDuration > '5 parsecs'",
            21,
            "\"5 parsecs\" is no duration",
        ),
        ("ExecutionDuration > ''", 21, "is no duration"),
        (
            "WorkflowType IN 'a'",
            17,
            "expected an opening parenthesis, found \"'\"",
        ),
        ("WorkflowType IN ()", 18, "expected a value"),
        (
            "WorkflowType IN ('a' 'b')",
            22,
            "expected a comma or a closing parenthesis",
        ),
        ("HistoryLength BETWEEN 1, 2", 24, "expected AND, found \",\""),
        (
            "(WorkflowType = 'a'",
            20,
            "expected AND, OR or a closing parenthesis, found the end of the query",
        ),
        (
            "WorkflowType = 'a')",
            19,
            "expected AND, OR, GROUP BY, ORDER BY or the end of the query, found \")\"",
        ),
        ("WorkflowType = 'a' AND", 23, "expected the name of a field"),
        (
            "WorkflowType = 'a' AND AND",
            24,
            "expected the name of a field, NOT or an opening parenthesis, found \"AND\"",
        ),
        ("WorkflowType = 'a' LIMIT 5", 20, "found \"LIMIT\""),
        ("WorkflowType = 'grün' OR 漢 = 'a'", 26, "\"漢\" is no field"),
        ("()", 2, "expected the name of a field"),
        ("= 'a'", 1, "expected the name of a field"),
        ("ORDER BY", 9, "expected the name of a field"),
    ] {
        let error = refused(text);
        let begins = format!("invalid query: at column {column}: ");
        assert!(
            error.starts_with(&begins) && error.contains(says),
            "{text}\n{error}\n{begins} ... {says}"
        );
    }
}

#[test]
fn a_list_has_one_order_and_no_groups() {
    for text in [
        "ORDER BY CloseTime DESC",
        "WorkflowType = 'a' order by `CloseTime` desc",
        "ExecutionStatus = 'Running' ORDER BY StartTime DESC",
        "WorkflowType = 'a' AND CloseTime IS NULL ORDER BY StartTime DESC",
    ] {
        assert!(
            Query::of_list(text, Limits::default(), &attributes()).is_ok(),
            "{text}"
        );
    }
    for text in [
        "ORDER BY StartTime DESC",
        "ORDER BY CloseTime",
        "ORDER BY CloseTime ASC",
        "ORDER BY CloseTime DESC, StartTime DESC",
        "ExecutionStatus = 'Running' OR WorkflowType = 'a' ORDER BY StartTime DESC",
        "ORDER BY WorkflowId DESC",
    ] {
        assert!(refused(text).contains("lists come in one order"), "{text}");
    }
    assert!(refused("GROUP BY ExecutionStatus").contains("at column 10: GROUP BY belongs to a count"));
    let refused = |text| {
        Query::of_count(text, Limits::default(), &attributes())
            .unwrap_err()
            .to_string()
    };
    assert!(
        refused("GROUP BY WorkflowType").contains("at column 10: counts are not grouped by WorkflowType")
    );
    assert!(
        refused("GROUP BY ExecutionStatus, WorkflowType")
            .contains("expected ORDER BY or the end of the query")
    );
    assert!(refused("ORDER BY CloseTime DESC").contains("a count has no order"));
}

#[test]
fn limits_hold() {
    let limits = Limits {
        chars: 100,
        depth: 3,
        conditions: 4,
    };
    let read = |text: &str| {
        Query::of_list(text, limits, &attributes())
            .map(|_| ())
            .map_err(|invalid| invalid.to_string())
    };
    let condition = "RunId='a'";
    let nested = |depth: usize| format!("{}{condition}{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(read(&nested(3)), Ok(()));
    assert!(
        read(&nested(4))
            .unwrap_err()
            .contains("at column 4: the query is nested too deeply; at most 3")
    );
    // Depth is not a sum.
    assert_eq!(read(&format!("{0} AND {0}", nested(3))), Ok(()));
    assert_eq!(read(&format!("NOT NOT NOT {condition}")), Ok(()));
    assert!(read(&format!("NOT NOT NOT NOT {condition}")).is_err());
    assert_eq!(read(&[condition; 4].join(" OR ")), Ok(()));
    assert!(
        read(&[condition; 5].join(" OR "))
            .unwrap_err()
            .contains("too many conditions; at most 4")
    );
    assert_eq!(read(&format!("{condition:100}")), Ok(()));
    assert!(
        read(&format!("{condition:101}"))
            .unwrap_err()
            .contains("at column 101: the query is too long; at most 100")
    );
    // The defaults do not overflow the stack, nor does what passes them.
    for deep in [
        "(".repeat(9_000),
        "NOT ".repeat(2_000),
        format!("WorkflowId = '{}'", "x".repeat(20_000)),
    ] {
        assert!(Query::of_list(&deep, Limits::default(), &attributes()).is_err());
    }
    assert!(Query::of_list(&nested(32), Limits::default(), &attributes()).is_ok());
}

#[test]
fn conditions_hold_for_what_they_say() {
    let mut open = execution("order-1", "Order", 1, 100 * SECOND);
    open.next_event_id = 8;
    let mut done = closed(
        execution("order-2", "Order", 2, 100 * SECOND),
        Status::Completed,
        200 * SECOND,
    );
    done.execution_time_ns = 150 * SECOND;
    for (text, of_open, of_done) in [
        ("WorkflowId = 'order-1'", true, false),
        ("WorkflowId != 'order-1'", false, true),
        ("WorkflowId > 'order-1'", false, true),
        ("WorkflowId BETWEEN 'order' AND 'order-1'", true, false),
        ("WorkflowId STARTS_WITH 'order'", true, true),
        ("WorkflowId NOT STARTS_WITH 'order'", false, false),
        ("WorkflowType IN ('a', 'Order')", true, true),
        ("TaskQueue = 'default'", true, true),
        ("RunId = '00000000-0000-0000-0000-000000000002'", false, true),
        ("ExecutionStatus = 'Running'", true, false),
        ("ExecutionStatus != 'Running'", false, true),
        ("ExecutionStatus NOT IN ('Failed', 2)", true, false),
        ("StartTime = '1970-01-01T00:01:40Z'", true, true),
        ("StartTime < '1970-01-01T00:01:40Z'", false, false),
        ("StartTime <= '9999-01-01T00:00:00Z'", true, true),
        ("ExecutionTime >= 150000000000", false, true),
        ("HistoryLength = 7", true, false),
        ("ExecutionDuration = '50s'", false, true),
        // What is missing compares with nothing, and the opposite of that is no better.
        ("CloseTime > 0", false, true),
        ("CloseTime < 0", false, false),
        ("NOT CloseTime < 0", false, true),
        ("CloseTime NOT BETWEEN 0 AND 1", false, true),
        ("CloseTime < 0 OR WorkflowType = 'Order'", true, true),
        ("NOT (CloseTime < 0 AND WorkflowType = 'x')", true, true),
        ("CloseTime IS NULL", true, false),
        ("CloseTime IS NOT NULL", false, true),
        ("WorkflowId IS NULL", false, false),
        (
            "WorkflowId IS NOT NULL AND ExecutionStatus IS NOT NULL",
            true,
            true,
        ),
    ] {
        let query = query(text);
        assert_eq!(
            (query.takes(&open), query.takes(&done)),
            (of_open, of_done),
            "{text}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in "\\PC*", shuffled in prop::collection::vec(prop::sample::select(vec![
        "WorkflowId", "StartTime", "ExecutionDuration", "ExecutionStatus", "=", "<", "!", "IN", "NOT", "AND", "OR", "(", ")", ",",
        "'a'", "'2026-13-01T00:00:00Z'", "'99999999999d'", "'1.h'", "\"", "'", "\\", "`", "BETWEEN", "IS", "NULL", "-", "17", "ß",
        "GROUP", "ORDER", "BY",
    ]), 0..12)) {
        let _ = Query::of_list(&text, Limits::default(), &attributes());
        let _ = Query::of_count(&shuffled.join(" "), Limits::default(), &attributes());
        let _ = Query::of_count(&shuffled.concat(), Limits::default(), &attributes());
        for field in ["StartTime", "ExecutionDuration", "ExecutionStatus"] {
            let _ = Query::of_list(&format!("{field} = '{text}'"), Limits::default(), &attributes());
        }
    }
}
