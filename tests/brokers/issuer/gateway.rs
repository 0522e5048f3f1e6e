//! A gateway that reads what an issuer of ours publishes: whatever the broker loses, nothing is lost in silence.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tower_revocation::format::revocation::RevocationEvents;
use tower_revocation::issuer::Issuer;
use tower_revocation::source::{self, EventSource, SourceError};
use tower_revocation::status::Status;
use tower_revocation::{
    Credential, EventSink, FeedState, Key, RevocationLayer, RevocationList, Statement, Subject, Timestamp, Verdict,
};

use crate::issuer::PublishedTo;

const SOURCE: &str = "https://auth.example.com";

/// A gateway, whose lists are what the issuer has in force.
pub(super) struct Gateway {
    pub(super) sink: EventSink,
    /// Whose list it gets; none while nobody is there.
    issuer: Arc<Mutex<Option<Issuer>>>,
    lists: Arc<AtomicUsize>,
    reading: Option<JoinHandle<()>>,
}

impl Gateway {
    pub(super) fn new(issuer: &Issuer) -> Self {
        let (_, sink) = RevocationLayer::pair(|_: &()| Credential::new());
        sink.install(RevocationList::builder(Timestamp::now().saturating_sub(Duration::from_secs(60))).build())
            .unwrap();
        Self {
            sink,
            issuer: Arc::new(Mutex::new(Some(issuer.clone()))),
            lists: Arc::default(),
            reading: None,
        }
    }

    async fn read<B: PublishedTo>(&mut self, broker: &B) {
        self.read_source(broker.source(broker.port(), "gateway").await);
    }

    pub(super) fn read_source(&mut self, feed: impl EventSource + 'static) {
        let (issuer, lists) = (Arc::clone(&self.issuer), Arc::clone(&self.lists));
        let resync = move |sink: EventSink| {
            let issuer = issuer.lock().unwrap().clone();
            lists.fetch_add(1, Relaxed);
            async move {
                match issuer {
                    Some(issuer) => install(&sink, &issuer).await.map_err(SourceError::new),
                    None => Err(SourceError::new("the issuer is away")),
                }
            }
        };
        let feed = source::drive(feed, RevocationEvents::from_source(SOURCE), self.sink.clone()).with_resync(resync);
        self.reading = Some(tokio::spawn(feed.run()));
    }

    /// How often it asked for a list.
    pub(super) fn lists(&self) -> usize {
        self.lists.load(Relaxed)
    }

    /// Is away, and keeps what it knows.
    pub(super) async fn stop(&mut self) {
        let reading = self.reading.take().unwrap();
        reading.abort();
        let _ = reading.await;
    }

    pub(super) fn refuses(&self, session: &str) -> bool {
        matches!(self.sink.decide(&Key::session(session).into()), Verdict::Revoked(_))
    }

    pub(super) async fn until(&self, what: &str, is_so: impl Fn(&Status) -> bool) -> Status {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let status = self.sink.status();
            if is_so(&status) {
                return status;
            }
            assert!(Instant::now() < deadline, "not {what} in time: {status:#?}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    pub(super) async fn live(&self) -> Status {
        self.until("live", |status| status.feed.state == FeedState::Live).await
    }
}

/// Installs what the issuer has in force, as its list would say it.
async fn install(sink: &EventSink, issuer: &Issuer) -> Result<(), String> {
    let asked = Timestamp::now();
    let in_force = issuer.in_force().await.map_err(|error| error.to_string())?;
    let mut list = RevocationList::builder(asked);
    for event in in_force.statements.iter().flat_map(Statement::events) {
        if let tower_revocation::Event::Revoke(revocation) = &event {
            list.push(revocation);
        }
    }
    for position in in_force.covers {
        list = list.covering(position);
    }
    sink.install(list.build()).map_err(|error| error.to_string())
}

async fn issuer<B: PublishedTo>(broker: &B, home: &TempDir) -> Issuer {
    Issuer::open(home.path().join("issuer"), SOURCE)
        .unwrap()
        .with_heartbeat(Duration::from_millis(500))
        .publishing_to(broker.publisher().await)
}

pub(super) async fn revoke(issuer: &Issuer, session: &str) {
    issuer
        .revoke(Statement::block(Subject::session(session)))
        .await
        .unwrap();
    issuer.published().await.unwrap();
}

/// The broker is set back to a copy of before a revocation that it had confirmed, that was read back, and that this gateway had not
/// read. New messages take its number. No reader can notice that by the broker's means.
pub(crate) async fn what_was_confirmed_and_lost_unread_is_known_all_the_same<B: PublishedTo>() {
    let (mut broker, home) = (B::start().await, TempDir::new().unwrap());
    let issuer = issuer(&broker, &home).await;
    revoke(&issuer, "first").await;
    let mut gateway = Gateway::new(&issuer);
    gateway.read(&broker).await;
    gateway.live().await;
    assert!(gateway.refuses("first"));
    gateway.stop().await;
    broker.kill().await;
    broker.keep();
    broker.restart().await;
    revoke(&issuer, "lost").await;
    assert!(!gateway.refuses("lost"));
    broker.put_back().await;
    let opened = gateway.sink.status().feed.opened;
    gateway.read(&broker).await;
    // It says that it is live only once it knows what was lost.
    let started = Instant::now();
    gateway
        .until("live again", |status| {
            status.feed.state == FeedState::Live && status.feed.opened > opened
        })
        .await;
    assert!(gateway.refuses("lost"), "{:#?}", gateway.sink.status());
    println!("{}: live and whole {:?} after the opening", B::NAME, started.elapsed());
    revoke(&issuer, "later").await;
    gateway.until("in force", |_| gateway.refuses("later")).await;
}

/// Nothing is lost, whatever is killed: no gap, and no list is asked for.
pub(crate) async fn what_is_killed_and_comes_back_is_no_gap<B: PublishedTo>() {
    let (mut broker, home) = (B::start().await, TempDir::new().unwrap());
    let issuer = issuer(&broker, &home).await;
    revoke(&issuer, "first").await;
    let mut gateway = Gateway::new(&issuer);
    gateway.read(&broker).await;
    let before = gateway.live().await.feed.gaps;
    for round in 0..2 {
        broker.kill().await;
        let while_away = format!("while-away-{round}");
        issuer
            .revoke(Statement::block(Subject::session(&while_away)))
            .await
            .unwrap();
        broker.restart().await;
        gateway.until("in force", |_| gateway.refuses(&while_away)).await;
        gateway.live().await;
    }
    let status = gateway.sink.status();
    assert_eq!(status.feed.gaps, before, "{status:#?}");
    assert_eq!(
        status.issuer_logs.iter().filter(|log| !log.is_continued).count(),
        1,
        "{status:#?}"
    );
}

/// An issuer that dies takes the feeds of its gateways down, and its next process goes on where it ended.
pub(crate) async fn an_issuer_that_dies_is_missed_and_comes_back_without_a_gap<B: PublishedTo>() {
    let (broker, home) = (B::start().await, TempDir::new().unwrap());
    let first = issuer(&broker, &home).await;
    revoke(&first, "first").await;
    let mut gateway = Gateway::new(&first);
    gateway.read(&broker).await;
    let before = gateway.live().await.feed.gaps;
    *gateway.issuer.lock().unwrap() = None;
    first.end(Duration::from_secs(5)).await.unwrap();
    let down = Instant::now();
    gateway
        .until("down", |status| status.feed.state == FeedState::Down)
        .await;
    println!("{}: down {:?} after the issuer's end", B::NAME, down.elapsed());
    let second = issuer(&broker, &home).await;
    revoke(&second, "second").await;
    gateway.until("in force", |_| gateway.refuses("second")).await;
    assert_eq!(gateway.live().await.feed.gaps, before);
}
