//! What a feed of messages has to offer.

use std::time::Duration;

use crate::source::dead_letter::DeadLetter;
use crate::source::error::SourceError;
use crate::source::landmark::Landmark;
use crate::source::position::{Position, Start};

/// A feed of messages that every replica reads for itself: no consumer takes a message away from another.
///
/// Adapters are plain: they translate a client's calls. All judgement (when to open anew, what to do with a message that
/// cannot be read, what a gap asks for) is in the loop that [`drive`](super::drive)s them.
pub trait EventSource: Send {
    /// A message with the means to settle it.
    type Delivery: Delivery;

    /// The name for status, logs and dead letters, such as `nats:revocations`. The same for all replicas, and no secrets in
    /// it.
    fn name(&self) -> &str;

    /// Opens the feed, or opens it anew. Whatever was open before is given up, also if this is called again after its
    /// future was dropped.
    ///
    /// From here on [`next`](Self::next) gives every message that `start` asks for, as far as the feed still has it, and
    /// every later one. Whether it has everything is the answer: in doubt, it has not. It has not if it is another log than
    /// the one that was read before, which is what the [landmarks](Start::landmarks) are for.
    ///
    /// After a gap, it gives what it has since [`Start::time`].
    ///
    /// # Errors
    ///
    /// Whatever the client says. The loop tries again later.
    fn open(&mut self, start: &Start) -> impl Future<Output = Result<Continuity, SourceError>> + Send;

    /// Waits for the next thing that the feed has to say.
    ///
    /// A feed that is idle gives a [sign of life](Signal::Alive) every second or so, and only if the broker really gave
    /// one: the loop takes a silent feed for dead.
    ///
    /// # Errors
    ///
    /// The feed has to be opened anew: it is disconnected, or was and may have missed something. What is surely missing is a
    /// [loss](SourceError::as_loss).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no message.
    fn next(&mut self) -> impl Future<Output = Result<Signal<Self::Delivery>, SourceError>> + Send;

    /// Lets go in good order, after the last settled delivery.
    fn close(&mut self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// Whether a feed that was opened has all the messages that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Continuity {
    /// It has.
    Complete,
    /// Some may be missing, and why: the log was trimmed, wiped, or never knew. A list that is newer than this answer makes
    /// up for it.
    Gap(String),
}

/// What a feed has to say.
#[derive(Debug)]
#[non_exhaustive]
pub enum Signal<D> {
    /// The broker is there.
    Alive {
        /// How many messages are still to come, if the broker says so.
        lag: Option<u64>,
    },
    /// All messages that were there when the feed was opened came in. Said once after each opening, or again.
    CaughtUp,
    /// A message.
    Message(D),
}

/// A message, and how to settle it. One that is dropped unsettled is not acknowledged: it is delivered again after the feed
/// was opened anew.
pub trait Delivery: Send {
    /// What was published.
    fn payload(&self) -> &[u8];

    /// How often it was delivered, with this time.
    fn attempts(&self) -> u32 {
        1
    }

    /// Where in the feed it lies, for feeds that can be read again: the loop opens the feed anew after all positions that are
    /// settled. `None` for queues, which deliver what was not acknowledged by themselves.
    fn position(&self) -> Option<Position>;

    /// By what to tell the log that it lies in from another one of the same name, for feeds that can be read again. The loop
    /// keeps it with the position, and gives it to the next opening: see [`Landmark`]. `None` by default.
    fn landmark(&self) -> Option<Landmark> {
        None
    }

    /// How many messages come after it, if the broker says so.
    fn lag(&self) -> Option<u64> {
        None
    }

    /// Acknowledges it.
    ///
    /// # Errors
    ///
    /// Then it may be delivered again, which does no harm.
    fn ack(&mut self) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Asks for it to be delivered again after a while, or says that the broker cannot do that, as by default.
    ///
    /// # Errors
    ///
    /// Then the loop tries it again by itself.
    fn retry(&mut self, _after: Duration) -> impl Future<Output = Result<Retry, SourceError>> + Send {
        async { Ok(Retry::InPlace) }
    }

    /// Stores it where somebody looks, if possible [once](DeadLetter::key) for all replicas, and acknowledges it.
    ///
    /// # Errors
    ///
    /// Then the loop asks again later; nothing that comes behind it waits for that.
    fn dead_letter(&mut self, letter: &DeadLetter) -> impl Future<Output = Result<(), SourceError>> + Send;
}

/// Who delivers a message again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The broker, as another delivery.
    ByBroker,
    /// The loop, which keeps this one: the broker cannot.
    InPlace,
}
