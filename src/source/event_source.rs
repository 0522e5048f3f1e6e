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

    /// Returns the name for status, logs and dead letters, such as `nats:revocations`. It is the same for all replicas, and
    /// holds no secrets.
    fn name(&self) -> &str;

    /// Opens the feed, or opens it anew. Whatever was open before is closed, even if the future of an earlier call was
    /// dropped before it ended.
    ///
    /// From here on [`next`](Self::next) gives every message that `start` asks for, as far as the feed still has it, and
    /// every later one. The answer says whether the feed has all of these: [`Continuity::Gap`] if there is any doubt. It is
    /// also a gap if this is another log than the one that was read before: compare the [landmarks](Start::landmarks).
    ///
    /// After a gap, `next` gives what the feed has since [`Start::time`].
    ///
    /// # Errors
    ///
    /// Returns whatever the client says. The loop tries again later.
    fn open(&mut self, start: &Start) -> impl Future<Output = Result<Continuity, SourceError>> + Send;

    /// Waits for the next thing that the feed has to say.
    ///
    /// A feed that is idle says every second or so that it is at its [end](Signal::CaughtUp), or at least gives a [sign of
    /// life](Signal::Alive), and only if the broker really gave one: the loop takes a silent feed for dead.
    ///
    /// # Errors
    ///
    /// Returns an error if the feed has to be opened anew: it is disconnected, or it was and may have missed something. If
    /// messages are lost for certain, the error is a [loss](SourceError::as_loss).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no message.
    fn next(&mut self) -> impl Future<Output = Result<Signal<Self::Delivery>, SourceError>> + Send;

    /// Closes the feed in good order, after the last delivery is settled. The loop waits for it for
    /// [3 seconds](super::DRAIN_TIMEOUT) at most.
    fn close(&mut self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// Whether a feed that was opened has all the messages that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Continuity {
    /// It has all of them.
    Complete,
    /// Some may be missing; the text says why: the log was trimmed or wiped, or does not reach back far enough. A list that
    /// is newer than this answer makes up for it.
    Gap(String),
    /// The transport cannot tell. The [numbers of the issuer's own](crate::LogPlace) show whether something is missing; the feed is live
    /// only while they show that everything came. If they do not show it for three seconds, this is a gap as well.
    Unproven,
}

/// What a feed has to say.
#[derive(Debug)]
#[non_exhaustive]
pub enum Signal<D> {
    /// The broker is there. That says nothing of whether the feed is at its end.
    Alive {
        /// How many messages are still to come, if the broker says so.
        lag: Option<u64>,
    },
    /// All messages came in that lie before the end of the feed, as its leader named that end within the last two seconds: not
    /// a copy, nor a server that was cut off from the others.
    ///
    /// Comes once after each opening when everything came in that was there then, and again every second or so for as long as
    /// it is true, also while messages come. The loop takes a feed for [live](crate::FeedState::Live) only while the last one
    /// is younger than the [silence](super::DEFAULT_SILENCE) that it allows.
    CaughtUp,
    /// What is read is a copy of the log, and this much behind it, or cut off from it for so long. A sign of life; the feed is at
    /// its end only once [`CaughtUp`](Self::CaughtUp) is said again, which a source says of a copy that is at most two seconds
    /// behind.
    Behind(Duration),
    /// A message.
    Message(D),
}

/// A message, and how to settle it. If it is dropped before it is settled, it is not acknowledged, and is delivered again
/// after the feed was opened anew. The loop waits for each settling for [a minute](super::SETTLE_TIMEOUT) at most.
pub trait Delivery: Send {
    /// Returns what was published.
    fn payload(&self) -> &[u8];

    /// Returns how often it was delivered, this time included.
    fn attempts(&self) -> u32 {
        1
    }

    /// Returns where in the feed it lies, for feeds that can be read again: the loop opens the feed anew after all positions
    /// that are settled. `None` for queues: by themselves, they deliver again what was not acknowledged. `None` as well for a
    /// message of a log that [comes again](Self::comes_again).
    fn position(&self) -> Option<Position>;

    /// Returns what tells its log from another log of the same name, for feeds that can be read again. The loop keeps it
    /// with the position, and gives it to the next opening: see [`Landmark`]. Defaults to `None`.
    fn landmark(&self) -> Option<Landmark> {
        None
    }

    /// Returns whether the source gives this message again, with the position that it does not have yet: a row of a table that is
    /// there, and whose place is not final while older transactions run. It is put in force at once, and nothing else: it is
    /// counted, acknowledged or made a dead letter when it comes again. Defaults to `false`.
    fn comes_again(&self) -> bool {
        false
    }

    /// Returns why its payload is no message, if something is there that cannot be read: it is damaged, or written in a way that
    /// the adapter does not know. It becomes a dead letter with these words, and no decoder sees it. Defaults to `None`.
    fn defect(&self) -> Option<&str> {
        None
    }

    /// Returns how many messages come after it, if the broker says so.
    fn lag(&self) -> Option<u64> {
        None
    }

    /// Returns whether somebody has to be told when it is settled. Where replicas remember by themselves how far they came, nobody has:
    /// then [`ack`](Self::ack) is not called for a message that is in force at once, which makes a replay faster. Defaults to `true`.
    fn needs_ack(&self) -> bool {
        true
    }

    /// Acknowledges it.
    ///
    /// # Errors
    ///
    /// Then it may be delivered again, which does no harm.
    fn ack(&mut self) -> impl Future<Output = Result<(), SourceError>> + Send;

    /// Asks the broker to deliver it again after a while. Defaults to the answer that the broker cannot do that.
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
    /// Then the loop asks again later. No later message waits for that.
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
