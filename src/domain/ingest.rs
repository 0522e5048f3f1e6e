//! How an event gets in force: from a message or from the host into the state and into the journal.

use std::cell::LazyCell;

use tokio::time::Instant;

use crate::common::error_text::error_text;
use crate::common::host_code::guarded;
use crate::common::log;
use crate::domain::applied::Applied;
use crate::domain::observer::Phase;
use crate::domain::trust_domain::TrustDomain;
use crate::model::canary;
use crate::model::decode::{Decode, DecodeError, Decoded, Disposition, Ended, Placed};
use crate::model::event::Event;
use crate::model::log_place::{LogPlace, LogPosition};
use crate::model::policy::ListPolicy;
use crate::model::timestamp::Timestamp;
use crate::state::accept::ApplyError;
use crate::state::view::FeedReading;
use crate::status::FeedState;

impl TrustDomain {
    /// Puts events in force, and lets the journal persist them if there is one.
    pub(crate) fn put_in_force(&self, events: &[Event]) -> Applied {
        self.put_in_force_and(events, || None)
    }

    /// Notes a place once its events are in force. Returns up to where its log is known whole, if that is more than before.
    fn put_in_force_and(&self, events: &[Event], note_place: impl FnOnce() -> Option<LogPosition>) -> Applied {
        let (store, arrival) = (&self.store, self.now());
        // What found no room comes again, and is missing until then.
        let note_place = |merged: &Result<(), ApplyError>| match merged {
            Err(ApplyError::AtCapacity { .. }) => None,
            _ => note_place(),
        };
        let (merged, durable) = match self.journal.get() {
            None => {
                let merged = store.merge(events, arrival);
                note_place(&merged);
                (merged, None)
            }
            Some(journal) => {
                let (merged, entries) = store.merge_to_keep(events, arrival);
                let whole = note_place(&merged);
                // With nothing to persist there is nothing to wait for.
                let is_news = !entries.is_empty() || whole.is_some();
                (merged, is_news.then(|| journal.persist(entries, whole)))
            }
        };
        let refused = match merged {
            Err(ApplyError::AtCapacity { refused } | ApplyError::FromFuture { refused, .. }) => refused,
            Ok(()) | Err(ApplyError::NotDurable { .. }) => 0,
        };
        self.note_applied(events, refused);
        Applied::new(merged, durable)
    }

    /// Puts in force what a message says, or returns what has to be done with it instead.
    pub(crate) fn take_in(&self, decode: &impl Decode, message: &[u8]) -> Result<Applied, Ended> {
        let Placed { decoded, place } = decoded(decode, message);
        match place {
            None => self.taken_in(decoded, |events| self.put_in_force(&events)),
            Some(place) => self.take_in_placed(decoded, &place),
        }
    }

    /// Takes in a message of an issuer's own log. Its log is held until the journal has both: a place that was written before the
    /// events of another place before it would hide that these are lost.
    fn take_in_placed(&self, decoded: Result<Decoded, DecodeError>, place: &LogPlace) -> Result<Applied, Ended> {
        let mut logs = self.issuer_logs();
        let sent = match &decoded {
            Ok(Decoded::Heartbeat(sent)) => Some(*sent),
            _ => None,
        };
        let mut note = || {
            let log = place.position().log;
            let before = logs.whole(log);
            logs.note(place, sent, Instant::now());
            logs.whole(log).filter(|whole| Some(*whole) != before)
        };
        let has_events = matches!(decoded, Ok(Decoded::Events(_)));
        let taken_in = self.taken_in(decoded, |events| self.put_in_force_and(&events, &mut note));
        if !has_events && let (Some(whole), Some(journal)) = (note(), self.journal.get()) {
            // Nobody has to wait: a restart reads it again.
            drop(journal.persist(Vec::new(), Some(whole)));
        }
        taken_in
    }

    fn taken_in(
        &self,
        decoded: Result<Decoded, DecodeError>,
        put_in_force: impl FnOnce(Vec<Event>) -> Applied,
    ) -> Result<Applied, Ended> {
        match decoded {
            Ok(Decoded::Events(events)) => Ok(put_in_force(events)),
            Ok(Decoded::Ignored(reason)) => Err(Ended::ignored(reason)),
            Ok(Decoded::Heartbeat(at)) => {
                let mut health = self.health();
                health.feed.heartbeat(at, self.now(), Instant::now());
                Err(Ended::applied())
            }
            Ok(Decoded::Refresh) => {
                self.refresh();
                Err(Ended::applied())
            }
            Err(error) => Err(Ended::dead_letter(error.field(), error_text(&error))),
        }
    }

    /// Does what [`take_in`](Self::take_in) does, for messages that came together: in one publication, if none of them
    /// is refused.
    #[cfg(feature = "source")]
    pub(crate) fn take_in_all<'m>(
        &self,
        decode: &impl Decode,
        messages: impl Iterator<Item = &'m [u8]> + Clone,
    ) -> Vec<Result<Applied, Ended>> {
        // A journal answers for each message separately, and writes those that come at the same time together anyway.
        if self.journal.get().is_none() {
            let placed: Vec<_> = messages.clone().map(|message| decoded(decode, message)).collect();
            let of = |placed: &Placed| match &placed.decoded {
                Ok(Decoded::Events(events)) => events.clone(),
                _ => Vec::new(),
            };
            let events: Vec<Event> = placed.iter().flat_map(of).collect();
            let arrival = self.now();
            if events.is_empty() || self.store.merge(&events, arrival).is_ok() {
                self.note_applied(&events, 0);
                let in_force = |Placed { decoded, place }| match place {
                    None => self.taken_in(decoded, |_| Applied::done()),
                    Some(place) => {
                        let sent = match &decoded {
                            Ok(Decoded::Heartbeat(sent)) => Some(*sent),
                            _ => None,
                        };
                        self.issuer_logs().note(&place, sent, Instant::now());
                        self.taken_in(decoded, |_| Applied::done())
                    }
                };
                return placed.into_iter().map(in_force).collect();
            }
        }
        // Each message is taken in alone to learn which of them found no room. That some are in force already does no
        // harm.
        messages.map(|message| self.take_in(decode, message)).collect()
    }

    /// Counts a message of so many bytes by what became of it.
    pub(crate) fn disposed(&self, ended: Ended, bytes: usize) -> Disposition {
        self.counters.disposed(&ended);
        let disposition = ended.disposition;
        if let Disposition::DeadLetter(reason) = &disposition {
            self.dead_lettered(reason);
        }
        log::trace!(disposition = disposition.as_str(), bytes, "message taken in");
        disposition
    }

    /// Takes what a consumer of the host's own says of its feed.
    pub(crate) fn host_sets_feed(&self, state: FeedState) {
        if self.set_feed(state) && state == FeedState::Live {
            // The fetch is requested here because the poller sees only the latest state: it would not see a feed that
            // went down and came back in between.
            self.refresh();
        }
        if state == FeedState::Live {
            self.caught_up();
        }
    }

    /// Sets the state of the feed. Returns whether it changed.
    pub(crate) fn set_feed(&self, state: FeedState) -> bool {
        let is_news = self
            .feed
            .send_if_modified(|known| std::mem::replace(known, state) != state);
        if is_news {
            self.health().feed.since = Some(Instant::now());
            log::info!(?state, "event feed changed");
        }
        match state {
            FeedState::Unknown => {}
            FeedState::Live => {
                self.store.set_feed(FeedReading::Read);
                self.keep_that_feed_is_live();
            }
            FeedState::Connecting | FeedState::CatchingUp | FeedState::Down => self.announce_feed(),
        }
        is_news
    }

    /// Notes that a feed is about to be read: where there is no list, nothing is known before its end was reached once.
    pub(crate) fn announce_feed(&self) {
        self.store.set_feed(FeedReading::Awaited);
    }

    /// Has the journal keep now and then that the feed is live, where there is no list whose age is kept.
    fn keep_that_feed_is_live(&self) {
        let (lists, max_age) = self.store.look(|state| (state.policy.lists, state.policy.max_age));
        let Some(journal) = self.journal.get().filter(|_| lists == ListPolicy::NotUsed) else {
            return;
        };
        let now = Instant::now();
        let mut health = self.health();
        let kept = health.feed.kept.map(|at| now.saturating_duration_since(at));
        if kept.is_none_or(|ago| ago >= max_age / 4) {
            health.feed.kept = Some(now);
            // Nobody waits for this: at worst, a restart takes longer until it admits anybody.
            drop(journal.persist_feed_read(self.now()));
        }
    }

    /// Notes that all older events came in. If events alone decide, and the feed replays all that is not to be forgotten yet, the domain
    /// has resynced and needs no list.
    pub(crate) fn caught_up(&self) {
        if self
            .store
            .look(|state| state.policy.lists == ListPolicy::NotUsed && state.needs_list())
        {
            self.store.set_needs_list(false);
            if let Some(journal) = self.journal.get() {
                // Nobody has to wait: until this is persisted, a restart still finds that a list is needed.
                drop(journal.persist_resynced());
            }
        }
    }

    pub(crate) fn dead_lettered(&self, reason: &str) {
        self.health().last_dead_letter = Some((Instant::now(), reason.to_owned()));
    }

    /// Notes events that are in force, except as many of them as were refused.
    fn note_applied(&self, events: &[Event], refused: usize) {
        if refused >= events.len() {
            return;
        }
        self.counters.applied(events.len() - refused);
        // Read only if something below needs it.
        let wall = LazyCell::new(Timestamp::now);
        let now = Instant::now();
        let dated = events.iter().filter_map(|event| match event {
            Event::Revoke(revocation) => Some((event.key(), revocation.effective_at()?)),
            // A late reinstatement does no harm.
            Event::Reinstate(_) => None,
        });
        if let Some(observer) = self.observer.get().filter(|_| refused == 0) {
            let phase = match *self.feed.borrow() {
                FeedState::Unknown | FeedState::Live => Phase::Live,
                FeedState::Connecting | FeedState::CatchingUp | FeedState::Down => Phase::CatchUp,
            };
            for (_, at) in dated.clone() {
                let _ = guarded(|| observer.enforced(wall.saturating_since(at), phase));
            }
        }
        let mut health = self.health();
        health.feed.last_event = Some(now);
        // If a part of a batch was refused, nobody knows which part: the batch comes again.
        if health.canary.is_expected && refused == 0 {
            let canary = canary::key();
            for (_, at) in dated.filter(|(key, _)| **key == canary) {
                health.canary.arrived(at, *wall, now);
            }
        }
    }
}

/// Reads a message. A decoder that panics has not read it.
fn decoded(decode: &impl Decode, message: &[u8]) -> Placed {
    // What it says of that may quote the message.
    guarded(|| decode.decode_placed(message))
        .unwrap_or_else(|_panic| DecodeError::new("message", "makes the decoder panic").into())
}

/// What became of a message, by what became of its events.
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
    use crate::model::domain_config::DomainConfig;
    use crate::model::event::Revocation;
    use crate::model::key::Key;
    use crate::model::verdict::Verdict;

    fn domain() -> TrustDomain {
        TrustDomain::new(DomainConfig::new())
    }

    /// `r` and an id revokes, everything else is ignored.
    fn decode(message: &[u8]) -> Result<Decoded, DecodeError> {
        match message.strip_prefix(b"r") {
            Some(id) => Ok(Revocation::block(Key::token(&String::from_utf8_lossy(id))).into()),
            None => Ok(Decoded::Ignored("another".into())),
        }
    }

    fn version(domain: &TrustDomain) -> u64 {
        domain.store.look(|state| state.version)
    }

    #[test]
    fn what_came_together_is_one_publication() {
        let domain = domain();
        let before = version(&domain);
        let messages: [&[u8]; 3] = [b"ra", b"?", b"rb"];
        let taken = domain.take_in_all(&decode, messages.into_iter());
        assert_eq!(version(&domain), before + 1);
        assert!(taken[0].is_ok() && taken[2].is_ok());
        let ignored = taken[1].as_ref().err().map(|ended| &ended.disposition);
        assert!(matches!(ignored, Some(Disposition::Ignored(_))));
        for id in ["a", "b"] {
            assert!(
                matches!(domain.store.verdict(&Key::token(id).into()), Verdict::Revoked(_)),
                "{id}"
            );
        }
        assert!(domain.status().feed.last_event_ms_ago.is_some());
    }

    #[test]
    fn what_brings_no_event_is_none() {
        let domain = domain();
        let before = version(&domain);
        let messages: [&[u8]; 2] = [b"?", b"!"];
        assert_eq!(domain.take_in_all(&decode, messages.into_iter()).len(), 2);
        assert_eq!(version(&domain), before);
        assert_eq!(domain.status().feed.last_event_ms_ago, None);
    }

    #[test]
    fn whoever_watches_the_feed_hears_of_news_and_of_nothing_else() {
        let domain = domain();
        let mut watcher = domain.feed.subscribe();
        watcher.mark_unchanged();
        domain.set_feed(FeedState::Live);
        assert!(watcher.has_changed().unwrap());
        watcher.mark_unchanged();
        domain.set_feed(FeedState::Live);
        assert!(!watcher.has_changed().unwrap());
    }
}
