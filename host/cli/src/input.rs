//! From JSON on the command line to payloads.
//!
//! The text is checked, then sent as it is: numbers keep their digits and objects the order of their keys.

use std::{collections::HashMap, io::Read as _, path::PathBuf};

use serde::de::IgnoredAny;

use crate::{
    args::Inputs,
    proto::common::v1::{Payload, Payloads},
};

/// How much of a bad line an error shows, in characters.
const EXCERPT_CHARS: usize = 80;

/// An input that cannot be sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is no JSON.
    #[error("{place} is not valid JSON: {reason}\n    {excerpt}\n    {marker}")]
    Json {
        /// Which input.
        place: String,
        /// What the parser expected, with line and column.
        reason: String,
        /// The line that holds the mistake, or the part of it around the mistake.
        excerpt: String,
        /// A caret below the mistake.
        marker: String,
        /// True if the input looks like a string without its quotes.
        bare_text: bool,
    },

    /// A `KEY=JSON` flag lacks its key or its `=`.
    #[error("{flag} {text:?} is not of the form KEY=JSON")]
    Pair {
        /// The flag.
        flag: &'static str,
        /// What was given.
        text: String,
    },

    /// A key is given twice.
    #[error("{flag} gives the key {key:?} twice")]
    Twice {
        /// The flag.
        flag: &'static str,
        /// The key.
        key: String,
    },

    /// An input file cannot be read.
    #[error("cannot read --input-file {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl Error {
    /// What the user can do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Json { bare_text: true, .. } => Some(
                "a JSON string needs its quotes, and the shell needs others around them: '\"text\"'"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

/// The arguments that `--input` or `--input-file` gave; none if there are none.
pub(crate) fn payloads(inputs: &Inputs) -> Result<Option<Payloads>, Error> {
    let several = inputs.input.len().max(inputs.input_file.len()) > 1;
    let mut payloads = Vec::with_capacity(inputs.input.len() + inputs.input_file.len());
    for (index, text) in inputs.input.iter().enumerate() {
        let place = if several {
            format!("--input number {}", index + 1)
        } else {
            "--input".to_owned()
        };
        payloads.push(payload(&place, text)?);
    }
    for path in &inputs.input_file {
        let text = read(path).map_err(|source| Error::File {
            path: path.clone(),
            source,
        })?;
        payloads.push(payload(&path.display().to_string(), &text)?);
    }
    Ok((!payloads.is_empty()).then_some(Payloads { payloads }))
}

/// The map that a repeated `KEY=JSON` flag gave.
pub(crate) fn map(flag: &'static str, pairs: &[String]) -> Result<HashMap<String, Payload>, Error> {
    let mut map = HashMap::with_capacity(pairs.len());
    for text in pairs {
        let (key, value) = text
            .split_once('=')
            .filter(|(key, _)| !key.is_empty())
            .ok_or_else(|| Error::Pair {
                flag,
                text: text.clone(),
            })?;
        if map
            .insert(key.to_owned(), payload(&format!("{flag} {key}"), value)?)
            .is_some()
        {
            return Err(Error::Twice {
                flag,
                key: key.to_owned(),
            });
        }
    }
    Ok(map)
}

/// One JSON text as a payload; `place` names it in an error.
pub(crate) fn payload(place: &str, text: &str) -> Result<Payload, Error> {
    let text = text.trim();
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Ok(Payload {
            metadata: HashMap::from([("encoding".to_owned(), b"json/plain".to_vec())]),
            data: text.as_bytes().to_vec(),
            ..Payload::default()
        }),
        Err(error) => Err(describe(place, text, &error)),
    }
}

/// `-` is standard input.
fn read(path: &PathBuf) -> std::io::Result<String> {
    if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(path)
}

fn describe(place: &str, text: &str, error: &serde_json::Error) -> Error {
    // Lines from 1, columns in bytes from 1. A mistake that is found at a line's end is told as column 0 of the next line.
    let (line, byte) = match (error.line(), error.column()) {
        (line @ 2.., 0) => (line - 2, usize::MAX),
        (line, column) => (line.saturating_sub(1), column.saturating_sub(1)),
    };
    let text_line = text.lines().nth(line).unwrap_or_default();
    let column = text_line.char_indices().take_while(|(at, _)| *at < byte).count();
    let first = column.saturating_sub(EXCERPT_CHARS / 2);
    let reason = error.to_string();
    let reason = reason
        .rsplit_once(" at line ")
        .map_or(reason.as_str(), |(reason, _)| reason);
    Error::Json {
        place: place.to_owned(),
        reason: format!("{reason} at line {} column {}", line + 1, column + 1),
        excerpt: text_line.chars().skip(first).take(EXCERPT_CHARS).collect(),
        marker: format!("{}^", " ".repeat(column - first)),
        bare_text: text.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '\''),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(input: &[&str]) -> Inputs {
        Inputs {
            input: input.iter().map(|text| (*text).to_owned()).collect(),
            input_file: Vec::new(),
        }
    }

    #[test]
    fn each_input_is_one_payload_with_its_text_untouched() {
        let payloads = payloads(&inputs(&[r#" {"b":1,"a":1.10} "#, "null", "-3"]))
            .unwrap()
            .unwrap()
            .payloads;
        let texts: Vec<_> = payloads
            .iter()
            .map(|p| std::str::from_utf8(&p.data).unwrap())
            .collect();
        assert_eq!(texts, [r#"{"b":1,"a":1.10}"#, "null", "-3"]);
        assert!(payloads.iter().all(|p| p.metadata["encoding"] == b"json/plain"));
    }

    #[test]
    fn no_input_is_no_payloads() {
        assert!(payloads(&Inputs::default()).unwrap().is_none());
    }

    #[test]
    fn a_mistake_is_shown_where_it_is() {
        let error = payloads(&inputs(&["1", r#"{"é": 1 "b": 2}"#]))
            .unwrap_err()
            .to_string();
        let lines: Vec<_> = error.lines().collect();
        assert_eq!(
            lines,
            [
                "--input number 2 is not valid JSON: expected `,` or `}` at line 1 column 9",
                r#"    {"é": 1 "b": 2}"#,
                "            ^",
            ]
        );
    }

    #[test]
    fn a_mistake_in_a_long_line_is_in_the_excerpt() {
        let text = format!("[{}x]", "1,".repeat(500));
        let Error::Json { excerpt, marker, .. } = payload("--input", &text).unwrap_err() else {
            panic!()
        };
        assert_eq!(excerpt.chars().nth(marker.len() - 1), Some('x'));
        assert!(excerpt.len() <= EXCERPT_CHARS);
    }

    #[test]
    fn every_cut_of_a_text_is_refused_without_a_panic() {
        let text = "{\"ключ\":\n [1, \"é\", {\"a\": null}]}";
        for (at, _) in text.char_indices() {
            payload("--input", &text[..at]).unwrap_err();
        }
    }

    #[test]
    fn text_without_quotes_gets_a_hint() {
        assert!(
            payload("--input", "hello")
                .unwrap_err()
                .hint()
                .unwrap()
                .contains("quotes")
        );
        assert!(payload("--input", "[1").unwrap_err().hint().is_none());
    }

    #[test]
    fn pairs_split_at_the_first_equals_sign() {
        let map = map("--memo", &["note=\"a=b\"".to_owned()]).unwrap();
        assert_eq!(map["note"].data, b"\"a=b\"");
    }

    #[test]
    fn bad_pairs_are_refused() {
        assert!(matches!(
            map("--memo", &["note".to_owned()]),
            Err(Error::Pair { .. })
        ));
        assert!(matches!(
            map("--memo", &["=1".to_owned()]),
            Err(Error::Pair { .. })
        ));
        assert!(matches!(
            map("--memo", &["a=1".to_owned(), "a=2".to_owned()]),
            Err(Error::Twice { .. })
        ));
        let error = map("--memo", &["a=x".to_owned()]).unwrap_err();
        assert!(
            error.to_string().starts_with("--memo a is not valid JSON"),
            "{error}"
        );
    }
}
