//! What keeps a trust domain's knowledge beyond the life of its process.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::entry::Entry;
use crate::status::JournalStatus;
use crate::timestamp::Timestamp;

#[cfg(feature = "crl-poll")]
use crate::snapshot::Snapshot;

/// What keeps knowledge: the journal, if there is one. Whatever it is asked to keep is in force already, so that no revocation
/// waits for a disk.
pub(crate) trait Keep: Send + Sync {
    /// Keeps what events said, joined with what is kept of their keys.
    fn keep(&self, entries: Vec<Entry>) -> Ticket;

    /// Keeps that a list of this issue time was installed: no older one may ever be again.
    fn keep_newest(&self, issued_at: Timestamp) -> Ticket;

    /// Keeps that whatever was lost has been made up for.
    fn keep_recovered(&self) -> Ticket;

    /// Where the list itself is kept.
    #[cfg(feature = "crl-poll")]
    fn lists(&self) -> &dyn KeepLists;

    fn status(&self) -> JournalStatus;
}

/// What keeps an issuer's list and its signing keys.
#[cfg(feature = "crl-poll")]
pub(crate) trait KeepLists {
    /// Keeps a list as it was signed, and lets go of the entries that it makes superfluous. Takes as long as writing it does.
    fn keep(&self, document: &[u8], list: &Arc<Snapshot>) -> Result<(), Problem>;

    /// Keeps that the list was found to be the newest still.
    fn keep_confirmed(&self, at: Timestamp) -> Ticket;

    /// Keeps the signing keys, as the issuer published them.
    fn keep_keys(&self, document: &[u8]) -> Ticket;

    /// What an earlier process kept. It is handed out once. An error is for [`refuse`](Self::refuse).
    fn kept(&self) -> Result<Option<KeptList>, String>;

    /// Says that the list that was handed out is of no use, and why, in words that follow its name. Fails if the host does not want to start without it.
    fn refuse(&self, why: &str) -> Result<(), Problem>;

    /// Says that the list that was handed out is installed.
    fn restored(&self, list: &Arc<Snapshot>);
}

/// A list as it was kept.
#[cfg(feature = "crl-poll")]
#[derive(Debug)]
pub(crate) struct KeptList {
    /// As the issuer signed it.
    pub(crate) document: Option<Vec<u8>>,
    /// The signing keys, as the issuer published them.
    pub(crate) keys: Option<Vec<u8>>,
    /// When it was last fetched or confirmed.
    pub(crate) refreshed_at: Timestamp,
}

/// Why something could not be kept: which file, and what is wrong with it.
pub(crate) type Problem = Arc<str>;

/// The answer to come whether something is durable. The caller may wait for it on his thread or as a task; or not at
/// all, which withdraws nothing.
pub(crate) struct Ticket(Pin<Box<dyn Future<Output = Result<(), Problem>> + Send>>);

impl Ticket {
    /// One that is answered by this future, whoever polls it: it must not reckon with a scheduler, as tokio's channels do.
    #[cfg_attr(not(feature = "journal"), expect(dead_code, reason = "only a journal answers"))]
    pub(crate) fn new(answer: impl Future<Output = Result<(), Problem>> + Send + 'static) -> Self {
        Self(Box::pin(answer))
    }

    /// Waits as a task.
    pub(crate) async fn answer(self) -> Result<(), Problem> {
        self.0.await
    }

    /// Waits on this thread, also where tasks run.
    pub(crate) fn wait(mut self) -> Result<(), Problem> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            match self.0.as_mut().poll(&mut context) {
                Poll::Ready(answer) => return answer,
                Poll::Pending => thread::park(),
            }
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
