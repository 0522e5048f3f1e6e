//! Redis.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::program::{Program, installed};
use super::running::Running;

/// A Redis server that appends what it is told to a file, and syncs it once a second. Ready in 70 ms.
///
/// A kill loses nothing that it has confirmed: only a crash of the machine could.
pub(crate) type RedisServer = Running<Redis>;

/// How it is run.
pub(crate) struct Redis;

/// Debian's, or the one that `REDIS_SERVER` names.
pub(crate) fn redis_server() -> PathBuf {
    let program = env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
    installed(&program, "apt-get install redis-server")
}

impl Program for Redis {
    const NAME: &str = "redis-server";
    const READY: &str = "Ready to accept connections";

    fn prepare(_: &Path) -> Self {
        Self
    }

    fn command(&self, _: &Path, data: &Path, port: u16) -> Command {
        let mut command = Command::new(redis_server());
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--daemonize", "no"]);
        command.args(["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]);
        command.arg("--dir").arg(data);
        command
    }

    fn url(port: u16) -> String {
        format!("redis://127.0.0.1:{port}")
    }
}
