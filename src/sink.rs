//! The handle through which the host feeds events and lists.

use std::sync::Arc;

use tokio::time::Instant;

use crate::common::error_text::error_text;
use crate::domain::applied::Pending;
use crate::domain::trust_domain::TrustDomain;
use crate::in_flight::enforcer::Enforcer;
use crate::in_flight::guard::RevocationGuard;
use crate::model::credential::Credential;
use crate::model::decode::{Decode, DecodeError, Decoded, Disposition, Ended};
use crate::model::event::Event;
use crate::model::options::LayerOptions;
use crate::model::timestamp::Timestamp;
use crate::model::verdict::Verdict;
use crate::state::accept::{AcceptedList, ApplyError, InstallError};
use crate::state::snapshot::RevocationList;
use crate::state::view::State;
use crate::status::{FeedState, Status};

/// The handle through which the host feeds events and revocation lists; made together with its layer by
/// `RevocationLayer::pair`.
///
/// A cheap clone: give one to every consumer. Calls from many threads are taken one at a time. None of
/// them waits for the network, and requests never wait for any of them.
///
/// ```
/// use tower_revocation::{EventSink, Key, Revocation};
///
/// # fn demo(sink: &EventSink) -> Result<(), tower_revocation::ApplyError> {
/// // The queue says that an agent was revoked; from the next line on it is refused.
/// sink.apply(Revocation::block(Key::subject("did:cdi:registry.example.com:agent:01KDVDNA03XJ61A46WBY7B0EGN")))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct EventSink {
    domain: Arc<TrustDomain>,
}

impl EventSink {
    pub(crate) const fn new(domain: Arc<TrustDomain>) -> Self {
        Self { domain }
    }

    /// Applies an event. When this returns, every decision that starts afterwards sees it.
    ///
    /// With a journal (feature `journal`) it returns when the event is durable as well: it blocks for a write to disk, so
    /// tasks use [`apply_async`](Self::apply_async). The event is in force before that, and stays so if the write fails.
    ///
    /// Costs some hundred nanoseconds, whatever the size of the overlay, and a wake for each piece of work in flight that it
    /// ends, on this thread; an event for everything looks at all work that waits. Every ten minutes, and every second
    /// where room is short, one call looks through all of the overlay for what may be forgotten.
    ///
    /// # Errors
    ///
    /// [`ApplyError::AtCapacity`] if the event names a new key and the overlay is full. Nothing is evicted.
    /// Deliver the event again later. [`ApplyError::FromFuture`] if it is a reinstatement that lies ahead.
    /// [`ApplyError::NotDurable`] if the journal could not keep it.
    pub fn apply(&self, event: impl Into<Event>) -> Result<(), ApplyError> {
        self.apply_slice(&[event.into()])
    }

    /// Applies a batch of events in one publication: no decision sees a part of it.
    ///
    /// # Errors
    ///
    /// [`ApplyError::AtCapacity`] if some of the events found no room. The others are in force. Since events may be
    /// repeated, deliver the whole batch again later. [`ApplyError::FromFuture`] if reinstatements in it lie ahead; the
    /// other events are in force. [`ApplyError::NotDurable`] if the journal could not keep them: all are in force that found
    /// room, and may be forgotten by a restart.
    pub fn apply_all<E: Into<Event>>(&self, events: impl IntoIterator<Item = E>) -> Result<(), ApplyError> {
        let events: Vec<Event> = events.into_iter().map(Into::into).collect();
        self.apply_slice(&events)
    }

    /// What [`apply`](Self::apply) does, without blocking: the event is in force when this is first polled, and it waits as a
    /// task until the event is durable. Those that wait at a time share one write.
    ///
    /// # Errors
    ///
    /// Those of [`apply`](Self::apply).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future once it was polled withdraws nothing.
    ///
    /// # Panics
    ///
    /// With a journal, outside a tokio runtime with its clock enabled.
    pub async fn apply_async(&self, event: impl Into<Event>) -> Result<(), ApplyError> {
        self.put_in_force(&[event.into()]).durable().await
    }

    /// What [`apply_all`](Self::apply_all) does, without blocking; see [`apply_async`](Self::apply_async).
    ///
    /// # Errors
    ///
    /// Those of [`apply_all`](Self::apply_all).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future once it was polled withdraws nothing.
    ///
    /// # Panics
    ///
    /// With a journal, outside a tokio runtime with its clock enabled.
    pub async fn apply_all_async<E: Into<Event>>(&self, events: impl IntoIterator<Item = E>) -> Result<(), ApplyError> {
        let pending = {
            let events: Vec<Event> = events.into_iter().map(Into::into).collect();
            self.put_in_force(&events)
        };
        pending.durable().await
    }

    /// Takes in one raw message of a queue, and says what became of it.
    ///
    /// Counted and remembered for [`status`](Self::status). The caller acknowledges, retries or dead-letters
    /// accordingly: nothing is dropped without a trace. With a journal it blocks for a write to disk, so tasks use
    /// [`ingest_async`](Self::ingest_async).
    pub fn ingest(&self, decode: &impl Decode, message: &[u8]) -> Disposition {
        let ended = match self.take_in(decode, message) {
            Ok(pending) => ended(pending.wait()),
            Err(ended) => ended,
        };
        self.disposed(ended, message)
    }

    /// What [`ingest`](Self::ingest) does, without blocking; see [`apply_async`](Self::apply_async).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future once it was polled withdraws nothing, but the message is not counted.
    ///
    /// # Panics
    ///
    /// With a journal, outside a tokio runtime with its clock enabled.
    pub async fn ingest_async(&self, decode: &impl Decode, message: &[u8]) -> Disposition {
        let ended = match self.take_in(decode, message) {
            Ok(pending) => ended(pending.durable().await),
            Err(ended) => ended,
        };
        self.disposed(ended, message)
    }

    /// Installs a newer revocation list in place of the installed one.
    ///
    /// Events keep their say: an overlay entry yields only where the list carries the same key. A list of the same
    /// second as the installed one is joined with it, since nobody can tell which is newer.
    ///
    /// Takes time proportional to the overlay and, unless the list is empty, to the work in flight that waits; with a list of
    /// the same second also to both lists. The replaced list is freed before this returns.
    ///
    /// # Errors
    ///
    /// A list older than the installed one, or from the future. The installed one stays.
    ///
    /// # Security
    ///
    /// Whether the issuer signed the list, and whether it has expired, is for whoever read it to check.
    ///
    /// A journal keeps no more of it than when it was issued, so that no older one can be installed after a restart: it can
    /// keep a list only as it was signed, which the poller does. It blocks for a write to disk then. A failure shows in
    /// [`status`](Self::status).
    pub fn install(&self, snapshot: RevocationList) -> Result<(), InstallError> {
        let issued_at = self.admit(snapshot)?.list.issued_at();
        self.domain.poll_succeeded();
        if let (Some(journal), Some(issued_at)) = (self.domain.journal.get(), issued_at) {
            if !self.domain.store.look(State::needs_list) {
                drop(journal.persist_resynced());
            }
            // The list is in force whatever comes of it, and whatever is kept next takes that along.
            let _ = journal.persist_newest(issued_at).wait();
        }
        Ok(())
    }

    /// Notes that the issuer has signed no list yet because it has revoked nothing: counts as a fresh, empty list.
    ///
    /// # Errors
    ///
    /// [`InstallError::Unsigned`] if a signed list was ever seen: an unsigned answer never removes anything.
    pub fn install_none(&self) -> Result<(), InstallError> {
        self.domain.store.install(RevocationList::empty(), Timestamp::now())?;
        self.domain.poll_succeeded();
        Ok(())
    }

    /// Notes that the installed list was found to be the newest still (a `304 Not Modified`): its age counts anew.
    ///
    /// # Errors
    ///
    /// [`InstallError::Expired`] if the list may not be fetched any more; otherwise whoever stands between could keep an
    /// old list in force for ever. [`InstallError::NothingToConfirm`] before the first list.
    ///
    /// # Security
    ///
    /// Call it only upon an answer that comes from the issuer.
    pub fn confirm(&self) -> Result<(), InstallError> {
        self.domain.store.confirm(Timestamp::now())?;
        self.domain.poll_succeeded();
        Ok(())
    }

    /// Whether [`confirm`](Self::confirm) would be accepted.
    #[cfg(feature = "crl-poll")]
    pub(crate) fn may_confirm(&self) -> bool {
        self.domain.store.may_confirm(Timestamp::now())
    }

    /// Asks the poller to fetch the list now. Returns at once; several calls at a time come to one fetch.
    ///
    /// Does nothing where no poller runs.
    pub fn refresh(&self) {
        self.domain.requested.send_modify(|count| *count += 1);
    }

    /// Asks the poller to fetch the list now, and waits until a fetch that began after this call has ended, well
    /// or badly: see [`status`](Self::status). Where no poller runs it waits for ever.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future withdraws nothing: the fetch goes on.
    pub async fn refreshed(&self) {
        let mut mine = 0;
        self.domain.requested.send_modify(|count| {
            *count += 1;
            mine = *count;
        });
        let mut answered = self.domain.answered.subscribe();
        // The sender lives as long as the domain that this borrows.
        let _ = answered.wait_for(|answered| *answered >= mine).await;
    }

    /// Says how the event feed is. Decides the poller's pace; shown in [`status`](Self::status). A feed that comes
    /// [live](FeedState::Live) may have missed events, so the list is fetched at once.
    pub fn set_feed(&self, state: FeedState) {
        if self.domain.set_feed(state) && state == FeedState::Live {
            // Asked for here, since the poller sees only the latest state: not one that was down and is back already.
            self.refresh();
        }
        if state == FeedState::Live {
            self.domain.caught_up();
        }
    }

    /// Says how the feed is that the crate's own loop drives: it knows by itself when to ask for a list.
    #[cfg(feature = "source")]
    pub(crate) fn note_feed(&self, state: FeedState) {
        self.domain.set_feed(state);
    }

    /// What is known of `credential` now, for work that is not a request, such as a job or a message. What an unknown credential
    /// means is the caller's to decide. Counted nowhere.
    ///
    /// Costs what it costs the layer: no lock, no allocation.
    pub fn decide(&self, credential: &Credential) -> Verdict {
        self.domain.store.decide(credential).verdict
    }

    /// Watches over `credential` for work that is not a request, and goes on for a while: a subscription, a job. Under the
    /// settings that a layer has by default: it enforces, also beside a layer that only observes, and tells of no rotation.
    ///
    /// # Security
    ///
    /// It doesn't admit: [`decide`](Self::decide) first. A credential that was rotated is refused there, and never told of here.
    #[must_use]
    pub fn guard(&self, credential: impl Into<Credential>) -> RevocationGuard {
        let enforcer = Enforcer {
            domain: Arc::clone(&self.domain),
            settings: LayerOptions::default(),
        };
        RevocationGuard::new(&Arc::new(enforcer), Some(&credential.into()))
    }

    /// Everything an operator asks about, as of now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.domain.status()
    }

    /// Whether requests are answered by what is known: false if the policy refuses everyone for want of a fresh
    /// list. What a readiness probe wants.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.domain.is_ready()
    }

    #[cfg(any(feature = "crl-poll", feature = "journal", feature = "metrics", feature = "source"))]
    pub(crate) const fn domain(&self) -> &Arc<TrustDomain> {
        &self.domain
    }

    /// Installs a list, and leaves it to the caller to have it kept, and to say how that went.
    pub(crate) fn admit(&self, snapshot: RevocationList) -> Result<AcceptedList, InstallError> {
        let admitted = self.domain.store.install(snapshot, Timestamp::now())?;
        tracing::info!(
            entries = admitted.list.entries(),
            iat = admitted.list.issued_at().map(|at| at.as_unix_secs()),
            "revocation list installed"
        );
        Ok(admitted)
    }

    fn apply_slice(&self, events: &[Event]) -> Result<(), ApplyError> {
        self.put_in_force(events).wait()
    }

    fn put_in_force(&self, events: &[Event]) -> Pending {
        let (store, arrival) = (&self.domain.store, Timestamp::now());
        let (merged, ticket) = match self.domain.journal.get() {
            None => (store.merge(events, arrival), None),
            Some(journal) => {
                let (merged, entries) = store.merge_to_keep(events, arrival);
                // Nothing to keep, nothing to wait for.
                let ticket = (!entries.is_empty()).then(|| journal.keep(entries));
                (merged, ticket)
            }
        };
        let refused = match merged {
            Err(ApplyError::AtCapacity { refused } | ApplyError::FromFuture { refused, .. }) => refused,
            Ok(()) | Err(ApplyError::NotDurable { .. }) => 0,
        };
        self.domain.applied(events, refused);
        Pending::new(merged, ticket)
    }

    /// What a message says is in force, or what is to be done with it instead.
    pub(crate) fn take_in(&self, decode: &impl Decode, message: &[u8]) -> Result<Pending, Ended> {
        self.taken_in(decode.decode(message), |events| self.put_in_force(&events))
    }

    fn taken_in(
        &self,
        decoded: Result<Decoded, DecodeError>,
        put_in_force: impl FnOnce(Vec<Event>) -> Pending,
    ) -> Result<Pending, Ended> {
        match decoded {
            Ok(Decoded::Events(events)) => Ok(put_in_force(events)),
            Ok(Decoded::Ignored(reason)) => Err(Ended::ignored(reason)),
            Ok(Decoded::Heartbeat(at)) => {
                let mut health = self.domain.health();
                health.feed.heartbeat(at, Timestamp::now(), Instant::now());
                Err(Ended::applied())
            }
            Ok(Decoded::Refresh) => {
                self.refresh();
                Err(Ended::applied())
            }
            Err(error) => Err(Ended::dead_letter(error.field(), error_text(&error))),
        }
    }

    /// What [`take_in`](Self::take_in) does, for messages that came together: one publication, if none of them is refused.
    #[cfg(feature = "source")]
    pub(crate) fn take_in_all<'m>(
        &self,
        decode: &impl Decode,
        messages: impl Iterator<Item = &'m [u8]> + Clone,
    ) -> Vec<Result<Pending, Ended>> {
        // A journal answers for each message by itself, and writes those of a time at once anyway.
        if self.domain.journal.get().is_none() {
            let decoded: Vec<_> = messages.clone().map(|message| decode.decode(message)).collect();
            let of = |decoded: &Result<Decoded, DecodeError>| match decoded {
                Ok(Decoded::Events(events)) => events.clone(),
                _ => Vec::new(),
            };
            let events: Vec<Event> = decoded.iter().flat_map(of).collect();
            let arrival = Timestamp::now();
            if events.is_empty() || self.domain.store.merge(&events, arrival).is_ok() {
                self.domain.applied(&events, 0);
                return decoded
                    .into_iter()
                    .map(|decoded| self.taken_in(decoded, |_| Pending::done()))
                    .collect();
            }
        }
        // Which of them found no room has to be told apart. That some are in force already does no harm.
        messages.map(|message| self.take_in(decode, message)).collect()
    }

    pub(crate) fn disposed(&self, ended: Ended, message: &[u8]) -> Disposition {
        self.domain.counters.disposed(&ended);
        let disposition = ended.disposition;
        if let Disposition::DeadLetter(reason) = &disposition {
            self.domain.dead_lettered(reason);
        }
        tracing::trace!(
            disposition = disposition.as_str(),
            bytes = message.len(),
            "message taken in"
        );
        disposition
    }
}

/// What became of a message whose events were put in force as far as this says.
pub(crate) fn ended(applied: Result<(), ApplyError>) -> Ended {
    match applied {
        Ok(()) => Ended::applied(),
        Err(error @ ApplyError::AtCapacity { .. }) => Ended::retry("at-capacity", error_text(&error)),
        Err(error @ ApplyError::NotDurable { .. }) => Ended::retry("not-durable", error_text(&error)),
        Err(error @ ApplyError::FromFuture { .. }) => Ended::dead_letter("from-future", error_text(&error)),
    }
}

#[cfg(all(test, feature = "source"))]
mod tests {
    use super::*;
    use crate::model::event::Revocation;
    use crate::model::key::Key;

    fn sink() -> EventSink {
        EventSink::new(Arc::new(TrustDomain::new()))
    }

    /// `r` and an id revokes, everything else is ignored.
    fn decode(message: &[u8]) -> Result<Decoded, DecodeError> {
        match message.strip_prefix(b"r") {
            Some(id) => Ok(Revocation::block(Key::token(&String::from_utf8_lossy(id))).into()),
            None => Ok(Decoded::Ignored("another".into())),
        }
    }

    fn version(sink: &EventSink) -> u64 {
        sink.domain.store.look(|state| state.version)
    }

    #[test]
    fn what_came_together_is_one_publication() {
        let sink = sink();
        let before = version(&sink);
        let messages: [&[u8]; 3] = [b"ra", b"?", b"rb"];
        let taken = sink.take_in_all(&decode, messages.into_iter());
        assert_eq!(version(&sink), before + 1);
        assert!(taken[0].is_ok() && taken[2].is_ok());
        let ignored = taken[1].as_ref().err().map(|ended| &ended.disposition);
        assert!(matches!(ignored, Some(Disposition::Ignored(_))));
        for id in ["a", "b"] {
            assert!(
                matches!(sink.decide(&Key::token(id).into()), Verdict::Revoked(_)),
                "{id}"
            );
        }
        assert!(sink.status().feed.last_event_ms_ago.is_some());
    }

    #[test]
    fn what_brings_no_event_is_none() {
        let sink = sink();
        let before = version(&sink);
        let messages: [&[u8]; 2] = [b"?", b"!"];
        assert_eq!(sink.take_in_all(&decode, messages.into_iter()).len(), 2);
        assert_eq!(version(&sink), before);
        assert_eq!(sink.status().feed.last_event_ms_ago, None);
    }

    #[test]
    fn whoever_watches_the_feed_hears_of_news_and_of_nothing_else() {
        let sink = sink();
        let mut watcher = sink.domain.feed.subscribe();
        watcher.mark_unchanged();
        sink.note_feed(FeedState::Live);
        assert!(watcher.has_changed().unwrap());
        watcher.mark_unchanged();
        sink.note_feed(FeedState::Live);
        assert!(!watcher.has_changed().unwrap());
    }
}
