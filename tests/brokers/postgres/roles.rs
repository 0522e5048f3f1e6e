//! What a writer and a reader may do, as the documentation lists it, is enough, and it is little.

use sqlx::{AssertSqlSafe, PgConnection};
use tower_revocation::outbox::{PostgresOutbox, sqlx};
use tower_revocation::source::postgres::PostgresSource;
use tower_revocation::{Statement, Subject};

use crate::adapters::{ISSUER, PostgresBroker, postgres_connect};
use crate::broker::Broker;
use crate::limit::in_time;
use crate::replica::Replica;

/// The block of the documentation that gives the roles their rights.
fn grants() -> String {
    let docs = include_str!("../../../docs/OUTBOX.md");
    let block = docs
        .split("```sql\n")
        .find(|block| block.starts_with("create role"))
        .unwrap();
    block.split("```").next().unwrap().to_owned()
}

async fn is_denied(connection: &mut PgConnection, statement: &'static str) -> bool {
    let done = sqlx::query(statement).execute(connection).await;
    let error = done
        .err()
        .and_then(|error| Some(error.as_database_error()?.code()?.into_owned()));
    error.as_deref() == Some("42501")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_adds_and_a_reader_reads_and_neither_does_more() {
    in_time(async {
        let broker = PostgresBroker::start().await;
        let mut admin = broker.connect().await;
        sqlx::raw_sql(AssertSqlSafe(grants()))
            .execute(&mut admin)
            .await
            .unwrap();
        let (mut writer, mut reader) = (
            postgres_connect(broker.port(), "application").await,
            postgres_connect(broker.port(), "gateway").await,
        );
        let url = format!("postgres://gateway@127.0.0.1:{}/postgres", broker.port());
        let source = PostgresSource::new(url.parse().unwrap()).with_dead_letters();
        let replica = Replica::start(source, "one");
        replica.live().await;
        sqlx::query(PostgresOutbox::INSERT)
            .bind("+one@1000")
            .execute(&mut writer)
            .await
            .unwrap();
        let statement = Statement::block(Subject::session("s-1"));
        // Not readable for the decoder of this test: it becomes a dead letter.
        PostgresOutbox::new(ISSUER)
            .enqueue(&mut writer, &statement)
            .await
            .unwrap();
        replica.refuses_after("one").await;
        replica
            .until("all settled", |status| {
                status.dispositions.dead_letter == 1 && status.feed.unacknowledged == 0
            })
            .await;
        assert_eq!(broker.dead_letters().await.len(), 1);
        assert!(
            PostgresOutbox::new(ISSUER)
                .warnings(&mut writer)
                .await
                .unwrap()
                .is_empty()
        );
        for statement in [
            "insert into revocation_outbox (xid, event) values ('1', 'x')",
            "insert into revocation_outbox (event, at) values ('x', now())",
            "select event from revocation_outbox",
            "delete from revocation_outbox",
            "update revocation_log set trimmed_n = 1",
            "select revocation_outbox_trim('0 s')",
            "truncate revocation_outbox",
        ] {
            assert!(is_denied(&mut writer, statement).await, "{statement}");
        }
        for statement in [
            "insert into revocation_outbox (event) values ('x')",
            "delete from revocation_outbox",
            "update revocation_log set trimmed_n = 1",
            "select payload from revocation_dead_letters",
            "select revocation_outbox_trim('0 s')",
        ] {
            assert!(is_denied(&mut reader, statement).await, "{statement}");
        }
    })
    .await;
}
