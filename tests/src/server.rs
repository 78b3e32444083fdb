//! A server process with a database of its own.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{Answer, artifacts};

/// How long [`Server::result`] waits: far longer than anything here takes, and short enough that a test that hangs says where.
const RESULT_WITHIN: &str = "2m";

/// The file that takes space on a small disk.
const BALLAST: &str = "ballast";

/// A running `longhaul server start`, with its database in a temporary folder. Killed when it is dropped.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    database: PathBuf,
    /// A command that sets something up and then becomes the server.
    launcher: Vec<String>,
    flags: Vec<String>,
    process: Child,
    addresses: Addresses,
}

/// Where a server listens.
#[derive(Debug, Clone)]
struct Addresses {
    grpc: String,
    http: String,
}

impl Server {
    /// Starts a server on free ports.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server that skips time while a client waits for a result.
    pub fn skipping_time() -> Self {
        Self::start_with(&["--time-skipping"])
    }

    /// Starts a server with further flags.
    pub fn start_with(flags: &[&str]) -> Self {
        let folder = temporary_folder();
        let database = folder.path().join("test.redb");
        Self::launch(folder, database, Vec::new(), flags)
    }

    /// Starts a server with further flags and environment variables.
    pub fn start_in(environment: &[(&str, &str)], flags: &[&str]) -> Self {
        let folder = temporary_folder();
        let database = folder.path().join("test.redb");
        let variables = environment.iter().map(|(name, value)| format!("{name}={value}"));
        let launcher = std::iter::once("env".to_owned()).chain(variables).collect();
        Self::launch(folder, database, launcher, flags)
    }

    /// Starts a server whose database is on a disk of `bytes`, of which a file takes `ballast_bytes`; `None` where this user may
    /// not mount a file system in a namespace of its own. The disk is gone with the process.
    pub fn on_small_disk(bytes: u64, ballast_bytes: u64) -> Option<Self> {
        let unshare = ["unshare", "--map-root-user", "--mount"];
        let allowed = Command::new(unshare[0]).args(&unshare[1..]).arg("true").output();
        if !allowed.is_ok_and(|output| output.status.success()) {
            return None;
        }
        let folder = temporary_folder();
        let disk = folder.path().join("disk");
        fs::create_dir(&disk).unwrap();
        let script = format!(
            r#"mount -t tmpfs -o size={bytes} tmpfs "$0" && head -c {ballast_bytes} /dev/zero > "$0/{BALLAST}" && exec "$@""#
        );
        let launcher = unshare
            .into_iter()
            .chain(["sh", "-c", &script, disk.to_str().unwrap()]);
        let launcher = launcher.map(str::to_owned).collect();
        Some(Self::launch(folder, disk.join("test.redb"), launcher, &[]))
    }

    fn launch(folder: TempDir, database: PathBuf, launcher: Vec<String>, flags: &[&str]) -> Self {
        let flags: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
        let command = server_command(&launcher, &database, "0", "0", &flags);
        let (process, addresses) =
            spawn(command, &log_in(folder.path())).unwrap_or_else(|log| panic!("{log}"));
        Self {
            folder,
            database,
            launcher,
            flags,
            process,
            addresses,
        }
    }

    /// Removes the file that takes space on a small disk, which only the server's process can see.
    pub fn make_space(&self) {
        let disk = self.database.parent().unwrap().strip_prefix("/").unwrap();
        let root = PathBuf::from(format!("/proc/{}/root", self.process.id()));
        fs::remove_file(root.join(disk).join(BALLAST)).unwrap();
    }

    /// `HOST:PORT` of gRPC; the same after a restart.
    pub fn address(&self) -> &str {
        &self.addresses.grpc
    }

    /// `HOST:PORT` of HTTP; the same after a restart.
    pub fn http_address(&self) -> &str {
        &self.addresses.http
    }

    /// The port of gRPC.
    pub fn port(&self) -> &str {
        port_of(&self.addresses.grpc)
    }

    /// The database file.
    pub fn database(&self) -> &Path {
        &self.database
    }

    /// A folder that is removed with the server.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(log_in(self.folder.path())).unwrap_or_default()).into_owned()
    }

    /// SIGKILL: no destructor runs, nothing is flushed.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// SIGTERM, and wait for the end. Returns whether the exit code is 0.
    pub fn stop(&mut self) -> bool {
        let id = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        self.process.wait().unwrap().success()
    }

    /// Starts a server that was killed or stopped again, on the same database and the same ports.
    pub fn restart(&mut self) {
        let (port, http_port) = (port_of(&self.addresses.grpc), port_of(&self.addresses.http));
        let command = server_command(&self.launcher, &self.database, port, http_port, &self.flags);
        let (process, addresses) =
            spawn(command, &log_in(self.folder.path())).unwrap_or_else(|log| panic!("no restart: {log}"));
        self.process = process;
        self.addresses = addresses;
    }

    /// A client command of `longhaul` against this server.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(artifacts::longhaul());
        command
            .args(words)
            .current_dir(self.folder.path())
            .env("TEMPORAL_ADDRESS", self.address())
            .env_remove("TEMPORAL_NAMESPACE")
            .env_remove("LONGHAUL_LOG");
        command
    }

    /// Runs a client command of `longhaul` against this server.
    pub fn longhaul(&self, words: &[&str]) -> Answer {
        Answer::of(&mut self.command(words))
    }

    /// Uploads an example guest under its own name.
    #[track_caller]
    pub fn upload(&self, guest: &str, queue: &str) {
        let path = artifacts::guest(guest);
        self.longhaul(&["module", "upload", path.to_str().unwrap(), "--queue", queue])
            .ok();
    }

    /// Starts an execution; each input is a JSON text.
    pub fn start_workflow(&self, workflow_type: &str, id: &str, inputs: &[&str]) -> Answer {
        let mut words = vec![
            "workflow",
            "start",
            "--type",
            workflow_type,
            "--workflow-id",
            id,
            "-o",
            "json",
        ];
        inputs.iter().for_each(|input| words.extend(["--input", input]));
        self.longhaul(&words)
    }

    /// Sends a signal.
    pub fn signal(&self, id: &str, name: &str, inputs: &[&str]) -> Answer {
        let mut words = vec![
            "workflow",
            "signal",
            "--workflow-id",
            id,
            "--name",
            name,
            "-o",
            "json",
        ];
        inputs.iter().for_each(|input| words.extend(["--input", input]));
        self.longhaul(&words)
    }

    /// Sends an update and waits for its end.
    pub fn update(&self, id: &str, name: &str, inputs: &[&str]) -> Answer {
        let mut words = vec![
            "workflow",
            "update",
            "execute",
            "--workflow-id",
            id,
            "--name",
            name,
            "-o",
            "json",
        ];
        inputs.iter().for_each(|input| words.extend(["--input", input]));
        self.longhaul(&words)
    }

    /// Asks a query.
    pub fn query(&self, id: &str, name: &str) -> Answer {
        self.longhaul(&[
            "workflow",
            "query",
            "--workflow-id",
            id,
            "--name",
            name,
            "-o",
            "json",
        ])
    }

    /// The value that a query answers.
    #[track_caller]
    pub fn ask(&self, id: &str, name: &str) -> Value {
        self.query(id, name).json()["queryResult"][0].take()
    }

    /// Waits for the end of an execution, two minutes at most.
    pub fn result(&self, id: &str) -> Answer {
        self.longhaul(&[
            "workflow",
            "result",
            "--workflow-id",
            id,
            "--command-timeout",
            RESULT_WITHIN,
            "-o",
            "json",
        ])
    }

    /// An execution's history as text, an event a line.
    #[track_caller]
    pub fn history(&self, id: &str) -> String {
        self.longhaul(&["workflow", "show", "--workflow-id", id]).ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- log of the server\n{}---", self.log());
        }
    }
}

/// Starts a server that must not come up. Its answer.
pub fn refused_start(database: &Path, port: &str) -> Answer {
    Answer::of(server_command(&[], database, port, "0", &[]).stdin(Stdio::null()))
}

fn server_command(
    launcher: &[String],
    database: &Path,
    port: &str,
    http_port: &str,
    flags: &[String],
) -> Command {
    let longhaul = artifacts::longhaul();
    let mut command = match launcher {
        [] => Command::new(longhaul),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(longhaul);
            command
        }
    };
    command
        .args([
            "server",
            "start",
            "-o",
            "json",
            "--port",
            port,
            "--http-port",
            http_port,
            "--db",
        ])
        .arg(database);
    command
        .args(flags)
        .env_remove("LONGHAUL_LOG")
        .env("RUST_BACKTRACE", "1");
    command
}

/// Starts the process and waits until it says where it listens; else its log.
fn spawn(mut command: Command, log: &Path) -> Result<(Child, Addresses), String> {
    let log_file = File::options().create(true).append(true).open(log).unwrap();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log_file)
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut document = String::new();
    while stdout.read_line(&mut document).unwrap() > 0 {
        if let Ok(value) = serde_json::from_str::<Value>(&document) {
            let field = |name: &str| {
                value[name]
                    .as_str()
                    .unwrap_or_else(|| panic!("no {name}: {document}"))
                    .to_owned()
            };
            return Ok((
                child,
                Addresses {
                    grpc: field("address"),
                    http: field("httpAddress"),
                },
            ));
        }
    }
    let status = child.wait().unwrap();
    let log = String::from_utf8_lossy(&fs::read(log).unwrap()).into_owned();
    Err(format!("the server did not come up ({status}):\n{log}"))
}

fn port_of(address: &str) -> &str {
    address.rsplit(':').next().unwrap()
}

fn temporary_folder() -> TempDir {
    tempfile::Builder::new()
        .prefix("longhaul-test-")
        .tempdir()
        .unwrap()
}

fn log_in(folder: &Path) -> PathBuf {
    folder.join("server.log")
}
