//! The macros' errors point at the user's line.

#[test]
fn errors_of_the_macros() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
