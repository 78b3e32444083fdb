//! Which search attributes there are.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError, RwLock},
};

use longhaul_engine::proto::common::v1::{Payload, SearchAttributes};
use longhaul_store::{Change, NamespaceId};
use prost::Message as _;

use super::{Kind, Limits, TYPE, value};
use crate::{Error, attributes::Value, filter::Field};

/// The attributes of a namespace, by name.
pub(crate) type Known = BTreeMap<String, Kind>;

/// Attributes that Temporal's SDKs write without asking anybody.
const BUILT_IN: [(&str, Kind); 1] = [("TemporalChangeVersion", Kind::KeywordList)];

/// Whether every namespace has the attribute.
pub(crate) fn is_built_in(name: &str) -> bool {
    BUILT_IN.iter().any(|(built_in, _)| *built_in == name)
}

/// The attributes of all namespaces.
#[derive(Debug, Default)]
pub(crate) struct Registry(RwLock<HashMap<NamespaceId, Namespace>>);

#[derive(Debug)]
struct Namespace {
    known: Arc<Known>,
    /// Those of which it is not certain that the store has them.
    unstored: Known,
}

impl Default for Namespace {
    fn default() -> Self {
        Self {
            known: Arc::new(BUILT_IN.map(|(name, kind)| (name.to_owned(), kind)).into()),
            unstored: Known::new(),
        }
    }
}

impl Registry {
    /// What the store has.
    pub(crate) fn restore(&self, stored: Vec<(NamespaceId, String, u8)>) -> Result<(), Error> {
        let mut namespaces = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (namespace, name, number) in stored {
            let kind = Kind::from_number(i32::from(number)).ok_or_else(|| {
                Error::Internal(format!("search attribute {name:?} has the unknown type {number}"))
            })?;
            let namespace = namespaces.entry(namespace).or_default();
            Arc::make_mut(&mut namespace.known).insert(name, kind);
        }
        Ok(())
    }

    /// The attributes of a namespace as they are now.
    pub(crate) fn of(&self, namespace: NamespaceId) -> Arc<Known> {
        let namespaces = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match namespaces.get(&namespace) {
            Some(namespace) => namespace.known.clone(),
            None => Namespace::default().known,
        }
    }

    /// Check the attributes that an execution would get, and fix the types of those that are new. What must be written with their
    /// first use is answered; it may be written more than once.
    pub(crate) fn admit(
        &self,
        limits: &Limits,
        namespace: NamespaceId,
        attributes: &SearchAttributes,
    ) -> Result<Vec<Change>, Error> {
        let fields = &attributes.indexed_fields;
        check_sizes(limits, fields)?;
        let known = self.of(namespace);
        let mut new = Known::new();
        for (name, payload) in fields {
            check_name(name)?;
            let (kind, _) = value::read(payload, known.get(name).copied()).map_err(|problem| {
                Error::InvalidArgument(format!("search attribute {name:?} cannot be taken: {problem}"))
            })?;
            if let Some(kind) = kind.filter(|_| !known.contains_key(name)) {
                new.insert(name.clone(), kind);
            }
        }
        self.fix(limits, namespace, new)?;
        let namespaces = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let Some(found) = namespaces
            .get(&namespace)
            .filter(|found| !found.unstored.is_empty())
        else {
            return Ok(Vec::new());
        };
        let used = found
            .unstored
            .iter()
            .filter(|(name, _)| fields.contains_key(*name));
        Ok(used.map(|(name, kind)| change(namespace, name, *kind)).collect())
    }

    /// Fix the types of attributes.
    pub(crate) fn fix(&self, limits: &Limits, namespace: NamespaceId, new: Known) -> Result<(), Error> {
        if new.is_empty() {
            return Ok(());
        }
        let mut namespaces = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let found = namespaces.entry(namespace).or_default();
        // Somebody else may have been first since it was looked up.
        for (name, kind) in &new {
            check_name(name)?;
            if let Some(fixed) = found.known.get(name).filter(|fixed| *fixed != kind) {
                return Err(Error::InvalidArgument(format!(
                    "search attribute {name:?} cannot be taken: {}",
                    value::Problem::OtherType {
                        fixed: *fixed,
                        found: *kind
                    }
                )));
            }
        }
        let fresh = new.keys().filter(|name| !found.known.contains_key(*name)).count();
        if found.known.len() + fresh > limits.names {
            return Err(Error::ResourceExhausted(format!(
                "the namespace has {} search attributes, and {} are allowed: use those that there are, or keep the value in the memo",
                found.known.len(),
                limits.names
            )));
        }
        let known = Arc::make_mut(&mut found.known);
        for (name, kind) in new {
            if known.insert(name.clone(), kind).is_none() {
                found.unstored.insert(name, kind);
            }
        }
        Ok(())
    }

    /// Everything in a namespace that may not be stored yet.
    pub(crate) fn unstored(&self, namespace: NamespaceId) -> Vec<Change> {
        let namespaces = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = namespaces.get(&namespace).into_iter();
        found
            .flat_map(|found| &found.unstored)
            .map(|(name, kind)| change(namespace, name, *kind))
            .collect()
    }

    /// These changes are durable.
    pub(crate) fn stored(&self, changes: &[Change]) {
        let mut namespaces = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            if let Change::PutSearchAttribute { namespace, name, .. } = change
                && let Some(found) = namespaces.get_mut(namespace)
            {
                found.unstored.remove(name);
            }
        }
    }
}

fn change(namespace: NamespaceId, name: &str, kind: Kind) -> Change {
    Change::PutSearchAttribute {
        namespace,
        name: name.to_owned(),
        kind: kind as u8,
    }
}

/// What an execution is indexed by: a term for each of its values, and its attributes with their types, as Temporal's server shows them.
pub(crate) fn indexed(known: &Known, fields: &HashMap<String, Payload>) -> (Vec<String>, Vec<u8>) {
    if fields.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let mut terms = Vec::new();
    let mut shown = SearchAttributes::default();
    for (name, payload) in fields {
        let kind = known.get(name).copied();
        let values = values(kind, payload);
        if values.is_empty() {
            continue;
        }
        let mut payload = payload.clone();
        if let Some(kind) = kind {
            payload
                .metadata
                .insert(TYPE.to_owned(), kind.to_string().into_bytes());
        }
        shown.indexed_fields.insert(name.clone(), payload);
        // Words are looked for within the text, which no list of whole values helps with.
        if kind != Some(Kind::Text) {
            terms.extend(values.iter().map(|value| term(name, value)));
        }
    }
    terms.sort_unstable();
    terms.dedup();
    (terms, shown.encode_to_vec())
}

/// The name of the list of executions whose attribute has a value.
pub(crate) fn term(name: &str, value: &Value) -> String {
    // No name holds the separator.
    format!("{name}\0{}", value.term())
}

/// An execution's values of an attribute; what does not fit its type was admitted by nobody, and counts for nothing.
pub(crate) fn values(kind: Option<Kind>, payload: &Payload) -> Vec<Value> {
    value::read(payload, kind).map_or_else(|_| Vec::new(), |(_, values)| values)
}

fn check_name(name: &str) -> Result<(), Error> {
    let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    if Field::named(name).is_some() {
        return Err(Error::InvalidArgument(format!(
            "search attribute {name:?} is set by the server, so nobody else can set it: use another name"
        )));
    }
    if name.is_empty() || !name.chars().all(is_of_name) {
        return Err(Error::InvalidArgument(format!(
            "{name:?} cannot name a search attribute: use letters, digits, _, . and -"
        )));
    }
    Ok(())
}

/// Sizes and counts, in the order in which Temporal's server checks them.
fn check_sizes(limits: &Limits, fields: &HashMap<String, Payload>) -> Result<(), Error> {
    let refused = |text: String| Err(Error::InvalidArgument(text));
    if fields.len() > limits.per_execution {
        return refused(format!(
            "number of search attributes {} exceeds limit {}",
            fields.len(),
            limits.per_execution
        ));
    }
    let mut total = 0;
    for (name, payload) in fields {
        let size = payload.data.len();
        if size > limits.value_bytes {
            return refused(format!(
                "search attribute {name} value size {size} exceeds size limit {}",
                limits.value_bytes
            ));
        }
        total += name.len() + size;
    }
    if total > limits.total_bytes {
        return refused(format!(
            "total size of search attributes {total} exceeds size limit {}",
            limits.total_bytes
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NS: NamespaceId = NamespaceId::DEFAULT;

    fn attributes<'a>(fields: impl IntoIterator<Item = (&'a str, serde_json::Value)>) -> SearchAttributes {
        SearchAttributes {
            indexed_fields: fields
                .into_iter()
                .map(|(name, json)| (name.to_owned(), longhaul_history::payload::json_payload(&json)))
                .collect(),
        }
    }

    // E13
    #[test]
    fn the_first_use_fixes_the_type() {
        let registry = Registry::default();
        let limits = Limits::default();
        let admit = |value: serde_json::Value| registry.admit(&limits, NS, &attributes([("City", value)]));
        let first = admit("Rome".into()).unwrap();
        assert!(
            matches!(&first[..], [Change::PutSearchAttribute { name, kind: 2, .. }] if name == "City"),
            "{first:?}"
        );
        assert_eq!(
            admit("Oslo".into()).unwrap().len(),
            1,
            "until it is known to be stored it is written with each use"
        );
        registry.stored(&first);
        assert_eq!(admit("Oslo".into()).unwrap().len(), 0);
        let error = admit(7.into()).unwrap_err();
        assert!(
            matches!(&error, Error::InvalidArgument(text) if text.contains("\"City\"") && text.contains("Keyword")),
            "{error}"
        );
        assert_eq!(
            registry.of(NamespaceId(2)).get("City"),
            None,
            "another namespace is another matter"
        );
        let restored = Registry::default();
        restored.restore(vec![(NS, "City".into(), 2)]).unwrap();
        assert_eq!(restored.of(NS).get("City"), Some(&Kind::Keyword));
    }

    // E13, B2
    #[test]
    fn limits_and_names_are_checked_and_nothing_is_kept_of_what_is_refused() {
        let registry = Registry::default();
        let limits = Limits {
            per_execution: 2,
            value_bytes: 10,
            total_bytes: 16,
            names: 2,
        };
        for (fields, text) in [
            (
                vec![("A", 1.into()), ("B", 1.into()), ("C", 1.into())],
                "number of search attributes 3 exceeds limit 2",
            ),
            (
                vec![("A", "0123456789".into())],
                "value size 12 exceeds size limit 10",
            ),
            (
                vec![("Abcd", "01234".into()), ("B", "01234".into())],
                "total size of search attributes 19 exceeds size limit 16",
            ),
            (vec![("WorkflowId", "a".into())], "set by the server"),
            (vec![("a b", 1.into())], "cannot name a search attribute"),
            (vec![("", 1.into())], "cannot name a search attribute"),
            (vec![("A", 1.into()), ("B", 1.into())], "and 2 are allowed"),
        ] {
            let error = registry
                .admit(&limits, NS, &attributes(fields))
                .unwrap_err()
                .to_string();
            assert!(error.contains(text), "{error}");
        }
        assert_eq!(registry.of(NS).len(), BUILT_IN.len());
    }

    #[test]
    fn an_execution_is_indexed_by_each_of_its_values() {
        let known = Known::from([
            ("Tags".to_owned(), Kind::KeywordList),
            ("Note".to_owned(), Kind::Text),
            ("Size".to_owned(), Kind::Int),
            ("Gone".to_owned(), Kind::Int),
        ]);
        let fields = attributes([
            ("Tags", serde_json::json!(["b", "a", "b"])),
            ("Note", "some words".into()),
            ("Size", 7.into()),
            ("Gone", serde_json::Value::Null),
        ]);
        let (terms, shown) = indexed(&known, &fields.indexed_fields);
        assert_eq!(terms, ["Size\u{0}7", "Tags\u{0}a", "Tags\u{0}b"]);
        let shown = SearchAttributes::decode(shown.as_slice()).unwrap();
        assert_eq!(shown.indexed_fields.len(), 3);
        assert_eq!(shown.indexed_fields["Tags"].metadata[TYPE], b"KeywordList");
    }
}
