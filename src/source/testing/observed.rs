//! A feed that is read by the loop, and watched.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::domain::trust_domain::TrustDomain;
use crate::model::credential::Credential;
use crate::model::decode::{DecodeError, Decoded};
use crate::model::domain_config::DomainConfig;
use crate::model::event::Revocation;
use crate::model::key::Key;
use crate::model::timestamp::Timestamp;
use crate::model::verdict::Verdict;
use crate::sink::EventSink;
use crate::source::driver::drive;
use crate::source::error::SourceError;
use crate::source::event_source::{Continuity, Delivery, EventSource, Signal};
use crate::source::position::Start;
use crate::source::testing::limit::{PATIENCE, POLL};
use crate::state::snapshot::RevocationList;
use crate::status::{FeedState, Status};

/// What a source said, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Opened(Continuity),
    Message(String),
    CaughtUp,
}

/// A source whose words are noted before the loop hears them.
struct Noting<S> {
    source: S,
    said: Arc<Mutex<Vec<Said>>>,
}

impl<S: EventSource> EventSource for Noting<S> {
    type Delivery = S::Delivery;

    fn name(&self) -> &str {
        self.source.name()
    }

    async fn open(&mut self, start: &Start) -> Result<Continuity, SourceError> {
        let continuity = self.source.open(start).await?;
        self.note(Said::Opened(continuity.clone()));
        Ok(continuity)
    }

    async fn next(&mut self) -> Result<Signal<S::Delivery>, SourceError> {
        let signal = self.source.next().await?;
        match &signal {
            Signal::Alive { .. } | Signal::Behind(_) => {}
            Signal::CaughtUp => self.note(Said::CaughtUp),
            Signal::Message(delivery) => self.note(Said::Message(text(delivery))),
        }
        Ok(signal)
    }

    async fn close(&mut self) {
        self.source.close().await;
    }
}

impl<S> Noting<S> {
    fn note(&self, said: Said) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).push(said);
    }
}

/// A feed that the loop reads. It ends when this is dropped.
pub(super) struct Observed {
    said: Arc<Mutex<Vec<Said>>>,
    /// How many messages were in force each time a list was asked for.
    resyncs: Arc<Mutex<Vec<usize>>>,
    sink: EventSink,
    reading: JoinHandle<()>,
}

impl Observed {
    /// Starts to read since a time, with room for so many keys.
    pub(super) fn start(source: impl EventSource + 'static, since: Timestamp, room: usize) -> Self {
        let sink = EventSink::new(Arc::new(TrustDomain::new(DomainConfig::new())));
        // Reading starts from when the list was issued.
        let list = RevocationList::builder(since).build();
        sink.install(list).expect("the first list is in force, however old");
        let (said, resyncs) = (Arc::default(), Arc::<Mutex<Vec<usize>>>::default());
        let noted = Arc::clone(&resyncs);
        let resync = move |sink: EventSink| {
            let entries = sink.status().overlay.entries;
            noted.lock().unwrap_or_else(PoisonError::into_inner).push(entries);
            async { Ok(()) }
        };
        let noting = Noting {
            source,
            said: Arc::clone(&said),
        };
        let feed = drive(noting, decode as fn(&[u8]) -> _, sink.clone())
            .with_margin(Duration::ZERO)
            .with_resync(resync);
        let observed = Self {
            said,
            resyncs,
            sink,
            reading: tokio::spawn(feed.run()),
        };
        observed.make_room(room);
        observed
    }

    pub(super) fn make_room(&self, keys: usize) {
        let keys = NonZeroUsize::new(keys).unwrap_or(NonZeroUsize::MIN);
        self.sink.configure(|config| config.with_capacity(keys));
    }

    pub(super) fn said(&self) -> Vec<Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn messages(&self) -> Vec<String> {
        messages(&self.said())
    }

    pub(super) fn resyncs(&self) -> Vec<usize> {
        self.resyncs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn status(&self) -> Status {
        self.sink.status()
    }

    /// Returns whether a message is in force.
    pub(super) fn blocks(&self, message: &str) -> bool {
        let credential = Credential::new()
            .with_key(Key::subject(message))
            .with_issued_at(Timestamp::now());
        matches!(self.sink.decide(&credential), Verdict::Revoked(_))
    }

    /// Waits until it is so; else says what was waited for, and how it is.
    pub(super) async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool + Send) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            if Instant::now() > deadline {
                let feed = self.status().feed;
                return Err(format!(
                    "not {what} within {PATIENCE:?}: {feed:?}, it gave {:?}",
                    self.messages()
                ));
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    pub(super) async fn until_state(&self, state: FeedState) -> Result<(), String> {
        self.until(state.as_str(), |feed| feed.status().feed.state == state)
            .await
    }

    /// Waits until it is live, and these are in force and everything is settled.
    pub(super) async fn until_settled(&self, messages: &[String]) -> Result<(), String> {
        let what = format!("settled, with {:?} to {:?}", messages.first(), messages.last());
        self.until(&what, |feed| {
            let status = feed.status().feed;
            status.state == FeedState::Live
                && status.unacknowledged == 0
                && messages.iter().all(|message| feed.blocks(message))
        })
        .await
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

pub(super) fn messages(said: &[Said]) -> Vec<String> {
    let messages = said.iter().filter_map(|said| match said {
        Said::Message(message) => Some(message.clone()),
        _ => None,
    });
    messages.collect()
}

pub(super) fn text(delivery: &impl Delivery) -> String {
    String::from_utf8_lossy(delivery.payload()).into_owned()
}

/// Every message blocks a subject of its name, but for those that make no sense.
fn decode(message: &[u8]) -> Result<Decoded, DecodeError> {
    match std::str::from_utf8(message) {
        Ok(subject) if subject != NONSENSE => Ok(Revocation::block(Key::subject(subject)).into()),
        _ => Err(DecodeError::new("message", "makes no sense")),
    }
}

/// A message that can never be applied.
pub(super) const NONSENSE: &str = "nonsense";
