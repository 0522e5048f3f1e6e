//! The sections of a body.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::crl::list::ListError;
use crate::model::event::{Reason, Revocation};
use crate::model::key::{Key, KeyKind};
use crate::model::timestamp::Timestamp;
use crate::statements::statement::{Statement, StatementKind};
use crate::statements::subject::Subject;

/// What the manifest says of one section.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListSection {
    pub(crate) kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    pub(crate) encoding: String,
    pub(crate) count: u64,
    pub(crate) bytes: u64,
}

impl ListSection {
    /// Returns the kind of its keys, and the host's name for that if it has one.
    pub(crate) fn kind(&self, nth: usize) -> Result<(KeyKind, &str), ListError> {
        let invalid = |member, problem: String| ListError::invalid(format!("sections[{nth}].{member}"), problem);
        let kind = KeyKind::of(&self.kind)
            .ok_or_else(|| invalid("kind", format!("is not known: {}", self.kind.escape_debug())))?;
        if self.encoding != TEXT {
            let problem = format!("is not known: {}", self.encoding.escape_debug());
            return Err(invalid("encoding", problem));
        }
        match (kind, &self.name) {
            (KeyKind::Named, Some(name)) => Ok((kind, name)),
            (KeyKind::Named, None) => Err(invalid("name", "is missing".to_owned())),
            (kind, None) => Ok((kind, "")),
            (_, Some(_)) => Err(invalid("name", "is none of this kind's".to_owned())),
        }
    }

    /// Hands each of its entries to `each`. `bytes` are those of the section.
    pub(crate) fn read<'b>(
        &'b self,
        nth: usize,
        mut bytes: &'b [u8],
        mut each: impl FnMut(ListedRow<'b>),
    ) -> Result<(), ListError> {
        let (kind, name) = self.kind(nth)?;
        for entry in 0..self.count {
            let row = ListedRow::read(kind, name, &mut bytes);
            each(row.map_err(|(member, problem)| {
                ListError::invalid(format!("sections[{nth}].entries[{entry}]{member}"), problem)
            })?);
        }
        match bytes {
            [] => Ok(()),
            _ => Err(ListError::invalid(
                format!("sections[{nth}].count"),
                "is less than there is",
            )),
        }
    }
}

/// One entry of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedRow<'b> {
    kind: KeyKind,
    name: &'b str,
    id: &'b str,
    effect: u8,
    reason: u8,
    at: Timestamp,
    forget_at: Option<Timestamp>,
    /// Kinds, names and ids.
    spared: Box<[SparedId<'b>]>,
}

/// What a cut-off spares: a kind, a name and an id.
type SparedId<'b> = (KeyKind, &'b str, &'b str);

impl<'b> ListedRow<'b> {
    /// What a list says of the subjects of a statement; nothing of a reinstatement.
    pub(crate) fn of(statement: &'b Statement) -> impl Iterator<Item = Self> {
        let effect = match statement.kind {
            StatementKind::Block => Some(BLOCK),
            StatementKind::CutOff => Some(CUT_OFF),
            StatementKind::Reinstate => None,
        };
        effect.into_iter().flat_map(move |effect| {
            let spared = statement.spared.iter();
            let spared: Box<_> = spared
                .map(|subject| (subject.kind(), subject.name().unwrap_or_default(), subject.id()))
                .collect();
            let effect = if spared.is_empty() { effect } else { SPARING };
            statement.subjects.iter().map(move |subject| Self {
                kind: subject.kind(),
                name: subject.name().unwrap_or_default(),
                id: subject.id(),
                effect,
                reason: code_of(statement.reason),
                at: statement.at,
                forget_at: statement.forget_at,
                spared: spared.clone(),
            })
        })
    }

    /// Returns what a section has to state so that this is one of its entries.
    pub(crate) const fn place(&self) -> (&'static str, &'b str) {
        (self.kind.as_str(), self.name)
    }

    /// Compares by the order of a body.
    pub(crate) fn cmp(&self, other: &Self) -> Ordering {
        let rank = |row: &Self| (row.place(), row.id, row.effect, row.reason, row.at, row.forget_at);
        let spared = |row: &Self| {
            row.spared
                .iter()
                .map(|(kind, name, id)| (kind.as_str(), *name, *id))
                .collect::<Vec<_>>()
        };
        rank(self)
            .cmp(&rank(other))
            .then_with(|| spared(self).cmp(&spared(other)))
    }

    /// Returns when it may be forgotten, if that is stated.
    pub(crate) const fn forgotten_at(&self) -> Option<Timestamp> {
        self.forget_at
    }

    /// Returns what it revokes.
    pub(crate) fn revocation(&self) -> Revocation {
        let key = |(kind, name, id): SparedId<'_>| match kind {
            KeyKind::Everything => Key::everything(),
            KeyKind::Named => Key::named(name, id),
            kind => Key::of(kind, id.as_bytes()),
        };
        let revoked = key((self.kind, self.name, self.id));
        let revocation = match self.effect {
            CUT_OFF | SPARING => Revocation::cut_off(revoked),
            _ => Revocation::block(revoked),
        };
        let revocation = self
            .spared
            .iter()
            .fold(revocation, |revocation, spared| revocation.sparing(key(*spared)));
        let revocation = revocation.at(self.at).because(reason_of(self.reason));
        match self.forget_at {
            Some(forget_at) => revocation.forget_at(forget_at),
            None => revocation,
        }
    }

    /// Returns what its issuer said.
    pub(crate) fn statement(&self) -> Statement {
        let subject = Subject::of(self.kind, self.name, self.id);
        let statement = match self.effect {
            CUT_OFF | SPARING => Statement::cut_off(subject),
            _ => Statement::block(subject),
        };
        let spared = self.spared.iter().map(|(kind, name, id)| Subject::of(*kind, name, id));
        let statement = spared.fold(statement, Statement::sparing);
        let statement = statement.at(self.at).because(reason_of(self.reason));
        match self.forget_at {
            Some(forget_at) => statement.forget_at(forget_at),
            None => statement,
        }
    }

    /// Adds it to a body. `None` if its id is longer than can be stated.
    pub(crate) fn write(&self, to: &mut Vec<u8>) -> Option<()> {
        to.extend_from_slice(&u32::try_from(self.id.len()).ok()?.to_be_bytes());
        to.extend_from_slice(self.id.as_bytes());
        to.extend_from_slice(&[self.effect, self.reason]);
        to.extend_from_slice(&self.at.as_unix_millis().to_be_bytes());
        // An end at the epoch itself was stated: one that has passed.
        let forget_at = self.forget_at.map_or(0, |at| at.as_unix_millis().max(1));
        to.extend_from_slice(&forget_at.to_be_bytes());
        if self.effect == SPARING {
            to.push(u8::try_from(self.spared.len()).ok()?);
            for (kind, name, id) in &self.spared {
                for text in [kind.as_str(), name, id] {
                    to.extend_from_slice(&u32::try_from(text.len()).ok()?.to_be_bytes());
                    to.extend_from_slice(text.as_bytes());
                }
            }
        }
        Some(())
    }

    /// Takes an entry from the front; or returns which member is at fault, and why.
    fn read(kind: KeyKind, name: &'b str, bytes: &mut &'b [u8]) -> Result<Self, (&'static str, &'static str)> {
        let id = text(bytes)?.ok_or((".id", "is not UTF-8"))?;
        if kind == KeyKind::Everything && !id.is_empty() {
            return Err((".id", "is stated, though there is only one of the kind"));
        }
        let [effect, reason] = take(bytes)?;
        if ![BLOCK, CUT_OFF, SPARING].contains(&effect) {
            return Err((".effect", "is not known"));
        }
        let at = Timestamp::from_unix_millis(u64::from_be_bytes(take(bytes)?));
        let forget_at = match u64::from_be_bytes(take(bytes)?) {
            0 => None,
            at => Some(Timestamp::from_unix_millis(at)),
        };
        let spared = match effect {
            SPARING => Self::read_spared(bytes)?,
            _ => Box::default(),
        };
        Ok(Self {
            kind,
            name,
            id,
            effect,
            reason,
            at,
            forget_at,
            spared,
        })
    }

    fn read_spared(bytes: &mut &'b [u8]) -> Result<Box<[SparedId<'b>]>, (&'static str, &'static str)> {
        let [count] = take(bytes)?;
        if !(1..=Revocation::MOST_SPARED).contains(&usize::from(count)) {
            return Err((".sparing", "is nothing, or too much"));
        }
        let mut read = || {
            let problem = || (".sparing", "is not UTF-8");
            let kind =
                KeyKind::of(text(bytes)?.ok_or_else(problem)?).ok_or((".sparing", "has a kind that is not known"))?;
            Ok((
                kind,
                text(bytes)?.ok_or_else(problem)?,
                text(bytes)?.ok_or_else(problem)?,
            ))
        };
        (0..count).map(|_| read()).collect()
    }
}

/// Takes a text and its length; `None` if it is none.
fn text<'b>(bytes: &mut &'b [u8]) -> Result<Option<&'b str>, (&'static str, &'static str)> {
    let length = u32::from_be_bytes(take(bytes)?);
    let length = usize::try_from(length).map_err(|_| SHORT)?;
    let (text, rest) = bytes.split_at_checked(length).ok_or(SHORT)?;
    *bytes = rest;
    Ok(str::from_utf8(text).ok())
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], (&'static str, &'static str)> {
    let (taken, rest) = bytes.split_first_chunk().ok_or(SHORT)?;
    *bytes = rest;
    Ok(*taken)
}

/// The numbers of reasons never change. A new one takes the next number.
const fn code_of(reason: Reason) -> u8 {
    match reason {
        Reason::Unspecified => 0,
        Reason::CessationOfOperation => 1,
        Reason::KeyCompromise => 2,
        Reason::PrivilegeWithdrawn => 3,
        Reason::Superseded => 4,
    }
}

/// A number that is not known yet counts as no reason: that is the strict one, and no list should be lost for it.
const fn reason_of(code: u8) -> Reason {
    match code {
        1 => Reason::CessationOfOperation,
        2 => Reason::KeyCompromise,
        3 => Reason::PrivilegeWithdrawn,
        4 => Reason::Superseded,
        _ => Reason::Unspecified,
    }
}

/// The encoding of sections whose ids are texts.
pub(crate) const TEXT: &str = "text";

/// What an entry takes at least, in bytes.
pub(crate) const SMALLEST_ENTRY: u64 = 22;

const BLOCK: u8 = 0;
const CUT_OFF: u8 = 1;
/// A cut-off that spares something.
const SPARING: u8 = 2;

const SHORT: (&str, &str) = ("", "is not all there");
