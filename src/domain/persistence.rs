//! Keeps what a trust domain knows beyond the life of its process.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::model::log_place::LogPosition;
use crate::model::timestamp::Timestamp;
use crate::state::entry::Entry;
use crate::state::snapshot::RevocationList;
use crate::status::JournalStatus;

/// Keeps what is known: implemented by the journal. Whatever it is asked to keep is in force already, so that no revocation
/// waits for a disk.
pub(crate) trait Persist: Send + Sync {
    /// Keeps what events said, joined with what is kept of their keys; and with the same commit up to where the issuer's log is known
    /// whole that they came in.
    fn persist(&self, entries: Vec<Entry>, whole: Option<LogPosition>) -> Durable;

    /// Keeps that a list of this issue time was installed, so that no older one is ever installed again. Any other write
    /// keeps that as well.
    fn persist_newest(&self, issued_at: Timestamp) -> Durable;

    /// Keeps that everything that was lost is known again.
    fn persist_resynced(&self) -> Durable;

    /// Keeps that the feed had been read up to its end by then.
    fn persist_feed_read(&self, at: Timestamp) -> Durable;

    /// Returns what keeps the list itself.
    #[cfg_attr(
        not(feature = "crl-poll"),
        expect(dead_code, reason = "only the poller has lists kept")
    )]
    fn lists(&self) -> &dyn PersistLists;

    /// Returns how the journal is doing.
    fn status(&self) -> JournalStatus;
}

/// Keeps an issuer's list and its signing keys.
#[cfg_attr(
    not(feature = "crl-poll"),
    expect(dead_code, reason = "only the poller has lists kept")
)]
pub(crate) trait PersistLists {
    /// Keeps a list as it was signed, and removes the entries that it makes superfluous. Returns when the list is written. Does
    /// nothing if a newer list is kept; or one of the same second that says more, or that was lost. Returns `true` if this list
    /// was the lost one, so that everything that was kept is known again.
    fn persist(&self, fetched: &Fetched, list: &Arc<RevocationList>) -> Result<bool, NotKept>;

    /// Keeps that this list says more than the kept one of the same second, if that is so.
    fn persist_incomplete(&self, list: &RevocationList) -> Durable;

    /// Keeps that the list was confirmed to be the newest one.
    fn persist_confirmed(&self, at: Timestamp) -> Durable;

    /// Keeps the signing keys, as the issuer published them.
    fn persist_keys(&self, document: &[u8]) -> Durable;

    /// Returns what an earlier process kept. It is handed out once, unless it cannot be read.
    fn kept(&self) -> Result<Option<KeptList>, Unusable>;

    /// Notes that the list that was handed out is of no use. Fails if the host does not want to start without it.
    fn refuse(&self, unusable: &Unusable) -> Result<(), NotKept>;

    /// Notes that the list that was handed out is installed. Returns whether everything that was kept is known now.
    fn restored(&self, kept: &KeptList, list: &Arc<RevocationList>) -> bool;
}

/// A list as it was fetched.
#[cfg_attr(not(feature = "journal"), expect(dead_code, reason = "only a journal keeps it"))]
pub(crate) struct Fetched {
    /// As the issuer signed it.
    pub(crate) document: Vec<u8>,
    /// The signing keys by which it was verified, as the issuer published them.
    pub(crate) keys: Option<Arc<[u8]>>,
    /// When it was accepted: it had not expired by then.
    pub(crate) accepted_at: Timestamp,
}

/// A list as it was kept.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "crl-poll"),
    expect(dead_code, reason = "only the poller restores lists")
)]
pub(crate) struct KeptList {
    pub(crate) document: Option<Vec<u8>>,
    pub(crate) keys: Option<Vec<u8>>,
    /// When the list was issued that was kept last.
    pub(crate) issued_at: Option<Timestamp>,
    pub(crate) accepted_at: Timestamp,
    /// When it was last fetched or confirmed.
    pub(crate) refreshed_at: Timestamp,
}

/// Why a kept list is of no use.
#[derive(Debug)]
#[cfg_attr(not(feature = "journal"), expect(dead_code, reason = "only a journal keeps any"))]
pub(crate) enum Unusable {
    /// In words that follow its name.
    Damaged(String),
    /// It may be good.
    Unreadable(String),
}

/// Why something could not be kept: which file, and what is wrong with it.
pub(crate) type NotKept = Arc<str>;

/// A future answer to the question whether something is durable. The caller may wait for it on a thread or as a task, or not
/// at all: the write happens in any case.
pub(crate) struct Durable(Pin<Box<dyn Future<Output = Result<(), NotKept>> + Send>>);

impl Durable {
    /// Creates one that the future answers. The future must not need a scheduler, as tokio's channels do: any thread may poll it.
    #[cfg_attr(not(feature = "journal"), expect(dead_code, reason = "only a journal answers"))]
    pub(crate) fn new(answer: impl Future<Output = Result<(), NotKept>> + Send + 'static) -> Self {
        Self(Box::pin(answer))
    }

    /// Waits as a task, as long as [`wait`](Self::wait) does.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with its clock enabled.
    pub(crate) async fn answer(self) -> Result<(), NotKept> {
        let answer = timeout(LONGEST_WAIT, self.0).await;
        answer.unwrap_or_else(|_| Err(hangs(LONGEST_WAIT)))
    }

    /// Waits on this thread, also where tasks run. Gives up after [`LONGEST_WAIT`] if the disk hangs: the write may still become
    /// durable after that.
    pub(crate) fn wait(self) -> Result<(), NotKept> {
        self.wait_for(LONGEST_WAIT)
    }

    fn wait_for(mut self, longest: Duration) -> Result<(), NotKept> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        let started = Instant::now();
        loop {
            if let Poll::Ready(answer) = self.0.as_mut().poll(&mut context) {
                return answer;
            }
            match longest.checked_sub(started.elapsed()) {
                Some(left) => thread::park_timeout(left),
                None => return Err(hangs(longest)),
            }
        }
    }
}

fn hangs(waited: Duration) -> NotKept {
    format!("the disk has not answered for {waited:?}").into()
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// How long a thread waits for the disk. A disk that takes longer counts as one that hangs: 10 seconds.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_does_not_wait_for_a_disk_that_hangs() {
        let hung = || Durable::new(std::future::pending());
        let problem = hung().wait_for(Duration::from_millis(5)).unwrap_err();
        assert_eq!(&*problem, "the disk has not answered for 5ms");
    }

    #[tokio::test(start_paused = true)]
    async fn nor_does_a_task() {
        let problem = Durable::new(std::future::pending()).answer().await.unwrap_err();
        assert_eq!(&*problem, "the disk has not answered for 10s");
    }
}
