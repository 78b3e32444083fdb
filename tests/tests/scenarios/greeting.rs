//! `greeting`: an update that returns a value, and its validator.

use longhaul_tests::{Language, Server, export, in_each_language};

use crate::{completed, python, server_in, updated};

const QUEUE: &str = "greetings";

in_each_language! {
    the_language_before_comes_back,
    nobody_says_anything_and_it_stays_english,
    an_unknown_language_is_refused_and_leaves_nothing,
    #[ignore = "needs the Python environment that `cargo xtask test` makes"]
    the_python_client_changes_the_language,
}

fn greeting(language: Language) -> Server {
    let server = server_in(language, &["greeting"], QUEUE);
    server.start_workflow("GreetingWorkflow", "g", &[]).ok();
    server
}

// U2: the caller gets what the handler returns.
fn the_language_before_comes_back(language: Language) {
    let server = greeting(language);
    assert_eq!(updated(&server, "g", "set_language", &[r#""de""#]), "en");
    assert_eq!(updated(&server, "g", "set_language", &[r#""fr""#]), "de");
    assert_eq!(completed(&server, "g"), "Bonjour");
    export::histories(&server, &language.named("greeting"));
}

fn nobody_says_anything_and_it_stays_english(language: Language) {
    let server = greeting(language);
    assert_eq!(completed(&server, "g"), "Hello");
}

// U1: a language without a greeting is refused, with those that have one, and nothing is written.
fn an_unknown_language_is_refused_and_leaves_nothing(language: Language) {
    let server = greeting(language);
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
fn the_python_client_changes_the_language(language: Language) {
    let server = server_in(language, &["greeting"], QUEUE);
    let expected = "\
Language changed from en to German
Update failed: Language tlh not supported; there are: de, en, es, fr
Greeting: Hallo
";
    assert_eq!(python(&server, "greeting.py"), expected);
}
