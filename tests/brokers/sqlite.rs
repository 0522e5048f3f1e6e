//! The outbox of SQLite, and what hands its rows on to the issuer.

use std::collections::BTreeSet;
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use tokio::time::sleep;
use tower_revocation::format::revocation::RevocationEvents;
use tower_revocation::issuer::{Issuer, MemoryPublisher};
use tower_revocation::outbox::{OutboxError, SqliteMover, SqliteOutbox, sqlx};
use tower_revocation::source::Memory;
use tower_revocation::{Event, Key, Revocation, Statement, Subject, Timestamp};

use crate::limit::in_time;

const ISSUER: &str = "https://auth.example.com";

async fn opened(directory: &Path) -> (SqlitePool, SqliteOutbox) {
    let options = SqliteConnectOptions::new()
        .filename(directory.join("shop.sqlite"))
        .create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    let outbox = SqliteOutbox::new(ISSUER);
    outbox.ensure(&pool).await.unwrap();
    (pool, outbox)
}

async fn enqueue(pool: &SqlitePool, outbox: &SqliteOutbox, session: &str, is_committed: bool) {
    let mut tx = pool.begin().await.unwrap();
    outbox.enqueue(&mut *tx, &block(session)).await.unwrap();
    match is_committed {
        true => tx.commit().await.unwrap(),
        false => tx.rollback().await.unwrap(),
    }
}

fn block(session: &str) -> Statement {
    Statement::block(Subject::session(session))
}

async fn revoked(issuer: &Issuer) -> BTreeSet<String> {
    let in_force = issuer.in_force().await.unwrap().statements;
    let subjects = in_force.iter().flat_map(Statement::subjects);
    subjects.map(|subject| subject.id().to_owned()).collect()
}

async fn left(pool: &SqlitePool) -> Vec<String> {
    sqlx::query_scalar("select event from revocation_outbox order by n")
        .fetch_all(pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn what_was_committed_reaches_the_issuer_in_order_and_what_was_rolled_back_never() {
    in_time(async {
        let directory = tempfile::tempdir().unwrap();
        let (pool, outbox) = opened(directory.path()).await;
        for (session, is_committed) in [("s-1", true), ("s-2", false), ("s-3", true)] {
            enqueue(&pool, &outbox, session, is_committed).await;
        }
        // More than are moved together.
        for at in 1..=301 {
            let statement = block("s-5").at(Timestamp::from_unix_millis(at));
            outbox.enqueue(&pool, &statement).await.unwrap();
        }
        pool.close().await;

        // The process died before any of that was moved.
        let (pool, outbox) = opened(directory.path()).await;
        let issuer = Issuer::open(directory.path().join("issuer"), ISSUER).unwrap();
        let mover = SqliteMover::new(pool.clone(), outbox.clone(), issuer.clone());
        assert_eq!(mover.move_all().await.unwrap(), 303);
        let log = Memory::new("broker");
        let issuer = issuer.publishing_to(MemoryPublisher::new(&log));
        issuer.published().await.unwrap();
        let decode = RevocationEvents::from_source(ISSUER);
        let published: Vec<_> = log
            .messages()
            .iter()
            .filter_map(|message| decode.read(message).unwrap().ok())
            .collect();
        let sessions: Vec<_> = published.iter().map(|statement| statement.subjects()[0].id()).collect();
        assert_eq!(sessions[..3], ["s-1", "s-3", "s-5"]);
        let times: Vec<_> = published[2..]
            .iter()
            .map(Statement::events)
            .map(|mut events| events.next().unwrap())
            .collect();
        let expected =
            (1..=301).map(|at| Event::from(Revocation::block(Key::session("s-5")).at(Timestamp::from_unix_millis(at))));
        assert_eq!(times, expected.collect::<Vec<_>>());
        assert!(left(&pool).await.is_empty());

        let moving = tokio::spawn(mover.run());
        enqueue(&pool, &outbox, "s-4", true).await;
        outbox.committed();
        while !revoked(&issuer).await.contains("s-4") {
            sleep(std::time::Duration::from_millis(2)).await;
        }
        moving.abort();
    })
    .await;
}

#[tokio::test]
async fn a_row_that_is_no_statement_stays_and_holds_up_no_other() {
    in_time(async {
        let directory = tempfile::tempdir().unwrap();
        let (pool, outbox) = opened(directory.path()).await;
        let issuer = Issuer::open(directory.path().join("issuer"), ISSUER).unwrap();
        sqlx::query(SqliteOutbox::INSERT)
            .bind("nonsense")
            .execute(&pool)
            .await
            .unwrap();
        enqueue(&pool, &outbox, "s-1", true).await;
        let mover = SqliteMover::new(pool.clone(), outbox.clone(), issuer.clone());
        mover.move_all().await.unwrap();
        assert_eq!(revoked(&issuer).await, BTreeSet::from(["s-1".to_owned()]));
        assert_eq!(left(&pool).await, ["nonsense"]);
        let problem: String = sqlx::query_scalar("select problem from revocation_outbox")
            .fetch_one(&pool)
            .await
            .unwrap();
        assert!(problem.contains("body"), "{problem}");
        let nobody = outbox.enqueue(&pool, &block("")).await;
        assert!(matches!(nobody, Err(OutboxError::Unsendable(_))));
    })
    .await;
}

#[tokio::test]
async fn a_statement_of_another_issuer_is_not_made_and_stays() {
    in_time(async {
        let directory = tempfile::tempdir().unwrap();
        let (pool, outbox) = opened(directory.path()).await;
        enqueue(&pool, &outbox, "s-1", true).await;
        let issuer = Issuer::open(directory.path().join("issuer"), ISSUER).unwrap();
        let other = SqliteOutbox::new("https://other.example.com");
        let mover = SqliteMover::new(pool.clone(), other, issuer.clone());
        mover.move_all().await.unwrap();
        assert!(revoked(&issuer).await.is_empty(), "it is another issuer's");
        assert_eq!(left(&pool).await.len(), 1);
    })
    .await;
}
