//! The log, which goes to stderr, whatever becomes of it.

use std::fmt;
use std::io::stderr;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::terminal::Terminal;

/// The log of this process. Nobody waits for it: lines are written by a thread of its own, and those are dropped for which there is
/// no room, because stderr is a pipe that nobody reads, or a file on a full disk.
pub(crate) struct Log(WorkerGuard);

impl Log {
    /// Begins to write it.
    pub(crate) fn to_stderr() -> Self {
        let (writer, guard) = NonBlocking::new(stderr());
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(writer)
            // It would say so on stderr, and panic if that cannot be written either.
            .log_internal_errors(false)
            .init();
        Self(guard)
    }

    /// Writes what is left, and some last words, but waits no longer than a second for that.
    pub(crate) fn end(self, last_words: Option<impl fmt::Display>) {
        let last_words = last_words.map(|words| words.to_string());
        let (done, is_done) = channel();
        thread::spawn(move || {
            drop(self.0);
            if let Some(words) = last_words {
                Terminal::Stderr.say(words);
            }
            // Nobody waits any more after a second.
            let _ = done.send(());
        });
        let _ = is_done.recv_timeout(FAREWELL);
    }
}

const FAREWELL: Duration = Duration::from_secs(1);
