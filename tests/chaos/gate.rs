//! The gateway, through all its processes.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use tempfile::TempDir;

use crate::gateway::Gateway;
use crate::process::{command_of, program};
use crate::registry::ISSUER;
use crate::server::Child;
use crate::wall_clock::WallClock;

/// Where gateways run one after another, in one state directory.
pub(crate) struct Gate {
    pub(crate) clock: WallClock,
    directory: TempDir,
    registry: String,
    queue: String,
    count: AtomicU32,
    current: RwLock<Option<Arc<Gateway>>>,
}

/// What a process finds of earlier ones, and what may be expected of it from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// Nothing, or nothing that is of use: it is fresh once it says so.
    Empty,
    /// Something damaged, which it is told to set aside.
    Lost,
    /// A list that must be fresh enough for it.
    Restored,
}

impl Gate {
    pub(crate) fn new(registry: String, queue: String) -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        Self {
            clock: WallClock::new(directory.path().join("clock"), 0),
            directory,
            registry,
            queue,
            count: AtomicU32::new(0),
            current: RwLock::default(),
        }
    }

    /// The process that runs, unless there is none.
    pub(crate) fn current(&self) -> Option<Arc<Gateway>> {
        self.current.read().unwrap().clone()
    }

    pub(crate) async fn start(&self, max_age: Duration, start: Start) -> Arc<Gateway> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let output = self.directory.path().join(format!("gateway-{number}"));
        let max_age_ms = format!("{}ms", max_age.as_millis());
        let damaged = if start == Start::Lost { "start-empty" } else { "refuse" };
        let mut command = command_of(program("gateway"));
        command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        command.args(["--registry", &self.registry, "--issuer", ISSUER]);
        command.args([
            "--queue",
            &self.queue,
            "--dead-letter",
            "dead.letters",
            "--replica",
            "one",
        ]);
        command.args(["--heartbeat", "10s", "--refresh", "1s", "--max-age", &max_age_ms]);
        command
            .args(["--state-damaged", damaged, "--state-dir"])
            .arg(self.state());
        self.clock.hang_up_in(command.as_std_mut());
        let child = Child::start(command.as_std(), &output);
        let gateway = Gateway::started(number, child, output, max_age, start == Start::Restored).await;
        let gateway = Arc::new(gateway);
        *self.current.write().unwrap() = Some(Arc::clone(&gateway));
        gateway
    }

    /// Kills the process that runs.
    pub(crate) fn kill(&self) {
        let current = self.current.write().unwrap().take();
        if let Some(gateway) = current {
            gateway.kill();
        }
    }

    /// Damages a file that the next process would find.
    pub(crate) fn damage(&self, name: &str) {
        let file = fs::File::options().write(true).open(self.state().join(name));
        file.unwrap().set_len(100).expect("a file can be cut");
    }

    fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }
}
