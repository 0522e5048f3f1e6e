//! Entries that were lost before they were read.

use redis::pipe;

use super::{add, gap, live_over_a_link, source, start, with_something_old};
use crate::limit::in_time;
use crate::redis_node::{RedisNode, STREAM};

/// The count of what was read used to be forgotten at each opening, and with it all that was taken from the midst.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_was_deleted_while_nobody_read_is_a_gap() {
    in_time(async {
        let node = with_something_old(&[]).await;
        add(&node, 0..3).await;
        let (link, replica, gaps) = live_over_a_link(&node).await;
        assert_eq!(gaps, 0);
        replica.entries(3).await;
        link.cut();
        replica.down().await;
        let ids = add(&node, 3..6).await;
        node.run::<()>(&format!("XDEL {STREAM} {}", ids[1])).await.unwrap();
        link.mend();
        replica.entries(5).await;
        gap(&replica, 0, "entries of the stream were").await;
        replica.live().await;
        assert!(replica.refuses("5") && !replica.refuses("4"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_was_deleted_before_a_first_start_is_a_gap() {
    in_time(async {
        let node = with_something_old(&[]).await;
        let ids = add(&node, 0..3).await;
        let before = start(source(node.port));
        before.entries(3).await;
        assert_eq!(before.live().await.gaps, 0);
        node.run::<()>(&format!("XDEL {STREAM} {}", ids[1])).await.unwrap();
        let after = start(source(node.port));
        gap(&after, 0, "deleted").await;
        after.live().await;
        assert_eq!(before.live().await.gaps, 0, "it had read it");
    })
    .await;
}

/// Nobody can have read it, however close they follow.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_added_and_deleted_at_once_is_a_gap() {
    in_time(async {
        let node = with_something_old(&[]).await;
        let replica = start(source(node.port));
        assert_eq!(replica.live().await.gaps, 0);
        let id = "9999999999999-0";
        let mut both = pipe();
        both.atomic().cmd("XADD").arg(STREAM).arg(id).arg("d").arg("+gone@1000");
        both.cmd("XDEL").arg(STREAM).arg(id);
        let mut connection = node.client().get_multiplexed_async_connection().await.unwrap();
        both.exec_async(&mut connection).await.unwrap();
        gap(&replica, 0, "entries of the stream were").await;
        replica.live().await;
    })
    .await;
}

/// With numbers of the issuer's own, the number of the last entry says nothing of whether it is the one that was read.
#[tokio::test(flavor = "multi_thread")]
async fn another_entry_under_the_number_of_the_last_one_is_a_gap() {
    in_time(async {
        let node = RedisNode::start(&[]).await;
        for (id, message) in [("1-0", "+a@1"), ("2-0", "+b@1"), ("3-0", "+lost@1")] {
            node.add(id, message).await.unwrap();
        }
        let (link, replica, gaps) = live_over_a_link(&node).await;
        replica.entries(3).await;
        link.cut();
        replica.down().await;
        node.run::<()>(&format!("DEL {STREAM}")).await.unwrap();
        for (id, message) in [("1-0", "+a@1"), ("2-0", "+b@1"), ("3-0", "+new@1"), ("4-0", "+next@1")] {
            node.add(id, message).await.unwrap();
        }
        link.mend();
        gap(&replica, gaps, "another entry").await;
        replica.refuses_after("new").await;
        replica.refuses_after("next").await;
        replica.live().await;
    })
    .await;
}

/// Numbers of the issuer's own do not tell what is as old as the list. All of it used to count as older, and nobody read it.
#[tokio::test(flavor = "multi_thread")]
async fn with_numbers_of_the_issuers_own_a_first_start_reads_everything() {
    in_time(async {
        let node = RedisNode::start(&[]).await;
        for id in ["1-0", "2-0"] {
            node.add(id, &format!("+{id}@1000")).await.unwrap();
        }
        let replica = start(source(node.port));
        replica.entries(2).await;
        assert_eq!(replica.live().await.gaps, 0, "all that was ever added is there");
        node.run::<()>(&format!("XTRIM {STREAM} MAXLEN = 1")).await.unwrap();
        let late = start(source(node.port));
        gap(&late, 0, "far enough").await;
        late.entries(1).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_keeps_nothing_has_lost_what_was_read() {
    in_time(async {
        let mut node = with_something_old(&["--appendonly", "no"]).await;
        add(&node, 0..3).await;
        let replica = start(source(node.port));
        replica.entries(3).await;
        assert_eq!(replica.live().await.gaps, 0);
        node.kill();
        replica.down().await;
        node.restart().await;
        gap(&replica, 0, "wiped or set back").await;
        add(&node, [7]).await;
        replica.refuses_after("7").await;
        replica.live().await;
    })
    .await;
}
