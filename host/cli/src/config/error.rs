//! What is wrong with a configuration file: file, line, key, and the nearest that there is.

use std::{fmt, io, path::PathBuf};

/// A configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Something in it is wrong.
    #[error("{}, {wrong}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What and where.
        wrong: Wrong,
    },
}

/// What is wrong, and where in the text.
#[derive(Debug)]
pub struct Wrong {
    line: usize,
    what: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl Wrong {
    pub(super) fn of(error: &toml::de::Error, text: &str, names: &[(&str, &[&str])]) -> Self {
        let at = error.span().map_or(0, |span| span.start.min(text.len()));
        let before = text.get(..at).unwrap_or(text);
        let number = before.matches('\n').count();
        let line = text.lines().nth(number).unwrap_or_default().trim();
        let section = section_of(text, number);
        let key = line.split('=').next().unwrap_or_default().trim();
        let unknown = error.message().starts_with("unknown field");
        let what = match (unknown, line.strip_prefix('[')) {
            (true, Some(section)) => {
                let section = section.trim_end_matches(']').trim();
                let sections = names.iter().map(|(name, _)| (*name).to_owned());
                missing(section, "section", sections)
            }
            (true, None) if section.is_empty() => {
                let qualified = names.iter().flat_map(qualified);
                missing(key, "setting", qualified)
            }
            (true, None) => {
                let own = names.iter().filter(|(name, _)| *name == section);
                missing(&format!("{section}.{key}"), "setting", own.flat_map(qualified))
            }
            (false, _) if line.contains('=') => format!("{}{key}: {}", dotted(&section), error.message()),
            (false, _) => error.message().to_owned(),
        };
        Self {
            line: number + 1,
            what,
        }
    }
}

/// The section that a line is in; empty: none.
fn section_of(text: &str, line: usize) -> String {
    let above = text.lines().take(line).collect::<Vec<_>>();
    let header = above.iter().rev().find_map(|line| line.trim().strip_prefix('['));
    header
        .and_then(|header| header.split(']').next())
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn dotted(section: &str) -> String {
    if section.is_empty() {
        String::new()
    } else {
        format!("{section}.")
    }
}

fn qualified<'a>((section, keys): &'a (&str, &[&str])) -> impl Iterator<Item = String> + use<'a> {
    keys.iter().map(move |key| format!("{section}.{key}"))
}

fn missing(name: &str, what: &str, known: impl Iterator<Item = String>) -> String {
    let nearest = known.min_by_key(|known| strsim::damerau_levenshtein(name, known));
    let nearest = nearest.map_or(String::new(), |nearest| format!("; the nearest is {nearest}"));
    format!("{name} is no {what}{nearest}; `longhaul server config` lists them")
}
