//! The handle by which a host has a feed read.

use std::future::{Future, pending};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::model::decode::Decode;
use crate::sink::EventSink;
use crate::source::config::DriverConfig;
use crate::source::dead_letter::{DeadLetter, DeadLetterPolicy};
use crate::source::driver::resync::{ByPoller, Resync};
use crate::source::driver::run::Feed;
use crate::source::event_source::EventSource;

/// Reads the messages of `source` by `decode`, and feeds `sink` with them, once it is [run](Drive::run).
///
/// One feed for each sink: the status has room for the health of one.
pub fn drive<S: EventSource, D: Decode>(source: S, decode: D, sink: EventSink) -> Drive<S, D> {
    // Before it runs: where there is no list, whoever serves until then must not admit everybody.
    sink.domain().announce_feed();
    Drive {
        source,
        decode,
        sink,
        resync: ByPoller,
        config: DriverConfig::default(),
    }
}

/// A feed that is about to be read; made by [`drive`]. See the [module](crate::source) for what reading it comes to.
#[derive(Debug)]
#[must_use = "a feed is not read until it is run"]
pub struct Drive<S, D, R = ByPoller> {
    source: S,
    decode: D,
    sink: EventSink,
    resync: R,
    config: DriverConfig,
}

impl<S, D, R> Drive<S, D, R> {
    /// Sets how long the feed may give no sign of life before it is opened anew. Defaults to
    /// [`DEFAULT_SILENCE`](crate::source::DEFAULT_SILENCE).
    pub const fn with_silence(mut self, silence: Duration) -> Self {
        self.config.silence = silence;
        self
    }

    /// Sets how long opening may take. Defaults to [`DEFAULT_OPEN_TIMEOUT`](crate::source::DEFAULT_OPEN_TIMEOUT).
    pub const fn with_open_timeout(mut self, timeout: Duration) -> Self {
        self.config.open_timeout = timeout;
        self
    }

    /// Sets by how much the feed is read from before the list was issued. Defaults to [`DEFAULT_MARGIN`](crate::source::DEFAULT_MARGIN).
    ///
    /// # Security
    ///
    /// If the broker's clock is behind the issuer's by more, a revocation that was published just after the list was issued
    /// counts as older than the list, and is missed.
    pub const fn with_margin(mut self, margin: Duration) -> Self {
        self.config.margin = margin;
        self
    }

    /// Sets how long events wait for a fresh list after a gap. Defaults to [`DEFAULT_PATIENCE`](crate::source::DEFAULT_PATIENCE). Then they
    /// are taken in, while the list goes on being asked for.
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.config.patience = patience;
        self
    }

    /// Sets how often a message is tried before it becomes a dead letter. Defaults to
    /// [`DEFAULT_ATTEMPTS`](crate::source::DEFAULT_ATTEMPTS). Where the broker does not count, a feed that is opened anew begins anew.
    ///
    /// # Security
    ///
    /// What is tried again is a revocation that found no room. One that is in force and did not become durable is tried for as long
    /// as that takes.
    pub const fn with_attempts(mut self, attempts: NonZeroU32) -> Self {
        self.config.attempts = attempts;
        self
    }

    /// Takes the feed for down while the issuer's newest [heartbeat](crate::Decoded::Heartbeat) is older than this. By default
    /// none is expected: without one, an issuer that cannot reach the broker looks like one that has nothing to say.
    pub const fn with_heartbeat(mut self, within: Duration) -> Self {
        self.config.heartbeat = Some(within);
        self
    }

    /// Sets what a dead letter means for what is known. Defaults to [`DeadLetterPolicy::Gap`].
    ///
    /// # Security
    ///
    /// Under [`DeadLetterPolicy::Note`] a revocation that could not be read is unknown until the next regular fetch.
    pub const fn with_dead_letters(mut self, policy: DeadLetterPolicy) -> Self {
        self.config.dead_letters = policy;
        self
    }

    /// Calls `hook` with each dead letter, before it is stored. It must not block. One that could not be stored before the feed broke
    /// comes again, and is told and counted again.
    pub fn with_dead_letter_hook(mut self, hook: impl Fn(&DeadLetter) + Send + Sync + 'static) -> Self {
        self.config.hook = Some(Arc::new(hook));
        self
    }

    /// Sets the name of this replica in dead letters. Defaults to the environment's `HOSTNAME`, or the process's number.
    pub fn with_replica(mut self, replica: impl Into<String>) -> Self {
        self.config.replica = replica.into();
        self
    }

    /// Sets how a fresh list is got after a gap. Defaults to [`ByPoller`]: hosts that fetch lists by themselves say how.
    pub fn with_resync<Q: Resync>(self, resync: Q) -> Drive<S, D, Q> {
        Drive {
            source: self.source,
            decode: self.decode,
            sink: self.sink,
            resync,
            config: self.config,
        }
    }
}

impl<S, D, R> Drive<S, D, R>
where
    S: EventSource,
    D: Decode + Send + Sync,
    R: Resync + 'static,
{
    /// Reads the feed until it is dropped: spawn it.
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves what is not settled unacknowledged, to be delivered again. The feed is down then.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its clock enabled.
    pub async fn run(self) {
        self.run_until(pending()).await;
    }

    /// Reads the feed until `told_to_end` is over. Then it takes in no more, settles what it took in (for
    /// [3 seconds](crate::source::DRAIN_TIMEOUT) at most), and lets go in good order.
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Self::run).
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run).
    pub async fn run_until(self, told_to_end: impl Future<Output = ()>) {
        let feed = Feed::new(self.source, self.decode, self.sink, self.resync, self.config);
        feed.run_until(told_to_end).await;
    }
}
