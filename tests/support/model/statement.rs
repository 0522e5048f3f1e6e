//! What is said of a key, and when, in the words of the model.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use tower_revocation::{Event, Key, Reason, Reinstatement, Revocation, Timestamp};

/// One thing that was said of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    /// Which key: see [`key`].
    pub(crate) key: u8,
    pub(crate) said: Said,
    /// In half seconds since the history began: see [`Epoch`].
    pub(crate) at: u64,
    /// Whether it says more than that a newer credential took the old one's place.
    pub(crate) withdraws: bool,
    /// For how many seconds it is kept, if it says so.
    pub(crate) kept: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Block,
    CutOff,
    Reinstate,
}

/// Some statements of a few keys at a few times, so that they meet.
pub(crate) fn statements() -> impl Strategy<Value = Statement> {
    let said = prop_oneof![Just(Said::Block), Just(Said::CutOff), Just(Said::Reinstate)];
    let at = prop_oneof![8 => 0..12_u64, 1 => Just(NOW), 1 => Just(SOON), 1 => Just(AHEAD)];
    let kept = prop_oneof![4 => Just(None), 1 => Just(Some(BRIEFLY))];
    (0..KEYS, said, at, any::<bool>(), kept).prop_map(|(key, said, at, withdraws, kept)| Statement {
        key,
        said,
        at,
        withdraws: withdraws || said == Said::Reinstate,
        kept: kept.filter(|_| said != Said::Reinstate),
    })
}

/// The key of this number: of several kinds, some with the same id.
pub(crate) fn key(number: u8) -> Key {
    match number {
        0 => Key::everything(),
        1 => Key::subject(TOKENS[0]),
        2 => Key::token(TOKENS[0]),
        3 => Key::token(TOKENS[1]),
        4 => Key::signing_key(TOKENS[0]),
        _ => Key::subject("nobody speaks of this one"),
    }
}

/// What is asked: the keys of a credential, and the half second in which it was issued.
pub(crate) fn credentials() -> impl Iterator<Item = (BTreeSet<u8>, Option<u64>)> {
    let singly = (0..=KEYS).map(|key| BTreeSet::from([key]));
    let together = [[1, 2], [2, 3], [3, KEYS]].map(BTreeSet::from);
    let issued = [
        None,
        Some(0),
        Some(3),
        Some(4),
        Some(7),
        Some(8),
        Some(11),
        Some(2 * AHEAD),
    ];
    singly
        .chain(together)
        .flat_map(move |keys| issued.map(|iat| (keys.clone(), iat)))
}

/// How many cases to run: so many, or as `PROPTEST_CASES` says.
pub(crate) fn cases(usually: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig {
        cases: asked.map_or(usually, |cases| cases.parse().unwrap()),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// How many keys are spoken of.
pub(crate) const KEYS: u8 = 5;

/// The ids of keys 2 and 3.
pub(crate) const TOKENS: [&str; 2] = ["01KDVDNA09Q5HAD7MTFBDK3NYZ", "01KDVDNA0CJGBR9K83VZA6KFGW"];

/// When a history began, by wall clock: long enough ago for everything in it but what is said to lie ahead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch(Timestamp);

impl Epoch {
    pub(crate) fn new() -> Self {
        Self(Timestamp::from_unix_secs(Timestamp::now().as_unix_secs() - NOW / 2))
    }

    /// What the model's half seconds are by wall clock.
    pub(crate) fn at(self, half_secs: u64) -> Timestamp {
        Timestamp::from_unix_millis(self.0.as_unix_millis() + half_secs * 500)
    }

    /// The event that says `statement`.
    pub(crate) fn event(self, statement: &Statement) -> Event {
        let key = key(statement.key);
        let revocation = match statement.said {
            Said::Reinstate => return Reinstatement::of(key, self.at(statement.at)).into(),
            Said::Block => Revocation::block(key),
            Said::CutOff => Revocation::cut_off(key),
        };
        let revocation = match statement.at {
            // Counts from its arrival then.
            NOW => revocation,
            at => revocation.at(self.at(at)),
        };
        let revocation = revocation.because(reason(statement.withdraws));
        match statement.kept {
            Some(secs) => revocation
                .forget_at(Timestamp::now().saturating_add(Duration::from_secs(secs)))
                .into(),
            None => revocation.into(),
        }
    }
}

pub(crate) const fn reason(withdraws: bool) -> Reason {
    match withdraws {
        true => Reason::KeyCompromise,
        false => Reason::Superseded,
    }
}

/// In half seconds: the time at which tests run, give or take what they take.
pub(crate) const NOW: u64 = 20_000;

/// Ahead of the clock, and within the leeway of a minute.
pub(crate) const SOON: u64 = NOW + 60;

/// Ahead of the clock by an hour.
pub(crate) const AHEAD: u64 = NOW + 7_200;

/// In seconds, for how long some statements ask to be kept. No whole number of the steps by which time passes, so that no
/// decision hangs on the time that the test itself takes.
const BRIEFLY: u64 = 1_550;
