//! How far reading a feed has come, and what is said of it.

use tokio::time::Instant;

use crate::decode::Decode;
use crate::source::dead_letter::DeadLetterPolicy;
use crate::source::debt::Debt;
use crate::source::resync::Resync;
use crate::source::settle::{Desk, Settled};
use crate::source::watermark::Watermark;
use crate::status::FeedState;

/// How far reading has come.
pub(super) struct Progress {
    pub(super) watermark: Watermark,
    pub(super) is_caught_up: bool,
    /// Whether no message was ever missed.
    pub(super) is_whole: bool,
    pub(super) last_signal: Instant,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            watermark: Watermark::default(),
            is_caught_up: false,
            is_whole: true,
            last_signal: Instant::now(),
        }
    }

    /// Whether the feed gave no sign of life for too long, though somebody listened.
    pub(super) fn is_silent(&mut self, desk: &Desk<impl Decode>, is_deaf: bool) -> bool {
        if is_deaf {
            self.last_signal = Instant::now();
        }
        self.last_signal.elapsed() >= desk.terms.silence
    }

    pub(super) fn alive(&mut self, desk: &Desk<impl Decode>, lag: Option<u64>) {
        let now = Instant::now();
        self.last_signal = now;
        desk.health(|feed| {
            feed.last_signal = Some(now);
            feed.lag = lag.or(feed.lag);
        });
    }

    pub(super) fn settle(
        &mut self,
        desk: &Desk<impl Decode>,
        debt: &mut Debt<impl Resync + 'static>,
        settled: Settled,
    ) {
        if let Some(position) = settled.position {
            self.watermark.settled(position);
        }
        if let Some(error) = settled.error {
            desk.health(|feed| feed.last_error = Some(error));
        }
        if let (Some(reason), DeadLetterPolicy::Gap) = (settled.dead, desk.terms.dead_letters) {
            self.is_whole = false;
            debt.owe(desk, &format!("dead letter: {reason}"));
            self.tell(desk, true);
        }
    }

    /// Says how the feed is.
    pub(super) fn tell(&self, desk: &Desk<impl Decode>, is_gap_open: bool) {
        let age = desk.health(|feed| feed.heartbeat_age(Instant::now()));
        let is_issuer_silent = |within| age.is_none_or(|age| age > within);
        desk.sink.note_feed(if !self.is_caught_up || is_gap_open {
            FeedState::CatchingUp
        } else if desk.terms.heartbeat.is_some_and(is_issuer_silent) {
            FeedState::Down
        } else {
            FeedState::Live
        });
    }
}
