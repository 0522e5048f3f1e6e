//! PostgreSQL.

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::program::{Program, installed};
use super::running::Running;

/// A PostgreSQL server, which is not run by root, and writes through to the disk. Ready in a second.
///
/// Nothing of its own takes a transaction: the tests say which ones run.
pub(crate) type PostgresServer = Running<Postgres>;

/// How it is run.
pub(crate) struct Postgres {
    /// Lines of its settings.
    pub(crate) settings: Vec<String>,
    /// The port of the server that it is a standby of.
    pub(crate) primary: Option<u16>,
}

impl Program for Postgres {
    const NAME: &str = "postgres";
    const READY: &str = "database system is ready to accept ";

    fn prepare(_: &Path) -> Self {
        Self {
            settings: Vec::new(),
            primary: None,
        }
    }

    fn command(&self, directory: &Path, data: &Path, port: u16) -> Command {
        // Of one that was killed, others may still be on their way out.
        processes_are_gone(data);
        give(directory);
        give(data);
        if !data.join("PG_VERSION").exists() {
            let mut make = self.maker();
            let output = make.arg("-D").arg(data).current_dir(directory).output();
            let output = output.expect("setpriv can be run");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        let mut command = as_nobody("postgres");
        command.arg("-D").arg(data).args(["-p", &port.to_string()]);
        let settings = SETTINGS.iter().map(|line| (*line).to_owned());
        for setting in settings.chain(self.settings.iter().cloned()) {
            command.args(["-c", &setting]);
        }
        command
    }

    fn url(port: u16) -> String {
        format!("postgres://postgres@127.0.0.1:{port}/postgres")
    }
}

impl Postgres {
    /// What makes its data.
    fn maker(&self) -> Command {
        let Some(primary) = self.primary else {
            let mut initdb = as_nobody("initdb");
            initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
            return initdb;
        };
        let mut copy = as_nobody("pg_basebackup");
        copy.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &primary.to_string()]);
        copy.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]);
        copy
    }
}

/// One of its programs. It refuses to be run by root.
#[allow(dead_code, reason = "not all tests dump something")]
pub(crate) fn as_nobody(program: &str) -> Command {
    let program = programs().join(program);
    let setpriv = installed("setpriv", "apt-get install util-linux");
    let mut command = Command::new(&setpriv);
    if is_root() {
        command.args([
            format!("--reuid={NOBODY}"),
            format!("--regid={NOBODY}"),
            "--clear-groups".to_owned(),
        ]);
        // To become another user is to forget whose end one follows.
        command.arg("--").arg(&setpriv);
    }
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// Its processes: each of them works in the directory of its data.
#[allow(dead_code, reason = "not all tests freeze it")]
pub(crate) fn processes(data: &Path) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("it is Linux");
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|cwd| cwd == data))
        .collect()
}

/// Waits until all of them have ended, after the first one was killed.
pub(crate) fn processes_are_gone(data: &Path) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !processes(data).is_empty() {
        assert!(Instant::now() < deadline, "processes of PostgreSQL do not end");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The newest of those that Debian has, or those that `POSTGRES_BIN` names.
fn programs() -> PathBuf {
    if let Some(named) = std::env::var_os("POSTGRES_BIN") {
        return named.into();
    }
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let versions = versions.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let newest = versions.max().unwrap_or_default();
    let program = format!("/usr/lib/postgresql/{newest}/bin/postgres");
    let program = installed(&program, "apt-get install postgresql");
    program.parent().expect("it is in a directory").to_owned()
}

/// Nobody else may read it.
fn give(path: &Path) {
    let private = fs::set_permissions(path, Permissions::from_mode(0o700));
    private.expect("a directory of one's own can be closed");
    if is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).expect("root may give a directory away");
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").expect("it is Linux").uid() == 0
}

const NOBODY: u32 = 65_534;
const SETTINGS: [&str; 6] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "autovacuum=off",
    "shared_buffers=16MB",
    "max_connections=60",
    "wal_level=replica",
];
