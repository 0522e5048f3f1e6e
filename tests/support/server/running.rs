//! A running broker of any kind.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::net::TcpStream;

use super::child::Child;
use super::directory::new_directory;
use super::port::free_port;
use super::program::Program;

/// A running broker; killed when dropped, and its directory removed.
pub(crate) struct Running<P> {
    // Dropped in this order: nothing writes to a directory that is being removed.
    child: Child,
    program: P,
    directory: TempDir,
    port: u16,
}

impl<P: Program> Running<P> {
    /// Starts one on a free port, with no data, and waits until it is ready.
    pub(crate) async fn start() -> Self {
        let mut attempts = 1;
        loop {
            let directory = new_directory(P::NAME);
            let program = P::prepare(directory.path());
            match Self::begin(program, directory, free_port()).await {
                Ok(broker) => return broker,
                // A free port may be taken before the broker binds it: try another.
                Err(_) if attempts < ATTEMPTS => attempts += 1,
                Err(lines) => panic!("{} ended before it was ready:\n{lines}", P::NAME),
            }
        }
    }

    /// Starts one that was prepared, on that port and with no data, and waits until it is ready.
    ///
    /// # Panics
    /// If it ends before.
    #[allow(dead_code, reason = "not all tests prepare brokers of their own")]
    pub(crate) async fn start_on(port: u16, program: P) -> Self {
        let begun = Self::begin(program, new_directory(P::NAME), port).await;
        begun.unwrap_or_else(|lines| panic!("{} ended before it was ready:\n{lines}", P::NAME))
    }

    /// What it wrote last, if it ends before it is ready.
    async fn begin(program: P, directory: TempDir, port: u16) -> Result<Self, String> {
        let child = launch(&program, directory.path(), port);
        let mut broker = Self {
            child,
            program,
            directory,
            port,
        };
        match broker.wait_until_ready().await {
            Ok(()) => Ok(broker),
            Err(Exited) => Err(broker.last_lines()),
        }
    }

    /// The port that clients connect to; the same for as long as this value lives.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What a client of this kind of broker is given to connect to.
    pub(crate) fn url(&self) -> String {
        P::url(self.port)
    }

    /// Kills it as `kill -9` does, and waits until it is gone.
    pub(crate) async fn kill(&mut self) {
        self.child.kill();
    }

    /// Starts it again on the same port with the data it has, and waits until it is ready; kills it first if it runs.
    pub(crate) async fn restart(&mut self) {
        self.child.kill();
        self.child = launch(&self.program, self.directory.path(), self.port);
        if let Err(Exited) = self.wait_until_ready().await {
            panic!("{} did not start again:\n{}", P::NAME, self.last_lines());
        }
    }

    /// Kills it, removes its data, and starts it empty on the same port.
    pub(crate) async fn wipe(&mut self) {
        self.child.kill();
        fs::remove_dir_all(data(self.directory.path())).expect("the data of a dead broker can be removed");
        self.restart().await;
    }

    /// Keeps a copy of the data that it has now.
    #[allow(dead_code, reason = "not all tests set data back")]
    pub(crate) fn keep(&self) {
        let directory = self.directory.path();
        let mut copy = std::process::Command::new(super::program::installed("cp", "apt-get install coreutils"));
        let copied = copy.arg("-a").arg(data(directory)).arg(kept(directory)).status();
        assert!(copied.expect("cp can be run").success());
    }

    /// Kills it, and starts it again with the data that was kept, as a volume does that is restored.
    #[allow(dead_code, reason = "not all tests set data back")]
    pub(crate) async fn put_back(&mut self) {
        self.child.kill();
        let directory = self.directory.path();
        fs::remove_dir_all(data(directory)).expect("the data of a dead broker can be removed");
        fs::rename(kept(directory), data(directory)).expect("a directory can be renamed");
        self.restart().await;
    }

    /// Changes a file of its data, whether or not it runs.
    #[allow(dead_code, reason = "not all tests damage data")]
    pub(crate) fn edit(&self, file: &str, edit: impl FnOnce(&mut [u8])) {
        let file = data(self.directory.path()).join(file);
        let mut bytes = fs::read(&file).expect("the file is there");
        edit(&mut bytes);
        let mut file = fs::OpenOptions::new()
            .write(true)
            .open(file)
            .expect("the file can be written");
        // In place: the broker has it open.
        std::io::Write::write_all(&mut file, &bytes).expect("the file can be written");
    }

    /// Stops it where it is (`SIGSTOP`): its connections stay open, and nothing answers.
    pub(crate) fn freeze(&mut self) {
        self.child.freeze();
    }

    /// Has it go on.
    pub(crate) fn thaw(&mut self) {
        self.child.thaw();
    }

    async fn wait_until_ready(&mut self) -> Result<(), Exited> {
        // Not the clock of tokio: a test may have paused it.
        let started = Instant::now();
        while !self.is_ready().await {
            if !self.child.is_running() {
                return Err(Exited);
            }
            if started.elapsed() > PATIENCE {
                panic!("{} is not ready after {PATIENCE:?}:\n{}", P::NAME, self.last_lines());
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Both are asked for: the text alone may come before the port is open, and the port alone may be another's.
    async fn is_ready(&self) -> bool {
        self.output().contains(P::READY) && TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.is_ok()
    }

    fn last_lines(&self) -> String {
        let output = self.output();
        let lines: Vec<&str> = output.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }

    /// What it has written since it was last started.
    fn output(&self) -> String {
        let output = fs::read(output(self.directory.path())).expect("its output is kept in a file");
        String::from_utf8_lossy(&output).into_owned()
    }
}

/// The process ended before it was ready.
struct Exited;

fn launch<P: Program>(program: &P, directory: &Path, port: u16) -> Child {
    let data = data(directory);
    fs::create_dir_all(&data).expect("a directory can be made in a new one");
    let mut command = program.command(directory, &data, port);
    // Where some leave a dump when they crash.
    command.current_dir(directory);
    Child::start(&command, &output(directory))
}

fn data(directory: &Path) -> PathBuf {
    directory.join("data")
}

fn kept(directory: &Path) -> PathBuf {
    directory.join("kept")
}

fn output(directory: &Path) -> PathBuf {
    directory.join("output")
}

const ATTEMPTS: u32 = 3;
const LAST_LINES: usize = 30;
/// RabbitMQ takes 8 s on an idle machine, and three nodes of Kafka 5 s: beside builds, more than a minute was seen.
const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(5);
