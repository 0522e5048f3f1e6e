//! What has Kafka do what its clients for Rust cannot.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use tokio::task::block_in_place;

use crate::server::{installed, kafka_jars};

/// A program in Java that does what it is told. It ends with its standard input.
pub(crate) struct KafkaTool {
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    child: Child,
}

impl KafkaTool {
    pub(crate) fn start(bootstrap: &str) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/kafka/Kafka.java");
        let mut command = Command::new(installed("java", "apt-get install openjdk-17-jdk-headless"));
        command.args([
            "-Xmx128m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=off",
        ]);
        command
            .arg("-cp")
            .arg(kafka_jars().join("*"))
            .arg(source)
            .arg(bootstrap);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let pipes = (
            child.stdin.take().unwrap(),
            BufReader::new(child.stdout.take().unwrap()),
        );
        Self {
            pipes: Mutex::new(pipes),
            child,
        }
    }

    /// Has it do something. Returns what it says.
    pub(crate) fn ask(&self, command: &str) -> String {
        let answer = self.try_ask(command);
        let said = answer
            .strip_prefix("ok")
            .unwrap_or_else(|| panic!("{command}: {answer}"));
        said.trim().to_owned()
    }

    pub(crate) fn try_ask(&self, command: &str) -> String {
        block_in_place(|| {
            let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
            writeln!(pipes.0, "{command}").unwrap();
            let mut answer = String::new();
            pipes.1.read_line(&mut answer).unwrap();
            answer.trim().to_owned()
        })
    }
}

impl Drop for KafkaTool {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}
