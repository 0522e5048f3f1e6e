//! Apache Kafka.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::port::free_port;
use super::program::{Program, installed};
use super::running::Running;

/// An Apache Kafka server, broker and controller in one. Ready in 2 to 4 s, and in 4 s after it was killed.
pub(crate) type KafkaServer = Running<Kafka>;

/// How it is run.
pub(crate) struct Kafka {
    pub(crate) id: usize,
    /// The port for the other nodes of its cluster.
    pub(crate) controller: u16,
    /// The nodes of its cluster as `ID@HOST:PORT`, by that port.
    pub(crate) voters: Vec<String>,
    /// Lines of its settings, which replace those below. `{port}` and `{controller}` are its ports.
    pub(crate) settings: Vec<String>,
    /// Options of the virtual machine.
    pub(crate) options: Vec<String>,
    /// Users that it knows from the beginning, as its `--add-scram` wants them.
    pub(crate) users: Vec<String>,
}

impl Kafka {
    /// A node that has no others.
    #[allow(dead_code, reason = "not all tests set something")]
    pub(crate) fn alone(settings: &[&str]) -> Self {
        Self {
            settings: settings.iter().map(|line| (*line).to_owned()).collect(),
            ..Self::prepare(Path::new(""))
        }
    }

    fn write_settings(&self, file: &Path, data: &Path, port: u16) {
        let replicas = self.voters.len();
        let listeners = format!(
            "PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{}",
            self.controller
        );
        let mut settings = format!(
            "node.id={}\nlog.dirs={}\nlisteners={listeners}\ncontroller.quorum.voters={}\n{SETTINGS}",
            self.id,
            data.display(),
            self.voters.join(","),
        );
        for name in [
            "default.replication.factor",
            "offsets.topic.replication.factor",
            "transaction.state.log.replication.factor",
        ] {
            settings.push_str(&format!("{name}={replicas}\n"));
        }
        settings.push_str(&format!("min.insync.replicas={}\n", replicas.div_ceil(2)));
        for line in &self.settings {
            let line = line.replace("{port}", &port.to_string());
            settings.push_str(&line.replace("{controller}", &self.controller.to_string()));
            settings.push('\n');
        }
        fs::write(file, settings).expect("a file can be written to the directory");
    }
}

impl Program for Kafka {
    const NAME: &str = "kafka";
    const READY: &str = "Kafka Server started";

    fn prepare(_: &Path) -> Self {
        let controller = free_port();
        Self {
            id: 1,
            controller,
            voters: vec![format!("1@127.0.0.1:{controller}")],
            settings: Vec::new(),
            options: Vec::new(),
            users: Vec::new(),
        }
    }

    fn command(&self, directory: &Path, data: &Path, port: u16) -> Command {
        let file = directory.join("server.properties");
        self.write_settings(&file, data, port);
        if !data.join("meta.properties").exists() {
            let mut format = java(HEAP_OF_TOOLS, &self.options, "kafka.tools.StorageTool");
            format.args(["format", "-t", CLUSTER, "-c"]).arg(&file);
            for user in &self.users {
                format.args(["--add-scram", user]);
            }
            let output = format.output().expect("java can be run");
            let words = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success(),
                "{words}{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        let mut command = java(HEAP, &self.options, "kafka.Kafka");
        command.arg(file);
        command
    }

    fn url(port: u16) -> String {
        format!("127.0.0.1:{port}")
    }
}

/// A program of Kafka's.
fn java(heap: &str, options: &[String], class: &str) -> Command {
    let mut command = Command::new(installed("java", "apt-get install openjdk-17-jre-headless"));
    // They are quick to start, and small.
    command.args([heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]);
    command.args([
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
    ]);
    command.args(options);
    command.arg("-cp").arg(kafka_jars().join("*")).arg(class);
    command
}

/// Where Kafka is, in the folder that the environment variable `KAFKA_JARS` names, or else in `target/kafka`.
///
/// # Panics
/// If it is not there, saying how it can be got.
pub(crate) fn kafka_jars() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = env::var_os("KAFKA_JARS").map_or_else(|| own.join("target/kafka"), PathBuf::from);
    assert!(
        folder.is_dir(),
        "Kafka is missing: install Maven with `apt-get install maven`, and run `mvn -f tests/support/kafka/pom.xml \
         dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory={}`",
        folder.display()
    );
    folder
}

const SETTINGS: &str = "\
process.roles=broker,controller
controller.listener.names=CONTROLLER
auto.create.topics.enable=false
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
offsets.topic.num.partitions=1
transaction.state.log.num.partitions=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=4194304
log.cleaner.backoff.ms=200
";
const HEAP: &str = "-Xmx256m";
const HEAP_OF_TOOLS: &str = "-Xmx128m";
const CLUSTER: &str = "aaaaaaaaTaaaaaaaaaaaaQ";
