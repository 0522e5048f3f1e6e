//! NATS servers with a configuration of their own.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::server::{Child, free_port, nats_server};

/// A NATS server that is told what to do by a file; killed when dropped.
pub(crate) struct NatsNode {
    child: Child,
    /// Which program it is, and the directory with all of its files.
    program: PathBuf,
    directory: PathBuf,
    pub(crate) port: u16,
}

impl NatsNode {
    /// Starts one of Debian's servers in a directory, with JetStream and whatever else is configured, and waits for it.
    pub(crate) async fn start(directory: &Path, config: &str) -> Self {
        Self::start_program(nats_server(), directory, config).await
    }

    /// Starts one of another version.
    pub(crate) async fn start_program(program: PathBuf, directory: &Path, config: &str) -> Self {
        let node = Self::launch(program, directory, free_port(), config);
        node.ready().await;
        node
    }

    /// Starts one that may have to wait for others before it is ready.
    pub(crate) fn launch(program: PathBuf, directory: &Path, port: u16, config: &str) -> Self {
        fs::create_dir_all(directory).unwrap();
        let node = directory.join("node.conf");
        let more = config.replace("STORE", &directory.join("data").display().to_string());
        fs::write(&node, format!("listen: \"127.0.0.1:{port}\"\n{more}\n")).unwrap();
        Self {
            child: run(&program, directory),
            program,
            directory: directory.to_owned(),
            port,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill();
    }

    /// Starts it again on the same port, and waits until it is ready; kills it first if it runs.
    pub(crate) async fn restart(&mut self) {
        self.child.kill();
        self.child = run(&self.program, &self.directory);
        self.ready().await;
    }

    /// Loses what it has on disk. It must not run.
    pub(crate) fn lose_disk(&self) {
        fs::remove_dir_all(self.directory.join("data")).unwrap();
    }

    /// Keeps a copy of what it has on disk. It must not run.
    pub(crate) fn keep(&self) {
        copy(&self.directory.join("data"), &self.directory.join("kept"));
    }

    /// Has what was kept, and nothing else. It must not run.
    pub(crate) fn put_back(&self) {
        self.lose_disk();
        copy(&self.directory.join("kept"), &self.directory.join("data"));
    }

    pub(crate) async fn ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let output = fs::read_to_string(self.directory.join("output")).unwrap_or_default();
            let is_open = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.is_ok();
            if is_open && output.contains("Server is ready") {
                return;
            }
            assert!(Instant::now() < deadline, "nats-server is not ready:\n{output}");
            sleep(Duration::from_millis(5)).await;
        }
    }
}

fn run(program: &Path, directory: &Path) -> Child {
    let mut command = Command::new(program);
    command.arg("-c").arg(directory.join("node.conf"));
    Child::start(&command, &directory.join("output"))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type().unwrap().is_dir() {
            true => copy(&from, &to),
            false => drop(fs::copy(from, to).unwrap()),
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(30);
