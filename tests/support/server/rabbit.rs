//! RabbitMQ.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::child::Child;
use super::port::free_port;
use super::program::{Program, installed};
use super::running::Running;

/// A RabbitMQ server, with an `epmd` of its own. Ready in 5 to 9 s.
pub(crate) type RabbitServer = Running<Rabbit>;

/// How it is run.
pub(crate) struct Rabbit {
    /// The name server of Erlang. Without one of its own, the broker would leave the machine's behind as a daemon.
    _epmd: Child,
    epmd_port: u16,
    /// For other nodes of a cluster, which never come.
    cluster_port: u16,
}

impl Program for Rabbit {
    const NAME: &str = "rabbitmq-server";
    const READY: &str = "Server startup complete";

    fn prepare(directory: &Path) -> Self {
        // Nothing waits for it: the broker asks for it a second after its own start.
        let epmd_port = free_port();
        let mut epmd = Command::new(installed("epmd", REMEDY));
        epmd.args(["-port", &epmd_port.to_string(), "-address", "127.0.0.1"]);
        let plugins = fs::write(directory.join("plugins"), "[].");
        plugins.expect("a file can be written to a new directory");
        Self {
            _epmd: Child::start(&epmd, &directory.join("epmd")),
            epmd_port,
            cluster_port: free_port(),
        }
    }

    fn command(&self, directory: &Path, data: &Path, port: u16) -> Command {
        let configuration = directory.join("rabbitmq.conf");
        let written = fs::write(
            &configuration,
            format!("listeners.tcp.1 = 127.0.0.1:{port}\n{CONFIGURATION}"),
        );
        written.expect("a file can be written to the directory");
        // Not the one on the path, which turns to another user and to the machine's own directories.
        let mut command = Command::new(installed("/usr/lib/rabbitmq/bin/rabbitmq-server", REMEDY));
        command
            // Where the secret that nodes share is made.
            .env("HOME", directory)
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_CONFIG_FILE", configuration)
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", directory.join("plugins"))
            .env("RABBITMQ_NODENAME", format!("rmq{port}@localhost"))
            .env("RABBITMQ_MNESIA_BASE", data)
            .env("RABBITMQ_LOG_BASE", directory.join("log"))
            .env("RABBITMQ_LOGS", "-")
            .env("RABBITMQ_DIST_PORT", self.cluster_port.to_string())
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            // Has the script become the virtual machine, rather than wait for it as its child.
            .env("RABBITMQ_ALLOW_INPUT", "1")
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", ERLANG_ARGUMENTS);
        command
    }

    fn url(port: u16) -> String {
        format!("amqp://127.0.0.1:{port}")
    }
}

/// The limits are absolute: by default the broker stops publishers by the size of the machine.
const CONFIGURATION: &str = "\
log.console = true
log.file = false
vm_memory_high_watermark.absolute = 2GB
disk_free_limit.absolute = 50MB
";
const ERLANG_ARGUMENTS: &str = "-noinput -start_epmd false -kernel inet_dist_use_interface {127,0,0,1}";
const REMEDY: &str = "apt-get install rabbitmq-server";
