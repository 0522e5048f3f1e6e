//! Whether what a server says of the log's end counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::source::redis::replication::Role;

/// Whether what a server says of the log's end counts.
///
/// A server that answers may be an old master, which came back or is cut off from the others, and does not know yet that there is a
/// new one: it confirms what it is told, and what it says is lost once it hears of it.
#[derive(Clone, Debug)]
pub(super) struct Authority {
    /// How many replicas the host says that the master has.
    expected: Option<usize>,
    /// The most replicas that a master was seen with, by whoever reads this source. Nothing else depends on it.
    most_seen: Arc<AtomicUsize>,
    /// How long ago a replica may have heard of its master.
    replica_age: Duration,
    /// When the Sentinels last said that this is the master, if there are any.
    confirmed: Option<watch::Receiver<Option<Instant>>>,
}

impl Authority {
    pub(super) fn new() -> Self {
        Self {
            expected: None,
            most_seen: Arc::default(),
            replica_age: Self::DEFAULT_REPLICA_AGE,
            confirmed: None,
        }
    }

    pub(super) const fn expect_replicas(&mut self, count: usize) {
        self.expected = Some(count);
    }

    pub(super) const fn set_replica_age(&mut self, age: Duration) {
        self.replica_age = age;
    }

    /// Leaves it to the Sentinels who the master is.
    pub(super) fn with_sentinels(mut self, confirmed: watch::Receiver<Option<Instant>>) -> Self {
        self.confirmed = Some(confirmed);
        self
    }

    /// Returns why what the server says of the log's end does not count; `None` if it counts.
    pub(super) fn doubt(&self, role: &Role) -> Option<String> {
        match *role {
            Role::Replica { .. } if self.confirmed.is_some() => {
                Some("the server that the Sentinels name is not the master yet".to_owned())
            }
            Role::Replica { heard: None } => Some("the replica is not connected to its master".to_owned()),
            Role::Replica { heard: Some(age) } => {
                (age > self.replica_age).then(|| format!("the replica heard nothing of its master for {age:?}"))
            }
            Role::Master { replicas } => {
                let most_seen = self.most_seen.fetch_max(replicas, Ordering::Relaxed).max(replicas);
                let is_confirmed = |at: Instant| at.elapsed() < CONFIRMED_FOR;
                let needed = match (&self.confirmed, self.expected) {
                    (Some(confirmed), _) if !confirmed.borrow().is_some_and(is_confirmed) => {
                        return Some("no majority of the Sentinels says that this is the master".to_owned());
                    }
                    (_, Some(expected)) => expected,
                    (Some(_), None) => 0,
                    (None, None) => majority_of_replicas(most_seen),
                };
                (replicas < needed).then(|| format!("the master has {replicas} replicas that keep up, of {needed}"))
            }
        }
    }

    /// Masters say something every 10 seconds by default (`repl-ping-replica-period`).
    pub(super) const DEFAULT_REPLICA_AGE: Duration = Duration::from_secs(11);
}

/// How many replicas make up, together with their master, more than half of all.
const fn majority_of_replicas(all: usize) -> usize {
    all.div_ceil(2)
}

/// How long it counts what the Sentinels said.
const CONFIRMED_FOR: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(authority: &Authority, replicas: usize) -> bool {
        authority.doubt(&Role::Master { replicas }).is_none()
    }

    #[test]
    fn a_master_that_was_never_seen_with_replicas_counts_alone() {
        assert!(counts(&Authority::new(), 0));
    }

    #[test]
    fn a_master_counts_with_more_than_half_of_all_that_were_seen() {
        for (most, needed) in [(1, 1), (2, 1), (3, 2), (4, 2)] {
            let authority = Authority::new();
            assert!(counts(&authority, most));
            // Also for those that read the same source.
            assert!(counts(&authority.clone(), needed));
            assert!(!counts(&authority, needed - 1));
        }
    }

    #[test]
    fn what_the_host_says_counts_instead() {
        let mut authority = Authority::new();
        authority.expect_replicas(2);
        assert!(!counts(&authority, 1));
        assert!(counts(&authority, 2));
        authority.expect_replicas(0);
        assert!(counts(&authority, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn sentinels_know_the_master_for_two_seconds() {
        let (say, confirmed) = watch::channel(None);
        let authority = Authority::new().with_sentinels(confirmed);
        assert!(!counts(&authority, 5));
        say.send_replace(Some(Instant::now()));
        assert!(counts(&authority, 1));
        assert!(counts(&authority, 0), "it was promoted, and the old one is away");
        tokio::time::advance(CONFIRMED_FOR).await;
        assert!(!counts(&authority, 1));
        let heard = Some(Duration::ZERO);
        assert!(authority.doubt(&Role::Replica { heard }).is_some());
    }

    #[test]
    fn a_replica_counts_while_it_hears_of_its_master() {
        let mut authority = Authority::new();
        let mut counts = |age: Option<u64>, allowed: u64| {
            authority.set_replica_age(Duration::from_secs(allowed));
            let heard = age.map(Duration::from_secs);
            authority.doubt(&Role::Replica { heard }).is_none()
        };
        assert!(counts(Some(11), 11));
        assert!(!counts(Some(12), 11));
        assert!(!counts(Some(2), 1));
        assert!(!counts(None, 11));
    }
}
