//! Brokers that lose what they confirmed, and stores that are set back.

use std::time::Duration;

use tower_revocation::LogPosition;
use tower_revocation::issuer::{IssuerConcernCode, MemoryPublisher};
use tower_revocation::source::Memory;

use crate::{Home, all_published, block, read, until};

/// No reader can notice it by the broker's means: what comes next takes the places of what is lost.
#[tokio::test]
async fn a_log_that_went_back_is_gone_on_with_behind_what_the_broker_still_has() {
    let (home, log) = (Home::new(), Memory::new("broker"));
    let issuer = home
        .open()
        .with_heartbeat(Duration::from_secs(3600))
        .publishing_to(MemoryPublisher::new(&log));
    let mut ids = Vec::new();
    for i in 0..10 {
        ids.push(block(&issuer, &format!("s-{i}")).await);
    }
    all_published(&issuer).await;
    let whole = read(&log);
    // With the heartbeat of the start, wherever that is.
    log.set_back(log.messages().len() - 4);
    let left = read(&log).last().end();
    assert!(left.n < 10);
    ids.push(block(&issuer, "s-10").await);
    all_published(&issuer).await;
    let published = read(&log);
    assert_eq!(published.logs.len(), 2);
    assert_eq!(published.last().after, Some(left));
    assert_eq!(published.last().ids(), ids[left.n as usize..]);
    assert_eq!(whole.last().entries[&left.n].0, left);
    let status = issuer.status().unwrap();
    assert_eq!(status.logs_begun, 1);
    assert!(
        status
            .concerns
            .iter()
            .any(|concern| concern.code == IssuerConcernCode::LogWentBack),
        "{status:?}"
    );
}

#[tokio::test]
async fn a_heartbeat_finds_it_out_while_nobody_is_revoked() {
    let (home, log) = (Home::new(), Memory::new("broker"));
    let issuer = home
        .open()
        .with_heartbeat(Duration::from_millis(100))
        .publishing_to(MemoryPublisher::new(&log));
    let id = block(&issuer, "s-1").await;
    all_published(&issuer).await;
    log.wipe();
    until(&issuer, |status| {
        status.logs_begun == 1 && status.n == 1 && status.pending == 0
    })
    .await;
    let published = read(&log);
    assert_eq!(published.last().ids(), [&*id]);
}

#[tokio::test]
async fn a_broker_that_lost_everything_gets_all_that_no_list_covers() {
    let (home, log) = (Home::new(), Memory::new("broker"));
    let issuer = home.open().publishing_to(MemoryPublisher::new(&log));
    let mut ids = Vec::new();
    for i in 0..5 {
        ids.push(block(&issuer, &format!("s-{i}")).await);
    }
    all_published(&issuer).await;
    let first = read(&log).last().log;
    log.wipe();
    ids.push(block(&issuer, "s-5").await);
    all_published(&issuer).await;
    let again = read(&log);
    assert_eq!(again.last().ids(), ids);
    assert_eq!(
        again.last().after,
        Some(LogPosition::beginning(first)),
        "nothing of the old log is needed"
    );

    let in_force = issuer.in_force().await.unwrap();
    assert_eq!(in_force.covers.last(), Some(&again.last().end()));
    issuer.covered(&in_force.covers).await.unwrap();
    let late = block(&issuer, "s-6").await;
    all_published(&issuer).await;
    log.wipe();
    let later = block(&issuer, "s-7").await;
    all_published(&issuer).await;
    let third = read(&log);
    assert_eq!(third.last().ids(), [&*late, &*later], "the list has the others");
    assert_eq!(third.last().after, Some(again.last().end()));
}

/// Who has a list that is older than the newest would otherwise take the new log for whole.
#[tokio::test]
async fn what_a_list_covers_is_not_missing_behind_what_the_broker_has() {
    let (home, log) = (Home::new(), Memory::new("broker"));
    let issuer = home
        .open()
        .with_heartbeat(Duration::from_secs(3600))
        .publishing_to(MemoryPublisher::new(&log));
    for i in 0..5 {
        block(&issuer, &format!("s-{i}")).await;
    }
    all_published(&issuer).await;
    let in_force = issuer.in_force().await.unwrap();
    issuer.covered(&in_force.covers).await.unwrap();
    log.set_back(log.messages().len() - 3);
    let id = block(&issuer, "s-5").await;
    all_published(&issuer).await;
    let published = read(&log);
    assert_eq!(published.last().after, Some(in_force.covers[0]));
    assert_eq!(published.last().ids(), [&*id]);
}

#[tokio::test]
async fn what_only_the_broker_knows_is_taken_from_there() {
    let (home, log) = (Home::new(), Memory::new("broker"));
    let issuer = home.open().publishing_to(MemoryPublisher::new(&log));
    block(&issuer, "s-0").await;
    assert_eq!(issuer.end(Duration::from_secs(10)).await.unwrap(), 0);
    home.keep();
    let kept = read(&log).last().end();
    let issuer = home.open().publishing_to(MemoryPublisher::new(&log));
    let mut ids = Vec::new();
    for i in 1..4 {
        ids.push(block(&issuer, &format!("s-{i}")).await);
    }
    assert_eq!(issuer.end(Duration::from_secs(10)).await.unwrap(), 0);
    home.put_back();

    let issuer = home.open().publishing_to(MemoryPublisher::new(&log));
    let status = until(&issuer, |status| status.logs_begun == 1 && status.n == 3).await;
    assert!(
        status
            .concerns
            .iter()
            .any(|concern| concern.code == IssuerConcernCode::StoreWentBack),
        "{status:?}"
    );
    let published = read(&log);
    assert_eq!(published.last().after, Some(kept), "behind what the store knew");
    assert_eq!(published.last().ids(), ids);
    assert_eq!(issuer.in_force().await.unwrap().statements.len(), 4);
}

/// The database is lost: what the broker still has is in force and on lists.
#[tokio::test]
async fn an_issuer_without_its_database_takes_what_the_broker_has() {
    let (home, log) = (Home::new(), Memory::new("broker"));
    let issuer = home.open().publishing_to(MemoryPublisher::new(&log));
    let ids = [block(&issuer, "s-0").await, block(&issuer, "s-1").await];
    assert_eq!(issuer.end(Duration::from_secs(10)).await.unwrap(), 0);
    let home = Home::new();
    let issuer = home.open().publishing_to(MemoryPublisher::new(&log));
    until(&issuer, |status| status.n == 2).await;
    let published = read(&log);
    assert_eq!(published.logs.len(), 2);
    assert_eq!(
        (published.last().ids(), published.last().after),
        (ids.iter().map(|id| &**id).collect(), None)
    );
    assert_eq!(issuer.in_force().await.unwrap().statements.len(), 2);
}
