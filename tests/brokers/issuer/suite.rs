//! What every broker has to show.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use tower_revocation::issuer::{Issuer, IssuerConcernCode, IssuerStatus};
use tower_revocation::{LogPosition, Statement, Subject};

use crate::issuer::{PublishedTo, all_messages};
use crate::published::Published;

pub(super) const SOURCE: &str = "https://auth.example.com";

async fn issuer<B: PublishedTo>(broker: &B, directory: &TempDir) -> Issuer {
    Issuer::open(directory.path().join("issuer"), SOURCE)
        .unwrap()
        .with_heartbeat(Duration::from_millis(200))
        .publishing_to(broker.publisher().await)
}

pub(super) async fn block(issuer: &Issuer, name: impl Into<String>) -> String {
    let name = name.into();
    issuer.revoke(Statement::block(Subject::session(&name))).await.unwrap()
}

pub(super) async fn until(issuer: &Issuer, wanted: impl Fn(&IssuerStatus) -> bool) -> IssuerStatus {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let status = issuer.status().unwrap();
        if wanted(&status) {
            return status;
        }
        assert!(Instant::now() < deadline, "{status:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

pub(super) async fn all_published(issuer: &Issuer) -> IssuerStatus {
    until(issuer, |status| status.pending == 0 && status.n > 0).await
}

pub(crate) async fn a_whole_log_comes_out<B: PublishedTo>() {
    let (broker, home) = (B::start().await, TempDir::new().unwrap());
    let first = issuer(&broker, &home).await;
    let mut ids = Vec::new();
    let started = Instant::now();
    for i in 0..300 {
        ids.push(block(&first, format!("s-{i}")).await);
    }
    let status = all_published(&first).await;
    println!(
        "{}: 300 statements durable, confirmed and read back in {:?}",
        B::NAME,
        started.elapsed()
    );
    let warnings = status.promise.unwrap().warnings;
    let named: Vec<_> = warnings.iter().map(|warning| warning.setting).collect();
    assert_eq!(named, B::WARNINGS, "{warnings:?}");
    // A heartbeat behind them, too.
    let confirmed = until(&first, |status| status.last_confirmed_ms_ago < Some(100)).await;
    assert_eq!(confirmed.last_error, None);
    first.end(Duration::from_secs(5)).await.unwrap();

    // Another process goes on with the same log.
    let second = issuer(&broker, &home).await;
    ids.push(block(&second, "later").await);
    all_published(&second).await;
    let published = Published::read(SOURCE, all_messages(&broker).await);
    assert_eq!(published.logs.len(), 1);
    assert_eq!(published.last().ids(), ids);
    assert!(published.heartbeats > 0);
}

pub(crate) async fn nothing_is_lost_when_the_broker_is_killed<B: PublishedTo>() {
    let (mut broker, home) = (B::start().await, TempDir::new().unwrap());
    let issuer = Arc::new(issuer(&broker, &home).await);
    let first = block(&issuer, "first").await;
    all_published(&issuer).await;
    let stating = {
        let issuer = Arc::clone(&issuer);
        tokio::spawn(async move {
            let mut ids = vec![first];
            for i in 0..400 {
                ids.push(block(&issuer, format!("s-{i}")).await);
                sleep(Duration::from_millis(5)).await;
            }
            ids
        })
    };
    for _ in 0..2 {
        sleep(Duration::from_millis(400)).await;
        broker.kill().await;
        sleep(Duration::from_millis(300)).await;
        broker.restart().await;
    }
    let ids = stating.await.unwrap();
    let restarted = Instant::now();
    let status = all_published(&issuer).await;
    println!(
        "{}: all published {:?} after the last was stated",
        B::NAME,
        restarted.elapsed()
    );
    let published = Published::read(SOURCE, all_messages(&broker).await);
    assert_eq!(published.logs.len(), 1, "{status:?}");
    assert_eq!(published.last().ids(), ids);
}

pub(crate) async fn a_broker_that_lost_everything_gets_it_again<B: PublishedTo>() {
    let (mut broker, home) = (B::start().await, TempDir::new().unwrap());
    let issuer = issuer(&broker, &home).await;
    let mut ids = Vec::new();
    for i in 0..20 {
        ids.push(block(&issuer, format!("s-{i}")).await);
    }
    all_published(&issuer).await;
    let first = Published::read(SOURCE, all_messages(&broker).await).last().log;
    broker.wipe().await;
    ids.push(block(&issuer, "later").await);
    let status = until(&issuer, |status| status.logs_begun >= 1 && status.pending == 0).await;
    let published = Published::read(SOURCE, all_messages(&broker).await);
    assert_eq!(published.last().ids(), ids, "{status:?}");
    assert_eq!(published.last().after, Some(LogPosition::beginning(first)));
    let codes: Vec<_> = status.concerns.iter().map(|concern| concern.code).collect();
    assert!(codes.contains(&IssuerConcernCode::LogWentBack), "{status:?}");
}

/// What no reader can notice by the broker's means: it comes back with an old copy, and new messages take the numbers of the lost ones.
pub(crate) async fn a_broker_that_was_set_back_gets_what_it_lost<B: PublishedTo>() {
    let (mut broker, home) = (B::start().await, TempDir::new().unwrap());
    let issuer = issuer(&broker, &home).await;
    let mut ids = Vec::new();
    for i in 0..10 {
        ids.push(block(&issuer, format!("s-{i}")).await);
    }
    all_published(&issuer).await;
    broker.kill().await;
    broker.keep();
    broker.restart().await;
    for i in 10..20 {
        ids.push(block(&issuer, format!("s-{i}")).await);
    }
    all_published(&issuer).await;
    let whole = Published::read(SOURCE, all_messages(&broker).await);
    assert_eq!(whole.logs.len(), 1, "a restart is no reason for a new log");
    let kept = whole.last().entries[&10].0;
    broker.put_back().await;
    // Nobody is revoked: a heartbeat finds it out.
    let status = until(&issuer, |status| status.logs_begun == 1 && status.pending == 0).await;
    let published = Published::read(SOURCE, all_messages(&broker).await);
    assert_eq!(published.logs.len(), 2, "{status:?}");
    assert_eq!(published.last().after, Some(kept));
    assert_eq!(published.last().ids(), ids[10..]);
}
