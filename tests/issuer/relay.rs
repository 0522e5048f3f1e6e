//! Publishing, and restarts.

use std::time::Duration;

use tower_revocation::issuer::{IssuerConcernCode, IssuerError, MemoryPublisher};
use tower_revocation::source::Memory;
use tower_revocation::{Reason, Statement, Subject, Timestamp};

use crate::{Home, SOURCE, all_published, block, read, until};

#[tokio::test]
async fn what_is_stated_is_published_in_order() {
    let (home, log) = (Home::new(), Memory::new("broker"));
    let issuer = home.open().publishing_to(MemoryPublisher::new(&log));
    let mut ids = Vec::new();
    for i in 0..250 {
        ids.push(block(&issuer, &format!("s-{i}")).await);
    }
    all_published(&issuer).await;
    let published = read(&log);
    assert_eq!(published.logs.len(), 1);
    assert_eq!(published.last().ids(), ids);
    assert_eq!(published.last().after, None);
    let status = issuer.status().unwrap();
    assert_eq!(
        (status.pending, status.published, status.n, status.logs_begun),
        (0, 250, 250, 0)
    );
    assert_eq!(status.log, Some(published.last().log.to_string()));
    assert_eq!(
        status.concerns[0].code,
        IssuerConcernCode::Promise,
        "memory is worth little"
    );
    let in_force = issuer.in_force().await.unwrap();
    assert_eq!(in_force.statements.len(), 250);
    assert_eq!(in_force.covers, [published.last().end()]);
}

#[tokio::test]
async fn a_restart_goes_on_with_the_same_log() {
    let (home, log) = (Home::new(), Memory::new("broker"));
    for round in 0..3 {
        let issuer = home.open().publishing_to(MemoryPublisher::new(&log));
        block(&issuer, &format!("s-{round}")).await;
        assert_eq!(issuer.end(Duration::from_secs(10)).await.unwrap(), 0);
    }
    let published = read(&log);
    assert_eq!(published.logs.len(), 1);
    assert_eq!(published.last().end().n, 3);
}

#[tokio::test]
async fn what_was_stated_while_nobody_published_is_published_later() {
    let (home, log) = (Home::new(), Memory::new("broker"));
    let issuer = home.open();
    block(&issuer, "s-1").await;
    assert_eq!(issuer.status().unwrap().pending, 1);
    drop(issuer);
    let issuer = home.open().publishing_to(MemoryPublisher::new(&log));
    all_published(&issuer).await;
    assert_eq!(read(&log).last().end().n, 1);
}

#[tokio::test]
async fn heartbeats_say_where_the_log_ends_and_canaries_are_numbered() {
    let (home, log) = (Home::new(), Memory::new("broker"));
    let every = Duration::from_millis(100);
    let issuer = home
        .open()
        .with_heartbeat(every)
        .with_canary(every)
        .publishing_to(MemoryPublisher::new(&log));
    until(&issuer, |status| status.published >= 3).await;
    let published = read(&log);
    assert!(published.heartbeats >= 1, "{published:?}");
    let (_, _, canary) = &published.last().entries[&1];
    assert_eq!(canary.subjects(), [Subject::named("tower-revocation", "canary")]);
    assert_eq!(issuer.in_force().await.unwrap().statements, [], "nobody holds it");
}

#[tokio::test]
async fn one_issuer_of_one_name_has_a_directory() {
    let home = Home::new();
    let issuer = home.open();
    let again = tower_revocation::issuer::Issuer::open(home.path(), SOURCE);
    assert!(matches!(again, Err(IssuerError::InUse { .. })), "{again:?}");
    drop(issuer);
    let other = tower_revocation::issuer::Issuer::open(home.path(), "https://other.example");
    assert!(matches!(other, Err(IssuerError::ForeignSource { .. })), "{other:?}");
    home.open();
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_or_have_written_it() {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    drop(home.open());
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let database = home.path().join("issuer.redb");
    assert_eq!((mode(&home.path()), mode(&database)), (0o700, 0o600));
    std::fs::set_permissions(&database, Permissions::from_mode(0o620)).unwrap();
    let exposed = tower_revocation::issuer::Issuer::open(home.path(), SOURCE);
    assert!(matches!(exposed, Err(IssuerError::Exposed { .. })), "{exposed:?}");
}

#[tokio::test]
async fn a_statement_is_kept_until_a_list_covers_it_and_its_time_is_over() {
    let (home, log) = (Home::new(), Memory::new("broker"));
    let issuer = home.open().publishing_to(MemoryPublisher::new(&log));
    let ago = |secs| Timestamp::now().saturating_sub(Duration::from_secs(secs));
    let until = |name, secs| Statement::block(Subject::session(name)).forget_at(ago(secs));
    for (name, secs) in [("just-over", 90), ("over", 150)] {
        issuer
            .revoke(until(name, secs).because(Reason::Superseded))
            .await
            .unwrap();
    }
    all_published(&issuer).await;
    let names = |in_force: &tower_revocation::InForce| -> Vec<String> {
        let subjects = in_force.statements.iter().flat_map(Statement::subjects);
        subjects.map(|subject| subject.id().to_owned()).collect()
    };
    let in_force = issuer.in_force().await.unwrap();
    assert_eq!(
        names(&in_force),
        ["just-over"],
        "verifiers may take its token for a minute, and their clocks may be behind"
    );
    issuer.covered(&in_force.covers).await.unwrap();
    block(&issuer, "later").await;
    issuer.revoke(until("over, not covered", 90)).await.unwrap();
    assert_eq!(issuer.end(Duration::from_secs(10)).await.unwrap(), 0);

    // The next start sweeps, and then the broker loses everything.
    let issuer = home.open().publishing_to(MemoryPublisher::new(&log));
    crate::until(&issuer, |status| status.connected).await;
    block(&issuer, "last").await;
    all_published(&issuer).await;
    log.wipe();
    block(&issuer, "very last").await;
    all_published(&issuer).await;
    let published = read(&log);
    let again: Vec<_> = published
        .last()
        .entries
        .values()
        .map(|(_, _, said)| said.subjects()[0].id())
        .collect();
    assert_eq!(again, ["later", "over, not covered", "last", "very last"]);
    assert_eq!(published.last().after, Some(in_force.covers[0]));
}
