//! Redis Cluster.

use std::time::Instant;

use super::{add, add_something_old, source, start};
use crate::limit::in_time;
use crate::redis_node::{RedisNode, cluster, is_master};

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
