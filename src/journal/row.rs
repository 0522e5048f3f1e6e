//! How an entry is stored in the database.

use crate::model::event::Reason;
use crate::model::key::Key;
use crate::model::timestamp::Timestamp;
use crate::state::entry::Entry;
use crate::state::key_state::KeyState;
use crate::state::moment::Moment;
use crate::state::spared_keys::SparedKeys;

/// The number of the key's kind, and its fingerprint.
pub(super) type RowKey = (u8, u128);

/// Block, reinstatement, cut-off and withdrawal, in milliseconds since the epoch plus one, or zero for never; when to forget
/// it, in milliseconds since the epoch; the number of the reason.
pub(super) type Row = ([u64; 4], u64, u8);

/// What a key's cut-off spares: that cut-off, and a row key and a moment for each key, all of them big-endian.
pub(super) type SparedRow = [u8];

/// Returns the row of what an entry spares, if it spares anything.
pub(super) fn to_spared_row(entry: &Entry) -> Option<Vec<u8>> {
    let spared = entry.spared.as_ref()?;
    let mut row = entry.key_state.cut_off().bits().to_be_bytes().to_vec();
    for (key, floor) in spared.iter() {
        let (kind, bits) = key.to_parts();
        row.push(kind);
        row.extend_from_slice(&bits.to_be_bytes());
        row.extend_from_slice(&floor.bits().to_be_bytes());
    }
    Some(row)
}

/// Adds to an entry what it spares. What cannot be read, or belongs to another cut-off, spares nothing.
pub(super) fn add_spared(entry: &mut Entry, row: &SparedRow) {
    let cut_off = entry.key_state.cut_off().bits().to_be_bytes();
    let Some(spared) = row.strip_prefix(&cut_off) else {
        return;
    };
    let floors = spared.chunks_exact(SPARED_BYTES).filter_map(|spared| {
        let (kind, rest) = spared.split_first()?;
        let (bits, floor) = rest.split_first_chunk()?;
        let key = Key::from_parts(*kind, u128::from_be_bytes(*bits))?;
        let floor = Moment::of_bits(u64::from_be_bytes(floor.try_into().ok()?));
        Some((key, floor))
    });
    entry.spared = SparedKeys::collect(floors).map(Box::new);
}

pub(super) fn to_row(entry: &Entry) -> (RowKey, Row) {
    let until = entry.keep_until.map_or(NEVER, Timestamp::as_unix_millis);
    let row = (entry.key_state.moments(), until, code(entry.key_state.reason()));
    (entry.key.to_parts(), row)
}

/// Returns the entry of a row; `None` if the kind of its key is unknown.
pub(super) fn from_row((kind, bits): RowKey, (moments, until, reason): Row) -> Option<Entry> {
    Some(Entry {
        key: Key::from_parts(kind, bits)?,
        key_state: KeyState::from_moments(moments, reason_of(reason), 0),
        spared: None,
        keep_until: (until < NEVER).then(|| Timestamp::from_unix_millis(until)),
    })
}

/// Joins two entries of a key: what each of them says is kept, as long as either of them is.
pub(super) fn join(one: &Entry, other: &Entry) -> Entry {
    Entry {
        key: one.key,
        key_state: one.key_state.join(other.key_state),
        spared: SparedKeys::join(one.cut_off(), other.cut_off()).map(Box::new),
        keep_until: one.keep_until.zip(other.keep_until).map(|(one, other)| one.max(other)),
    }
}

const NEVER: u64 = u64::MAX;

/// What one spared key takes.
const SPARED_BYTES: usize = 1 + 16 + 8;

/// Returns the number of a reason in the database. It never changes, and a new reason takes the next one.
const fn code(reason: Reason) -> u8 {
    match reason {
        Reason::Unspecified => 0,
        Reason::CessationOfOperation => 1,
        Reason::KeyCompromise => 2,
        Reason::PrivilegeWithdrawn => 3,
        Reason::Superseded => 4,
    }
}

/// Returns the reason of a number; the default for a number that a later version wrote. A reason only informs: the decision
/// depends on the times.
fn reason_of(number: u8) -> Reason {
    let known = [
        Reason::CessationOfOperation,
        Reason::KeyCompromise,
        Reason::PrivilegeWithdrawn,
        Reason::Superseded,
    ];
    known
        .into_iter()
        .find(|reason| code(*reason) == number)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{Event, Reinstatement, Revocation};

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_unix_secs(secs)
    }

    fn entry(event: impl Into<Event>, keep_until: Option<Timestamp>) -> Entry {
        let event = event.into();
        Entry {
            key: *event.key(),
            key_state: KeyState::of(&event, at(50), 0),
            spared: SparedKeys::of(&event).map(Box::new),
            keep_until,
        }
    }

    #[test]
    fn an_entry_is_the_same_after_it_was_stored() {
        let key = Key::subject("s");
        for reason in [
            Reason::Unspecified,
            Reason::CessationOfOperation,
            Reason::KeyCompromise,
            Reason::PrivilegeWithdrawn,
            Reason::Superseded,
        ] {
            for event in [
                Event::from(Revocation::block(key).because(reason).at(at(7))),
                Revocation::cut_off(Key::everything()).because(reason).into(),
                Reinstatement::of(key, at(9)).into(),
            ] {
                for keep_until in [None, Some(at(1)), Some(Timestamp::default())] {
                    let entry = entry(event, keep_until);
                    let (row_key, row) = to_row(&entry);
                    assert_eq!(from_row(row_key, row), Some(entry.clone()));
                }
            }
        }
        let sparing = Revocation::cut_off(key)
            .at(at(7))
            .sparing(Key::session("a"))
            .sparing(Key::token("b"));
        let entry = entry(sparing, None);
        let (row_key, row) = to_row(&entry);
        let mut read = from_row(row_key, row).unwrap();
        add_spared(&mut read, &to_spared_row(&entry).unwrap());
        assert_eq!(read, entry);
        let mut of_another = from_row(row_key, ([0, 0, 1, 1], 0, 0)).unwrap();
        add_spared(&mut of_another, &to_spared_row(&entry).unwrap());
        assert_eq!(of_another.spared, None);
        assert_eq!(from_row((99, 0), ([0; 4], 0, 0)), None);
        let unknown = from_row(key.to_parts(), ([1, 0, 0, 1], 0, 99)).unwrap();
        assert_eq!(unknown.key_state.reason(), Reason::Unspecified);
    }

    #[test]
    fn entries_of_a_key_are_kept_as_long_as_the_longest() {
        let key = Key::subject("s");
        let until = |keep_until| entry(Revocation::block(key), keep_until);
        assert_eq!(join(&until(Some(at(1))), &until(Some(at(2)))).keep_until, Some(at(2)));
        assert_eq!(join(&until(None), &until(Some(at(2)))).keep_until, None);
        assert_eq!(join(&until(Some(at(2))), &until(None)).keep_until, None);
    }
}
