//! How far reading a feed has come, and what is said of it.

use tokio::time::Instant;

use crate::domain::health::FeedHealth;
use crate::model::decode::Decode;
use crate::source::dead_letter::DeadLetterPolicy;
use crate::source::driver::resync::Resync;
use crate::source::driver::resync_task::Debt;
use crate::source::driver::settle::{Desk, Settled};
use crate::source::driver::watermark::Watermark;
use crate::source::event_source::Delivery;
use crate::status::FeedState;

/// How far reading has come.
pub(super) struct Progress {
    pub(super) watermark: Watermark,
    pub(super) is_caught_up: bool,
    /// Whether no message was ever missed.
    is_whole: bool,
    /// How many messages were taken in and are not settled, and their size.
    unsettled: usize,
    bytes: usize,
    pub(super) last_signal: Instant,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            watermark: Watermark::default(),
            is_caught_up: false,
            is_whole: true,
            unsettled: 0,
            bytes: 0,
            last_signal: Instant::now(),
        }
    }

    /// Whether the feed gave no sign of life for too long, though somebody listened.
    pub(super) fn is_silent(&mut self, desk: &Desk<impl Decode>) -> bool {
        if self.is_full() {
            self.last_signal = Instant::now();
        }
        self.last_signal.elapsed() >= desk.terms.silence
    }

    /// Notes a sign of life, and how many messages are still to come if it says so.
    pub(super) fn alive(&mut self, desk: &Desk<impl Decode>, lag: Option<u64>) {
        self.signal(desk, |feed| feed.lag = lag.or(feed.lag));
    }

    /// Notes that a message came. Where it does not say how many more there are, nobody knows.
    pub(super) fn told(&mut self, desk: &Desk<impl Decode>, lag: Option<u64>) {
        self.signal(desk, |feed| feed.lag = lag);
    }

    fn signal(&mut self, desk: &Desk<impl Decode>, note: impl FnOnce(&mut FeedHealth)) {
        let now = Instant::now();
        self.last_signal = now;
        desk.health(|feed| {
            feed.last_signal = Some(now);
            note(feed);
        });
    }

    /// Notes that messages were taken in.
    pub(super) fn delivered(&mut self, deliveries: &[impl Delivery]) {
        for delivery in deliveries {
            self.unsettled += 1;
            self.bytes += delivery.payload().len();
            if let Some(position) = delivery.position() {
                self.watermark.delivered(position);
            }
        }
    }

    /// Notes that a message needs nothing more of this process.
    pub(super) fn settle(&mut self, desk: &Desk<impl Decode>, settled: Settled) {
        self.unsettled -= 1;
        self.bytes -= settled.bytes;
        if let Some(position) = settled.position {
            self.watermark.settled(position);
        }
        if let Some(error) = settled.error {
            desk.health(|feed| feed.last_error = Some(error));
        }
    }

    /// Notes that the feed is read anew: what was not settled comes again.
    pub(super) fn reopened(&mut self) {
        self.watermark.reopened();
        (self.unsettled, self.bytes) = (0, 0);
    }

    /// Notes that messages may have been missed.
    pub(super) fn missed<R: Resync + 'static>(&mut self, desk: &Desk<impl Decode>, debt: &mut Debt<R>, reason: &str) {
        self.is_whole = false;
        debt.owe(desk, reason);
    }

    /// Notes that a message is a dead letter.
    pub(super) fn dead<R: Resync + 'static>(&mut self, desk: &Desk<impl Decode>, debt: &mut Debt<R>, reason: &str) {
        self.is_whole = false;
        if desk.terms.dead_letters == DeadLetterPolicy::Gap {
            debt.owe(desk, &format!("dead letter: {reason}"));
            self.tell(desk, debt.is_open());
        }
    }

    /// Whether no more can be read before something is settled.
    pub(super) const fn is_full(&self) -> bool {
        self.unsettled >= ROOM || self.bytes >= ROOM_BYTES
    }

    /// Says how the feed is.
    pub(super) fn tell(&self, desk: &Desk<impl Decode>, is_gap_open: bool) {
        let age = desk.health(|feed| {
            feed.unacknowledged = self.unsettled;
            feed.heartbeat_age(Instant::now())
        });
        let is_issuer_silent = |within| age.is_none_or(|age| age > within);
        let (state, problem) = if self.is_full() {
            (FeedState::CatchingUp, Some("nothing is read: too much is not settled"))
        } else if !self.is_caught_up || is_gap_open {
            (FeedState::CatchingUp, None)
        } else if desk.terms.heartbeat.is_some_and(is_issuer_silent) {
            (FeedState::Down, Some("the issuer's heartbeat is late"))
        } else {
            (FeedState::Live, None)
        };
        if let Some(problem) = problem {
            desk.health(|feed| feed.last_error = Some(problem.to_owned()));
        }
        desk.sink.domain().set_feed(state);
        // Once replayed from the beginning and settled, a feed makes up for what a journal lost, where there are no lists.
        if self.is_caught_up && self.is_whole && self.unsettled == 0 && self.watermark.is_settled() {
            desk.sink.domain().caught_up();
        }
    }
}

/// How many messages may be unsettled before no more are read: a bound of memory. Those of a disk that fails are in force.
const ROOM: usize = 65_536;

/// And how large they may be, together: 256 MiB.
const ROOM_BYTES: usize = 256 * 1024 * 1024;
