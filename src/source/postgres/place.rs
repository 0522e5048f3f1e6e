//! Where a row lies.

use crate::source::position::Position;

/// The place of a row: its transaction, and its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OutboxPlace {
    pub(super) xid: u64,
    pub(super) n: i64,
}

impl OutboxPlace {
    /// The place that a position says; or the last one before it, if there can be no row.
    pub(super) fn of_offset(offset: u128) -> Self {
        Self {
            xid: u64::try_from(offset >> 64).unwrap_or(u64::MAX),
            n: i64::try_from(offset & u128::from(u64::MAX)).unwrap_or(i64::MAX),
        }
    }

    pub(super) fn offset(self) -> u128 {
        u128::from(self.xid) << 64 | u128::from(self.n.unsigned_abs())
    }

    pub(super) fn position(self) -> Position {
        Position::at(self.offset())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_in_the_order_of_the_table() {
        let place = |xid, n| OutboxPlace { xid, n };
        let places = [
            place(0, 0),
            place(1, 9),
            place(2, 1),
            place(2, i64::MAX),
            place(u64::MAX, 1),
        ];
        for pair in places.windows(2) {
            assert!(pair[0].offset() < pair[1].offset());
        }
        for place in places {
            assert_eq!(OutboxPlace::of_offset(place.offset()), place);
        }
        // What lies before the first number of a transaction lies behind all of the one before.
        assert_eq!(OutboxPlace::of_offset(place(2, 0).offset() - 1), place(1, i64::MAX));
    }
}
