//! Transactions commit in another order than that of their numbers.

use sqlx::Connection;
use tower_revocation::outbox::sqlx;

use super::{live, started};
use crate::broker::Broker;
use crate::limit::in_time;

const ADD: &str = "insert into revocation_outbox (event) values ($1)";

#[tokio::test(flavor = "multi_thread")]
async fn what_commits_later_under_an_earlier_number_is_read() {
    in_time(async {
        let broker = started().await;
        let replica = live(&broker).await;
        let (mut first, mut second) = (broker.connect().await, broker.connect().await);
        let mut early = first.begin().await.unwrap();
        sqlx::query(ADD).bind("+one@1000").execute(&mut *early).await.unwrap();
        let mut late = second.begin().await.unwrap();
        sqlx::query(ADD).bind("+two@1000").execute(&mut *late).await.unwrap();
        late.commit().await.unwrap();
        // It is in force though the other one, which comes before it, may still be rolled back.
        replica.refuses_after("two").await;
        assert!(!replica.refuses("one"));
        early.commit().await.unwrap();
        replica.refuses_after("one").await;
        let status = replica
            .until("all counted", |status| status.dispositions.applied == 2)
            .await;
        // Cut off from its place, it goes on: nothing comes twice, and nothing is missing.
        assert_eq!((status.feed.gaps, status.feed.opened), (0, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_another_table_holds_up_no_revocation() {
    in_time(async {
        let mut broker = started().await;
        let replica = live(&broker).await;
        broker.run("create table other (id int)").await;
        let mut job = broker.connect().await;
        let mut job = job.begin().await.unwrap();
        sqlx::query("insert into other values (1)")
            .execute(&mut *job)
            .await
            .unwrap();
        // More than a page, in many transactions.
        for subject in 0..20 {
            broker.publish(vec![format!("+{subject}@1000").into_bytes()]).await;
        }
        let more = (20..2_500).map(|subject| format!("+{subject}@1000").into_bytes());
        broker.publish(more.collect()).await;
        replica.entries(2_500).await;
        let status = replica.sink.status();
        assert_eq!(status.dispositions.applied, 0, "none has a place yet");
        replica.live().await;
        // What was in force early comes again with its place.
        job.rollback().await.unwrap();
        replica
            .until("all counted", |status| status.dispositions.applied == 2_500)
            .await;
        broker.kill().await;
        replica.down().await;
        broker.restart().await;
        broker.publish(vec![b"+last@1000".to_vec()]).await;
        replica.refuses_after("last").await;
        let status = replica
            .until("all counted", |status| status.dispositions.applied == 2_501)
            .await;
        assert_eq!(status.feed.gaps, 0, "{:?}", status.feed.last_gap);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rolled_back_is_never_read() {
    in_time(async {
        let broker = started().await;
        let replica = live(&broker).await;
        let mut connection = broker.connect().await;
        let mut given_up = connection.begin().await.unwrap();
        sqlx::query(ADD)
            .bind("+nobody@1000")
            .execute(&mut *given_up)
            .await
            .unwrap();
        broker.publish(vec![b"+one@1000".to_vec()]).await;
        replica.refuses_after("one").await;
        given_up.rollback().await.unwrap();
        broker.publish(vec![b"+two@1000".to_vec()]).await;
        replica
            .until("both counted", |status| status.dispositions.applied == 2)
            .await;
        let status = replica.live().await;
        assert!(!replica.refuses("nobody"));
        assert_eq!(status.gaps, 0, "a number that is missing is no loss");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_gone_before_a_place_is_final_reads_it_again() {
    in_time(async {
        let broker = started().await;
        let link = crate::link::Link::to(broker.port()).await;
        let replica = crate::replica::Replica::start(super::postgres_source(link.port), "one");
        replica.live().await;
        let mut connection = broker.connect().await;
        let mut early = connection.begin().await.unwrap();
        sqlx::query(ADD).bind("+one@1000").execute(&mut *early).await.unwrap();
        broker.publish(vec![b"+two@1000".to_vec()]).await;
        replica.refuses_after("two").await;
        link.cut();
        replica.down().await;
        early.commit().await.unwrap();
        link.mend();
        replica.refuses_after("one").await;
        let status = replica
            .until("both counted", |status| status.dispositions.applied == 2)
            .await;
        assert_eq!(status.feed.gaps, 0, "{:?}", status.feed.last_gap);
    })
    .await;
}
