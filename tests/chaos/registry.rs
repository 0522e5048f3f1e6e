//! The registry, a process of its own.

use std::fs;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use http::Method;
use tempfile::TempDir;

use crate::process::{Agent, command_of, program};
use crate::server::Child;
use crate::wall_clock::{WallClock, tidy_up_after};
use crate::web::call;

/// A running registry. It forgets everything when it ends, so that what kills it for a while is done by the
/// [origin](crate::origin) before it.
pub(crate) struct Registry {
    pub(crate) url: String,
    pub(crate) clock: WallClock,
    child: Mutex<Child>,
    _directory: TempDir,
}

impl Registry {
    /// Starts one whose clock is off by so many seconds, and which publishes to this queue.
    pub(crate) async fn start(queue: &str, seconds: i64) -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let clock = WallClock::new(directory.path().join("clock"), seconds);
        let output = directory.path().join("output");
        let mut command = command_of(program("registry"));
        command.args(["--listen", "127.0.0.1:0", "--issuer", ISSUER, "--heartbeat", "500ms"]);
        command.args(["--queue", queue, "--dead-letter", "dead.letters"]);
        clock.hang_up_in(command.as_std_mut());
        let mut child = Child::start(command.as_std(), &output);
        let started = Instant::now();
        let url = loop {
            let words = fs::read_to_string(&output).expect("its output is in a file");
            match words.lines().find_map(|line| line.strip_prefix("registry http")) {
                Some(url) if words.ends_with('\n') => break format!("http{url}"),
                _ => assert!(
                    child.is_running() && started.elapsed() < PATIENCE,
                    "no registry:\n{words}"
                ),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        tidy_up_after(&child);
        Self {
            url,
            clock,
            child: Mutex::new(child),
            _directory: directory,
        }
    }

    pub(crate) async fn register(&self) -> Agent {
        let reply = call(Method::POST, &format!("{}/v1/agents", self.url), &[], "").await;
        assert_eq!(reply.status, 201);
        Agent::of(&reply)
    }

    /// Kills it as `kill -9` does, for good.
    pub(crate) fn kill(&self) {
        self.child.lock().unwrap().kill();
    }

    pub(crate) fn freeze(&self) {
        self.child.lock().unwrap().freeze();
    }

    pub(crate) fn thaw(&self) {
        self.child.lock().unwrap().thaw();
    }
}

/// As in its tokens and lists.
pub(crate) const ISSUER: &str = "https://registry.example.com";

const PATIENCE: Duration = Duration::from_secs(20);
