//! What a queue keeps when its broker is killed.

use lapin::BasicProperties;
use tower_revocation::source::amqp::AmqpQueue;

use super::{EXCHANGE, declare};
use crate::adapters::{Publisher, connector};
use crate::limit::in_time;
use crate::link::Link;
use crate::rabbit_nodes::RabbitNodes;
use crate::replica::Replica;

/// To a reader, a queue that lost messages is like one that never had them: whoever publishes has to say that they are to stay.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_takes_what_was_not_published_to_stay_and_nobody_notices() {
    in_time(async {
        let mut server = RabbitNodes::start(1).await;
        let port = server.port(0);
        declare(port).await;
        let link = Link::to(port).await;
        let replica = Replica::start(AmqpQueue::new(connector(link.port), EXCHANGE, "one"), "one");
        let gaps = replica.live().await.gaps;
        link.sever();
        replica.down().await;
        let publish = async |message: &str, mode| {
            let properties = BasicProperties::default().with_delivery_mode(mode);
            Publisher::new(port, EXCHANGE, "")
                .publish(&[message.into()], properties)
                .await;
        };
        publish("+transient@1000", TRANSIENT).await;
        publish("+persistent@1000", PERSISTENT).await;
        server.kill(0);
        server.restart(0).await;
        link.mend();
        replica.refuses_after("persistent").await;
        let status = replica.live().await;
        assert!(!replica.refuses("transient"));
        assert_eq!(status.gaps, gaps, "{:?}", status.last_gap);
    })
    .await;
}

const TRANSIENT: u8 = 1;
const PERSISTENT: u8 = 2;
