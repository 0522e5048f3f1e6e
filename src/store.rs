//! Where the two sides meet: one atomic pointer to one state.

use std::collections::BTreeSet;
use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use crate::admission::{self, Admitted, ApplyError, InstallError};
use crate::clock::Clock;
use crate::credential::Credential;
use crate::entry::Entry;
use crate::event::Event;
use crate::key::{Key, KeyKind};
use crate::live::Live;
use crate::mark::Mark;
use crate::overlay::Full;
#[cfg(feature = "journal")]
use crate::overlay::Overlay;
use crate::policy::Policy;
use crate::reach::Terms;
use crate::snapshot::Snapshot;
use crate::state::{Decision, Refreshed, State, Step};
use crate::timestamp::Timestamp;
use crate::verdict::Revoked;

/// The one truth, read by every request and written by one writer at a time.
///
/// Readers load a pointer, look, and let go: no lock, no allocation, nothing to free. The writer keeps a
/// second state that no reader can see. It brings that one up to date *in place*, publishes it with a single swap, and gets the
/// previous one back as the next second state. So a change costs what it changes, at any size, and costs
/// no copy; every decision sees one consistent view; and no request ever drops a state, because the
/// writer holds on to each until the last reader has left it.
///
/// The price is memory for two overlays, and a wait: before writing to a state that was just retired, the
/// writer lets the readers that are inside [`decide`](Self::decide) (some 100 ns) finish. Should one
/// not, it copies the published state rather than wait for ever.
///
/// Work that is in flight and waits is called after each publication that concerns it.
pub(crate) struct Store {
    published: OwnLines<Published>,
    /// Who waits to be called.
    pub(crate) live: Live,
    writer: Mutex<Writer>,
    /// Which lists were ever seen. Held while a list is checked against the installed one.
    seen: Mutex<Seen>,
    /// What retention is counted on.
    clock: Clock,
}

/// Which lists were ever seen, by an earlier process perhaps.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// The issue time of the newest.
    pub(crate) newest: Option<Timestamp>,
    /// The issue time of one that said more than what is known of it: a newer one is wanted.
    pub(crate) incomplete: Option<Timestamp>,
}

struct Published {
    state: ArcSwap<State>,
    /// The state's version, stored after it: a hint whether it is worth looking. Whoever finds it changed and looks goes on
    /// by the version that the state itself names, so that nothing hangs on their order.
    version: AtomicU64,
}

struct Writer {
    /// The state that isn't published.
    spare: Arc<State>,
    /// What the published state has seen and the spare one hasn't.
    behind: Vec<Step>,
    /// States given up because a reader would not leave them, kept so that no reader has to free them.
    abandoned: Vec<Arc<State>>,
    /// When expired entries were last looked for, in seconds since the store's epoch.
    forgot_at: u32,
}

/// Something on cache lines of its own (two: processors fetch pairs), so that a writer that writes beside it
/// doesn't take it from the readers' caches.
#[repr(align(128))]
struct OwnLines<T>(T);

impl Store {
    pub(crate) fn new(policy: Policy) -> Self {
        let state = State::new(policy);
        Self {
            writer: Mutex::new(Writer {
                spare: Arc::new(state.clone()),
                behind: Vec::new(),
                abandoned: Vec::new(),
                forgot_at: 0,
            }),
            seen: Mutex::default(),
            published: OwnLines(Published {
                version: AtomicU64::new(state.version),
                state: ArcSwap::from_pointee(state),
            }),
            live: Live::new(),
            clock: Clock::new(),
        }
    }

    /// What is known of `credential`, and how fresh that is.
    pub(crate) fn decide(&self, credential: &Credential) -> Decision {
        let now = Instant::now();
        self.published.0.state.load().decide(credential, now)
    }

    /// Whether anything was published since the state of version `seen`.
    #[inline]
    pub(crate) fn has_changed_since(&self, seen: u64) -> bool {
        self.published.0.version.load(Ordering::Relaxed) != seen
    }

    /// What ends work on these terms, if anything was published since the state of version `seen`; which becomes the
    /// version that was looked at.
    pub(crate) fn ending(&self, terms: &Terms, seen: &mut u64) -> Option<Revoked> {
        self.look(|state| match mem::replace(seen, state.version) == state.version {
            true => None,
            false => state.ending(terms),
        })
    }

    /// Looks at the published state. `look` must be short: the writer waits for it.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.published.0.state.load())
    }

    pub(crate) fn configure(&self, change: impl FnOnce(&mut Policy)) {
        let mut writer = self.writer();
        let mut policy = self.look(|state| state.policy);
        change(&mut policy);
        // Only a merge can be refused.
        let _ = self.publish(&mut writer, vec![Step::Configure(policy)]);
        self.settle(&mut writer);
    }

    /// Adds events, in one publication: when this returns, every decision that starts afterwards sees them all.
    ///
    /// # Errors
    ///
    /// Which events were refused, and how many. The others are in effect; all may be repeated.
    pub(crate) fn merge(&self, events: &[Event], arrival: Timestamp) -> Result<(), ApplyError> {
        self.merge_and(events, arrival, |_, _| ()).0
    }

    /// The same, and what there is to keep of those that are in effect.
    pub(crate) fn merge_to_keep(&self, events: &[Event], arrival: Timestamp) -> (Result<(), ApplyError>, Vec<Entry>) {
        self.merge_and(events, arrival, |steps, refused| {
            let merged = steps.iter().enumerate().filter(|(at, _)| !refused.contains(at));
            let entry = |(_, step): (usize, &Step)| match *step {
                Step::Merge(key, mark) => Some(Entry {
                    key,
                    mark,
                    keep_until: self.clock.keep_until(mark.forget_at(), arrival),
                }),
                _ => None,
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
        let mut writer = self.writer();
        let (policy, held) = self.look(|state| (state.policy, state.overlay.len()));
        let now = self.clock.seconds();
        let mut steps = Vec::with_capacity(events.len() + 1);
        // Where room is short it is made beforehand, so that the batch is still one publication.
        let is_short = held.saturating_add(events.len()) > policy.capacity.get();
        let pause = if is_short { 1 } else { FORGET_EVERY };
        if now.saturating_sub(writer.forgot_at) >= pause {
            writer.forgot_at = now;
            steps.push(Step::Forget(now));
        }
        let before = steps.len();
        let timely = events
            .iter()
            .filter(|event| admission::is_timely(event, arrival, policy.leeway));
        steps.extend(timely.map(|event| {
            let forget_at = self.clock.forget_at(event, arrival, &policy);
            Step::Merge(*event.key(), Mark::of(event, arrival, forget_at))
        }));
        let early = events.len() - (steps.len() - before);
        let refused = self.publish(&mut writer, steps);
        let full = refused.len();
        // What was published is what the other state has to catch up with.
        let kept = keep(&writer.behind, &refused);
        drop(writer);
        self.call_whom_events_concern(events);
        if before > 0 {
            // With a reinstatement that is forgotten, a block by the list comes back.
            self.call_whom_anything_concerns();
        }
        let outcome = match (full, early) {
            (0, 0) => Ok(()),
            // What can be repeated goes first: the others are refused again then.
            (full @ 1.., early) => Err(ApplyError::AtCapacity { refused: full + early }),
            (0, early) => Err(ApplyError::FromFuture {
                refused: early,
                latest: arrival.saturating_add(policy.leeway),
            }),
        };
        (outcome, kept)
    }

    /// Installs a list, or says why not.
    pub(crate) fn install(&self, offered: Snapshot, now: Timestamp) -> Result<Admitted, InstallError> {
        // Comparing two lists takes its time. Events need not wait for it, other lists do.
        let mut seen = self.seen();
        let (installed, leeway) = self.look(|state| (state.snapshot().cloned(), state.policy.leeway));
        let admitted = admission::admit(offered, installed.as_ref(), seen.newest, now, leeway)?;
        drop(installed);
        let mut steps = vec![Step::Install(Arc::clone(&admitted.list), fresh())];
        if admitted.list.issued_at() > seen.incomplete {
            // From here on it is known what the issuer says, whatever was lost before.
            steps.push(Step::Lose(false));
        }
        self.install_by(steps, &mut seen, &admitted.list);
        // Wakers may do anything, such as install another list.
        drop(seen);
        self.call_whom_a_list_concerns(&admitted.list);
        Ok(admitted)
    }

    /// Installs a list of an earlier process, which that one let in, unless there is one already. It was last fetched or
    /// confirmed `age` ago.
    ///
    /// # Errors
    ///
    /// It is older than another that was seen.
    #[cfg(feature = "crl-poll")]
    pub(crate) fn install_kept(&self, kept: Snapshot, age: Duration) -> Result<Option<Arc<Snapshot>>, InstallError> {
        let mut seen = self.seen();
        if self.has_list() {
            return Ok(None);
        }
        // Whether its time lies ahead was checked when it came. A clock that was set back since must not lose it.
        let now = kept.issued_at().unwrap_or_default();
        let list = admission::admit(kept, None, seen.newest, now, Duration::ZERO)?.list;
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

    /// Puts in force what earlier processes were told, and bars lists older than the newest that they saw.
    #[cfg(feature = "journal")]
    pub(crate) fn restore(&self, entries: &[Entry], before: Seen, now: Timestamp) {
        let mut seen = self.seen();
        seen.newest = before.newest.max(seen.newest);
        seen.incomplete = before.incomplete;
        drop(seen);
        let marks = entries.iter().map(|entry| {
            let forget_at = self.clock.restored_forget_at(entry.keep_until, now);
            let mark = Mark::from_moments(entry.mark.moments(), entry.mark.reason(), forget_at);
            (entry.key, mark)
        });
        let restored = Arc::new(Overlay::of(marks));
        let mut writer = self.writer();
        let _ = self.publish(&mut writer, vec![Step::Restore(restored)]);
        self.settle(&mut writer);
        drop(writer);
        self.call_whom_anything_concerns();
    }

    /// Notes whether what earlier processes were told is lost.
    pub(crate) fn lose(&self, is_lost: bool) {
        let mut writer = self.writer();
        let _ = self.publish(&mut writer, vec![Step::Lose(is_lost)]);
        self.settle(&mut writer);
    }

    /// Notes that the installed list is still the newest.
    pub(crate) fn confirm(&self, now: Timestamp) -> Result<(), InstallError> {
        let mut writer = self.writer();
        self.look(|state| may_confirm(state, now))?;
        let _ = self.publish(&mut writer, vec![Step::Refresh(fresh())]);
        Ok(())
    }

    /// Whether the installed list may still be confirmed as the newest.
    #[cfg(feature = "crl-poll")]
    pub(crate) fn may_confirm(&self, now: Timestamp) -> bool {
        self.look(|state| may_confirm(state, now).is_ok())
    }

    /// Runs `steps` on the spare state, publishes it, and returns which steps found no room.
    fn publish(&self, writer: &mut Writer, steps: Vec<Step>) -> BTreeSet<usize> {
        let version = self.look(|state| state.version) + 1;
        let spare = writer.spare(&self.published.0.state);
        let outcomes = steps.iter().map(|step| spare.run(step)).enumerate();
        let full = outcomes
            .filter(|(_, outcome)| *outcome == Err(Full))
            .map(|(at, _)| at)
            .collect();
        spare.version = version;
        writer.behind = steps;
        let published = Arc::clone(&writer.spare);
        writer.spare = self.published.0.state.swap(published);
        self.published.0.version.store(version, Ordering::Relaxed);
        full
    }

    fn install_by(&self, steps: Vec<Step>, seen: &mut Seen, list: &Snapshot) {
        let mut writer = self.writer();
        let _ = self.publish(&mut writer, steps);
        self.settle(&mut writer);
        seen.newest = list.issued_at().max(seen.newest);
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls the work in flight that one of these events ends.
    fn call_whom_events_concern(&self, events: &[Event]) {
        for event in events {
            // A reinstatement ends nothing.
            let Event::Revoke(revocation) = event else { continue };
            let key = revocation.key();
            match key.kind() {
                KeyKind::Everything => self.live.call_all(self.judge(key)),
                _ => self.live.call(key, || self.judge(key)),
            }
        }
    }

    fn call_whom_a_list_concerns(&self, list: &Snapshot) {
        if list.entries() > 0 {
            self.call_whom_anything_concerns();
        }
    }

    /// Calls the work in flight that anything ends.
    fn call_whom_anything_concerns(&self) {
        self.live
            .call_all(|terms| self.look(|state| state.ending(terms)).is_some());
    }

    /// Whom that which is now known of `key` concerns.
    fn judge(&self, key: &Key) -> impl Fn(&Terms) -> bool + use<> {
        let (kind, known) = (key.kind(), self.look(|state| state.known(key)));
        move |terms| known.is_some_and(|(mark, _)| terms.ended_by(kind, &mark).is_some())
    }

    /// Brings the spare state up to date at once, so that what it alone still holds (a replaced list) is freed here
    /// and now.
    fn settle(&self, writer: &mut Writer) {
        writer.spare(&self.published.0.state);
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(|poisoned| {
            // A panic under the lock can only have come from a step. What it left behind is not what is published.
            self.writer.clear_poison();
            let mut writer = poisoned.into_inner();
            writer.start_over(&self.published.0.state);
            writer
        })
    }
}

impl Writer {
    /// The spare state, up to date and with no reader left in it.
    fn spare(&mut self, published: &ArcSwap<State>) -> &mut State {
        self.abandoned.retain(|state| Arc::strong_count(state) > 1);
        let mut patience = PATIENCE;
        while Arc::get_mut(&mut self.spare).is_none() && patience > 0 {
            thread::yield_now();
            patience -= 1;
        }
        if Arc::get_mut(&mut self.spare).is_none() {
            self.start_over(published);
        }
        let behind = mem::take(&mut self.behind);
        let spare = Arc::get_mut(&mut self.spare).expect("no reader has seen the spare state, or it has left");
        for step in &behind {
            // What found no room the first time finds none now.
            let _ = spare.run(step);
        }
        spare
    }

    /// Gives up the spare state for a copy of the published one.
    fn start_over(&mut self, published: &ArcSwap<State>) {
        let copy = Arc::new(State::clone(&published.load()));
        self.abandoned.push(mem::replace(&mut self.spare, copy));
        self.behind.clear();
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// Whoever has lost something wants to see the whole list.
fn may_confirm(state: &State, now: Timestamp) -> Result<(), InstallError> {
    admission::confirm(state.snapshot().filter(|_| !state.is_lost()), now)
}

fn fresh() -> Refreshed {
    Refreshed {
        at: Instant::now(),
        age: Duration::ZERO,
    }
}

/// How often expired entries are looked for while events come in, in seconds: it takes time proportional to the overlay.
/// Every second where room is short.
const FORGET_EVERY: u32 = Duration::from_secs(600).as_secs() as u32;

/// How many times the writer yields to a reader before it copies the state instead. Readers leave within 1 µs
/// unless they are descheduled; a thousand yields outlast several time slices.
const PATIENCE: u32 = 1_000;

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::event::{Reinstatement, Revocation};
    use crate::key::Key;
    use crate::verdict::Verdict;

    const AT: Timestamp = Timestamp::from_unix_secs(100);

    fn revoke(store: &Store, id: &str) {
        store.merge(&[Revocation::of(Key::token(id)).into()], AT).unwrap();
    }

    fn is_revoked(store: &Store, id: &str) -> bool {
        matches!(store.decide(&Key::token(id).into()).verdict, Verdict::Revoked(_))
    }

    /// Whether both states say so: each publication shows the other one.
    fn are_revoked_in_both(store: &Store, ids: &[&str]) -> bool {
        (0..2).all(|_| {
            store.merge(&[], AT).unwrap();
            ids.iter().all(|id| is_revoked(store, id))
        })
    }

    #[test]
    fn a_reader_that_does_not_leave_costs_a_copy_and_has_nothing_to_free() {
        let store = Store::new(Policy::default());
        revoke(&store, "a");
        let reader = store.published.0.state.load_full();
        revoke(&store, "b");
        revoke(&store, "c");
        assert_eq!(store.writer().abandoned.len(), 1);
        assert!(are_revoked_in_both(&store, &["a", "b", "c"]));
        let seen = |id: &str| reader.decide(&Key::token(id).into(), Instant::now()).verdict;
        assert!(matches!(seen("a"), Verdict::Revoked(_)));
        assert!(!matches!(seen("b"), Verdict::Revoked(_)), "its view does not change");
        drop(reader);
        revoke(&store, "d");
        assert_eq!(store.writer().abandoned.len(), 0);
    }

    #[test]
    fn a_replaced_list_is_freed_before_install_returns() {
        let store = Store::new(Policy::default());
        let list = |secs| Snapshot::builder(Timestamp::from_unix_secs(secs)).build();
        store.install(list(90), AT).unwrap();
        let first = store.look(|state| state.snapshot().map(Arc::downgrade).unwrap());
        store.install(list(91), AT).unwrap();
        assert!(first.upgrade().is_none());
    }

    #[test]
    fn only_a_list_that_has_not_expired_can_be_confirmed() {
        let store = Store::new(Policy::default());
        assert_eq!(store.confirm(AT), Err(InstallError::NothingToConfirm));
        let list = Snapshot::builder(Timestamp::from_unix_secs(90)).with_expiry(AT);
        store.install(list.build(), Timestamp::from_unix_secs(91)).unwrap();
        assert_eq!(store.confirm(Timestamp::from_unix_secs(99)), Ok(()));
        assert_eq!(store.confirm(AT), Err(InstallError::Expired { expired_at: AT }));
    }

    /// With room for one key alone, every event looks for what may be forgotten, once a second.
    fn narrow(retention: Duration) -> Store {
        let store = Store::new(Policy::default());
        store.configure(|policy| {
            policy.capacity = NonZeroUsize::MIN;
            policy.retention = retention;
        });
        store
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_forgotten_within_its_retention() {
        let store = narrow(Duration::from_secs(60));
        tokio::time::advance(Duration::from_millis(900)).await;
        revoke(&store, "t");
        let other = Revocation::of(Key::token("other")).into();
        tokio::time::advance(Duration::from_millis(59_999)).await;
        assert_eq!(store.merge(&[other], AT), Err(ApplyError::AtCapacity { refused: 1 }));
        assert!(is_revoked(&store, "t"));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(store.merge(&[other], AT), Ok(()));
        assert!(!is_revoked(&store, "t"));
    }

    /// It takes time proportional to the overlay.
    #[tokio::test(start_paused = true)]
    async fn what_is_due_is_looked_for_now_and_then() {
        let store = Store::new(Policy::default());
        store.configure(|policy| policy.retention = Duration::from_secs(60));
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
        let other = Revocation::of(Key::token("other")).into();
        assert_eq!(store.merge(&[other], AT), Err(ApplyError::AtCapacity { refused: 1 }));
        assert!(is_revoked(&store, "t"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reinstatement_is_kept_as_long_as_a_revocation() {
        let store = narrow(Duration::from_secs(60));
        let key = Key::subject("s");
        let list = Snapshot::builder(AT).with_entry(&Revocation::of(key).at(AT)).build();
        store.install(list, AT).unwrap();
        let reinstated = Reinstatement::of(key, AT.saturating_add(Duration::from_secs(5)));
        store.merge(&[reinstated.into()], AT).unwrap();
        let newer = Credential::from(key).with_issued_at(AT.saturating_add(Duration::from_secs(9)));
        tokio::time::advance(Duration::from_secs(59)).await;
        let other = Revocation::of(Key::token("other")).into();
        assert_eq!(store.merge(&[other], AT), Err(ApplyError::AtCapacity { refused: 1 }));
        assert_eq!(store.decide(&newer).verdict, Verdict::Admit);
    }

    /// A panic used to leave half a batch in one of the two states, to be seen in every other publication.
    #[test]
    fn what_a_panic_left_behind_is_never_published() {
        let store = Store::new(Policy::default());
        revoke(&store, "a");
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let mut writer = store.writer();
            let event = Revocation::of(Key::token("half")).into();
            let step = Step::Merge(Key::token("half"), Mark::of(&event, AT, u32::MAX));
            writer.spare(&store.published.0.state).run(&step).unwrap();
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        assert!(are_revoked_in_both(&store, &["a"]));
        assert!(!store.writer.is_poisoned(), "or every change would start over");
        for _ in 0..2 {
            store.merge(&[], AT).unwrap();
            assert!(!is_revoked(&store, "half"));
        }
        revoke(&store, "b");
        assert!(are_revoked_in_both(&store, &["a", "b"]));
    }

    /// What found no room at first was once published after the rest of its batch.
    #[tokio::test(start_paused = true)]
    async fn a_batch_that_needs_room_made_is_one_publication() {
        let store = Store::new(Policy::default());
        store.configure(|policy| {
            policy.capacity = NonZeroUsize::new(2).unwrap();
            policy.retention = Duration::from_secs(60);
        });
        revoke(&store, "old");
        tokio::time::advance(Duration::from_secs(62)).await;
        let before = store.published.0.state.load_full();
        let batch = ["a", "b"].map(|id| Revocation::of(Key::token(id)).into());
        store.merge(&batch, AT).unwrap();
        assert!(Arc::ptr_eq(&before, &store.writer().spare), "published once");
        assert!(is_revoked(&store, "a") && is_revoked(&store, "b"));
    }
}
