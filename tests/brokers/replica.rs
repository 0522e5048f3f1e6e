//! One gateway's worth of this crate, without the gateway.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tower_revocation::source::{self, EventSource};
use tower_revocation::status::{FeedStatus, Status};
use tower_revocation::{
    Credential, DecodeError, Decoded, EventSink, FeedState, Key, Reinstatement, Revocation, RevocationLayer,
    RevocationList, Timestamp, Verdict,
};

/// A sink, and the task that reads a feed into it.
pub(crate) struct Replica {
    pub(crate) sink: EventSink,
    reading: JoinHandle<()>,
}

impl Replica {
    /// Starts to read, with a fresh and empty list.
    pub(crate) fn start(source: impl EventSource + 'static, name: &str) -> Self {
        Self::start_since(source, name, Timestamp::now(), MARGIN)
    }

    /// Starts to read, with an empty list of some time. Messages are read from that time less the margin on.
    pub(crate) fn start_since(
        source: impl EventSource + 'static,
        name: &str,
        issued: Timestamp,
        margin: Duration,
    ) -> Self {
        let (_, sink) = RevocationLayer::pair(|_: &()| Credential::new());
        sink.install(RevocationList::builder(issued).build()).unwrap();
        let decode = plain as fn(&[u8]) -> Result<Decoded, DecodeError>;
        let feed = source::drive(source, decode, sink.clone())
            .with_replica(name)
            .with_margin(margin)
            .with_resync(|_| async { Ok(()) });
        Self {
            reading: tokio::spawn(feed.run()),
            sink,
        }
    }

    /// Makes room for so many keys.
    pub(crate) fn with_capacity(mut self, keys: usize) -> Self {
        self.set_capacity(keys);
        self
    }

    pub(crate) fn set_capacity(&mut self, keys: usize) {
        let keys = NonZeroUsize::new(keys).unwrap();
        self.sink.configure(|config| config.with_capacity(keys));
    }

    /// Waits until the status is as wanted.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        let waiting = async {
            loop {
                let status = self.sink.status();
                if wanted(&status) {
                    return status;
                }
                sleep(Duration::from_millis(2)).await;
            }
        };
        match timeout(PATIENCE, waiting).await {
            Ok(status) => status,
            Err(_) => panic!("not {what} in time: {:#?}", self.sink.status()),
        }
    }

    pub(crate) async fn live(&self) -> FeedStatus {
        self.until("live", |status| status.feed.state == FeedState::Live)
            .await
            .feed
    }

    pub(crate) async fn down(&self) -> FeedStatus {
        self.until("down", |status| status.feed.state == FeedState::Down)
            .await
            .feed
    }

    pub(crate) async fn entries(&self, entries: usize) {
        self.until("told of all", |status| status.overlay.entries >= entries)
            .await;
    }

    /// Whether a token of this subject, issued now, is refused.
    pub(crate) fn refuses(&self, subject: &str) -> bool {
        let credential = Credential::new()
            .with_key(Key::subject(subject))
            .with_issued_at(Timestamp::now());
        matches!(self.sink.decide(&credential), Verdict::Revoked(_))
    }

    /// How long it takes from now until `subject` is refused.
    pub(crate) async fn refuses_after(&self, subject: &str) -> Duration {
        let started = Instant::now();
        let waiting = async {
            while !self.refuses(subject) {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, waiting).await.expect("it is refused in the end");
        started.elapsed()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// `+<subject>@<seconds>` blocks, `-<subject>@<seconds>` reinstates, and anything else cannot be read.
fn plain(message: &[u8]) -> Result<Decoded, DecodeError> {
    let bad = || DecodeError::new("body", "makes no sense");
    let text = std::str::from_utf8(message).map_err(|_| bad())?;
    let (subject, at) = text.split_once('@').ok_or_else(bad)?;
    let at = Timestamp::from_unix_secs(at.parse().map_err(|_| bad())?);
    match subject.split_at_checked(1) {
        Some(("+", subject)) => Ok(Decoded::from(Revocation::block(Key::subject(subject)).at(at))),
        Some(("-", subject)) => Ok(Decoded::from(Reinstatement::of(Key::subject(subject), at))),
        _ => Err(bad()),
    }
}

/// Everything that a test published is in it.
const MARGIN: Duration = Duration::from_secs(60 * 60);

/// RabbitMQ takes a while to start again.
const PATIENCE: Duration = Duration::from_secs(60);
