//! Redis Cluster.

use std::time::Instant;

use super::reasons::fails_with;
use super::{add, add_something_old, source, start};
use crate::limit::in_time;
use crate::redis_node::{RedisNode, STREAM, cluster, is_master};

/// `MOVED` used to be an error like others, at a node that said so for good.
#[tokio::test(flavor = "multi_thread")]
async fn the_node_that_has_the_stream_is_followed() {
    in_time(async {
        let mut nodes = cluster().await;
        add_something_old(&nodes[0]).await;
        let others = nodes[1..].iter().map(|node| ("127.0.0.1", node.port));
        let knows_others = start(source(nodes[0].port).with_nodes(others).with_dead_letters("dead"));
        let knows_the_owner = start(source(nodes[0].port));
        let knows_another = start(source(nodes[1].port));
        for reading in [&knows_others, &knows_the_owner, &knows_another] {
            assert_eq!(reading.live().await.gaps, 0);
        }
        // It is kept at whichever node has that key.
        nodes[0].add("*", "poison").await.unwrap();
        dead_letter(&nodes).await;
        let gaps = 1;
        let killed = Instant::now();
        nodes[0].kill();
        is_master(&nodes[3]).await;
        nodes[3]
            .until("CLUSTER INFO", |answer| answer.contains("cluster_state:ok"))
            .await;
        let promoted = killed.elapsed();
        add(&nodes[3], [2]).await;
        for reading in [&knows_others, &knows_another] {
            reading.refuses_after("2").await;
        }
        println!(
            "redis cluster: master killed, another one after {promoted:.1?}, in force after {:.1?}",
            killed.elapsed()
        );
        // It comes back as a replica, and says where to go.
        nodes[0].restart().await;
        let came_back = Instant::now();
        knows_the_owner.refuses_after("2").await;
        println!(
            "redis cluster: followed {:.1?} after the old master came back",
            came_back.elapsed()
        );
        for reading in [&knows_others, &knows_the_owner, &knows_another] {
            assert_eq!(reading.live().await.gaps, gaps, "nothing was lost, but for the poison");
        }
    })
    .await;
}

/// While a slot moves, whoever asks for a key that has moved is told to ask elsewhere this once. The feed says so, and waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_moves_to_another_node_is_followed() {
    in_time(async {
        let nodes = cluster().await;
        add_something_old(&nodes[0]).await;
        let reading = start(source(nodes[0].port));
        assert_eq!(reading.live().await.gaps, 0);
        let slot: u16 = nodes[0].run(&format!("CLUSTER KEYSLOT {STREAM}")).await.unwrap();
        let [from, to] = [&nodes[0], &nodes[1]];
        let own: String = from.run("CLUSTER MYID").await.unwrap();
        let next: String = to.run("CLUSTER MYID").await.unwrap();
        to.run::<()>(&format!("CLUSTER SETSLOT {slot} IMPORTING {own}"))
            .await
            .unwrap();
        from.run::<()>(&format!("CLUSTER SETSLOT {slot} MIGRATING {next}"))
            .await
            .unwrap();
        add(from, [1]).await;
        let migrate = format!("MIGRATE 127.0.0.1 {} {STREAM} 0 5000", to.port);
        from.run::<()>(&migrate).await.unwrap();
        fails_with(&reading, "Ask: ").await;
        to.run::<()>(&format!("CLUSTER SETSLOT {slot} NODE {next}"))
            .await
            .unwrap();
        // The others hear of it from that one. The old one may be a replica by now, since it has no slot left, and may not be told.
        let moved = Instant::now();
        add(to, [2]).await;
        reading.refuses_after("2").await;
        println!(
            "redis cluster: the stream moved, in force after {:.1?}",
            moved.elapsed()
        );
        assert!(reading.refuses("1"));
        assert_eq!(reading.live().await.gaps, 0, "it took all of it along");
    })
    .await;
}

/// The node that has the stream lives, and may not answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_without_its_majority_is_down_and_comes_back() {
    in_time(async {
        let mut nodes = cluster().await;
        add_something_old(&nodes[0]).await;
        let reading = start(source(nodes[0].port));
        assert_eq!(reading.live().await.gaps, 0);
        let killed = Instant::now();
        nodes[1].kill();
        nodes[2].kill();
        fails_with(&reading, "ClusterDown").await;
        println!(
            "redis cluster: most masters killed, down after {:.1?}",
            killed.elapsed()
        );
        nodes[1].restart().await;
        nodes[2].restart().await;
        nodes[0]
            .until("CLUSTER INFO", |answer| answer.contains("cluster_state:ok"))
            .await;
        let back = Instant::now();
        add(&nodes[0], [1]).await;
        reading.refuses_after("1").await;
        println!("redis cluster: in force {:.1?} after it is whole again", back.elapsed());
        assert_eq!(reading.live().await.gaps, 0);
    })
    .await;
}

async fn dead_letter(nodes: &[RedisNode]) {
    let owner = async {
        for node in &nodes[..3] {
            if node.run::<u64>("XLEN dead").await.is_ok() {
                return node;
            }
        }
        panic!("none has the key");
    };
    owner.await.until("XLEN dead", |answer| answer.contains('1')).await;
}
