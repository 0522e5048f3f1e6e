//! Where readers and writers meet: one atomic pointer to one state.

use std::collections::BTreeSet;
use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::credential::Credential;
use crate::model::domain_config::DomainConfig;
use crate::model::event::{Effect, Event};
use crate::model::key::{Key, KeyKind};
use crate::model::timestamp::Timestamp;
use crate::model::verdict::{Revoked, Verdict};
use crate::state::accept::{self, AcceptedList, ApplyError, InstallError};
use crate::state::entry::Entry;
use crate::state::key_state::KeyState;
use crate::state::left_right::Pair;
#[cfg(feature = "journal")]
use crate::state::overlay::Overlay;
use crate::state::retention::Clock;
use crate::state::snapshot::RevocationList;
use crate::state::spared_keys::SparedKeys;
use crate::state::terms::Terms;
use crate::state::view::{Decision, FeedReading, Refreshed, State, Step};
use crate::state::waiters::WaiterIndex;

/// The single state of a trust domain, read by every request and written by one writer at a time.
///
/// Requests look at one consistent view behind one atomic pointer, and never wait: see [`Pair`].
///
/// Each publication wakes the work in flight that waits and that it concerns.
pub(crate) struct Store {
    states: Pair,
    /// The work in flight that waits.
    pub(crate) waiters: WaiterIndex,
    /// Which lists were ever seen. Locked while a list is compared with the installed one.
    seen: Mutex<SeenLists>,
    /// Locked while the configuration is changed, which the host's own code does. Events and lists do not wait for that.
    configuring: Mutex<()>,
    /// The clock that retention is counted on.
    clock: Clock,
    /// When expired entries were last looked for, in seconds on that clock. Only the writer of the state writes it.
    forgot_at: AtomicU32,
}

/// Which lists were ever seen, perhaps by an earlier process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SeenLists {
    /// The issue time of the newest.
    pub(crate) newest: Option<Timestamp>,
    /// The issue time of a list of which not all is known. Any list that was issued later is enough to resync.
    pub(crate) missed: Option<Timestamp>,
}

impl Store {
    pub(crate) fn new(policy: DomainConfig) -> Self {
        Self {
            states: Pair::new(State::new(policy)),
            seen: Mutex::default(),
            configuring: Mutex::default(),
            waiters: WaiterIndex::new(),
            clock: Clock::new(),
            forgot_at: AtomicU32::new(0),
        }
    }

    /// Decides whether to refuse `credential`.
    pub(crate) fn decide(&self, credential: &Credential) -> Decision {
        let now = Instant::now();
        self.look(|state| state.decide(credential, now))
    }

    /// Says what is known of `credential`.
    pub(crate) fn verdict(&self, credential: &Credential) -> Verdict {
        let now = Instant::now();
        self.look(|state| state.verdict(credential, now))
    }

    /// Whether anything was published since the state of version `seen`.
    #[inline]
    pub(crate) fn has_changed_since(&self, seen: u64) -> bool {
        self.states.has_changed_since(seen)
    }

    /// What ends work on these terms, if anything was published since the state of version `seen`. Sets `seen` to the
    /// version that it looked at.
    pub(crate) fn ending(&self, terms: &Terms, seen: &mut u64) -> Option<Revoked> {
        self.look(|state| match mem::replace(seen, state.version) == state.version {
            true => None,
            false => state.ending(terms),
        })
    }

    /// The same for a stream, which the host may end as well.
    pub(crate) fn stream_ending(&self, terms: &Terms, seen: &mut u64) -> Option<Revoked> {
        let before = *seen;
        self.ending(terms, seen)
            .or_else(|| self.look(|state| state.ends_stream(before)))
    }

    /// Ends the streams that are open.
    pub(crate) fn end_streams(&self) {
        let mut writing = self.states.write();
        let version = self.look(|state| state.version) + 1;
        let _ = writing.publish(vec![Step::EndStreams(version)]);
        drop(writing);
        self.waiters.call_all(|_| true);
    }

    /// The terms without the keys that end work on them now. `None` if it is an end that concerns all work.
    pub(crate) fn not_ended(&self, terms: &Terms) -> Option<Terms> {
        self.look(|state| state.not_ended(terms))
    }

    /// Looks at the published state. `look` must be short: the writer waits for it.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        self.states.look(look)
    }

    pub(crate) fn configure(&self, change: impl FnOnce(DomainConfig) -> DomainConfig) {
        let _no_other_change_is_lost = self.configuring.lock().unwrap_or_else(PoisonError::into_inner);
        let policy = change(self.look(|state| state.policy));
        self.change(vec![Step::Configure(Box::new(policy))]);
    }

    /// Adds events in one publication: when this returns, every decision that starts afterwards sees them all.
    ///
    /// # Errors
    ///
    /// Returns how many events were refused, and why. The others are in effect; all may be repeated.
    pub(crate) fn merge(&self, events: &[Event], arrival: Timestamp) -> Result<(), ApplyError> {
        self.merge_and(events, arrival, |_, _| ()).0
    }

    /// Does what [`merge`](Self::merge) does, and returns what has to be persisted of the events that are in effect.
    pub(crate) fn merge_to_keep(&self, events: &[Event], arrival: Timestamp) -> (Result<(), ApplyError>, Vec<Entry>) {
        self.merge_and(events, arrival, |steps, refused| {
            let merged = steps.iter().enumerate().filter(|(at, _)| !refused.contains(at));
            let entry = |(_, step): (usize, &Step)| {
                let (key, key_state, spared) = match step {
                    Step::Merge(key, key_state) => (key, key_state, None),
                    Step::MergeSparing(key, key_state, spared) => (key, key_state, Some(spared.clone())),
                    _ => return None,
                };
                Some(Entry {
                    key: *key,
                    key_state: *key_state,
                    spared,
                    keep_until: self.clock.keep_until(key_state.forget_at(), arrival),
                })
            };
            merged.filter_map(entry).collect()
        })
    }

    fn merge_and<T>(
        &self,
        events: &[Event],
        arrival: Timestamp,
        keep: impl FnOnce(&[Step], &BTreeSet<usize>) -> T,
    ) -> (Result<(), ApplyError>, T) {
        let mut writing = self.states.write();
        let (policy, held) = self.look(|state| (state.policy, state.overlay.len()));
        let now = self.clock.seconds();
        let mut steps = Vec::with_capacity(events.len() + 1);
        // If room is short, it is made first, so that the batch is still one publication.
        let is_short = held.saturating_add(events.len()) > policy.capacity.get();
        let pause = if is_short { 1 } else { FORGET_EVERY };
        if now.saturating_sub(self.forgot_at.load(Ordering::Relaxed)) >= pause {
            self.forgot_at.store(now, Ordering::Relaxed);
            steps.push(Step::Forget(now));
        }
        let before = steps.len();
        let timely = events
            .iter()
            .filter(|event| accept::is_timely(event, arrival, policy.leeway));
        steps.extend(timely.map(|event| {
            let forget_at = self.clock.forget_at(event, arrival, &policy);
            let (key, key_state) = (*event.key(), KeyState::of(event, arrival, forget_at));
            match SparedKeys::of(event) {
                None => Step::Merge(key, key_state),
                Some(spared) => Step::MergeSparing(key, key_state, Box::new(spared)),
            }
        }));
        let early = events.len() - (steps.len() - before);
        let refused = writing.publish(steps);
        let full = refused.len();
        let kept = keep(writing.steps(), &refused);
        drop(writing);
        self.call_whom_events_concern(events);
        if before > 0 {
            // When a reinstatement is forgotten, a block by the list counts again.
            self.call_whom_anything_concerns();
        }
        let outcome = match (full, early) {
            (0, 0) => Ok(()),
            // What can be repeated comes first. On the repetition, the others are refused again.
            (full @ 1.., early) => Err(ApplyError::AtCapacity { refused: full + early }),
            (0, early) => Err(ApplyError::FromFuture {
                refused: early,
                latest: arrival.saturating_add(policy.leeway),
            }),
        };
        (outcome, kept)
    }

    /// Installs a list, or returns why not.
    pub(crate) fn install(&self, offered: RevocationList, now: Timestamp) -> Result<AcceptedList, InstallError> {
        // Comparing two lists takes time. Other lists wait for it, and events do not.
        let mut seen = self.seen();
        let (installed, leeway) = self.look(|state| (state.snapshot().cloned(), state.policy.leeway));
        let accepted = accept::accept_list(offered, installed.as_ref(), seen.newest, now, leeway)?;
        drop(installed);
        let mut steps = vec![Step::Install(Arc::clone(&accepted.list), fresh())];
        if accepted.list.issued_at() > seen.missed {
            // This list says all that the issuer says, so the domain has resynced.
            steps.push(Step::NeedsList(false));
        }
        self.install_by(steps, &mut seen, &accepted.list);
        // Wakers may do anything, even install another list.
        drop(seen);
        self.call_whom_a_list_concerns(&accepted.list);
        Ok(accepted)
    }

    /// Installs a list that an earlier process accepted, unless there is one already. It was last fetched or confirmed
    /// `age` ago.
    ///
    /// # Errors
    ///
    /// Fails if it is older than another list that was seen.
    #[cfg(feature = "crl-poll")]
    pub(crate) fn install_kept(
        &self,
        kept: RevocationList,
        age: Duration,
    ) -> Result<Option<Arc<RevocationList>>, InstallError> {
        let mut seen = self.seen();
        if self.has_list() {
            return Ok(None);
        }
        // The earlier process checked that its time did not lie ahead. It must not be refused because the clock was set
        // back since.
        let now = kept.issued_at().unwrap_or_default();
        let list = accept::accept_list(kept, None, seen.newest, now, Duration::ZERO)?.list;
        let at = Instant::now();
        let steps = vec![Step::Install(Arc::clone(&list), Refreshed { at, age })];
        self.install_by(steps, &mut seen, &list);
        drop(seen);
        self.call_whom_a_list_concerns(&list);
        Ok(Some(list))
    }

    /// Whether any list is installed.
    #[cfg(feature = "crl-poll")]
    pub(crate) fn has_list(&self) -> bool {
        self.look(|state| state.snapshot().is_some())
    }

    /// Puts in force the state of earlier processes, and refuses lists older than the newest that they saw.
    #[cfg(feature = "journal")]
    pub(crate) fn restore(&self, entries: &[Entry], before: SeenLists, now: Timestamp) {
        let mut seen = self.seen();
        seen.newest = before.newest.max(seen.newest);
        seen.missed = before.missed;
        drop(seen);
        let key_states = entries.iter().map(|entry| {
            let forget_at = self.clock.restored_forget_at(entry.keep_until, now);
            let key_state = KeyState::from_moments(entry.key_state.moments(), entry.key_state.reason(), forget_at);
            (entry.key, key_state)
        });
        let spared = entries
            .iter()
            .filter_map(|entry| Some((entry.key, **entry.spared.as_ref()?)));
        let restored = Arc::new(Overlay::of(key_states, spared));
        self.change(vec![Step::Restore(restored)]);
        self.call_whom_anything_concerns();
    }

    /// All that events said, for storage.
    #[cfg(feature = "journal")]
    pub(crate) fn entries(&self, now: Timestamp) -> Vec<Entry> {
        self.look(|state| {
            let entry = |(key, key_state): (Key, &KeyState)| Entry {
                key,
                key_state: *key_state,
                spared: state.overlay.spared(&key).copied().map(Box::new),
                keep_until: self.clock.keep_until(key_state.forget_at(), now),
            };
            state.overlay.iter().map(entry).collect()
        })
    }

    /// Notes whether the state of earlier processes is lost, so that a list is needed.
    pub(crate) fn set_needs_list(&self, needs_list: bool) {
        self.change(vec![Step::NeedsList(needs_list)]);
    }

    /// Notes how far the feed was read. Publishes nothing if that is known.
    pub(crate) fn set_feed(&self, feed: FeedReading) {
        if self.look(|state| state.feed() < feed) {
            self.change(vec![Step::Feed(feed)]);
        }
    }

    /// Notes that the installed list is still the newest.
    pub(crate) fn confirm(&self, now: Timestamp) -> Result<(), InstallError> {
        let mut writing = self.states.write();
        self.look(|state| may_confirm(state, now))?;
        let _ = writing.publish(vec![Step::Refresh(fresh())]);
        Ok(())
    }

    /// Whether the installed list may still be confirmed as the newest.
    #[cfg(feature = "crl-poll")]
    pub(crate) fn may_confirm(&self, now: Timestamp) -> bool {
        self.look(|state| may_confirm(state, now).is_ok())
    }

    /// Publishes a change that cannot fail.
    fn change(&self, steps: Vec<Step>) {
        let mut writing = self.states.write();
        let _ = writing.publish(steps);
        writing.settle();
    }

    fn install_by(&self, steps: Vec<Step>, seen: &mut SeenLists, list: &RevocationList) {
        self.change(steps);
        seen.newest = list.issued_at().max(seen.newest);
    }

    fn seen(&self) -> MutexGuard<'_, SeenLists> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the work in flight that one of these events ends.
    fn call_whom_events_concern(&self, events: &[Event]) {
        for event in events {
            // A reinstatement ends nothing.
            let Event::Revoke(revocation) = event else { continue };
            let key = revocation.key();
            match key.kind() {
                KeyKind::Everything => self.waiters.call_all(self.judge(key)),
                _ => self.waiters.call(key, || self.judge(key)),
            }
        }
    }

    fn call_whom_a_list_concerns(&self, list: &RevocationList) {
        if list.entries() > 0 {
            self.call_whom_anything_concerns();
        }
    }

    /// Wakes the work in flight that anything ends.
    fn call_whom_anything_concerns(&self) {
        self.waiters
            .call_all(|terms| self.look(|state| state.ending(terms)).is_some());
    }

    /// Returns which work is concerned by what is now known of `key`.
    fn judge(&self, key: &Key) -> impl Fn(&Terms) -> bool + use<'_> {
        let (key, known) = (*key, self.look(|state| state.known(key)));
        let is_ended = move |terms: &Terms| known.and_then(|(key_state, _)| terms.ended_by(key.kind(), &key_state));
        move |terms| match is_ended(terms) {
            None => false,
            Some(Effect::Block) => true,
            Some(Effect::CutOff) => !self.look(|state| state.spares(&key, terms)),
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// A domain that needs a list must get the whole list, and not a confirmation.
fn may_confirm(state: &State, now: Timestamp) -> Result<(), InstallError> {
    accept::confirm(state.snapshot().filter(|_| !state.needs_list()), now)
}

fn fresh() -> Refreshed {
    Refreshed {
        at: Instant::now(),
        age: Duration::ZERO,
    }
}

/// How often expired entries are looked for while events come in, in seconds: a search takes time proportional to the
/// overlay. It is every second if room is short.
const FORGET_EVERY: u32 = Duration::from_secs(600).as_secs() as u32;

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::model::event::{Reinstatement, Revocation};
    use crate::model::key::Key;
    use crate::model::verdict::Verdict;

    const AT: Timestamp = Timestamp::from_unix_secs(100);

    fn revoke(store: &Store, id: &str) {
        store.merge(&[Revocation::block(Key::token(id)).into()], AT).unwrap();
    }

    fn is_revoked(store: &Store, id: &str) -> bool {
        matches!(store.verdict(&Key::token(id).into()), Verdict::Revoked(_))
    }

    #[test]
    fn a_replaced_list_is_freed_before_install_returns() {
        let store = Store::new(DomainConfig::default());
        let list = |secs| RevocationList::builder(Timestamp::from_unix_secs(secs)).build();
        store.install(list(90), AT).unwrap();
        let first = store.look(|state| state.snapshot().map(Arc::downgrade).unwrap());
        store.install(list(91), AT).unwrap();
        assert!(first.upgrade().is_none());
    }

    #[test]
    fn only_a_list_that_has_not_expired_can_be_confirmed() {
        let store = Store::new(DomainConfig::default());
        assert_eq!(store.confirm(AT), Err(InstallError::NothingToConfirm));
        let list = RevocationList::builder(Timestamp::from_unix_secs(90)).with_expiry(AT);
        store.install(list.build(), Timestamp::from_unix_secs(91)).unwrap();
        assert_eq!(store.confirm(Timestamp::from_unix_secs(99)), Ok(()));
        assert_eq!(store.confirm(AT), Err(InstallError::Expired { expired_at: AT }));
    }

    /// With room for only one key, every event looks for what may be forgotten, once a second.
    fn narrow(retention: Duration) -> Store {
        let store = Store::new(DomainConfig::default());
        store.configure(|config| config.with_capacity(NonZeroUsize::MIN).with_retention(retention));
        store
    }

    /// The host's own code decides about the change. It may take its time, and an event must not wait for it.
    #[test]
    fn events_do_not_wait_for_a_change_of_the_configuration() {
        let store = Arc::new(Store::new(DomainConfig::default()));
        let (applied, told) = std::sync::mpsc::channel();
        store.configure(|config| {
            let other = Arc::clone(&store);
            std::thread::spawn(move || {
                revoke(&other, "t");
                applied.send(()).unwrap();
            });
            told.recv_timeout(Duration::from_secs(10))
                .expect("the event is in force");
            config.with_capacity(NonZeroUsize::MIN)
        });
        assert!(is_revoked(&store, "t"));
        assert_eq!(store.look(|state| state.policy.capacity), NonZeroUsize::MIN);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_forgotten_within_its_retention() {
        let store = narrow(Duration::from_secs(60));
        tokio::time::advance(Duration::from_millis(900)).await;
        revoke(&store, "t");
        let other = Revocation::block(Key::token("other")).into();
        tokio::time::advance(Duration::from_millis(59_999)).await;
        assert_eq!(store.merge(&[other], AT), Err(ApplyError::AtCapacity { refused: 1 }));
        assert!(is_revoked(&store, "t"));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(store.merge(&[other], AT), Ok(()));
        assert!(!is_revoked(&store, "t"));
    }

    /// A search takes time proportional to the overlay.
    #[tokio::test(start_paused = true)]
    async fn what_is_due_is_looked_for_now_and_then() {
        let store = Store::new(DomainConfig::default());
        store.configure(|config| config.with_retention(Duration::from_secs(60)));
        revoke(&store, "t");
        let held = || store.look(|state| state.overlay.len());
        for (secs, expected) in [(599, 1), (1, 0)] {
            tokio::time::advance(Duration::from_secs(secs)).await;
            store.merge(&[], AT).unwrap();
            assert_eq!(held(), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_endless_retention_never_ends() {
        let store = narrow(Duration::MAX);
        revoke(&store, "t");
        tokio::time::advance(Duration::from_secs(100 * 365 * 24 * 60 * 60)).await;
        let other = Revocation::block(Key::token("other")).into();
        assert_eq!(store.merge(&[other], AT), Err(ApplyError::AtCapacity { refused: 1 }));
        assert!(is_revoked(&store, "t"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reinstatement_is_kept_as_long_as_a_revocation() {
        let store = narrow(Duration::from_secs(60));
        let key = Key::subject("s");
        let list = RevocationList::builder(AT)
            .with_entry(&Revocation::block(key).at(AT))
            .build();
        store.install(list, AT).unwrap();
        let reinstated = Reinstatement::of(key, AT.saturating_add(Duration::from_secs(5)));
        store.merge(&[reinstated.into()], AT).unwrap();
        let newer = Credential::from(key).with_issued_at(AT.saturating_add(Duration::from_secs(9)));
        tokio::time::advance(Duration::from_secs(59)).await;
        let other = Revocation::block(Key::token("other")).into();
        assert_eq!(store.merge(&[other], AT), Err(ApplyError::AtCapacity { refused: 1 }));
        assert_eq!(store.verdict(&newer), Verdict::Admit);
    }

    /// An event that found no room at first was once published after the rest of its batch.
    #[tokio::test(start_paused = true)]
    async fn a_batch_that_needs_room_made_is_one_publication() {
        let store = Store::new(DomainConfig::default());
        store.configure(|config| {
            config
                .with_capacity(NonZeroUsize::new(2).unwrap())
                .with_retention(Duration::from_secs(60))
        });
        revoke(&store, "old");
        tokio::time::advance(Duration::from_secs(62)).await;
        let version = || store.look(|state| state.version);
        let before = version();
        let batch = ["a", "b"].map(|id| Revocation::block(Key::token(id)).into());
        store.merge(&batch, AT).unwrap();
        assert_eq!(version(), before + 1, "published once");
        assert!(is_revoked(&store, "a") && is_revoked(&store, "b"));
    }
}
