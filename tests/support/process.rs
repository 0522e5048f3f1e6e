//! The program under test.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use http::Method;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::web::{Reply, call};

/// A running gateway; killed when dropped.
pub(crate) struct Gateway {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    /// URLs without a slash at the end; empty for what it did not start.
    pub(crate) gateway: String,
    pub(crate) admin: String,
    /// The console's address, with its token unless one was given.
    pub(crate) console: String,
    pub(crate) registry: String,
    pub(crate) upstream: String,
}

/// An agent of an embedded registry.
pub(crate) struct Agent {
    pub(crate) id: String,
    pub(crate) did: String,
    pub(crate) ait: String,
}

impl Gateway {
    /// Starts one with these arguments, on free ports.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        let mut command = command();
        command.args(ports).args(arguments);
        Self::spawn(command).await
    }

    /// Starts one without any argument, on free ports by its environment.
    pub(crate) async fn start_bare() -> Self {
        let mut command = command();
        command
            .env("GATEWAY_LISTEN", "127.0.0.1:0")
            .env("GATEWAY_ADMIN", "127.0.0.1:0");
        Self::spawn(command).await
    }

    /// Starts one that can make no file larger than so many blocks of 512 bytes, and hears of it as of a full disk.
    #[cfg(unix)]
    pub(crate) async fn start_cramped(blocks: u32, log: std::fs::File, arguments: &[&str]) -> Self {
        let ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        let mut command = command_of("sh");
        let script = format!(r#"trap "" XFSZ; ulimit -f {blocks}; exec "$0" "$@""#);
        command
            .arg("-c")
            .arg(script)
            .arg(program("gateway"))
            .args(ports)
            .args(arguments)
            .stderr(log);
        Self::spawn(command).await
    }

    /// Starts one that says a lot, to a pipe that nobody reads; that end of it lives as long as the gateway.
    pub(crate) async fn start_unheard(arguments: &[&str]) -> Self {
        let ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        let mut command = command();
        command
            .env("RUST_LOG", "trace")
            .args(ports)
            .args(arguments)
            .stderr(Stdio::piped());
        Self::spawn(command).await
    }

    /// Starts one whose stderr is closed.
    #[cfg(unix)]
    pub(crate) async fn start_without_stderr(arguments: &[&str]) -> Self {
        let ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        let mut command = command_of("sh");
        command
            .env("RUST_LOG", "trace")
            .arg("-c")
            .arg(r#"exec "$0" "$@" 2>&-"#)
            .arg(program("gateway"))
            .args(ports)
            .args(arguments);
        Self::spawn(command).await
    }

    /// Starts one, and kills it after a moment, whatever it is doing by then.
    pub(crate) async fn start_and_kill(arguments: &[&str], after: Duration) {
        let ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        let mut command = command();
        command.stdout(Stdio::null()).args(ports).args(arguments);
        let mut child = command.spawn().expect("the gateway starts");
        tokio::time::sleep(after).await;
        child.kill().await.expect("it can be killed");
    }

    async fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the gateway starts");
        let stdout = child.stdout.take().expect("its output is piped");
        let mut gateway = Self {
            child,
            stdout: BufReader::new(stdout).lines(),
            gateway: String::new(),
            admin: String::new(),
            console: String::new(),
            registry: String::new(),
            upstream: String::new(),
        };
        while gateway.admin.is_empty() {
            let line = gateway.line().await;
            match line.split_once(' ') {
                Some(("listening", url)) => gateway.gateway = url.to_owned(),
                Some(("admin", url)) => gateway.admin = url.to_owned(),
                Some(("console", url)) => gateway.console = url.to_owned(),
                Some(("registry", url)) => gateway.registry = url.to_owned(),
                Some(("upstream", url)) => gateway.upstream = url.to_owned(),
                _ => panic!("unexpected line: {line}"),
            }
        }
        gateway
    }

    /// The next line it prints.
    pub(crate) async fn line(&mut self) -> String {
        let line = timeout(PATIENCE, self.stdout.next_line())
            .await
            .expect("a line comes in time");
        line.expect("lines are text").expect("the gateway keeps running")
    }

    /// Waits until it has a fresh list.
    pub(crate) async fn ready(self) -> Self {
        self.until(|status| status["ready"] == true).await;
        self
    }

    /// Waits until its status is as wanted.
    pub(crate) async fn until(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(async || {
            let status = self.status().await;
            wanted(&status).then_some(status)
        })
        .await
    }

    pub(crate) async fn status(&self) -> Value {
        call(Method::GET, &format!("{}/status", self.admin), &[], "")
            .await
            .json()
    }

    /// Has it fetch the list; the status afterwards.
    pub(crate) async fn refresh(&self) -> Value {
        call(Method::POST, &format!("{}/refresh", self.admin), &[], "")
            .await
            .json()
    }

    /// Hands it a raw queue message.
    pub(crate) async fn event(&self, message: &str) -> Reply {
        call(Method::POST, &format!("{}/events", self.admin), &[], message).await
    }

    /// Sends a request with a token.
    pub(crate) async fn ask(&self, ait: &str) -> Reply {
        let claw = format!("Claw {ait}");
        call(
            Method::GET,
            &format!("{}/hello?to=you", self.gateway),
            &[("authorization", &claw)],
            "",
        )
        .await
    }

    /// Registers an agent at its embedded registry.
    pub(crate) async fn register(&self) -> Agent {
        let reply = call(Method::POST, &format!("{}/v1/agents", self.registry), &[], "").await;
        assert_eq!(reply.status, 201);
        Agent::of(&reply)
    }

    /// Revokes one there; `how` is a query.
    pub(crate) async fn revoke(&self, agent: &str, how: &str) -> Reply {
        call(
            Method::DELETE,
            &format!("{}/v1/agents/{agent}{how}", self.registry),
            &[],
            "",
        )
        .await
    }

    /// Reissues one's token there.
    pub(crate) async fn reissue(&self, agent: &str) -> Reply {
        call(
            Method::POST,
            &format!("{}/v1/agents/{agent}/reissue", self.registry),
            &[],
            "",
        )
        .await
    }

    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    /// Asks it to end in good order, as a supervisor does.
    #[cfg(unix)]
    pub(crate) async fn terminate(mut self) -> std::process::ExitStatus {
        let id = self.child.id().expect("it runs").to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(told.expect("kill can be run").success());
        timeout(PATIENCE, self.child.wait())
            .await
            .expect("it ends")
            .expect("it can be waited for")
    }
}

impl Agent {
    pub(crate) fn of(reply: &Reply) -> Self {
        let body = reply.json();
        let text = |name: &str| {
            body[name]
                .as_str()
                .unwrap_or_else(|| panic!("no {name} in {body}"))
                .to_owned()
        };
        let did = text("did");
        Self {
            id: did.rsplit(':').next().unwrap().to_owned(),
            did,
            ait: text("ait"),
        }
    }
}

/// Runs it to its end.
pub(crate) async fn run(arguments: &[&str]) -> Output {
    let output = command().args(arguments).output();
    timeout(PATIENCE, output)
        .await
        .expect("it ends by itself")
        .expect("the gateway starts")
}

/// Waits for a condition.
pub(crate) async fn eventually<T>(condition: impl AsyncFn() -> Option<T>) -> T {
    let poll = async {
        loop {
            if let Some(value) = condition().await {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, poll).await.expect("the condition is met in time")
}

/// Waits for an answer that has to come.
pub(crate) async fn answered<T>(answer: impl Future<Output = T>) -> T {
    timeout(PATIENCE, answer).await.expect("an answer comes in time")
}

fn command() -> Command {
    command_of(program("gateway"))
}

/// Runs a program without whatever the environment would have it do.
pub(crate) fn command_of(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("GATEWAY_") || name.starts_with("REGISTRY_") {
            command.env_remove(name);
        }
    }
    // That client reports as an error whatever its server says.
    command.env("RUST_LOG", "error,lapin=off").kill_on_drop(true);
    command
}

/// An example, beside the directory of this test's own program.
pub(crate) fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its path");
    let profile = test.ancestors().nth(2).expect("tests lie in target/<profile>/deps");
    let program = profile
        .join("examples")
        .join(name)
        .with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        program.exists(),
        "{} is missing: run `cargo build --examples` (with the same features, and --release if the tests are)",
        program.display()
    );
    program
}

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
