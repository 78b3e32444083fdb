//! Modules and namespaces.

use std::collections::BTreeSet;

use redb::ReadableTable;

use crate::{
    ModuleRecord, NamespaceId, NamespaceRecord, Violation, codec,
    writer::{apply::Refusal, tables::Tables},
};

pub(super) fn put(tables: &mut Tables<'_>, record: &ModuleRecord, component: &[u8]) -> Result<(), Refusal> {
    let namespace = record.namespace.0;
    let owned = |type_name: &str, owner: &str| Violation::TypeOwned {
        namespace: record.namespace,
        type_name: type_name.to_owned(),
        owner: owner.to_owned(),
        name: record.name.clone(),
    };
    for defined in &record.workflow_types {
        let types = tables.workflow_types()?;
        let before = types.insert((namespace, defined.name.as_str()), record.name.as_str())?;
        if let Some(owner) = before.filter(|owner| owner.value() != record.name) {
            return Err(owned(&defined.name, owner.value()).into());
        }
    }
    for defined in &record.activity_types {
        let types = tables.activity_types()?;
        let key = (namespace, record.queue.as_str(), defined.name.as_str());
        let before = types.insert(key, record.name.as_str())?;
        if let Some(owner) = before.filter(|owner| owner.value() != record.name) {
            return Err(owned(&defined.name, owner.value()).into());
        }
    }
    let key = (namespace, record.name.as_str(), record.version);
    if tables
        .modules()?
        .insert(key, codec::encode(record).as_slice())?
        .is_some()
    {
        let (name, version) = (record.name.clone(), record.version);
        return Err(Violation::ModuleVersion {
            namespace: record.namespace,
            name,
            version,
        }
        .into());
    }
    if !component.is_empty() {
        tables.components()?.insert(record.digest, component)?;
    }
    Ok(())
}

pub(super) fn remove(
    tables: &mut Tables<'_>,
    namespace: NamespaceId,
    name: &str,
    version: u32,
) -> Result<(), Refusal> {
    let describe = |n: u32, name: &str, v: u32| format!("namespace {n}, module {name:?}, version {v}");
    let removed = {
        let row = tables.modules()?.remove((namespace.0, name, version))?;
        let key = || describe(namespace.0, name, version);
        row.map(|row| codec::decode::<ModuleRecord>("modules", key, row.value()))
            .transpose()?
    };
    let Some(removed) = removed else { return Ok(()) };

    // Modules are few, so what is left is found by reading all of them.
    let mut component_used = false;
    let mut workflow_types = BTreeSet::new();
    let mut activity_types = BTreeSet::new();
    for row in tables.modules()?.iter()? {
        let (key, value) = row?;
        let (n, other, v) = key.value();
        let left: ModuleRecord = codec::decode("modules", || describe(n, other, v), value.value())?;
        component_used |= left.digest == removed.digest;
        if left.namespace == namespace && left.name == name {
            workflow_types.extend(left.workflow_types.into_iter().map(|t| t.name));
            activity_types.extend(
                left.activity_types
                    .into_iter()
                    .map(|t| (left.queue.clone(), t.name)),
            );
        }
    }
    if !component_used {
        tables.components()?.remove(removed.digest)?;
    }
    for defined in removed.workflow_types {
        if !workflow_types.contains(&defined.name) {
            tables
                .workflow_types()?
                .remove((namespace.0, defined.name.as_str()))?;
        }
    }
    for defined in removed.activity_types {
        let served = (removed.queue.clone(), defined.name);
        if !activity_types.contains(&served) {
            tables
                .activity_types()?
                .remove((namespace.0, served.0.as_str(), served.1.as_str()))?;
        }
    }
    Ok(())
}

pub(super) fn put_namespace(tables: &mut Tables<'_>, record: &NamespaceRecord) -> Result<(), Refusal> {
    let namespaces = tables.namespaces()?;
    for row in namespaces.iter()? {
        let (key, value) = row?;
        let other: NamespaceRecord = codec::decode(
            "namespaces",
            || format!("namespace {:?}", key.value()),
            value.value(),
        )?;
        // Either both are the same, or neither.
        if (other.name == record.name) != (other.id == record.id) {
            return Err(Violation::NamespaceTaken {
                name: record.name.clone(),
                id: record.id.0,
            }
            .into());
        }
    }
    namespaces.insert(record.name.as_str(), codec::encode(record).as_slice())?;
    Ok(())
}
