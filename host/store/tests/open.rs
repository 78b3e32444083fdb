//! What is opened, what is made, and what is refused and left as it was.
// B4: a corrupt or foreign database file is refused with a clear error and left untouched.
#![allow(clippy::unwrap_used)]

mod common;

use std::{fs, path::Path};

use common::{Bench, NS, append, execution, put};
use longhaul_store::{OpenError, Options, RunId, Store};
use redb::{Database, ReadableDatabase, TableDefinition};

fn options(path: &Path) -> Options {
    Options {
        cache_size_bytes: 8 << 20,
        ..Options::new(path)
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Makes a database with some executions in it, closed in order.
fn database(path: &Path) {
    let mut bench = Bench::on(Store::open(options(path)).unwrap());
    for run in 1..50 {
        let mut record = execution(&format!("w{run}"), run, 1);
        let events = append(&mut record, 3, &[7; 3000]);
        bench.write(vec![events, put(&record)]);
    }
}

/// Opens a file that must be refused, and checks that nothing has changed in it or beside it.
fn refused(path: &Path) -> OpenError {
    let before = (
        fs::read(path).unwrap(),
        fs::read_dir(path.parent().unwrap()).unwrap().count(),
    );
    let error = Store::open(options(path)).unwrap_err();
    let after = (
        fs::read(path).unwrap(),
        fs::read_dir(path.parent().unwrap()).unwrap().count(),
    );
    assert!(before == after, "{error}: the file was changed");
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    error
}

#[test]
fn a_missing_or_empty_file_becomes_a_database_that_opens_again() {
    let folder = folder();
    for name in ["missing", "empty"] {
        let path = folder.path().join(name);
        if name == "empty" {
            fs::write(&path, b"").unwrap();
        }
        let first = Store::open(options(&path)).unwrap();
        let identity = first.identity();
        assert_ne!(identity.id, 0);
        drop(first);
        let second = Store::open(options(&path)).unwrap();
        assert_eq!(second.identity(), identity);
        assert!(second.read().unwrap().namespace("default").unwrap().is_some());
    }
    let names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 2, "nothing is left beside them: {names:?}");
}

#[test]
fn what_a_crash_left_of_making_a_database_is_no_obstacle() {
    let folder = folder();
    let path = folder.path().join("db");
    fs::write(folder.path().join("db.new"), vec![0; 100_000]).unwrap();
    drop(Store::open(options(&path)).unwrap());
    drop(Store::open(options(&path)).unwrap());
    assert!(!folder.path().join("db.new").exists());
}

#[test]
fn a_file_of_another_kind_is_left_as_it_was() {
    let folder = folder();
    let path = folder.path().join("file");
    for bytes in [&b"SQLite format 3\0 and so on"[..], b"x", &[0; 10_000], b"REDB"] {
        fs::write(&path, bytes).unwrap();
        assert!(matches!(refused(&path), OpenError::Foreign { .. }));
    }
}

#[test]
fn a_redb_database_of_another_program_is_left_as_it_was() {
    const THEIRS: TableDefinition<'_, &str, u64> = TableDefinition::new("theirs");
    let folder = folder();
    let path = folder.path().join("theirs.redb");
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(THEIRS).unwrap().insert("key", 1).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert!(matches!(refused(&path), OpenError::Foreign { .. }));

    // Also one that was not closed, which redb repairs as it opens it.
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(THEIRS).unwrap().insert("key", 2).unwrap();
    transaction.commit().unwrap();
    let crashed = folder.path().join("crashed.redb");
    fs::copy(&path, &crashed).unwrap();
    assert!(matches!(refused(&crashed), OpenError::Foreign { .. }));
    drop(database);
    let database = Database::open(&crashed).unwrap();
    let value = database
        .begin_read()
        .unwrap()
        .open_table(THEIRS)
        .unwrap()
        .get("key")
        .unwrap()
        .unwrap()
        .value();
    assert_eq!(value, 2);
}

#[test]
fn a_file_of_a_newer_version_is_left_as_it_was() {
    let folder = folder();
    let path = folder.path().join("db");
    database(&path);
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("longhaul_meta");
    transaction
        .open_table(META)
        .unwrap()
        .insert("format", 3u32.to_le_bytes().as_slice())
        .unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert!(matches!(
        refused(&path),
        OpenError::NewerFormat {
            found: 3,
            supported: 2,
            ..
        }
    ));
}

#[test]
fn a_file_that_is_cut_short_is_left_as_it_was() {
    let folder = folder();
    let (path, cut) = (folder.path().join("db"), folder.path().join("cut"));
    database(&path);
    let whole = fs::read(&path).unwrap();
    for length in [
        1,
        8,
        9,
        10,
        63,
        64,
        319,
        320,
        4095,
        4096,
        8192,
        whole.len() / 2,
        whole.len() - 4096,
        whole.len() - 1,
    ] {
        fs::write(&cut, &whole[..length]).unwrap();
        let error = refused(&cut);
        assert!(
            matches!(error, OpenError::Corrupt { .. } | OpenError::Foreign { .. }),
            "{length}: {error}"
        );
    }
}

#[test]
fn damage_anywhere_is_an_error_or_is_harmless_and_never_a_panic() {
    let folder = folder();
    let (path, damaged) = (folder.path().join("db"), folder.path().join("damaged"));
    database(&path);
    let whole = fs::read(&path).unwrap();
    let mut random = common::Random(3);
    let mut refusals = 0;
    for round in 0..200 {
        let mut bytes = whole.clone();
        // The header and the roots near it, then anywhere.
        let range = if round < 100 { 320 } else { bytes.len() as u64 };
        let at = random.below(range) as usize;
        bytes[at] ^= 1 << random.below(8);
        if bytes[..9] != whole[..9] {
            continue;
        }
        fs::write(&damaged, &bytes).unwrap();
        // As it is opened every day: damage in a page shows when that page is read, if it shows.
        drop(Store::open(options(&damaged)));
        fs::write(&damaged, &bytes).unwrap();
        // With the whole file checked.
        match Store::open(Options {
            verify: true,
            ..options(&damaged)
        }) {
            Ok(store) => {
                let read = store.read().unwrap();
                let record = read.execution(NS, "w1", RunId(1)).unwrap();
                assert!(
                    record.is_some_and(|record| record.next_event_id == 4),
                    "round {round}, byte {at}"
                );
            }
            Err(_) => refusals += 1,
        }
    }
    assert!(refusals > 0);
}

#[test]
fn a_row_that_does_not_decode_is_an_error_that_names_it() {
    const EXECUTIONS: TableDefinition<'_, (u32, &str, u128), &[u8]> = TableDefinition::new("executions_v1");
    let folder = folder();
    let path = folder.path().join("db");
    database(&path);
    for (row, why) in [
        (&[9; 40][..], "its version is 9"),
        (&[1], "too short"),
        (&[], "too short"),
        (&[1; 30], ""),
    ] {
        let database = Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction
            .open_table(EXECUTIONS)
            .unwrap()
            .insert((1, "w7", 7), row)
            .unwrap();
        transaction.commit().unwrap();
        drop(database);
        let mut bench = Bench::on(Store::open(options(&path)).unwrap());
        let error = bench
            .store
            .read()
            .unwrap()
            .execution(NS, "w7", RunId(7))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("table executions") && error.contains("\"w7\"") && error.contains(why),
            "{error}"
        );
        // To write over it fails its submitter, and no other execution.
        if row.len() < 30 {
            let mut record = execution("w7", 7, 1);
            record.next_event_id = 4;
            assert!(bench.refused(vec![put(&record)]).contains("table executions"));
        }
        bench.write(vec![put(&execution(
            &format!("new{}", row.len()),
            1000 + row.len() as u128,
            1,
        ))]);
    }
}

#[test]
fn a_second_server_on_one_file_is_refused() {
    let folder = folder();
    let path = folder.path().join("db");
    let store = Store::open(options(&path)).unwrap();
    assert!(matches!(
        Store::open(options(&path)),
        Err(OpenError::InUse { .. })
    ));
    drop(store);
    // Once the first is gone the second may.
    let store = Store::open(options(&path)).unwrap();
    assert!(matches!(
        Store::open(options(&path)),
        Err(OpenError::InUse { .. })
    ));
    drop(store);
}

#[test]
fn a_wrong_path_is_an_error_that_names_it() {
    let folder = folder();
    let error = Store::open(options(&folder.path().join("no/such/db"))).unwrap_err();
    assert!(
        matches!(&error, OpenError::NoDirectory { directory, .. } if directory.ends_with("no/such")),
        "{error}"
    );
    assert!(matches!(
        Store::open(options(folder.path())),
        Err(OpenError::NotAFile { .. })
    ));
    #[cfg(unix)]
    assert!(matches!(
        Store::open(options(Path::new("/dev/null"))),
        Err(OpenError::NotAFile { .. })
    ));
    let file = folder.path().join("file");
    fs::write(&file, b"x").unwrap();
    assert!(Store::open(options(&file.join("db"))).is_err());
}

#[cfg(unix)]
#[test]
fn a_file_without_permission_is_an_error_that_says_so() {
    use std::os::unix::fs::PermissionsExt;

    let folder = folder();
    let path = folder.path().join("db");
    database(&path);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&path).is_ok() {
        // The superuser may read everything, so there is nothing to see.
        return;
    }
    assert!(matches!(
        Store::open(options(&path)),
        Err(OpenError::Permission { .. })
    ));
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_stays_one() {
    let folder = folder();
    let (target, link) = (folder.path().join("target"), folder.path().join("link"));
    fs::write(&target, b"").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    drop(Store::open(options(&link)).unwrap());
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::metadata(&target).unwrap().len() > 0);
}

#[test]
fn the_mark_of_a_failed_sync_is_gone_after_the_check() {
    let folder = folder();
    let path = folder.path().join("db");
    database(&path);
    let marker = folder.path().join("db.check");
    fs::write(&marker, b"why").unwrap();
    let store = Store::open(options(&path)).unwrap();
    assert!(!marker.exists());
    assert!(
        store
            .read()
            .unwrap()
            .execution(NS, "w1", RunId(1))
            .unwrap()
            .is_some()
    );
    drop(store);

    // A file that does not pass stays marked.
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes.truncate(middle);
    fs::write(&path, bytes).unwrap();
    fs::write(&marker, b"why").unwrap();
    assert!(matches!(refused(&path), OpenError::Corrupt { .. }));
    assert!(marker.exists());
}
