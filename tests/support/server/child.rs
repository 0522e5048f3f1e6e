//! A process that does not outlive the test process.

use std::fs::{self, File};
use std::path::Path;
use std::process::{self, Command, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::program::installed;

/// A child process; killed and reaped when dropped, and killed by the kernel when the test process ends.
pub(crate) struct Child(process::Child);

impl Child {
    /// Starts a command, with its output in a file, which is emptied first.
    ///
    /// Its program must be an absolute path to a file, as that of [`installed`] is.
    pub(crate) fn start(command: &Command, output: &Path) -> Self {
        let output = File::create(output).expect("a file can be made in a new directory");
        let mut bound = bind_to_this_process(command);
        bound
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file can be shared"))
            .stderr(output);
        let (reply, child) = sync_channel(1);
        SPAWNER
            .send(Request { command: bound, reply })
            .expect("the spawner does not end");
        Self(child.recv().expect("the spawner replies"))
    }

    #[allow(dead_code, reason = "not all tests ask")]
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.0.try_wait().expect("a child can be waited for").is_none()
    }

    /// Kills it with `SIGKILL` and waits until it is gone; nothing happens if it is gone already.
    pub(crate) fn kill(&mut self) {
        self.0.kill().expect("a child can be killed");
        self.0.wait().expect("a child can be waited for");
    }

    /// Stops it, and waits until it has stopped.
    pub(crate) fn freeze(&mut self) {
        self.signal("-STOP");
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.state() != 'T' {
            assert!(Instant::now() < deadline, "the process does not stop");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Has it go on.
    pub(crate) fn thaw(&mut self) {
        self.signal("-CONT");
    }

    fn signal(&mut self, signal: &str) {
        // The id of one that was reaped may be another's by now.
        assert!(self.is_running(), "there is nobody to send {signal} to");
        let mut kill = Command::new(installed("kill", "apt-get install procps"));
        let status = kill.arg(signal).arg(self.0.id().to_string()).status();
        assert!(status.expect("kill can be run").success());
    }

    /// The letter for its state, see `proc_pid_stat(5)`.
    fn state(&self) -> char {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).expect("the process is there");
        // The name before it is in parentheses, and may have some of its own.
        let (_, rest) = stat.rsplit_once(") ").expect("a name is in parentheses");
        rest.chars().next().expect("a state follows the name")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The same command, run through `setpriv`, which has the kernel kill it when its parent ends.
///
/// `setpriv` becomes the program, so that the child's id is the program's own.
fn bind_to_this_process(command: &Command) -> Command {
    let mut bound = Command::new(installed("setpriv", "apt-get install util-linux"));
    bound
        .args(["--pdeathsig", "KILL", "--"])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => bound.env(name, value),
            None => bound.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        bound.current_dir(directory);
    }
    bound
}

struct Request {
    command: Command,
    reply: SyncSender<process::Child>,
}

/// Starts all children from one thread that never ends.
///
/// To the kernel a child's parent is the thread that started it, and a test's thread ends with the test, while a
/// server that tests share has to live on.
static SPAWNER: LazyLock<Sender<Request>> = LazyLock::new(|| {
    let (sender, requests) = channel::<Request>();
    thread::spawn(move || {
        for Request { mut command, reply } in requests {
            let child = command.spawn().expect("setpriv can be run");
            reply.send(child).expect("who asked waits for the reply");
        }
    });
    sender
});
