//! What several modules need.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tower_revocation::journal::{Journal, JournalError};
use tower_revocation::status::JournalStatus;
use tower_revocation::{Credential, DomainConfig, EventSink, Key, ListPolicy, RevocationLayer, Timestamp, Verdict};

/// One process, as far as a journal is concerned: another one begins when this one is dropped.
pub(crate) struct Process {
    pub(crate) sink: EventSink,
}

impl Process {
    /// Starts one in a directory.
    pub(crate) fn start(directory: &Path) -> Self {
        Self::with(open(directory), |config| config)
    }

    /// Starts one for which events alone decide.
    pub(crate) fn start_without_lists(directory: &Path) -> Self {
        Self::with(open(directory), |config| config.with_lists(ListPolicy::NotUsed))
    }

    /// Starts one under a policy.
    pub(crate) fn with(journal: Journal, configure: impl FnOnce(DomainConfig) -> DomainConfig) -> Self {
        let config = configure(DomainConfig::new());
        let (_, sink) = RevocationLayer::pair_with(config, |_: &()| None::<Credential>);
        sink.keep_in(journal).unwrap();
        Self { sink }
    }

    pub(crate) fn decide(&self, credential: impl Into<Credential>) -> Verdict {
        self.sink.decide(&credential.into())
    }

    pub(crate) fn is_revoked(&self, key: Key) -> bool {
        matches!(self.decide(key), Verdict::Revoked(_))
    }

    pub(crate) fn journal(&self) -> JournalStatus {
        self.sink.status().journal.unwrap()
    }

    /// Waits until the journal holds so many entries.
    pub(crate) fn until_kept(&self, entries: u64) {
        eventually(|| (self.journal().entries == entries).then_some(()));
    }
}

/// Opens a journal that another "process" may be about to close.
pub(crate) fn open(directory: &Path) -> Journal {
    eventually(|| match Journal::open(directory) {
        Err(JournalError::InUse { .. }) => None,
        opened => Some(opened.unwrap()),
    })
}

/// Waits until no "process" holds the directory: its journal is closed a moment after it is dropped.
pub(crate) fn until_closed(directory: &Path) {
    eventually(|| std::fs::File::open(directory.join("lock")).unwrap().try_lock().ok());
}

/// A directory for a journal, and the first journal in it.
pub(crate) fn new_directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Waits for a condition that comes true on another thread.
pub(crate) fn eventually<T>(condition: impl Fn() -> Option<T>) -> T {
    let started = std::time::Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "it does not come true");
        std::thread::yield_now();
    }
}

pub(crate) fn secs(secs: u64) -> Timestamp {
    Timestamp::from_unix_secs(secs)
}

/// Some time ago.
pub(crate) fn ago(secs: u64) -> Timestamp {
    Timestamp::from_unix_secs(Timestamp::now().as_unix_secs() - secs)
}

/// An error and its causes.
pub(crate) fn words(error: &JournalError) -> String {
    let mut words = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        words = format!("{words}: {cause}");
        source = cause.source();
    }
    words
}
