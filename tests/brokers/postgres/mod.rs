//! What is special about the outbox of PostgreSQL: the order of commits, how rows are lost, who may do what.

mod lost;
mod order;
mod outbox;
mod roles;
mod standby;
mod woken;

use tower_revocation::status::FeedStatus;

use crate::adapters::{PostgresBroker, postgres_source};
use crate::broker::Broker;
use crate::replica::Replica;

/// A server whose table is older than all lists.
async fn started() -> PostgresBroker {
    let broker = PostgresBroker::start().await;
    broker
        .run("update revocation_log set began = began - interval '1 day'")
        .await;
    broker
}

/// A replica that is live, and misses nothing.
async fn live(broker: &PostgresBroker) -> Replica {
    let replica = Replica::start(postgres_source(broker.port()), "one");
    assert_eq!(replica.live().await.gaps, 0);
    replica
}

/// Waits for a gap, for this reason.
async fn gap(replica: &Replica, reason: &str) -> FeedStatus {
    let status = replica
        .until(&format!("missing something: {reason}"), |status| status.feed.gaps > 0)
        .await;
    let last = status.feed.last_gap.as_ref().unwrap();
    assert!(last.reason.contains(reason), "{last:?}");
    status.feed
}
