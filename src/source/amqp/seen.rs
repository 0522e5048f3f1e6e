//! What was read, to tell a stream from another one of the same name.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::source::amqp::reader::Message;

/// What lay where in the stream, as a hash for each of the last messages.
///
/// A stream that was created again counts from zero, like the old one, and the protocol says nothing of when it was
/// created. But what lies at a position never changes within one stream.
#[derive(Debug, Default)]
pub(super) struct Seen(VecDeque<(u64, u64)>);

impl Seen {
    pub(super) fn note(&mut self, message: &Message) {
        // Read again after a reopening.
        while self.0.back().is_some_and(|&(offset, _)| offset >= message.offset) {
            self.0.pop_back();
        }
        if self.0.len() >= ROOM {
            self.0.pop_front();
        }
        self.0.push_back((message.offset, hash(message)));
    }

    /// Whether it may be the message that was read from there.
    pub(super) fn agrees(&self, message: &Message) -> bool {
        match self.0.binary_search_by_key(&message.offset, |&(offset, _)| offset) {
            Ok(index) => self.0[index].1 == hash(message),
            Err(_unknown) => true,
        }
    }

    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

fn hash(message: &Message) -> u64 {
    let mut hasher = DefaultHasher::new();
    let properties = &message.delivery.properties;
    message.delivery.data.hash(&mut hasher);
    properties.message_id().hash(&mut hasher);
    properties.timestamp().hash(&mut hasher);
    hasher.finish()
}

/// As many as the loop may have unsettled: 1 MiB.
const ROOM: usize = 65_536;

#[cfg(test)]
mod tests {
    use lapin::message::Delivery;

    use super::*;

    fn message(offset: u64, payload: &str) -> Message {
        Message {
            offset,
            delivery: Delivery::mock(offset, "".into(), "".into(), false, payload.into()),
        }
    }

    #[test]
    fn tells_another_message_at_the_same_place() {
        let mut seen = Seen::default();
        for offset in [3, 4, 7] {
            seen.note(&message(offset, &format!("event {offset}")));
        }
        assert!(seen.agrees(&message(4, "event 4")));
        assert!(!seen.agrees(&message(4, "event 5")));
        assert!(seen.agrees(&message(5, "anything")), "nothing was seen there");
        seen.forget();
        assert!(seen.agrees(&message(4, "event 5")));
    }

    #[test]
    fn what_is_read_again_replaces_what_was_read_from_there_on() {
        let mut seen = Seen::default();
        for offset in [3, 4, 5, 4] {
            seen.note(&message(offset, "event"));
        }
        assert_eq!(seen.0.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn keeps_the_newest_when_it_is_full() {
        let mut seen = Seen::default();
        for offset in 0..=ROOM as u64 {
            seen.note(&message(offset, "event"));
        }
        assert_eq!(seen.0.len(), ROOM);
        assert!(seen.agrees(&message(0, "anything")));
        assert!(!seen.agrees(&message(1, "anything")));
    }
}
