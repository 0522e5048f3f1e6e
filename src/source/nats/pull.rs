//! How much a consumer is asked for at a time.

use std::time::Duration;

use async_nats::jetstream::consumer::pull::BatchConfig;
use tokio::time::Instant;

/// How much a consumer is asked for at a time.
///
/// What was asked for and is on its way holds up all other answers. Over a slow link that may take so long that the leader's
/// answers come too late, or that the server gives the connection up. So a request is bounded by bytes, and the bound follows
/// what the link carries.
#[derive(Debug)]
pub(super) struct PullSize {
    /// What the consumer allows.
    batch: usize,
    most_bytes: usize,
    expires: Duration,
    /// By how many bytes a request is bounded.
    bytes: usize,
    /// The bound for a single message that is larger.
    least: usize,
    /// How many messages the server may still send.
    asked_for: usize,
    asked: Instant,
    is_first: bool,
}

impl PullSize {
    /// Begins with what the consumer allows; 0 is no limit. Its server may have set that.
    pub(super) fn new(max_batch: i64, max_bytes: i64, max_expires: Duration) -> Self {
        let or_most = |limit: i64, most: usize| match usize::try_from(limit) {
            Ok(limit @ 1..) => limit.min(most),
            _ => most,
        };
        let most_bytes = or_most(max_bytes, MOST_BYTES);
        Self {
            batch: or_most(max_batch, BATCH),
            most_bytes,
            expires: match max_expires {
                Duration::ZERO => EXPIRY,
                limit => limit.min(EXPIRY),
            },
            bytes: FIRST_BYTES.min(most_bytes),
            least: 0,
            asked_for: 0,
            asked: Instant::now(),
            is_first: true,
        }
    }

    /// Returns what to ask for, if it is time to.
    pub(super) fn wanted(&self) -> Option<BatchConfig> {
        if self.asked_for > self.batch / 2 {
            return None;
        }
        // Whatever the server says to the first one shows that it can be read: the sooner, the better.
        let expires = match self.is_first {
            true => self.expires.min(FIRST_EXPIRY),
            false => self.expires,
        };
        Some(BatchConfig {
            batch: self.batch,
            max_bytes: self.bytes.max(self.least),
            expires: Some(expires),
            // A longer one than half of the time is refused.
            idle_heartbeat: HEARTBEAT.min(expires / 5),
            ..BatchConfig::default()
        })
    }

    /// Notes that the server was asked for it.
    pub(super) fn asked(&mut self) {
        self.asked_for += self.batch;
        self.asked = Instant::now();
        self.is_first = false;
    }

    /// Notes that a message came.
    pub(super) fn came(&mut self) {
        self.asked_for = self.asked_for.saturating_sub(1);
        self.least = 0;
    }

    /// Notes that what was asked for was not needed in time.
    pub(super) fn expired(&mut self, unused: Option<usize>) {
        self.asked_for = self.asked_for.saturating_sub(unused.unwrap_or(self.batch));
    }

    /// Notes that there is more than a request was bounded by. Returns whether it can be asked for.
    pub(super) fn filled(&mut self, unused: Option<usize>) -> bool {
        self.expired(unused);
        if unused == Some(self.batch) {
            // Not even one message fitted.
            let bound = self.bytes.max(self.least);
            self.least = bound.saturating_mul(2).min(self.most_bytes);
            return bound < self.most_bytes;
        }
        match self.asked.elapsed() {
            quick if quick < QUICK => self.bytes = (self.bytes * 2).min(self.most_bytes),
            slow if slow > SLOW => self.halve(),
            _ => {}
        }
        true
    }

    /// Notes that something was late: the link is slower than it seemed.
    pub(super) fn halve(&mut self) {
        self.bytes = (self.bytes / 2).max(LEAST_BYTES).min(self.most_bytes);
    }
}

/// How many messages are asked for at once; again when half of them came.
const BATCH: usize = 500;

/// What is asked for first carries a link of 1 Mbit/s in half a second.
const FIRST_BYTES: usize = 64 * 1024;
const LEAST_BYTES: usize = 8 * 1024;

/// Room for the largest messages that servers can be told to take, which are 64 MiB.
const MOST_BYTES: usize = 80 * 1024 * 1024;

/// A request that is filled sooner may be larger, and one that takes longer is too large: the leader's answers wait behind it.
const QUICK: Duration = Duration::from_millis(200);
const SLOW: Duration = Duration::from_secs(1);

/// How often the server says that there is nothing to say.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How long the server remembers that it was asked.
const EXPIRY: Duration = Duration::from_secs(30);
const FIRST_EXPIRY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn ask(pull: &mut PullSize) -> BatchConfig {
        let wanted = pull.wanted().unwrap();
        pull.asked();
        wanted
    }

    #[tokio::test(start_paused = true)]
    async fn asks_for_no_more_than_the_consumer_allows() {
        let mut pull = PullSize::new(100, 1_000, Duration::from_secs(2));
        let first = ask(&mut pull);
        assert_eq!(
            (first.batch, first.max_bytes, first.expires),
            (100, 1_000, Some(FIRST_EXPIRY))
        );
        assert!(pull.wanted().is_none(), "that is enough for now");
        (0..50).for_each(|_| pull.came());
        let second = ask(&mut pull);
        assert_eq!((second.batch, second.expires), (100, Some(Duration::from_secs(2))));
        assert!(second.idle_heartbeat * 2 <= Duration::from_secs(2));
        pull.expired(Some(50));
        pull.expired(Some(100));
        assert_eq!(ask(&mut pull).batch, 100);
        // No message that is larger than the consumer allows can ever be had.
        assert!(!pull.filled(Some(100)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_bound_follows_what_the_link_carries() {
        let mut pull = PullSize::new(0, 0, Duration::ZERO);
        let mut after = async |time| {
            let bound = ask(&mut pull).max_bytes;
            pull.came();
            advance(time).await;
            assert!(pull.filled(Some(BATCH - 1)));
            bound
        };
        let quick = Duration::from_millis(100);
        assert_eq!(after(quick).await, FIRST_BYTES);
        assert_eq!(after(Duration::from_millis(500)).await, 2 * FIRST_BYTES);
        assert_eq!(after(Duration::from_secs(2)).await, 2 * FIRST_BYTES);
        assert_eq!(after(quick).await, FIRST_BYTES);
        for _ in 0..20 {
            pull.halve();
        }
        assert_eq!(ask(&mut pull).max_bytes, LEAST_BYTES);
    }

    #[tokio::test(start_paused = true)]
    async fn one_message_that_does_not_fit_is_asked_for_until_it_does() {
        let mut pull = PullSize::new(0, 0, Duration::ZERO);
        let mut bounds = Vec::new();
        for _ in 0..3 {
            bounds.push(ask(&mut pull).max_bytes);
            assert!(pull.filled(Some(BATCH)));
        }
        assert_eq!(bounds, [FIRST_BYTES, 2 * FIRST_BYTES, 4 * FIRST_BYTES]);
        assert_eq!(ask(&mut pull).max_bytes, 8 * FIRST_BYTES);
        pull.came();
        assert!(pull.filled(Some(BATCH - 1)));
        assert_eq!(ask(&mut pull).max_bytes, 2 * FIRST_BYTES, "it was one alone");
    }
}
