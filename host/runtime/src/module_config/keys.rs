//! The keys that settings may have: the schema's.

use serde_json::Value;

use crate::names;

/// A key that does not exist.
pub(super) struct Unknown {
    pub(super) key: String,
    /// Where it stands: `` `[limits]` ``.
    pub(super) table: String,
    /// What exists there, nearest first.
    pub(super) known: String,
}

/// The first key of a text that the schema does not know. None also where the text cannot be read at all.
pub(super) fn unknown(text: &str) -> Option<Unknown> {
    let table: toml::Table = toml::from_str(text).ok()?;
    let schema: Value = serde_json::from_str(super::SCHEMA).ok()?;
    in_table(&schema, &table, "")
}

fn in_table(schema: &Value, table: &toml::Table, path: &str) -> Option<Unknown> {
    // A table without a list of keys, such as `env`, has whatever keys the user wants.
    let known = schema.get("properties")?.as_object()?;
    for (key, value) in table {
        let Some(schema) = known.get(key) else {
            return Some(Unknown {
                key: key.clone(),
                table: match path {
                    "" => "the settings".to_owned(),
                    path => format!("`[{path}]`"),
                },
                known: names::known(key, known.keys().map(String::as_str)),
            });
        };
        let path = match path {
            "" => key.clone(),
            path => format!("{path}.{key}"),
        };
        let found = match value {
            toml::Value::Table(table) => in_table(schema, table, &path),
            toml::Value::Array(items) => {
                let schema = schema.get("items").unwrap_or(&Value::Null);
                let tables = items.iter().filter_map(toml::Value::as_table);
                tables
                    .into_iter()
                    .find_map(|table| in_table(schema, table, &path))
            }
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// The schema's keys that a value does not have, by their paths.
#[cfg(test)]
pub(super) fn not_in(schema: &Value, value: &Value) -> Vec<String> {
    let mut missing = Vec::new();
    let Some(known) = schema["properties"].as_object() else {
        return match (schema.get("items"), value.get(0)) {
            (Some(schema), Some(value)) => not_in(schema, value),
            _ => missing,
        };
    };
    for (key, schema) in known {
        match value.get(key) {
            None => missing.push(key.clone()),
            Some(value) => missing.extend(not_in(schema, value).iter().map(|rest| format!("{key}.{rest}"))),
        }
    }
    missing
}
