//! NATS with JetStream.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::program::{Program, installed};
use super::running::Running;

/// A NATS server with JetStream, which keeps its streams in files. Ready in 50 ms.
pub(crate) type NatsServer = Running<Nats>;

/// How it is run.
pub(crate) struct Nats;

impl Program for Nats {
    const NAME: &str = "nats-server";
    const READY: &str = "Server is ready";

    fn prepare(_: &Path) -> Self {
        Self
    }

    fn command(&self, _: &Path, data: &Path, port: u16) -> Command {
        let mut command = Command::new(nats_server());
        command.args(["-a", "127.0.0.1", "-p", &port.to_string()]);
        command.args(["-js", "-sd"]).arg(data);
        command
    }

    fn url(port: u16) -> String {
        format!("nats://127.0.0.1:{port}")
    }
}

/// Where the program is. `NATS_SERVER` names one of another version.
pub(crate) fn nats_server() -> PathBuf {
    let program = env::var("NATS_SERVER").unwrap_or_else(|_| "nats-server".to_owned());
    installed(&program, "apt-get install nats-server")
}
