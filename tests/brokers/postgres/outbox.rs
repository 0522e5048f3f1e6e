//! The outbox in the caller's transaction.

use sqlx::{Connection, PgConnection};
use tower_revocation::format::revocation::RevocationEvents;
use tower_revocation::outbox::{OutboxError, PostgresOutbox, sqlx};
use tower_revocation::{
    Credential, Key, RevocationLayer, RevocationList, Statement, Subject, Timestamp, Verdict, source,
};

use crate::adapters::{ISSUER, PostgresBroker, postgres_source};
use crate::broker::Broker;
use crate::limit::in_time;

async fn rows(connection: &mut PgConnection) -> i64 {
    sqlx::query_scalar("select count(*) from revocation_outbox")
        .fetch_one(connection)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_committed_with_the_callers_rows_and_reaches_a_gateway() {
    in_time(async {
        let broker = PostgresBroker::start().await;
        let (_, sink) = RevocationLayer::pair(|_: &()| Credential::new());
        sink.install(RevocationList::builder(Timestamp::now()).build()).unwrap();
        let decode = RevocationEvents::from_source(ISSUER);
        tokio::spawn(source::drive(postgres_source(broker.port()), decode, sink.clone()).run());
        let outbox = PostgresOutbox::new(ISSUER);
        broker
            .run("create table sessions (id text primary key); insert into sessions values ('s-1'), ('s-2')")
            .await;
        let mut connection = broker.connect().await;
        for (session, is_committed) in [("s-1", false), ("s-2", true)] {
            let mut tx = connection.begin().await.unwrap();
            sqlx::query("delete from sessions where id = $1")
                .bind(session)
                .execute(&mut *tx)
                .await
                .unwrap();
            outbox
                .enqueue(&mut *tx, &Statement::block(Subject::session(session)))
                .await
                .unwrap();
            match is_committed {
                true => tx.commit().await.unwrap(),
                false => tx.rollback().await.unwrap(),
            }
        }
        let is_refused = |session: &str| {
            let credential = Credential::new().with_key(Key::session(session));
            matches!(sink.decide(&credential), Verdict::Revoked(_))
        };
        while !is_refused("s-2") {
            tokio::task::yield_now().await;
        }
        assert!(!is_refused("s-1"));
        assert_eq!(rows(&mut connection).await, 1);
        let nobody = outbox
            .enqueue(&mut connection, &Statement::block(Subject::session("")))
            .await;
        assert!(matches!(nobody, Err(OutboxError::Unsendable(_))));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_lose_what_is_confirmed_are_named_and_a_revocation_waits_for_the_disk_all_the_same() {
    in_time(async {
        let broker = PostgresBroker::start().await;
        let outbox = PostgresOutbox::new(ISSUER);
        let mut connection = broker.connect().await;
        assert_eq!(outbox.warnings(&mut connection).await.unwrap(), []);
        sqlx::query("set synchronous_commit = off")
            .execute(&mut connection)
            .await
            .unwrap();
        let warnings = outbox.warnings(&mut connection).await.unwrap();
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].setting, "synchronous_commit");
        let mut tx = connection.begin().await.unwrap();
        outbox
            .enqueue(&mut *tx, &Statement::block(Subject::session("s-1")))
            .await
            .unwrap();
        let is_on: String = sqlx::query_scalar("show synchronous_commit")
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        assert_eq!(is_on, "on");
        tx.commit().await.unwrap();
        let is_on: String = sqlx::query_scalar("show synchronous_commit")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(is_on, "off", "for this transaction alone");
    })
    .await;
}

/// With asynchronous commits of which the last are lost: those that revoke are not among them.
#[tokio::test(flavor = "multi_thread")]
async fn no_committed_revocation_is_lost_when_the_server_is_killed() {
    in_time(async {
        let mut broker = PostgresBroker::start().await;
        broker.run("create table other (id int)").await;
        broker.run("alter system set synchronous_commit = off").await;
        broker.run("alter system set wal_writer_delay = '10s'").await;
        broker.run("select pg_reload_conf()").await;
        broker.restart().await;
        let outbox = PostgresOutbox::new(ISSUER);
        let mut connection = broker.connect().await;
        for session in 0..20 {
            outbox
                .enqueue(
                    &mut connection,
                    &Statement::block(Subject::session(&session.to_string())),
                )
                .await
                .unwrap();
        }
        sqlx::query("insert into other values (1)")
            .execute(&mut connection)
            .await
            .unwrap();
        broker.kill().await;
        broker.restart().await;
        let mut connection = broker.connect().await;
        assert_eq!(rows(&mut connection).await, 20);
        let others: i64 = sqlx::query_scalar("select count(*) from other")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(others, 0, "the setting does lose commits");
    })
    .await;
}
