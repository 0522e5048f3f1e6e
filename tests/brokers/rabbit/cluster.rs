//! Three nodes: what is lost when some of them fail, and what a gateway says meanwhile.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tower_revocation::source::amqp::AmqpStream;
use tower_revocation::{FeedState, Timestamp};

use super::{STREAM, declare, publish};
use crate::adapters::connect;
use crate::limit::in_time;
use crate::rabbit_nodes::RabbitNodes;
use crate::replica::Replica;

/// A gateway that tries these nodes in turn, as `docs/BROKERS.md` says.
fn start(nodes: &RabbitNodes, order: &[usize], since: Timestamp) -> Replica {
    let ports: Vec<_> = order.iter().map(|node| nodes.port(*node)).collect();
    let connect = move || {
        let ports = ports.clone();
        async move {
            let mut failed = None;
            for port in ports {
                match connect(port).await {
                    Ok(connection) => return Ok(connection),
                    Err(error) => failed = Some(error),
                }
            }
            Err(failed.unwrap())
        }
    };
    Replica::start_since(AmqpStream::new(connect, STREAM), "one", since, Duration::ZERO)
}

/// Publishes through one node until it is confirmed, and says when it is in force. Nothing was missed.
async fn in_force(port: u16, gateways: &[Replica], what: &str, began: Instant) {
    publish(port, &format!("+{what}@1000")).await;
    let confirmed = began.elapsed();
    let mut seconds = Vec::new();
    for gateway in gateways {
        gateway.refuses_after(what).await;
        seconds.push(began.elapsed());
    }
    println!("rabbitmq, {what}: confirmed after {confirmed:.1?}, in force after {seconds:.1?}");
    for gateway in gateways {
        let status = gateway.live().await;
        assert_eq!(status.gaps, 0, "{:?}", status.last_gap);
    }
    println!("rabbitmq, {what}: all live after {:.1?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_killed_and_set_back() {
    in_time(async {
        let mut nodes = RabbitNodes::start(3).await;
        declare(nodes.port(0)).await;
        publish(nodes.port(0), "+older@1").await;
        // Times of a stream are whole seconds to this reader.
        sleep(Duration::from_secs(2)).await;
        let since = Timestamp::now();
        let leader = nodes.leader(STREAM, 0);
        let others: Vec<_> = (0..3).filter(|node| *node != leader).collect();
        let [near, far] = [others[0], others[1]];
        let gateways = [
            start(&nodes, &[leader, near, far], since),
            start(&nodes, &[near, far, leader], since),
        ];
        for gateway in &gateways {
            gateway.live().await;
        }
        in_force(nodes.port(near), &gateways, "nothing", Instant::now()).await;

        let began = Instant::now();
        nodes.kill(leader);
        in_force(nodes.port(near), &gateways, "the leader killed", began).await;
        nodes.restart(leader).await;

        let began = Instant::now();
        nodes.kill(leader);
        nodes.kill(far);
        // What is left of them stops by itself.
        for gateway in &gateways {
            gateway
                .until("not live", |status| status.feed.state != FeedState::Live)
                .await;
        }
        println!("rabbitmq, most killed: not live after {:.1?}", began.elapsed());
        let status = gateways[1].down().await;
        println!(
            "rabbitmq, most killed: down after {:.1?}, {:?}",
            began.elapsed(),
            status.last_error
        );
        let began = Instant::now();
        nodes.launch(leader);
        nodes.launch(far);
        nodes.ready(leader).await;
        nodes.ready(far).await;
        println!("rabbitmq, most killed: they are back after {:.1?}", began.elapsed());
        in_force(nodes.port(leader), &gateways, "most killed", began).await;

        // The one that leads, and then another one.
        for (what, node) in [
            ("the leader set back", nodes.leader(STREAM, near)),
            ("another set back", near),
        ] {
            nodes.kill(node);
            nodes.keep(node);
            nodes.restart(node).await;
            in_force(nodes.port(near), &gateways, &format!("{what}: before"), Instant::now()).await;
            nodes.kill(node);
            nodes.put_back(node);
            let began = Instant::now();
            nodes.launch(node);
            let beside = start(&nodes, &[node], since);
            nodes.ready(node).await;
            println!("rabbitmq, {what}: ready after {:.1?}", began.elapsed());
            in_force(nodes.port(near), &gateways, what, began).await;
            beside.refuses_after(&format!("{what}: before")).await;
            beside.refuses_after(what).await;
            println!("rabbitmq, {what}: in force beside it after {:.1?}", began.elapsed());
        }
    })
    .await;
}
