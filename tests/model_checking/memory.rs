//! What is in force in a process, as a value; and the crate's own store, which says what becomes of it.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use crate::model::credential::Credential;
use crate::model::domain_config::DomainConfig;
use crate::model::event::Reason;
use crate::model::policy::{ListPolicy, StalePolicy};
use crate::model::refusal::Refusal;
use crate::model::timestamp::Timestamp;
use crate::state::accept::{ApplyError, InstallError};
use crate::state::entry::Entry;
use crate::state::key_state::KeyState;
use crate::state::overlay::Overlay;
use crate::state::store::{SeenLists, Store};
use crate::state::view::{Decision, State, Step};
use crate::universe::{KEYS, KEYS_IN_USE, LEEWAY_SECS, List, NOW, PROBES, Probe, Saying, secs};

/// What is in force. Two processes of which it is the same differ in nothing that any of this looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Memory {
    /// The overlay.
    pub(crate) said: [Option<Held>; KEYS],
    pub(crate) list: Option<List>,
    /// What the journal knew of lists when the process began.
    pub(crate) newest: Option<u8>,
    pub(crate) missed: Option<u8>,
    pub(crate) needs_list: bool,
    /// What is decided, probe by probe.
    pub(crate) answers: [Answer; PROBES.len()],
    pub(crate) terms: Terms,
}

/// What is held of a key: its state, and whether it may be forgotten by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Held {
    /// As [`KeyState::moments`] has them. They fit, here.
    pub(crate) moments: [u16; 4],
    pub(crate) is_due: bool,
}

/// What a layer makes of a request. Nothing is known against the last two; who fails open admits one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Revoked,
    Admitted,
    Unavailable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Terms {
    pub(crate) capacity: usize,
    /// Whether there are lists at all.
    pub(crate) has_lists: bool,
}

/// What can be done to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Deed {
    /// `Store::merge_to_keep`, of an event.
    Hear(Saying),
    /// `Store::install`, of a list that was fetched.
    Install(List),
    /// `Store::install_kept`, at a start.
    InstallKept(List),
    /// `Step::Forget`, once what is due is due.
    Forget,
    Lose(bool),
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    /// With what there is to keep of an event.
    InForce(Held),
    AtCapacity,
    FromFuture,
    Installed {
        is_as_offered: bool,
    },
    Refused,
    Done,
}

impl Memory {
    /// What `EventSink::keep_in` puts in force (`journal/handle.rs`): the rows, and what is known of lists. What a kept list says is
    /// missing until it is restored.
    pub(crate) fn restored(
        terms: Terms,
        rows: [Option<Held>; KEYS],
        (newest, missed): (Option<u8>, Option<u8>),
        needs_list: bool,
    ) -> Self {
        Self {
            said: rows,
            list: None,
            newest,
            missed,
            needs_list,
            answers: [Answer::Unavailable; PROBES.len()],
            terms,
        }
        .looked_at()
    }

    /// Does it to the crate's own store, in which this is in force; once for each deed and memory, for it is always the same.
    pub(crate) fn after(self, deed: Deed) -> (Self, Outcome) {
        type Known = Mutex<HashMap<(Memory, Deed), (Memory, Outcome)>>;
        static KNOWN: LazyLock<Known> = LazyLock::new(Mutex::default);
        if let Some(known) = KNOWN.lock().unwrap().get(&(self, deed)) {
            return *known;
        }
        let done = self.done(deed);
        KNOWN.lock().unwrap().insert((self, deed), done);
        done
    }

    /// The same, after somebody has changed it by hand.
    pub(crate) fn looked_at(self) -> Self {
        self.after(Deed::Lose(self.needs_list)).0
    }

    fn done(self, deed: Deed) -> (Self, Outcome) {
        let store = self.store();
        let outcome = match deed {
            Deed::Hear(saying) => {
                let (merged, entries) = store.merge_to_keep(&[saying.event()], secs(NOW));
                match merged {
                    Ok(()) => Outcome::InForce(Held::of(&entries[0].key_state)),
                    Err(ApplyError::AtCapacity { .. }) => Outcome::AtCapacity,
                    Err(ApplyError::FromFuture { .. }) => Outcome::FromFuture,
                    Err(ApplyError::NotDurable { .. }) => unreachable!("nothing is written here"),
                }
            }
            Deed::Install(list) => match store.install(list.snapshot(), secs(NOW)) {
                Ok(admitted) => Outcome::Installed {
                    is_as_offered: admitted.is_as_offered,
                },
                Err(_) => Outcome::Refused,
            },
            Deed::InstallKept(list) => match store.install_kept(list.snapshot(), Duration::ZERO) {
                Ok(installed) => Outcome::Installed {
                    is_as_offered: installed.is_some(),
                },
                Err(_) => Outcome::Refused,
            },
            Deed::Forget => return (self.forgotten(), Outcome::Done),
            Deed::Lose(needs_list) => {
                store.set_needs_list(needs_list);
                Outcome::Done
            }
        };
        let after = store.look(|state| self.seen_in(state, |credential| store.decide(credential)));
        (after, outcome)
    }

    /// A store in which this is in force.
    pub(crate) fn store(&self) -> Store {
        let store = Store::new(self.policy());
        if let Some(list) = &self.list {
            let any_time = Timestamp::from_unix_millis(u64::MAX);
            store.install(list.snapshot(), any_time).unwrap();
        }
        let seen = SeenLists {
            newest: self.newest.map(secs),
            missed: self.missed.map(secs),
        };
        store.restore(&self.entries(), seen, secs(NOW));
        store.set_needs_list(self.needs_list);
        store
    }

    /// The pure state does the forgetting: the store's clock would have to be waited for.
    fn forgotten(self) -> Self {
        let mut state = State::new(self.policy());
        self.store().look(|there| state.clone_from(there));
        let forget_at = |held: &Held| if held.is_due { 1 } else { u32::MAX };
        let key_states = KEYS_IN_USE.iter().zip(&self.said).filter_map(|(key, held)| {
            let held = held.as_ref()?;
            Some((*key, held.key_state(forget_at(held))))
        });
        state.overlay = Overlay::of(key_states, []);
        state.run(&Step::Forget(1)).unwrap();
        let now = tokio::time::Instant::now();
        self.seen_in(&state, |credential| state.decide(credential, now))
    }

    fn seen_in(&self, state: &State, decide: impl Fn(&Credential) -> Decision) -> Self {
        let answer = |probe: Probe| {
            let credential = Credential::from(KEYS_IN_USE[probe.key]).with_issued_at(secs(probe.issued_at));
            match decide(&credential).refusal {
                None => Answer::Admitted,
                Some(Refusal::Revoked(_)) => Answer::Revoked,
                Some(_) => Answer::Unavailable,
            }
        };
        Self {
            said: KEYS_IN_USE.map(|key| state.overlay.get(&key).map(Held::of)),
            list: state.snapshot().map(|list| List {
                issued_at: list.issued_at().map(|at| at.as_unix_secs() as u8),
                blocks: KEYS_IN_USE.map(|key| list.get(&key).map(|key_state| Held::of(&key_state).listed_at())),
            }),
            needs_list: state.needs_list(),
            answers: PROBES.map(answer),
            ..*self
        }
    }

    fn entries(&self) -> Vec<Entry> {
        let entries = self.said.iter().enumerate();
        entries
            .filter_map(|(key, held)| Some(held.as_ref()?.entry(key)))
            .collect()
    }

    fn policy(&self) -> DomainConfig {
        DomainConfig {
            capacity: NonZeroUsize::new(self.terms.capacity).unwrap(),
            lists: if self.terms.has_lists {
                ListPolicy::Expected
            } else {
                ListPolicy::NotUsed
            },
            // It ends when the model says so.
            retention: Duration::MAX,
            leeway: LEEWAY_SECS,
            // The harder one: whatever keeps requests out while something is missing has to be there on purpose.
            stale: StalePolicy::FailOpen,
            ..DomainConfig::default()
        }
    }
}

impl Held {
    pub(crate) fn of(key_state: &KeyState) -> Self {
        Self {
            moments: key_state.moments().map(|moment| u16::try_from(moment).unwrap()),
            is_due: key_state.forget_at() < u32::MAX,
        }
    }

    pub(crate) fn of_entry(entry: &Entry) -> Self {
        Self {
            is_due: entry.keep_until.is_some(),
            ..Self::of(&entry.key_state)
        }
    }

    pub(crate) fn key_state(&self, forget_at: u32) -> KeyState {
        KeyState::from_moments(self.moments.map(u64::from), Reason::Unspecified, forget_at)
    }

    pub(crate) fn entry(&self, key: usize) -> Entry {
        Entry {
            key: KEYS_IN_USE[key],
            key_state: self.key_state(0),
            spared: None,
            keep_until: self.is_due.then(Timestamp::default),
        }
    }

    /// The second of a list's entry, which stands for its end.
    fn listed_at(&self) -> u8 {
        u8::try_from(self.moments[0] / 1000 - 1).unwrap()
    }
}
