//! One consistent view: the overlay over the snapshot, under the policy.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::credential::Credential;
use crate::model::domain_config::DomainConfig;
use crate::model::event::{Effect, Reason};
use crate::model::key::{Key, KeyKind};
use crate::model::policy::{ListPolicy, StalePolicy};
use crate::model::refusal::{DEFAULT_RETRY_AFTER, Refusal};
use crate::model::timestamp::Timestamp;
use crate::model::verdict::{Freshness, ListFreshness, Revoked, RevokedBy, Verdict};
use crate::state::key_state::KeyState;
use crate::state::overlay::{Full, Overlay};
use crate::state::snapshot::RevocationList;
use crate::state::spared_keys::{SparedKeys, are_spared};
use crate::state::terms::Terms;

/// Everything that a decision needs, in one value: its reader has a consistent view.
///
/// Pure: `now` is an argument, and [`run`](Self::run) is deterministic. So the store can hold two equal states by
/// running the same steps on both.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) policy: DomainConfig,
    pub(crate) overlay: Overlay,
    /// How many states were published before this one.
    pub(crate) version: u64,
    /// Before which version streams were begun that the host has ended.
    streams_end_before: u64,
    snapshot: Option<Arc<RevocationList>>,
    /// When the snapshot was last fetched or confirmed.
    refreshed: Option<Refreshed>,
    /// Whether the state of earlier processes is lost, and no list was accepted since that replaces it.
    needs_list: bool,
    feed: FeedReading,
}

/// Whether what a feed says is known, where there is no list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FeedReading {
    /// Nobody has said anything of a feed: events come in some other way.
    #[default]
    Unannounced,
    /// It is about to be read.
    Awaited,
    /// It was read up to its end, by this process or by one before it.
    Read,
}

/// When a list was fetched or confirmed, on the monotonic clock. An earlier process may have done it, even before that
/// clock began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refreshed {
    pub(crate) at: Instant,
    /// How old it was then.
    pub(crate) age: Duration,
}

/// One change of the state.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Configure(Box<DomainConfig>),
    /// How far the feed was read. It never goes back.
    Feed(FeedReading),
    /// Ends the streams that were begun in states before this version.
    EndStreams(u64),
    /// Forgets the states of keys that are due by then, in seconds on the store's clock.
    Forget(u32),
    Install(Arc<RevocationList>, Refreshed),
    /// Whether the state of earlier processes is lost, so that a list is needed.
    NeedsList(bool),
    Merge(Key, KeyState),
    /// The same of a cut-off that spares some keys.
    MergeSparing(Key, KeyState, Box<SparedKeys>),
    /// The installed list was confirmed to be the newest.
    Refresh(Refreshed),
    /// The state of earlier processes.
    #[cfg_attr(not(feature = "journal"), expect(dead_code, reason = "only a journal restores"))]
    Restore(Arc<Overlay>),
}

impl State {
    /// A state that knows nothing yet.
    pub(crate) fn new(policy: DomainConfig) -> Self {
        Self {
            policy,
            ..Self::default()
        }
    }

    /// Decides whether to refuse `credential`, by what is known of it and by the policy.
    pub(crate) fn decide(&self, credential: &Credential, now: Instant) -> Decision {
        let list = self.freshness(now);
        let refusal = match self.verdict_by(credential, &list) {
            Verdict::Admit => None,
            Verdict::Revoked(why) => Some(Refusal::Revoked(why)),
            Verdict::Unknown(why) => match self.stale() {
                StalePolicy::FailOpen => None,
                StalePolicy::FailClosed => Some(Refusal::Unavailable {
                    why,
                    retry_after: DEFAULT_RETRY_AFTER,
                }),
            },
        };
        Decision {
            refusal,
            list,
            version: self.version,
            is_binding: false,
        }
    }

    /// Says what is known of `credential`. The policy plays no part.
    pub(crate) fn verdict(&self, credential: &Credential, now: Instant) -> Verdict {
        self.verdict_by(credential, &self.freshness(now))
    }

    fn verdict_by(&self, credential: &Credential, list: &ListFreshness) -> Verdict {
        match (self.revoked(credential), list.unknown()) {
            // What is known to be revoked stays revoked, for any age of the list.
            (Some(why), _) => Verdict::Revoked(why),
            (None, Some(why)) => Verdict::Unknown(why),
            (None, None) => Verdict::Admit,
        }
    }

    /// What ends work on these terms. Freshness does not matter: a list that becomes stale ends nothing.
    pub(crate) fn ending(&self, terms: &Terms) -> Option<Revoked> {
        self.first(
            terms.keys(),
            |kind, key_state| terms.ended_by(kind, key_state),
            |key| self.spares(key, terms),
        )
    }

    /// What ends a stream that was looked at last in the state of version `seen`, although nothing is revoked.
    pub(crate) fn ends_stream(&self, seen: u64) -> Option<Revoked> {
        (seen < self.streams_end_before).then_some(Revoked {
            kind: KeyKind::Everything,
            effect: Effect::CutOff,
            source: RevokedBy::Host,
            reason: Reason::CessationOfOperation,
        })
    }

    /// The terms without the keys that end work on them now. `None` if it is an end that concerns all work.
    pub(crate) fn not_ended(&self, terms: &Terms) -> Option<Terms> {
        let ends = |key: &Key| {
            let known = self.known(key);
            let effect = known.and_then(|(key_state, _)| terms.ended_by(key.kind(), &key_state));
            effect.is_some_and(|effect| effect == Effect::Block || !self.spares(key, terms))
        };
        (!ends(&Key::everything())).then(|| terms.without(ends))
    }

    /// Whether a cut-off of `key` spares work on these terms.
    pub(crate) fn spares(&self, key: &Key, terms: &Terms) -> bool {
        !terms.is_merged() && self.is_spared(key, terms.keys(), terms.issued_at())
    }

    /// Whether a cut-off of `key` spares a credential of these keys. What is asked is refused by it otherwise.
    fn is_spared<'k>(&self, key: &Key, keys: impl IntoIterator<Item = &'k Key>, issued_at: Option<Timestamp>) -> bool {
        let listed = || self.snapshot.as_ref().is_some_and(|list| list.spared(key).is_some());
        if self.overlay.spared(key).is_none() && !listed() {
            return false;
        }
        let listed = self.snapshot.as_ref().map(|list| list.cut_off(key));
        are_spared(keys, issued_at, [self.overlay.cut_off(key), listed.unwrap_or_default()])
    }

    /// What is known of `key`, and where it comes from.
    #[inline]
    pub(crate) fn known(&self, key: &Key) -> Option<(KeyState, RevokedBy)> {
        let said = self.overlay.get(key);
        let listed = self.snapshot.as_ref().and_then(|list| list.get(key));
        match (said, listed) {
            (None, None) => None,
            (Some(said), None) => Some((*said, RevokedBy::Event)),
            (None, Some(listed)) => Some((listed, RevokedBy::List)),
            // A reinstatement by an event lifts a listed block, if it is newer.
            (Some(said), Some(listed)) => Some((said.join(listed), RevokedBy::List)),
        }
    }

    /// How fresh decisions are.
    pub(crate) fn freshness(&self, now: Instant) -> ListFreshness {
        let snapshot_age = self.age(now);
        let freshness = match (self.policy.lists, snapshot_age) {
            _ if self.needs_list => Freshness::NoSnapshot,
            (ListPolicy::NotUsed, _) if self.feed == FeedReading::Awaited => Freshness::FeedUnread,
            (ListPolicy::NotUsed, _) => Freshness::Fresh,
            (ListPolicy::Expected, None) => Freshness::NoSnapshot,
            (ListPolicy::Expected, Some(age)) if age > self.policy.max_age => Freshness::Stale,
            (ListPolicy::Expected, Some(_)) => Freshness::Fresh,
        };
        ListFreshness {
            freshness,
            snapshot_age,
            snapshot_issued_at: self.snapshot.as_ref().and_then(|list| list.issued_at()),
            is_of_credential: false,
        }
    }

    /// What an unknown verdict means. A state that needs a list does not fail open: it knows that it has forgotten
    /// something.
    pub(crate) const fn stale(&self) -> StalePolicy {
        match self.needs_list {
            true => StalePolicy::FailClosed,
            false => self.policy.stale,
        }
    }

    pub(crate) const fn needs_list(&self) -> bool {
        self.needs_list
    }

    pub(crate) const fn feed(&self) -> FeedReading {
        self.feed
    }

    /// The installed list.
    pub(crate) const fn snapshot(&self) -> Option<&Arc<RevocationList>> {
        self.snapshot.as_ref()
    }

    /// Runs one change.
    pub(crate) fn run(&mut self, step: &Step) -> Result<(), Full> {
        match step {
            Step::Configure(policy) => self.policy = **policy,
            Step::EndStreams(version) => self.streams_end_before = *version,
            Step::Feed(feed) => self.feed = self.feed.max(*feed),
            Step::Forget(due) => self.overlay.forget(*due),
            Step::Install(snapshot, refreshed) => {
                self.overlay.yield_to(snapshot);
                self.snapshot = Some(Arc::clone(snapshot));
                self.refreshed = Some(*refreshed);
            }
            Step::NeedsList(needs_list) => self.needs_list = *needs_list,
            Step::Merge(key, key_state) => return self.overlay.merge(key, *key_state, None, self.capacity()),
            Step::MergeSparing(key, key_state, spared) => {
                return self.overlay.merge(key, *key_state, Some(spared), self.capacity());
            }
            Step::Refresh(refreshed) => self.refreshed = Some(*refreshed),
            Step::Restore(overlay) => self.overlay.restore(overlay),
        }
        Ok(())
    }

    /// The first of a credential's keys that refuses it, and why.
    fn revoked(&self, credential: &Credential) -> Option<Revoked> {
        self.first(
            credential.keys(),
            |_, key_state| key_state.refuses(credential.issued_at()),
            |key| !credential.is_merged() && self.is_spared(key, credential.keys(), credential.issued_at()),
        )
    }

    /// The first key for which `effect` finds an effect in what is known of it, unless that is a cut-off that spares what
    /// is asked about. The issuer-wide key comes before all others.
    #[inline]
    fn first<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k Key>,
        effect: impl Fn(KeyKind, &KeyState) -> Option<Effect>,
        is_spared: impl Fn(&Key) -> bool,
    ) -> Option<Revoked> {
        let revoked = |key: &Key| {
            let (key_state, source) = self.known(key)?;
            let effect = effect(key.kind(), &key_state)?;
            if effect == Effect::CutOff && is_spared(key) {
                return None;
            }
            Some(Revoked {
                kind: key.kind(),
                effect,
                source,
                reason: key_state.reason(),
            })
        };
        revoked(&Key::everything()).or_else(|| keys.into_iter().find_map(revoked))
    }

    fn age(&self, now: Instant) -> Option<Duration> {
        let age = |refreshed: Refreshed| {
            refreshed
                .age
                .saturating_add(now.saturating_duration_since(refreshed.at))
        };
        self.refreshed.map(age)
    }

    const fn capacity(&self) -> NonZeroUsize {
        self.policy.capacity
    }
}

/// What was decided, from one view of the state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decision {
    /// Why the request is refused, if it is.
    pub(crate) refusal: Option<Refusal>,
    pub(crate) list: ListFreshness,
    /// Which state decided.
    pub(crate) version: u64,
    /// Whether a credential that cannot be read is refused also by layers that let such credentials pass.
    pub(crate) is_binding: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::domain_config::DEFAULT_MAX_AGE;
    use crate::model::event::{Event, Reinstatement, Revocation};
    use crate::model::verdict::Unknown;

    fn verdict(state: &State, credential: &Credential, now: Instant) -> Verdict {
        state.verdict(credential, now)
    }

    fn secs(secs: u64) -> Timestamp {
        Timestamp::from_unix_secs(secs)
    }

    fn list(issued_at: u64, tokens: &[&str]) -> RevocationList {
        let mut list = RevocationList::builder(secs(issued_at));
        for token in tokens {
            list.push(&Revocation::block(Key::token(token)).at(secs(issued_at - 1)));
        }
        list.build()
    }

    fn install(state: &mut State, list: RevocationList, now: Instant) {
        state.run(&Step::Install(Arc::new(list), fresh(now))).unwrap();
    }

    fn fresh(at: Instant) -> Refreshed {
        let age = Duration::ZERO;
        Refreshed { at, age }
    }

    fn say(state: &mut State, event: impl Into<Event>) {
        let event = event.into();
        let key = *event.key();
        state.run(&Step::Merge(key, KeyState::of(&event, secs(0), 99))).unwrap();
    }

    fn is_revoked(state: &State, key: Key) -> bool {
        matches!(verdict(state, &key.into(), Instant::now()), Verdict::Revoked(_))
    }

    #[test]
    fn knows_nothing_without_a_list_and_after_max_age() {
        let now = Instant::now();
        let mut state = State::default();
        let credential = Credential::from(Key::token("t"));
        assert_eq!(verdict(&state, &credential, now), Verdict::Unknown(Unknown::NoSnapshot));
        install(&mut state, list(10, &[]), now);
        assert_eq!(verdict(&state, &credential, now + DEFAULT_MAX_AGE), Verdict::Admit);
        let late = DEFAULT_MAX_AGE + Duration::from_millis(1);
        assert_eq!(
            verdict(&state, &credential, now + late),
            Verdict::Unknown(Unknown::Stale { age: late })
        );
        state.run(&Step::Refresh(fresh(now + late))).unwrap();
        assert_eq!(verdict(&state, &credential, now + late), Verdict::Admit);
    }

    #[test]
    fn a_list_of_an_earlier_process_is_as_old_as_it_is() {
        let (now, hour) = (Instant::now(), Duration::from_secs(3_600));
        let mut state = State::default();
        let refreshed = Refreshed { at: now, age: hour };
        state.run(&Step::Install(Arc::new(list(10, &[])), refreshed)).unwrap();
        assert_eq!(state.freshness(now).snapshot_age, Some(hour));
        let second = Duration::from_secs(1);
        assert_eq!(state.freshness(now + second).snapshot_age, Some(hour + second));
        assert_eq!(state.freshness(now + second).freshness, Freshness::Stale);
    }

    #[test]
    fn whoever_lost_what_he_was_told_admits_nobody_under_any_policy() {
        let now = Instant::now();
        for lists in [ListPolicy::Expected, ListPolicy::NotUsed] {
            let mut state = State::default();
            let policy = DomainConfig {
                lists,
                stale: StalePolicy::FailOpen,
                ..DomainConfig::default()
            };
            state.run(&Step::Configure(Box::new(policy))).unwrap();
            state.run(&Step::NeedsList(true)).unwrap();
            install(&mut state, list(10, &["t"]), now);
            let decide = |state: &State, id| state.decide(&Key::token(id).into(), now).refusal;
            let unknown = Some(Refusal::Unavailable {
                why: Unknown::NoSnapshot,
                retry_after: DEFAULT_RETRY_AFTER,
            });
            assert_eq!(decide(&state, "u"), unknown);
            assert_eq!(state.stale(), StalePolicy::FailClosed);
            assert!(matches!(decide(&state, "t"), Some(Refusal::Revoked(_))));
            state.run(&Step::NeedsList(false)).unwrap();
            assert_eq!(decide(&state, "u"), None);
            assert_eq!(verdict(&state, &Key::token("u").into(), now), Verdict::Admit);
            assert_eq!(state.stale(), StalePolicy::FailOpen);
        }
    }

    #[test]
    fn stays_refused_while_stale() {
        let now = Instant::now();
        let mut state = State::default();
        say(&mut state, Revocation::block(Key::subject("s")));
        let verdict = verdict(&state, &Key::subject("s").into(), now);
        assert_eq!(
            verdict,
            Verdict::Revoked(Revoked {
                kind: KeyKind::Subject,
                effect: Effect::Block,
                source: RevokedBy::Event,
                reason: Reason::Unspecified,
            })
        );
    }

    #[test]
    fn an_event_outlives_a_list_that_does_not_carry_its_key() {
        let now = Instant::now();
        let mut state = State::default();
        say(&mut state, Revocation::block(Key::token("t")).at(secs(5)));
        install(&mut state, list(100, &[]), now);
        assert!(is_revoked(&state, Key::token("t")));
        install(&mut state, list(101, &["t"]), now);
        assert_eq!(state.overlay.len(), 0, "the list took the entry over");
        assert!(is_revoked(&state, Key::token("t")));
        install(&mut state, list(102, &[]), now);
        assert!(!is_revoked(&state, Key::token("t")), "and may take it back");
    }

    #[test]
    fn a_reinstatement_lifts_an_older_listed_block_but_not_for_tokens_from_before() {
        let now = Instant::now();
        let mut state = State::default();
        let key = Key::subject("s");
        let mut list = RevocationList::builder(secs(100));
        list.push(&Revocation::block(key).at(secs(50)));
        install(&mut state, list.build(), now);
        say(&mut state, Reinstatement::of(key, secs(60)));
        let issued = |at| Credential::from(key).with_issued_at(secs(at));
        assert!(matches!(verdict(&state, &issued(50), now), Verdict::Revoked(_)));
        assert_eq!(verdict(&state, &issued(51), now), Verdict::Admit);
    }

    #[test]
    fn the_most_restrictive_of_all_scopes_wins() {
        let now = Instant::now();
        let mut state = State::default();
        install(&mut state, list(100, &[]), now);
        let credential = Credential::new()
            .with_key(Key::token("t"))
            .with_key(Key::subject("s"))
            .with_key(Key::subject("ancestor"))
            .with_issued_at(secs(40));
        for revocation in [
            Revocation::block(Key::subject("ancestor")),
            Revocation::cut_off(Key::everything()).at(secs(40)),
            Revocation::cut_off(Key::token("t")).at(secs(41)),
        ] {
            let mut state = state.clone();
            say(&mut state, revocation);
            say(&mut state, Reinstatement::of(Key::subject("s"), secs(99)));
            assert!(matches!(verdict(&state, &credential, now), Verdict::Revoked(_)));
        }
    }

    #[test]
    fn without_lists_nothing_is_stale() {
        let mut state = State::default();
        let policy = DomainConfig {
            lists: ListPolicy::NotUsed,
            ..DomainConfig::default()
        };
        state.run(&Step::Configure(Box::new(policy))).unwrap();
        assert_eq!(verdict(&state, &Key::token("t").into(), Instant::now()), Verdict::Admit);
    }
}
