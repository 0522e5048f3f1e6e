//! How rows are lost, and how that is noticed.

use std::process::Output;

use tower_revocation::FeedState;
use tower_revocation::outbox::{PostgresOutbox, sqlx};

use super::{gap, live, started};
use crate::adapters::{ISSUER, postgres_source};
use crate::broker::Broker;
use crate::limit::in_time;
use crate::link::Link;
use crate::replica::Replica;
use crate::server::as_nobody;

fn block(subject: &str) -> Vec<Vec<u8>> {
    vec![format!("+{subject}@1000").into_bytes()]
}

fn tool(program: &str, port: u16, arguments: &[&str], script: Option<&[u8]>) -> Output {
    let mut command = as_nobody(program);
    command
        .args(["-h", "127.0.0.1", "-U", "postgres", "-p", &port.to_string()])
        .args(arguments);
    let output = match script {
        None => command.output().unwrap(),
        Some(script) => {
            let file = tempfile::Builder::new()
                .suffix(".sql")
                .tempfile_in(env!("CARGO_TARGET_TMPDIR"))
                .unwrap();
            std::fs::write(file.path(), script).unwrap();
            command
                .stdin(std::fs::File::open(file.path()).unwrap())
                .output()
                .unwrap()
        }
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn dump(port: u16) -> Vec<u8> {
    tool("pg_dump", port, &["--clean", "--if-exists", "postgres"], None).stdout
}

fn restore(port: u16, dump: &[u8]) {
    tool(
        "psql",
        port,
        &["-q", "-v", "ON_ERROR_STOP=1", "-1", "postgres"],
        Some(dump),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_trimmed_before_it_was_read_is_a_gap_and_what_was_read_is_none() {
    in_time(async {
        let broker = started().await;
        let outbox = PostgresOutbox::new(ISSUER);
        let link = Link::to(broker.port()).await;
        let far = Replica::start(postgres_source(link.port), "far");
        far.live().await;
        let near = live(&broker).await;
        broker.publish(block("one")).await;
        for replica in [&near, &far] {
            replica.until("told", |status| status.dispositions.applied == 1).await;
        }
        let mut connection = broker.connect().await;
        let mark = outbox.mark(&mut connection).await.unwrap();
        assert_eq!(outbox.trim_covered(&mut connection, &mark).await.unwrap(), 1);
        link.cut();
        far.down().await;
        link.mend();
        assert_eq!(far.live().await.gaps, 0, "it had read all of that");
        link.cut();
        far.down().await;
        broker.publish(block("two")).await;
        near.until("told", |status| status.dispositions.applied == 2).await;
        let mark = outbox.mark(&mut connection).await.unwrap();
        assert_eq!(outbox.trim_covered(&mut connection, &mark).await.unwrap(), 1);
        broker.publish(block("three")).await;
        link.mend();
        gap(&far, "removed before they were read").await;
        far.refuses_after("three").await;
        near.refuses_after("three").await;
        assert!(!far.refuses("two"));
        assert_eq!(near.live().await.gaps, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_removes_what_was_committed_before_it_and_nothing_younger() {
    in_time(async {
        let broker = started().await;
        let outbox = PostgresOutbox::new(ISSUER);
        let mut connection = broker.connect().await;
        let long = std::time::Duration::from_secs(3_600);
        broker.publish(block("one")).await;
        assert_eq!(outbox.trim(&mut connection, long).await.unwrap(), 0);
        // Two hours pass. What is written then is younger, though no later mark says so.
        broker
            .run("update revocation_marks set at = at - interval '2 hours'")
            .await;
        broker.publish(block("two")).await;
        assert_eq!(outbox.trim(&mut connection, long).await.unwrap(), 1);
        let left: Vec<String> = sqlx::query_scalar("select event from revocation_outbox")
            .fetch_all(&mut connection)
            .await
            .unwrap();
        assert_eq!(left, ["+two@1000"]);
        // The list of a new replica is younger than what was removed.
        let replica = Replica::start(postgres_source(broker.port()), "one");
        replica.refuses_after("two").await;
        assert!(!replica.refuses("one"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_set_back_from_a_dump_is_a_gap() {
    in_time(async {
        let broker = started().await;
        broker.publish(block("one")).await;
        let kept = dump(broker.port());
        let replica = live(&broker).await;
        broker.publish(block("two")).await;
        replica.until("told", |status| status.dispositions.applied == 2).await;
        restore(broker.port(), &kept);
        gap(&replica, "set back").await;
        broker.publish(block("three")).await;
        replica.refuses_after("three").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_in_another_server_is_not_read_until_it_is_renewed() {
    in_time(async {
        let mut broker = started().await;
        // Its transactions get ahead of those of a new server.
        for subject in 0..60 {
            broker.publish(block(&subject.to_string())).await;
        }
        let replica = live(&broker).await;
        replica.entries(60).await;
        let kept = dump(broker.port());
        broker.kill().await;
        replica.down().await;
        broker.server.wipe().await;
        restore(broker.port(), &kept);
        let status = replica
            .until("told whose it is", |status| {
                let error = status.feed.last_error.as_deref().unwrap_or_default();
                error.contains("revocation_outbox_renew()")
            })
            .await;
        assert_eq!(
            status.feed.state,
            FeedState::Down,
            "it would sort what is new before what was read"
        );
        broker.ensure().await;
        gap(&replica, "another one").await;
        broker.publish(block("new")).await;
        replica.refuses_after("new").await;
        replica.live().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_set_back_is_a_gap() {
    in_time(async {
        let mut broker = started().await;
        broker.publish(block("one")).await;
        let replica = live(&broker).await;
        replica.until("told", |status| status.dispositions.applied == 1).await;
        broker.kill().await;
        broker.server.keep();
        broker.restart().await;
        broker.publish(block("two")).await;
        replica.refuses_after("two").await;
        replica.until("told", |status| status.dispositions.applied == 2).await;
        broker.kill().await;
        replica.down().await;
        broker.server.put_back().await;
        // The same numbers, given to others.
        for subject in ["three", "four", "five"] {
            broker.publish(block(subject)).await;
        }
        gap(&replica, "").await;
        for subject in ["three", "four", "five"] {
            replica.refuses_after(subject).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_without_a_word_is_a_gap() {
    in_time(async {
        let broker = started().await;
        let replica = live(&broker).await;
        broker.publish(block("one")).await;
        replica.until("told", |status| status.dispositions.applied == 1).await;
        broker.run("truncate revocation_outbox").await;
        gap(&replica, "set back").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_starts_anew_reads_all_that_is_there_and_has_no_gap_if_its_list_is_younger_than_the_table() {
    in_time(async {
        let broker = started().await;
        broker.publish(block("one")).await;
        for _start in 0..2 {
            let replica = Replica::start(postgres_source(broker.port()), "one");
            replica.refuses_after("one").await;
            assert_eq!(replica.live().await.gaps, 0);
        }
    })
    .await;
}
