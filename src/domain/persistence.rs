//! What keeps a trust domain's knowledge beyond the life of its process.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::model::timestamp::Timestamp;
use crate::state::entry::Entry;
use crate::state::snapshot::RevocationList;
use crate::status::JournalStatus;

/// What keeps knowledge: the journal, if there is one. Whatever it is asked to keep is in force already, so that no revocation
/// waits for a disk.
pub(crate) trait Persist: Send + Sync {
    /// Keeps what events said, joined with what is kept of their keys.
    fn keep(&self, entries: Vec<Entry>) -> Durable;

    /// Keeps that a list of this issue time was installed, so that no older one may ever be again. Whatever else is kept takes
    /// that along.
    fn persist_newest(&self, issued_at: Timestamp) -> Durable;

    /// Keeps that whatever was lost has been made up for.
    fn persist_resynced(&self) -> Durable;

    /// Where the list itself is kept.
    #[cfg_attr(
        not(feature = "crl-poll"),
        expect(dead_code, reason = "only the poller has lists kept")
    )]
    fn lists(&self) -> &dyn PersistLists;

    fn status(&self) -> JournalStatus;
}

/// What keeps an issuer's list and its signing keys.
#[cfg_attr(
    not(feature = "crl-poll"),
    expect(dead_code, reason = "only the poller has lists kept")
)]
pub(crate) trait PersistLists {
    /// Keeps a list as it was signed, and lets go of the entries that it makes superfluous. Takes as long as writing it does. Does
    /// nothing if a newer one is kept, or one of its second that says more, or that is missed. Returns whether it was missed itself, and with it
    /// everything is known that was kept.
    fn keep(&self, fetched: &Fetched, list: &Arc<RevocationList>) -> Result<bool, NotKept>;

    /// Keeps that this list says more than the one of its second that may be kept, unless it doesn't.
    fn persist_incomplete(&self, list: &RevocationList) -> Durable;

    /// Keeps that the list was found to be the newest still.
    fn persist_confirmed(&self, at: Timestamp) -> Durable;

    /// Keeps the signing keys, as the issuer published them.
    fn persist_keys(&self, document: &[u8]) -> Durable;

    /// What an earlier process kept. It is handed out once, unless it cannot be read.
    fn kept(&self) -> Result<Option<KeptList>, Unusable>;

    /// Says that the list that was handed out is of no use. Fails if the host does not want to start without it.
    fn refuse(&self, unusable: &Unusable) -> Result<(), NotKept>;

    /// Says that the list that was handed out is installed. Returns whether with it everything is known that was kept.
    fn restored(&self, kept: &KeptList, list: &Arc<RevocationList>) -> bool;
}

/// A list as it was fetched.
#[cfg_attr(not(feature = "journal"), expect(dead_code, reason = "only a journal keeps it"))]
pub(crate) struct Fetched {
    /// As the issuer signed it.
    pub(crate) document: Vec<u8>,
    /// The signing keys by which it was verified, as the issuer published them.
    pub(crate) keys: Option<Arc<[u8]>>,
    /// When it was found to be good: it has not expired by then.
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

/// The answer to come whether something is durable. The caller may wait for it on his thread or as a task; or not at
/// all, which withdraws nothing.
pub(crate) struct Durable(Pin<Box<dyn Future<Output = Result<(), NotKept>> + Send>>);

impl Durable {
    /// One that is answered by this future, whoever polls it: it must not reckon with a scheduler, as tokio's channels do.
    #[cfg_attr(not(feature = "journal"), expect(dead_code, reason = "only a journal answers"))]
    pub(crate) fn new(answer: impl Future<Output = Result<(), NotKept>> + Send + 'static) -> Self {
        Self(Box::pin(answer))
    }

    /// Waits as a task, and as long as a thread does.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its clock enabled.
    pub(crate) async fn answer(self) -> Result<(), NotKept> {
        let answer = timeout(LONGEST_WAIT, self.0).await;
        answer.unwrap_or_else(|_| Err(hangs(LONGEST_WAIT)))
    }

    /// Waits on this thread, also where tasks run; not for ever, should the disk hang: what is not answered for by then may become
    /// durable yet.
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

/// How long a thread waits for the disk, and when the disk is taken to hang: 10 seconds.
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
