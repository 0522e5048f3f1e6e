//! What is special about RabbitMQ.

mod slow;

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tower_revocation::{FeedState, Timestamp};

use crate::adapters::AmqpStream;
use crate::broker::Broker;
use crate::limit::in_time;
use crate::replica::Replica;

/// It was live for 4 s, and then no more: what was not asked for never came.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_with_nothing_but_what_is_older_than_the_list_stays_live() {
    in_time(async {
        let broker = AmqpStream::start().await;
        broker.publish(vec![b"+old@1000".to_vec()]).await;
        let soon = Timestamp::from_unix_secs(Timestamp::now().as_unix_secs() + 20);
        let source = broker.source(broker.port(), "one").await;
        let replica = Replica::start_since(source, "one", soon, Duration::ZERO);
        replica.live().await;
        let live = Instant::now();
        while live.elapsed() < Duration::from_secs(7) {
            assert_eq!(
                replica.sink.status().feed.state,
                FeedState::Live,
                "after {:.1?}",
                live.elapsed()
            );
            sleep(Duration::from_millis(50)).await;
        }
        assert!(!replica.refuses("old"), "it was not asked for");
        broker.publish(vec![b"+new@1000".to_vec()]).await;
        replica.refuses_after("new").await;
        replica.live().await;
    })
    .await;
}
