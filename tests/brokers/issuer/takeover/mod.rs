//! Servers that take over from others, with an issuer of ours and gateways of ours.

mod kafka;
mod nats;
mod rabbit;
mod redis_cluster;
mod redis_sentinel;

use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use tower_revocation::issuer::{Issuer, Publisher};
use tower_revocation::source::EventSource;

use crate::issuer::gateway::Gateway;
use crate::issuer::read_all;
use crate::issuer::suite::{SOURCE, until};
use crate::issuer::witness::Witness;
use crate::published::Published;

/// Servers of which one leads.
pub(super) trait Servers: Sized {
    const NAME: &str;

    async fn start() -> Self;

    async fn publisher(&self) -> impl Publisher;

    async fn source(&self) -> impl EventSource + 'static;

    /// Kills the one that leads.
    async fn kill_leader(&mut self);

    /// Starts again what was killed.
    async fn restart_killed(&mut self);
}

/// Servers that can be made to lose what they confirm.
pub(super) trait LosingServers: Servers {
    /// From now on, what is confirmed is not where it has to be to be kept.
    async fn begin_to_lose(&mut self);

    /// What was confirmed meanwhile is lost, and nothing before it.
    async fn lose(&mut self);
}

fn issuer(home: &TempDir, publisher: impl Publisher) -> Issuer {
    Issuer::open(home.path().join("issuer"), SOURCE)
        .unwrap()
        .with_heartbeat(Duration::from_millis(500))
        .publishing_to(publisher)
}

/// The leader dies under load: nothing is lost, no gateway has a gap, and none asks for a list.
pub(super) async fn a_leader_that_is_killed_is_no_gap<S: Servers>() {
    let (mut servers, home) = (S::start().await, TempDir::new().unwrap());
    let issuer = issuer(&home, servers.publisher().await);
    let mut witness = Witness::new(&issuer);
    witness.revoke("first").await;
    issuer.published().await.unwrap();
    let mut gateway = Gateway::new(&issuer);
    gateway.read_source(servers.source().await);
    witness.whole(&gateway).await;
    let (gaps, lists) = (gateway.sink.status().feed.gaps, gateway.lists());
    witness.look_at(&gateway);
    let stating = async {
        for i in 0..100 {
            witness.revoke(format!("s-{i}")).await;
            sleep(Duration::from_millis(10)).await;
        }
    };
    let killing = async {
        until(&issuer, |status| status.n > 20).await;
        servers.kill_leader().await;
        Instant::now()
    };
    let ((), killed) = tokio::join!(stating, killing);
    issuer.published().await.unwrap();
    println!(
        "{}: all published {:.1?} after the leader was killed",
        S::NAME,
        killed.elapsed()
    );
    witness.whole(&gateway).await;
    println!(
        "{}: the gateway has everything {:.1?} after the kill",
        S::NAME,
        killed.elapsed()
    );
    servers.restart_killed().await;
    let mut late = Gateway::new(&issuer);
    late.read_source(servers.source().await);
    witness.whole(&late).await;
    witness.whole(&gateway).await;
    let status = gateway.sink.status();
    assert_eq!((status.feed.gaps, gateway.lists()), (gaps, lists), "{status:#?}");
    let published = Published::read(SOURCE, read_all(servers.source().await).await);
    assert_eq!(published.logs.len(), 1, "{:?}", issuer.status());
    assert_eq!(published.last().ids().len(), witness.revoked().len());
    witness.end().await;
}

/// What was confirmed and read back is lost: who had read it and who had not are whole again once they say so. What only a list has by
/// then is a gap to who had not read it, and the list closes it.
pub(super) async fn what_a_takeover_loses_is_lost_to_nobody<S: LosingServers>() {
    let (mut servers, home) = (S::start().await, TempDir::new().unwrap());
    let issuer = issuer(&home, servers.publisher().await);
    let mut witness = Witness::new(&issuer);
    witness.revoke("first").await;
    issuer.published().await.unwrap();
    let (mut reading, mut away) = (Gateway::new(&issuer), Gateway::new(&issuer));
    for gateway in [&mut reading, &mut away] {
        gateway.read_source(servers.source().await);
        witness.whole(gateway).await;
        witness.look_at(gateway);
    }
    servers.begin_to_lose().await;
    witness.whole(&away).await;
    away.stop().await;
    for lost in ["covered-0", "covered-1"] {
        witness.revoke(lost).await;
    }
    issuer.published().await.unwrap();
    let in_force = issuer.in_force().await.unwrap();
    issuer.covered(&in_force.covers).await.unwrap();
    for lost in ["lost-0", "lost-1"] {
        witness.revoke(lost).await;
    }
    issuer.published().await.unwrap();
    witness.whole(&reading).await;
    assert!(!away.refuses("covered-0") && !away.refuses("lost-1"));
    let (gaps, lists) = (away.sink.status().feed.gaps, away.lists());
    assert_eq!(issuer.status().unwrap().logs_begun, 0);

    let began = Instant::now();
    servers.lose().await;
    println!("{}: taken over after {:.1?}", S::NAME, began.elapsed());
    away.read_source(servers.source().await);
    let status = until(&issuer, |status| status.logs_begun > 0 && status.pending == 0).await;
    println!(
        "{}: published again after {:.1?}: {:?}",
        S::NAME,
        began.elapsed(),
        status.concerns
    );
    for gateway in [&reading, &away] {
        witness.whole(gateway).await;
    }
    println!("{}: all whole after {:.1?}", S::NAME, began.elapsed());
    let status = away.sink.status();
    assert!(
        status.feed.gaps > gaps && away.lists() > lists,
        "what only the list has: {status:#?}"
    );
    assert!(away.refuses("covered-0") && away.refuses("covered-1") && away.refuses("lost-1"));
    servers.restart_killed().await;
    witness.revoke("later").await;
    issuer.published().await.unwrap();
    let mut late = Gateway::new(&issuer);
    late.read_source(servers.source().await);
    for gateway in [&reading, &away, &late] {
        witness.whole(gateway).await;
    }
    witness.end().await;
}
