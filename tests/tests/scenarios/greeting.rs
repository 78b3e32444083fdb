//! `greeting`: an update that returns a value, and its validator.

use longhaul_tests::{Server, export};

use crate::{completed, python, server, updated};

const QUEUE: &str = "greetings";

fn greeting() -> Server {
    let server = server(&["greeting"], QUEUE);
    server.start_workflow("GreetingWorkflow", "g", &[]).ok();
    server
}

// U2: the caller gets what the handler returns.
#[test]
fn the_language_before_comes_back() {
    let server = greeting();
    assert_eq!(updated(&server, "g", "set_language", &[r#""de""#]), "en");
    assert_eq!(updated(&server, "g", "set_language", &[r#""fr""#]), "de");
    assert_eq!(completed(&server, "g"), "Bonjour");
    export::histories(&server, "greeting");
}

#[test]
fn nobody_says_anything_and_it_stays_english() {
    let server = greeting();
    assert_eq!(completed(&server, "g"), "Hello");
}

// U1: a language without a greeting is refused, with those that have one, and nothing is written.
#[test]
fn an_unknown_language_is_refused_and_leaves_nothing() {
    let server = greeting();
    let before = server.history("g");
    server
        .update("g", "set_language", &[r#""tlh""#])
        .refused(&["Language tlh not supported", "de, en, es, fr"]);
    server
        .update("g", "set_language", &["7"])
        .refused(&["set_language", "argument 1"]);
    assert_eq!(server.history("g"), before);
    assert_eq!(completed(&server, "g"), "Hello");
}

// U2, U3
#[test]
#[ignore = "needs the Python environment that `cargo xtask test` makes"]
fn the_python_client_changes_the_language() {
    let server = server(&["greeting"], QUEUE);
    let expected = "\
Language changed from en to German
Update failed: Language tlh not supported; there are: de, en, es, fr
Greeting: Hallo
";
    assert_eq!(python(&server, "greeting.py"), expected);
}
