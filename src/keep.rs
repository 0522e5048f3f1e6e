//! What keeps a trust domain's knowledge beyond the life of its process.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::sync::oneshot;

use crate::key::Key;
use crate::mark::Mark;
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

/// What is kept of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    pub(crate) mark: Mark,
    /// When it may be forgotten, by wall clock: the monotonic one ends with the process. `None` is never.
    pub(crate) keep_until: Option<Timestamp>,
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
#[derive(Debug)]
pub(crate) struct Ticket(oneshot::Receiver<Result<(), Problem>>);

impl Ticket {
    /// A ticket, and the end at which to answer it.
    #[cfg_attr(not(feature = "journal"), expect(dead_code, reason = "only a journal answers"))]
    pub(crate) fn new() -> (oneshot::Sender<Result<(), Problem>>, Self) {
        let (sender, receiver) = oneshot::channel();
        (sender, Self(receiver))
    }

    /// A ticket for what is kept already.
    #[cfg(all(feature = "crl-poll", feature = "journal"))]
    pub(crate) fn answered() -> Self {
        let (answer, ticket) = Self::new();
        // Its other end is right here.
        let _ = answer.send(Ok(()));
        ticket
    }

    /// Waits as a task.
    pub(crate) async fn answer(self) -> Result<(), Problem> {
        let answer = self.0.await;
        answer.unwrap_or_else(|_| Err("the journal's thread has ended".into()))
    }

    /// Waits on this thread, also where tasks run: tokio's own blocking wait would panic there.
    pub(crate) fn wait(self) -> Result<(), Problem> {
        let mut answer = pin!(self.answer());
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            match answer.as_mut().poll(&mut context) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_and_a_task_hear_the_answer() {
        let problem: Problem = "full".into();
        for answer in [Ok(()), Err(problem)] {
            let (sender, ticket) = Ticket::new();
            let expected = answer.clone();
            let waits = thread::spawn(move || assert_eq!(ticket.wait(), expected));
            sender.send(answer.clone()).unwrap();
            waits.join().unwrap();
            let (sender, ticket) = Ticket::new();
            let mut task = tokio_test::task::spawn(ticket.answer());
            assert!(task.poll().is_pending());
            sender.send(answer.clone()).unwrap();
            assert!(task.is_woken());
            assert_eq!(task.poll(), Poll::Ready(answer));
        }
    }

    /// A consumer that waited for ever would acknowledge nothing, and say nothing.
    #[test]
    fn whoever_is_left_without_an_answer_hears_that() {
        let (sender, ticket) = Ticket::new();
        drop(sender);
        assert!(ticket.wait().is_err());
    }
}
