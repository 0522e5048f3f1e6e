//! A hot standby of the server.

use tower_revocation::FeedState;

use super::{postgres_source, started};
use crate::broker::Broker;
use crate::limit::in_time;
use crate::replica::Replica;
use crate::server::{Postgres, Running, free_port};

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_is_read_and_is_live_only_while_it_follows() {
    in_time(async {
        let broker = started().await;
        let primary = Some(broker.port());
        let settings = Vec::new();
        let standby = Running::start_on(free_port(), Postgres { settings, primary }).await;
        let replica = Replica::start(postgres_source(standby.port()), "one");
        // Nothing is committed: nobody knows whether the primary is still there.
        replica
            .until("open", |status| {
                status.feed.opened == 1 && status.feed.state != FeedState::Connecting
            })
            .await;
        assert_ne!(replica.sink.status().feed.state, FeedState::Live);
        let commit = async {
            for subject in 0.. {
                broker.publish(vec![format!("+{subject}@1000").into_bytes()]).await;
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            }
        };
        tokio::select! {
            () = commit => {}
            _ = replica.live() => {}
        }
        replica.refuses_after("0").await;
        // Again nothing.
        replica
            .until("not live", |status| status.feed.state != FeedState::Live)
            .await;
        broker.publish(vec![b"+last@1000".to_vec()]).await;
        replica.refuses_after("last").await;
        let status = replica.live().await;
        assert_eq!(status.gaps, 0, "{:?}", status.last_gap);
    })
    .await;
}
