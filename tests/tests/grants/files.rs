//! Folders: what is granted, and what leads out of them.

use std::{
    fs,
    os::unix::fs::symlink,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use longhaul_tests::{Language, Server, in_each_language};

use super::{assert_ends, folder, reach, upload, upload_in};

in_each_language! {
    granted_folders_are_there_as_granted,
    a_folder_to_read_stays_as_it_is,
}

fn settings(read: &std::path::Path, write: &std::path::Path) -> String {
    format!(
        r#"
        [grants]
        folders = [
            {{ host = "{}", guest = "/read" }},
            {{ host = "{}", guest = "/written", write = true }},
        ]
        "#,
        read.display(),
        write.display()
    )
}

// C2
fn granted_folders_are_there_as_granted(language: Language) {
    let server = Server::start_with(&["--allow-grants"]);
    let (read, written) = (folder(&server, "read"), folder(&server, "written"));
    upload_in(language, &server, &settings(&read, &written)).ok();
    assert_ends(
        &server,
        &[
            ("read /read/file", "read"),
            ("list /read", "file"),
            ("read /written/file", "written"),
            ("write /written/new", "written"),
            ("create /written/folder", "created"),
            ("rename /written/new /written/folder/moved", "renamed"),
            ("read /written/folder/../folder/./moved", "written"),
            ("remove /written/file", "removed"),
        ],
    );
    assert_eq!(
        fs::read_to_string(written.join("folder/moved")).unwrap(),
        "written"
    );
    assert!(!written.join("file").exists());
}

// C2
fn a_folder_to_read_stays_as_it_is(language: Language) {
    let server = Server::start_with(&["--allow-grants"]);
    let (read, written) = (folder(&server, "read"), folder(&server, "written"));
    upload_in(language, &server, &settings(&read, &written)).ok();
    for what in [
        "write /read/new",
        "write /read/file",
        "append /read/file",
        "create /read/folder",
        "remove /read/file",
        "rename /read/file /read/moved",
        "rename /read/file /written/moved",
        "rename /written/file /read/moved",
        "link /written/file /read/linked",
        "link /read/file /written/linked",
    ] {
        let end = reach(&server, what);
        assert!(end.starts_with("failed: "), "{what}: {end}");
    }
    assert_eq!(fs::read_dir(&read).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(read.join("file")).unwrap(), "read");
    assert_eq!(fs::read_dir(&written).unwrap().count(), 1);
    let log = server.log();
    assert!(
        log.contains("denied: ") && log.contains("write = true"),
        "the line that would grant it is missing: {log}"
    );
}

// C2
#[test]
fn no_path_and_no_link_leads_out_of_a_folder() {
    let server = Server::start_with(&["--allow-grants"]);
    let (read, written, other) = (
        folder(&server, "read"),
        folder(&server, "written"),
        folder(&server, "other"),
    );
    symlink("../other/file", read.join("to_file")).unwrap();
    symlink("../other", read.join("to_folder")).unwrap();
    symlink(other.join("file"), written.join("absolute")).unwrap();
    symlink("../other/new", written.join("dangling")).unwrap();
    symlink("/", written.join("root")).unwrap();
    symlink("/proc/self/root", written.join("proc")).unwrap();
    upload(&server, &settings(&read, &written)).ok();
    let outside = other.join("file").display().to_string();
    for what in [
        "read /read/../other/file".to_owned(),
        "read /written/../other/file".to_owned(),
        "read /read/./../../../../../../../../etc/hostname".to_owned(),
        "read ../other/file".to_owned(),
        "list /read/..".to_owned(),
        format!("read {outside}"),
        format!("read /read/{outside}"),
        "read /read/to_file".to_owned(),
        "read /read/to_folder/file".to_owned(),
        "list /read/to_folder".to_owned(),
        "read /written/absolute".to_owned(),
        "write /written/absolute".to_owned(),
        "write /written/dangling".to_owned(),
        "write /written/../other/new".to_owned(),
        "create /written/../other/folder".to_owned(),
        "remove /written/../other/file".to_owned(),
        "rename /written/file /written/../other/moved".to_owned(),
        "rename /written/../other/file /written/moved".to_owned(),
        "link /written/../other/file /written/linked".to_owned(),
        format!("read /written/root{outside}"),
        format!("read /written/proc{outside}"),
        "list /written/root".to_owned(),
    ] {
        let end = reach(&server, &what);
        assert!(end.starts_with("failed: "), "{what}: {end}");
    }
    assert_eq!(fs::read_dir(&other).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(other.join("file")).unwrap(), "other");
    assert!(written.join("file").exists());
}

// C2
#[test]
fn a_folder_that_turns_into_a_link_while_it_is_used_leads_nowhere() {
    let server = Server::start_with(&["--allow-grants"]);
    let (read, written, other) = (
        folder(&server, "read"),
        folder(&server, "written"),
        folder(&server, "other"),
    );
    let (inside, spare) = (written.join("inside"), written.join("spare"));
    fs::create_dir(&inside).unwrap();
    fs::write(inside.join("file"), "inside").unwrap();
    let link = written.join("link");
    symlink(&other, &link).unwrap();
    upload(&server, &settings(&read, &written)).ok();
    let stop = AtomicBool::new(false);
    let end = thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // `inside` is now the folder, now a link to the outside.
                fs::rename(&inside, &spare).unwrap();
                fs::rename(&link, &inside).unwrap();
                fs::rename(&inside, &link).unwrap();
                fs::rename(&spare, &inside).unwrap();
            }
        });
        let end = reach(&server, "race /written/inside/file 20000");
        stop.store(true, Ordering::Relaxed);
        end
    });
    assert_eq!(
        end, "inside",
        "it was readable now and then, and never led to the other folder"
    );
}
