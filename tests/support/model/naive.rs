//! What the crate promises, as slowly and plainly as it can be said: everything that counts is kept in a list, and asked anew.
//!
//! Shares nothing with the crate but the words.

use std::collections::{BTreeMap, BTreeSet};

use super::statement::{AHEAD, SOON, Said, Statement};

/// One trust domain.
#[derive(Clone, Debug)]
pub(crate) struct Naive {
    /// What events said of each key, as far as it is kept and no list has taken it over.
    pub(crate) said: BTreeMap<u8, Held>,
    pub(crate) list: Option<List>,
    /// When the newest list was issued that was ever installed.
    pub(crate) newest: Option<u64>,
    /// Whether something is lost that earlier processes knew.
    pub(crate) is_lost: bool,
    /// A list that says more than is known was issued then.
    pub(crate) incomplete: Option<u64>,
    /// On the monotonic clock, in seconds.
    pub(crate) now: u64,
    pub(crate) refreshed: Option<u64>,
    swept: u64,
    limits: Limits,
}

/// What was said of one key, and when it may be forgotten.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    pub(crate) statements: Vec<Statement>,
    pub(crate) due: u64,
}

/// A list: what it says of each key, if it was ever issued, and whether its `exp` is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct List {
    /// In seconds; `None` for an unsigned "there is none".
    pub(crate) issued_at: Option<u64>,
    pub(crate) entries: BTreeMap<u8, Listed>,
    pub(crate) is_expired: bool,
}

/// What a list says of a key, as of the end of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) is_block: bool,
    pub(crate) at_secs: u64,
    pub(crate) withdraws: bool,
}

/// What the operator has decided, in seconds and keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_age: u64,
    pub(crate) retention: u64,
    pub(crate) capacity: usize,
}

/// What is decided of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Admitted,
    NoList,
    Refused,
    Stale,
}

/// Why a list was not installed or confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Declined {
    Expired,
    FromFuture,
    NothingToConfirm,
    Rollback,
    Unsigned,
}

/// How many events were not applied, and whether they may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    AtCapacity(usize),
    FromFuture(usize),
}

impl Naive {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            said: BTreeMap::new(),
            list: None,
            newest: None,
            is_lost: false,
            incomplete: None,
            now: 0,
            refreshed: None,
            swept: 0,
            limits,
        }
    }

    /// Events that come together. Returns which of them are in force.
    pub(crate) fn apply(&mut self, events: &[Statement]) -> (Vec<Statement>, Result<(), Refused>) {
        let pause = if self.keys() + events.len() > self.limits.capacity {
            1
        } else {
            SWEPT_EVERY
        };
        if self.now - self.swept >= pause {
            self.swept = self.now;
            self.said.retain(|_, held| held.due > self.now);
        }
        let (mut in_force, mut full, mut early) = (Vec::new(), 0, 0);
        for event in events {
            if event.said == Said::Reinstate && event.at > SOON {
                early += 1;
            } else if event.key != 0 && !self.said.contains_key(&event.key) && self.keys() >= self.limits.capacity {
                full += 1;
            } else {
                in_force.push(*event);
                let due = self.now + self.kept(event) + 1;
                let held = self.said.entry(event.key).or_default();
                held.statements.push(*event);
                held.due = held.due.max(due);
            }
        }
        let outcome = match (full, early) {
            (0, 0) => Ok(()),
            (0, early) => Err(Refused::FromFuture(early)),
            (full, early) => Err(Refused::AtCapacity(full + early)),
        };
        (in_force, outcome)
    }

    /// A list that is offered. Returns whether what is installed is what was offered.
    pub(crate) fn install(&mut self, offered: &List) -> Result<bool, Declined> {
        let list = match (offered.issued_at, self.newest) {
            (None, Some(_)) => return Err(Declined::Unsigned),
            (Some(at), _) if at >= AHEAD / 2 => return Err(Declined::FromFuture),
            (Some(at), Some(newest)) if at < newest => return Err(Declined::Rollback),
            _ => match &self.list {
                Some(installed) if installed.issued_at == offered.issued_at => offered.joined(installed),
                _ => offered.clone(),
            },
        };
        if list.issued_at > self.incomplete {
            self.is_lost = false;
        }
        let is_as_offered = list.entries == offered.entries;
        self.put(list);
        Ok(is_as_offered)
    }

    /// A list takes the place of another.
    pub(crate) fn put(&mut self, list: List) {
        self.said.retain(|key, held| !list.covers(*key, &held.statements));
        self.newest = self.newest.max(list.issued_at);
        self.list = Some(list);
        self.refreshed = Some(self.now);
    }

    /// The issuer says that its list is the newest still.
    pub(crate) fn confirm(&mut self) -> Result<(), Declined> {
        match self.list.as_ref().filter(|_| !self.is_lost) {
            None => Err(Declined::NothingToConfirm),
            Some(list) if list.is_expired => Err(Declined::Expired),
            Some(_) => {
                self.refreshed = Some(self.now);
                Ok(())
            }
        }
    }

    /// What is decided of a credential with these keys that was issued in this half second.
    pub(crate) fn decide(&self, keys: &BTreeSet<u8>, iat: Option<u64>) -> Decision {
        // Whoever says that it comes from the future does not say when it was issued.
        let iat = iat.filter(|iat| *iat <= SOON);
        if keys.iter().chain(&[0]).any(|key| self.refuses(*key, iat)) {
            return Decision::Refused;
        }
        match self.refreshed {
            _ if self.is_lost => Decision::NoList,
            None => Decision::NoList,
            Some(at) if self.now - at > self.limits.max_age => Decision::Stale,
            Some(_) => Decision::Admitted,
        }
    }

    /// How long an event is kept, in seconds.
    pub(crate) fn kept(&self, event: &Statement) -> u64 {
        event.kept.map_or(self.limits.retention, |secs| secs + LEEWAY)
    }

    fn refuses(&self, key: u8, iat: Option<u64>) -> bool {
        let said = self.said.get(&key).map_or(&[][..], |held| &held.statements);
        let listed = self.list.as_ref().and_then(|list| list.entries.get(&key));
        let all: Vec<Statement> = said
            .iter()
            .copied()
            .chain(listed.map(|listed| listed.statement(key)))
            .collect();
        let latest = |said| all.iter().filter(|one| one.said == said).map(|one| one.at).max();
        // A block stands unless a reinstatement is strictly newer than the latest.
        let stands =
            latest(Said::Block).is_some_and(|block| latest(Said::Reinstate).is_none_or(|lifted| lifted <= block));
        // A lifted one, and every cut-off, concerns what was issued up to its time; up to the end of the second if either of
        // the two is on a whole second, since that is what such times stand for.
        let is_whole = |at: u64| at.is_multiple_of(2);
        let is_up_to = |iat: u64, at: u64| match is_whole(iat) || is_whole(at) {
            true => iat / 2 <= at / 2,
            false => iat <= at,
        };
        let is_old = |one: &Statement| one.said != Said::Reinstate && iat.is_none_or(|iat| is_up_to(iat, one.at));
        stands || all.iter().any(is_old)
    }

    /// How many keys take room.
    pub(crate) fn keys(&self) -> usize {
        self.said.keys().filter(|key| **key != 0).count()
    }
}

impl List {
    /// What an issuer says that has signed none yet.
    pub(crate) fn none() -> Self {
        Self {
            issued_at: None,
            entries: BTreeMap::new(),
            is_expired: false,
        }
    }

    /// Two lists of one second: neither may take back what the other says.
    fn joined(&self, installed: &Self) -> Self {
        let mut both = self.clone();
        for (key, listed) in &installed.entries {
            both.entries
                .entry(*key)
                .and_modify(|known| *known = known.joined(listed))
                .or_insert(*listed);
        }
        both
    }

    /// Whether this list says all of it at least as strictly.
    pub(crate) fn covers(&self, key: u8, statements: &[Statement]) -> bool {
        // The issuer-wide one takes no room, and stays.
        let listed = self.entries.get(&key).filter(|_| key != 0);
        listed.is_some_and(|listed| {
            statements.iter().all(|one| {
                let is_as_late = one.at <= listed.statement(key).at;
                let is_as_strict = match one.said {
                    Said::Block => listed.is_block,
                    Said::CutOff => true,
                    Said::Reinstate => false,
                };
                is_as_late && is_as_strict && (listed.withdraws || !one.withdraws)
            })
        })
    }
}

impl Listed {
    fn statement(self, key: u8) -> Statement {
        Statement {
            key,
            said: if self.is_block { Said::Block } else { Said::CutOff },
            at: self.at_secs * 2 + 1,
            withdraws: self.withdraws,
            kept: None,
        }
    }

    fn joined(self, other: &Self) -> Self {
        Self {
            is_block: self.is_block || other.is_block,
            at_secs: self.at_secs.max(other.at_secs),
            withdraws: self.withdraws || other.withdraws,
        }
    }
}

/// How often what may be forgotten is looked for, in seconds.
const SWEPT_EVERY: u64 = 600;

/// By how much clocks may differ, in seconds.
const LEEWAY: u64 = 60;
