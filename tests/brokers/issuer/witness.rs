//! Somebody who looks all the time whether a gateway that says that it has everything has it.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;
use tower_revocation::issuer::Issuer;
use tower_revocation::{EventSink, FeedState, Key, Statement, Subject, Verdict};

use crate::issuer::gateway::Gateway;

/// What was revoked so far, and who looks at whom it is refused by.
pub(super) struct Witness {
    issuer: Issuer,
    revoked: Arc<Mutex<Vec<String>>>,
    /// Those who look, and how often they saw it say that it has everything.
    looking: Vec<(JoinHandle<()>, Arc<AtomicU64>)>,
}

impl Witness {
    pub(super) fn new(issuer: &Issuer) -> Self {
        Self {
            issuer: issuer.clone(),
            revoked: Arc::default(),
            looking: Vec::new(),
        }
    }

    /// Makes a statement, and notes it once that is durable.
    pub(super) async fn revoke(&self, session: impl Into<String>) {
        let session = session.into();
        let statement = Statement::block(Subject::session(&session));
        self.issuer.revoke(statement).await.unwrap();
        self.revoked.lock().unwrap().push(session);
    }

    pub(super) fn revoked(&self) -> Vec<String> {
        self.revoked.lock().unwrap().clone()
    }

    /// Looks at a gateway from now on.
    pub(super) fn look_at(&mut self, gateway: &Gateway) {
        let (sink, issuer, revoked) = (gateway.sink.clone(), self.issuer.clone(), Arc::clone(&self.revoked));
        let times = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&times);
        let looking = tokio::spawn(async move {
            loop {
                let said = revoked.lock().unwrap().clone();
                if is_whole(&sink, &issuer) {
                    assert_refused(&sink, &said);
                    seen.fetch_add(1, Relaxed);
                }
                sleep(Duration::from_millis(3)).await;
            }
        });
        self.looking.push((looking, times));
    }

    /// Waits until a gateway says that it has everything that was published, and all of it is: then it has it.
    pub(super) async fn whole(&self, gateway: &Gateway) {
        let said = self.revoked();
        gateway.until("whole", |_| is_whole(&gateway.sink, &self.issuer)).await;
        assert_refused(&gateway.sink, &said);
    }

    /// Nobody saw a gateway that lacked anything.
    pub(super) async fn end(self) {
        for (looking, times) in self.looking {
            assert!(times.load(Relaxed) > 0, "it was never seen whole");
            looking.abort();
            if let Err(ended) = looking.await {
                assert!(ended.is_cancelled(), "{ended}");
            }
        }
    }
}

/// Whether all that was stated is published, and a gateway says that it has it: it is live, and knows that log up to there.
fn is_whole(sink: &EventSink, issuer: &Issuer) -> bool {
    let published = issuer.status().unwrap();
    if published.pending > 0 || !published.connected {
        return false;
    }
    let read = sink.status();
    let has = |log: &tower_revocation::status::IssuerLogStatus| {
        Some(&log.log) == published.log.as_ref() && !log.is_lost && log.whole_to >= Some(published.n)
    };
    read.feed.state == FeedState::Live && read.issuer_logs.iter().any(has)
}

fn assert_refused(sink: &EventSink, sessions: &[String]) {
    for session in sessions {
        let verdict = sink.decide(&Key::session(session).into());
        assert!(
            matches!(verdict, Verdict::Revoked(_)),
            "{session} is admitted by a gateway that says that it has everything: {:#?}",
            sink.status()
        );
    }
}
