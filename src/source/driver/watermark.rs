//! The low watermark: up to where everything is settled.

use std::collections::BTreeMap;

use crate::source::landmark::Landmark;
use crate::source::position::Position;

/// Up to where all messages of a feed are settled, partition by partition: after a cut, reading goes on from there. What lies
/// beyond and was settled already is read again, which does no harm.
///
/// With it, it keeps the landmarks by which the feed is recognized when it is opened anew: those around the place where reading
/// goes on, and the one that lies furthest.
#[derive(Debug, Default)]
pub(super) struct Watermark {
    partitions: BTreeMap<u32, PartitionMark>,
}

#[derive(Debug, Default)]
struct PartitionMark {
    highest: u128,
    /// The message that was read last in the order of the feed.
    newest: Landmarked,
    /// What is not settled: each message, and the one that was read before it.
    unsettled: BTreeMap<u128, [Landmarked; 2]>,
    /// What was known before the feed was opened anew, by offsets that grow.
    earlier: Vec<(u128, Landmark)>,
}

/// What lies at an offset, if the source says so.
type Landmarked = Option<(u128, Landmark)>;

impl Watermark {
    pub(super) fn delivered(&mut self, position: Position, landmark: Option<Landmark>) {
        let Position { partition, offset } = position;
        let mark = self.partitions.entry(partition).or_default();
        let own = landmark.map(|landmark| (offset, landmark));
        let before = mark.newest.filter(|(newest, _)| *newest < offset);
        mark.unsettled.entry(offset).or_insert([before, own]);
        if offset >= mark.highest {
            (mark.highest, mark.newest) = (offset, own);
        }
    }

    pub(super) fn settled(&mut self, position: Position) {
        if let Some(mark) = self.partitions.get_mut(&position.partition) {
            mark.unsettled.remove(&position.offset);
        }
    }

    /// Returns whether nothing is unsettled.
    pub(super) fn is_settled(&self) -> bool {
        self.partitions.values().all(|mark| mark.unsettled.is_empty())
    }

    /// Returns the last position of each partition before which nothing is unsettled. None for one whose first message is.
    pub(super) fn resume_after(&self) -> impl Iterator<Item = Position> {
        self.partitions.iter().filter_map(|(&partition, mark)| {
            let offset = mark.resume_after()?;
            Some(Position { partition, offset })
        })
    }

    /// Returns what lay where when it was read: around the position that is resumed after, and furthest.
    pub(super) fn landmarks(&self) -> impl Iterator<Item = (Position, Landmark)> {
        self.partitions.iter().flat_map(|(&partition, mark)| {
            let at = move |offset| Position { partition, offset };
            mark.landmarks()
                .into_iter()
                .map(move |(offset, landmark)| (at(offset), landmark))
        })
    }

    /// Notes that everything unsettled is going to be delivered again.
    pub(super) fn reopened(&mut self) {
        self.partitions.retain(|_, mark| match mark.resume_after() {
            None => false,
            Some(highest) => {
                let earlier = mark.landmarks();
                let newest = earlier.iter().rev().find(|(offset, _)| *offset <= highest).copied();
                *mark = PartitionMark {
                    highest,
                    newest,
                    unsettled: BTreeMap::new(),
                    earlier,
                };
                true
            }
        });
    }

    /// Notes that the feed is another one: its old positions mean nothing.
    pub(super) fn forget(&mut self) {
        self.partitions.clear();
    }
}

impl PartitionMark {
    fn resume_after(&self) -> Option<u128> {
        match self.unsettled.first_key_value() {
            None => Some(self.highest),
            // Whether or not a message has that number: the next one that has one is the unsettled.
            Some((first, _)) => first.checked_sub(1),
        }
    }

    fn landmarks(&self) -> Vec<(u128, Landmark)> {
        let around = self
            .unsettled
            .first_key_value()
            .map_or([None, None], |(_, around)| *around);
        // Read before, and not again yet. The first may be next to the place, and the last lies furthest.
        let mut beyond = self
            .earlier
            .iter()
            .filter(|(offset, _)| *offset > self.highest)
            .copied();
        let beyond = [beyond.next(), beyond.last()];
        let known = around.into_iter().chain([self.newest]).chain(beyond).flatten();
        let by_offset: BTreeMap<_, _> = known.collect();
        by_offset.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of each message, its offset is the landmark.
    fn deliver(watermark: &mut Watermark, offsets: impl IntoIterator<Item = u64>) {
        for offset in offsets {
            watermark.delivered(Position::at(offset.into()), Some(Landmark::new([offset; 4])));
        }
    }

    fn settle(watermark: &mut Watermark, offsets: impl IntoIterator<Item = u64>) {
        for offset in offsets {
            watermark.settled(Position::at(offset.into()));
        }
    }

    fn resume(watermark: &Watermark) -> Vec<u128> {
        watermark.resume_after().map(|position| position.offset).collect()
    }

    fn known(watermark: &Watermark) -> Vec<u128> {
        let known = watermark.landmarks();
        known
            .map(|(position, landmark)| {
                assert_eq!(u128::from(landmark.numbers()[0]), position.offset);
                position.offset
            })
            .collect()
    }

    #[test]
    fn stays_below_the_first_message_that_is_not_settled() {
        let mut watermark = Watermark::default();
        assert_eq!(resume(&watermark), []);
        deliver(&mut watermark, [5, 6, 9]);
        settle(&mut watermark, [9, 6]);
        assert_eq!(resume(&watermark), [4]);
        settle(&mut watermark, [5]);
        assert_eq!(resume(&watermark), [9]);
    }

    #[test]
    fn keeps_its_place_over_a_reopening_and_counts_what_is_redelivered() {
        let mut watermark = Watermark::default();
        deliver(&mut watermark, [5, 6, 7]);
        settle(&mut watermark, [5, 7]);
        watermark.reopened();
        assert_eq!(resume(&watermark), [5]);
        deliver(&mut watermark, [6]);
        assert_eq!(resume(&watermark), [5]);
        settle(&mut watermark, [6]);
        assert_eq!(resume(&watermark), [6]);
    }

    #[test]
    fn knows_what_lies_around_its_place_and_furthest_however_often_it_is_reopened() {
        let mut watermark = Watermark::default();
        deliver(&mut watermark, [3, 5, 7, 8, 9]);
        settle(&mut watermark, [3, 8, 9]);
        assert_eq!((resume(&watermark), known(&watermark)), (vec![4], vec![3, 5, 9]));
        settle(&mut watermark, [5]);
        for _ in 0..3 {
            assert_eq!((resume(&watermark), known(&watermark)), (vec![6], vec![5, 7, 9]));
            watermark.reopened();
        }
        // The place moves on before what lies furthest is read again.
        deliver(&mut watermark, [7, 8]);
        settle(&mut watermark, [7, 8]);
        for _ in 0..3 {
            assert_eq!((resume(&watermark), known(&watermark)), (vec![8], vec![8, 9]));
            watermark.reopened();
        }
        deliver(&mut watermark, [9, 10]);
        settle(&mut watermark, [9, 10]);
        assert_eq!((resume(&watermark), known(&watermark)), (vec![10], vec![10]));
        watermark.forget();
        assert_eq!(known(&watermark), []);
    }

    #[test]
    fn what_is_known_stays_little() {
        let mut watermark = Watermark::default();
        for furthest in (10..1_000).rev() {
            deliver(&mut watermark, 5..furthest);
            settle(&mut watermark, 6..furthest);
            watermark.reopened();
            assert!(known(&watermark).len() <= 5, "{:?}", known(&watermark));
            assert_eq!(known(&watermark).last(), Some(&998));
        }
    }

    #[test]
    fn the_very_first_message_leaves_nothing_to_resume_after() {
        let mut watermark = Watermark::default();
        deliver(&mut watermark, [0]);
        assert_eq!(resume(&watermark), []);
        watermark.reopened();
        assert_eq!(resume(&watermark), []);
        deliver(&mut watermark, [0]);
        settle(&mut watermark, [0]);
        assert_eq!(resume(&watermark), [0]);
    }

    #[test]
    fn partitions_are_apart_and_another_feed_starts_from_nothing() {
        let mut watermark = Watermark::default();
        let at = |partition, offset| Position { partition, offset };
        watermark.delivered(at(1, 3), None);
        watermark.delivered(at(2, 8), None);
        watermark.settled(at(2, 8));
        assert_eq!(resume(&watermark), [2, 8]);
        watermark.forget();
        assert_eq!(resume(&watermark), []);
    }
}
