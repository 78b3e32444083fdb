//! The languages that examples are written in: the same test drives all of them.

use crate::{Server, artifacts};

/// A language that examples are written in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Language {
    /// All examples, built as `NAME.wasm`.
    Rust,
    /// Some workflows, the activities of `order`, `fetcher` and `attempts`, built as `NAME-go.wasm`.
    Go,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Rust, Self::Go];

    /// The component of an example in this language. Activities that are there in Rust only serve workflows in any language.
    pub fn guest(self, example: &str) -> String {
        let only_rust = example.ends_with("-activities") && example != "order-activities";
        match self {
            Self::Go if !only_rust => format!("{example}-go"),
            _ => example.to_owned(),
        }
    }

    /// A name for what a test in this language leaves behind.
    pub fn named(self, test: &str) -> String {
        match self {
            Self::Rust => test.to_owned(),
            Self::Go => format!("{test}_go"),
        }
    }
}

impl Server {
    /// Uploads an example in a language, under the name that it has in all of them.
    #[track_caller]
    pub fn upload_in(&self, language: Language, example: &str, queue: &str) {
        let path = artifacts::guest(&language.guest(example));
        let path = path.to_str().unwrap();
        self.longhaul(&["module", "upload", path, "--name", example, "--queue", queue])
            .ok();
    }
}

/// Makes tests of functions that take a [`Language`]: `rust::NAME` and `go::NAME`.
#[macro_export]
macro_rules! in_each_language {
    ($($(#[$attribute:meta])* $name:ident),* $(,)?) => {
        mod rust {
            $(
                #[test]
                $(#[$attribute])*
                fn $name() {
                    super::$name($crate::Language::Rust);
                }
            )*
        }
        mod go {
            $(
                #[test]
                $(#[$attribute])*
                fn $name() {
                    super::$name($crate::Language::Go);
                }
            )*
        }
    };
}
