//! What wakes the reader, and what happens where nothing does.

use tower_revocation::outbox::sqlx;

use super::{live, started};
use crate::adapters::PostgresBroker;
use crate::broker::Broker;
use crate::limit::in_time;

const LISTENERS: &str = "select count(*) from pg_stat_activity where query ilike 'listen%' and pid <> pg_backend_pid()";

#[tokio::test(flavor = "multi_thread")]
async fn commits_are_in_force_within_moments_and_the_session_that_listens_has_no_transaction() {
    in_time(async {
        let broker = started().await;
        let replica = live(&broker).await;
        listening(&broker, 1).await;
        let mut took = Vec::new();
        for subject in 0..50 {
            broker.publish(vec![format!("+{subject}@1000").into_bytes()]).await;
            took.push(replica.refuses_after(&subject.to_string()).await);
        }
        took.sort();
        println!(
            "postgres: commit to refused: median {:?}, worst {:?}",
            took[25], took[49]
        );
        // Without being woken it would be half a second.
        assert!(took[25].as_millis() < 250, "{took:?}");
        let mut connection = broker.connect().await;
        let idle: i64 =
            sqlx::query_scalar("select count(*) from pg_stat_activity where state like 'idle in transaction%'")
                .fetch_one(&mut connection)
                .await
                .unwrap();
        assert_eq!(idle, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_connection_that_listens_it_asks_by_itself_and_listens_again() {
    in_time(async {
        let broker = started().await;
        let replica = live(&broker).await;
        listening(&broker, 1).await;
        let mut connection = broker.connect().await;
        let ended: Vec<bool> = sqlx::query_scalar(
            "select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%' and pid <> pg_backend_pid()",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        assert_eq!(ended, [true]);
        broker.publish(vec![b"+one@1000".to_vec()]).await;
        replica.refuses_after("one").await;
        listening(&broker, 1).await;
        broker.publish(vec![b"+two@1000".to_vec()]).await;
        replica.refuses_after("two").await;
        let status = replica.live().await;
        assert_eq!((status.gaps, status.opened), (0, 1), "it was open all the time");
    })
    .await;
}

/// Waits until so many sessions listen.
async fn listening(broker: &PostgresBroker, sessions: i64) {
    let mut connection = broker.connect().await;
    loop {
        let count: i64 = sqlx::query_scalar(LISTENERS).fetch_one(&mut connection).await.unwrap();
        if count == sessions {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
