//! What does not belong to an execution: modules, namespaces, task queues.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Bench, NS};
use longhaul_store::{
    Change, ModuleRecord, NamespaceId, NamespaceRecord, TaskQueueKey, TypeDescription, faults::FaultyDisk,
};
use redb::{Database, TableDefinition};

fn module(name: &str, version: u32, digest: u8, workflows: &[&str], activities: &[&str]) -> ModuleRecord {
    let types = |names: &[&str]| {
        let describe = |name: &&str| TypeDescription {
            name: (*name).to_owned(),
            description: name.as_bytes().to_vec(),
        };
        names.iter().map(describe).collect()
    };
    ModuleRecord {
        namespace: NS,
        name: name.to_owned(),
        version,
        digest: [digest; 32],
        size: 3,
        queue: "q".to_owned(),
        uploaded_at_ns: 5,
        workflow_types: types(workflows),
        activity_types: types(activities),
        config: "fuel = 1".to_owned(),
        extra: vec![1],
    }
}

fn put_module(record: &ModuleRecord, component: &[u8]) -> Change {
    Change::PutModule {
        record: Box::new(record.clone()),
        component: component.to_vec(),
    }
}

#[test]
fn modules_own_their_types_and_share_components() {
    let mut bench = Bench::new();
    let one = module("orders", 1, 1, &["Order", "Old"], &["ship"]);
    let two = module("orders", 2, 1, &["Order"], &["ship", "bill"]);
    bench.write(vec![put_module(&one, b"abc")]);
    // The same bytes again need not be sent again.
    bench.write(vec![put_module(&two, b"")]);
    let read = bench.store.read().unwrap();
    assert_eq!(read.module(NS, "orders", 1).unwrap().unwrap(), one);
    assert_eq!(
        read.module_versions(NS, "orders").unwrap(),
        [one.clone(), two.clone()]
    );
    assert_eq!(read.modules().unwrap().len(), 2);
    assert_eq!(read.component(&[1; 32]).unwrap().unwrap(), b"abc");
    assert_eq!(
        read.workflow_type_owner(NS, "Order").unwrap().as_deref(),
        Some("orders")
    );
    assert_eq!(
        read.activity_type_owner(NS, "q", "bill").unwrap().as_deref(),
        Some("orders")
    );
    assert_eq!(read.activity_type_owner(NS, "other", "bill").unwrap(), None);

    let error = bench.refused(vec![put_module(&module("thief", 1, 2, &["Order"], &[]), b"x")]);
    assert!(
        error.contains(r#"the type "Order" belongs to module "orders", so module "thief" cannot define it"#)
    );
    let error = bench.refused(vec![put_module(&module("thief", 1, 2, &[], &["ship"]), b"x")]);
    assert!(
        error.contains(r#"the type "ship" belongs to module "orders""#),
        "{error}"
    );
    assert!(
        bench
            .refused(vec![put_module(&two, b"")])
            .contains("has a version 2 already")
    );
    assert_eq!(
        bench.store.read().unwrap().component(&[2; 32]).unwrap(),
        None,
        "a refused module leaves nothing"
    );

    let remove = |version| Change::RemoveModule {
        namespace: NS,
        name: "orders".to_owned(),
        version,
    };
    bench.write(vec![remove(1)]);
    let read = bench.store.read().unwrap();
    assert_eq!(read.workflow_type_owner(NS, "Old").unwrap(), None);
    assert_eq!(
        read.workflow_type_owner(NS, "Order").unwrap().as_deref(),
        Some("orders")
    );
    assert!(
        read.component(&[1; 32]).unwrap().is_some(),
        "version 2 still has it"
    );
    bench.write(vec![remove(2), remove(2)]);
    let read = bench.store.read().unwrap();
    assert_eq!(read.workflow_type_owner(NS, "Order").unwrap(), None);
    assert_eq!(read.activity_type_owner(NS, "q", "ship").unwrap(), None);
    assert_eq!(read.component(&[1; 32]).unwrap(), None);
    assert!(read.modules().unwrap().is_empty());
}

#[test]
fn a_database_has_the_namespace_default() {
    let mut bench = Bench::new();
    let default = bench.store.read().unwrap().namespace("default").unwrap().unwrap();
    assert_eq!(
        (default.id, default.retention_s),
        (NamespaceId::DEFAULT, 3 * 86_400)
    );
    assert_ne!(default.uuid, bench.store.identity().id);
    let other = NamespaceRecord {
        name: "other".to_owned(),
        id: NamespaceId(2),
        uuid: 5,
        retention_s: 1,
        created_at_ns: 2,
    };
    bench.write(vec![Change::PutNamespace(other.clone())]);
    assert_eq!(
        bench.store.read().unwrap().namespaces().unwrap(),
        [default.clone(), other.clone()]
    );
    let changed = NamespaceRecord {
        retention_s: 9,
        ..other.clone()
    };
    bench.write(vec![Change::PutNamespace(changed.clone())]);
    assert_eq!(
        bench.store.read().unwrap().namespace("other").unwrap(),
        Some(changed)
    );
    let thief = NamespaceRecord {
        name: "thief".to_owned(),
        ..other
    };
    assert!(
        bench
            .refused(vec![Change::PutNamespace(thief)])
            .contains("the name or the number is taken")
    );
}

#[test]
fn what_is_set_for_a_task_queue_comes_back_until_it_is_forgotten() {
    const TABLE: TableDefinition<'_, (u32, u8, &str), &[u8]> = TableDefinition::new("task_queues_v1");
    let queue = |namespace, kind, name: &str| TaskQueueKey {
        namespace: NamespaceId(namespace),
        kind,
        name: name.to_owned(),
    };
    let disk = FaultyDisk::new();
    drop(common::open(&disk));
    // A server of before did not have the table.
    let database = Database::builder().create_with_backend(disk.clone()).unwrap();
    let transaction = database.begin_write().unwrap();
    assert!(transaction.delete_table(TABLE).unwrap());
    transaction.commit().unwrap();
    drop(database);
    let mut bench = Bench::on(common::open(&disk));
    let read = |bench: &Bench| bench.store.read().unwrap().task_queues().unwrap();
    assert_eq!(read(&bench), []);
    let put = |queue, body: &[u8]| Change::PutTaskQueue(queue, body.to_vec());
    bench.write(vec![
        put(queue(1, 2, "orders"), b"first"),
        put(queue(1, 1, "orders"), b""),
        put(queue(2, 2, "orders"), b"other"),
        put(queue(1, 2, "orders"), b"second"),
        put(queue(1, 2, ""), b"unnamed"),
    ]);
    let mut expected = vec![
        (queue(1, 1, "orders"), b"".to_vec()),
        (queue(1, 2, ""), b"unnamed".to_vec()),
        (queue(1, 2, "orders"), b"second".to_vec()),
        (queue(2, 2, "orders"), b"other".to_vec()),
    ];
    assert_eq!(read(&bench), expected);
    bench.write(vec![
        Change::DeleteTaskQueue(queue(1, 2, "orders")),
        Change::DeleteTaskQueue(queue(1, 2, "nobody's")),
    ]);
    drop(bench);
    expected.remove(2);
    assert_eq!(read(&Bench::on(common::open(&disk))), expected);
}
