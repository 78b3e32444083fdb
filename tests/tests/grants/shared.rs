//! What attempts share with each other and with the server: nobody takes all of it, and nothing of the server's is given away.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::symlink,
    process::{Command, Stdio},
};

use longhaul_tests::{Server, artifacts};

use super::{assert_ends, exhaust, folder, reach, upload};

fn granting(folders: &[(&std::path::Path, &str)]) -> String {
    let folders: Vec<String> = folders
        .iter()
        .map(|(host, guest)| {
            format!(
                "{{ host = \"{}\", guest = \"{guest}\", write = true }}",
                host.display()
            )
        })
        .collect();
    format!("[grants]\nfolders = [{}]\n", folders.join(", "))
}

// C2
#[test]
fn a_folder_that_another_one_lets_be_exchanged_for_a_link_leads_nowhere() {
    let server = Server::start_with(&["--allow-grants"]);
    let (data, other) = (folder(&server, "data"), folder(&server, "other"));
    let out = data.join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("file"), "out").unwrap();
    upload(&server, &granting(&[(&data, "/data"), (&out, "/out")])).ok();
    assert_ends(
        &server,
        &[
            ("read /out/file", "out"),
            // An activity may move the folder away,
            ("rename /data/out /data/away", "renamed"),
        ],
    );
    // and may put a link in its place; the next attempt opens the folders anew.
    symlink("../other", &out).unwrap();
    for what in [
        "read /out/file",
        "list /out",
        "write /out/new",
        "remove /out/file",
    ] {
        let end = super::run(
            &server,
            &serde_json::json!({"activity": "Reach", "argument": what, "attempts": 1}),
        );
        assert!(
            end.contains("is a symbolic link") && end.contains("data/out"),
            "{what}: {end}"
        );
    }
    assert_eq!(fs::read_dir(&other).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(other.join("file")).unwrap(), "other");
    // Whoever uploads it now is told at once.
    upload(&server, &granting(&[(&out, "/out")])).refused(&["symbolic link", "data/out", "realpath"]);
    // What the link had replaced is as it was.
    upload(&server, &granting(&[(&data, "/data")])).ok();
    assert_ends(&server, &[("read /data/away/file", "out")]);
}

// C1, C2
#[test]
fn what_is_the_systems_or_the_servers_own_cannot_be_granted() {
    let server = Server::start_in(&[("LONGHAUL_SECRET_TOKEN", "hidden")], &["--allow-grants"]);
    // Now there is machine code that it keeps.
    upload(&server, "").ok();
    let around = server.database().parent().unwrap().to_owned();
    let cache = server.database().with_extension("cache");
    for (path, words) in [
        ("/proc", &["/proc", "operating system"][..]),
        ("/proc/1", &["operating system"]),
        ("/sys", &["operating system"]),
        ("/dev", &["operating system"]),
        ("/", &["server itself", "test."]),
        (around.to_str().unwrap(), &["server itself", "test."]),
        (cache.to_str().unwrap(), &["server itself", "cache"]),
    ] {
        upload(&server, &granting(&[(std::path::Path::new(path), "/machine")])).refused(words);
    }
    // What is missing now may be there when it is used, and what it turns out to be is judged then.
    let later = server.folder().join("later");
    upload(&server, &granting(&[(&later, "/later")])).ok();
    symlink("/proc/self", &later).unwrap();
    let plan = serde_json::json!({"activity": "Reach", "argument": "read /later/environ", "attempts": 1});
    let end = super::run(&server, &plan);
    assert!(
        end.contains("is a symbolic link") && !end.contains("hidden"),
        "{end}"
    );
    fs::remove_file(&later).unwrap();
    fs::create_dir(&later).unwrap();
    fs::write(later.join("file"), "later").unwrap();
    assert_ends(&server, &[("read /later/file", "later")]);
}

// C4
#[test]
fn attempts_share_the_servers_open_files_and_the_server_keeps_its_own() {
    let settings = tempfile::NamedTempFile::new().unwrap();
    fs::write(settings.path(), "[activities]\ndescriptors = 8\n").unwrap();
    let server = Server::start_with(&["--allow-grants", "--config", settings.path().to_str().unwrap()]);
    let data = folder(&server, "data");
    upload(&server, &granting(&[(&data, "/data")])).ok();
    let end = exhaust(&server, "handles /data/file");
    assert!(end.starts_with("failed: ") && end.contains("uota"), "{end}");
    assert!(server.log().contains("hold 8 open files"), "{}", server.log());
    assert_eq!(reach(&server, "read /data/file"), "data");
}

#[test]
fn a_server_takes_as_many_open_files_as_it_may() {
    let place = tempfile::tempdir().unwrap();
    let mut server = Command::new("sh")
        .args(["-c", "ulimit -S -n 200 && exec \"$0\" \"$@\""])
        .arg(artifacts::longhaul())
        .args(["server", "start", "--port", "0", "--http-port", "0", "--db"])
        .arg(place.path().join("test.redb"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.id()));
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(line.contains("serves gRPC"), "{line}");
    let limits = limits.unwrap();
    let files: Vec<&str> = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .unwrap()
        .split_whitespace()
        .collect();
    assert_eq!(files[0], files[1], "the soft limit is not the hard one: {limits}");
}
