//! What is special about Redis: how entries are lost, who is the master, and what does not come in.

mod cluster;
mod lost;
mod newer;
mod reasons;
mod replicas;
mod sentinel;
mod slow;
mod tls;

use std::time::Duration;

use redis::Client;
use tower_revocation::source::redis::RedisSource;
use tower_revocation::status::FeedStatus;
use tower_revocation::{FeedState, Timestamp};

use crate::link::Link;
use crate::redis_node::{RedisNode, STREAM};
use crate::replica::Replica;

fn source(port: u16) -> RedisSource {
    RedisSource::new(Client::open(("127.0.0.1", port)).unwrap(), STREAM)
}

/// Reads what was added in the last minute, and is complete if something older is there.
fn start(source: RedisSource) -> Replica {
    Replica::start_since(source, "one", Timestamp::now(), Duration::from_secs(60))
}

/// A server with something old in its stream, so that its log reaches back far enough.
async fn with_something_old(more: &[&str]) -> RedisNode {
    let node = RedisNode::start(more).await;
    add_something_old(&node).await;
    node
}

async fn add_something_old(node: &RedisNode) {
    let two_hours_ago = Timestamp::now().as_unix_millis() - 2 * 60 * 60 * 1_000;
    node.add(&format!("{two_hours_ago}-0"), "+old@1").await.unwrap();
}

async fn add(node: &RedisNode, subjects: impl IntoIterator<Item = u32>) -> Vec<String> {
    let mut ids = Vec::new();
    for subject in subjects {
        ids.push(node.add("*", &format!("+{subject}@1000")).await.unwrap());
    }
    ids
}

/// Waits for a gap more than so many, for this reason.
async fn gap(replica: &Replica, gaps: u64, reason: &str) -> FeedStatus {
    let status = replica
        .until(&format!("missing something: {reason}"), |status| {
            status.feed.gaps > gaps
        })
        .await;
    let last = status.feed.last_gap.as_ref().unwrap();
    assert!(last.reason.contains(reason), "{last:?}");
    status.feed
}

async fn not_live(replica: &Replica) -> FeedStatus {
    let status = replica
        .until("not live", |status| status.feed.state != FeedState::Live)
        .await;
    status.feed
}

/// A replica that is live over a link, and how often it has missed anything.
async fn live_over_a_link(node: &RedisNode) -> (Link, Replica, u64) {
    let link = Link::to(node.port).await;
    let replica = start(source(link.port));
    let gaps = replica.live().await.gaps;
    (link, replica, gaps)
}
