//! Whether the issuer of a log still speaks.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::timestamp::Timestamp;

/// The newest heartbeat of a log, if there was one.
#[derive(Debug, Default)]
pub(super) struct IssuerHeartbeats(Option<NewestHeartbeat>);

#[derive(Debug)]
struct NewestHeartbeat {
    sent: Timestamp,
    came: Instant,
    every: Duration,
}

impl IssuerHeartbeats {
    /// Notes a heartbeat, and returns whether it is news. One that comes again proves nothing new: the times that an issuer states in a
    /// log only grow.
    pub(super) fn came(&mut self, sent: Timestamp, every: Duration, now: Instant) -> bool {
        let is_news = self.0.as_ref().is_none_or(|known| known.sent < sent);
        if is_news {
            self.0 = Some(NewestHeartbeat { sent, came: now, every });
        }
        is_news
    }

    /// Returns for how long none came, if that is too long.
    pub(super) fn silent_for(&self, now: Instant) -> Option<Duration> {
        let silent_for = now.saturating_duration_since(self.newest_came()?);
        (silent_for > self.longest_silence()).then_some(silent_for)
    }

    /// Returns for how long an issuer may say nothing.
    pub(super) fn longest_silence(&self) -> Duration {
        let every = self.0.as_ref().map_or(DEFAULT_HEARTBEAT, |newest| newest.every);
        every * MISSED_HEARTBEATS
    }

    pub(super) fn newest_came(&self) -> Option<Instant> {
        self.0.as_ref().map(|newest| newest.came)
    }
}

/// How often an issuer says where its log ends, unless it says otherwise.
const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(1);

/// How many heartbeats may be missed.
const MISSED_HEARTBEATS: u32 = 3;
