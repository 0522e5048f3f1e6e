//! Several messages in one body.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// What is in a body.
#[derive(Debug)]
pub(super) enum Messages<'b> {
    /// These messages of a batch.
    Batch(Vec<&'b [u8]>),
    /// The body is the message.
    One,
    /// A batch of more messages than there may be.
    TooMany,
    /// Something that begins like a batch.
    Unreadable(serde_json::Error),
}

impl<'b> Messages<'b> {
    /// Finds the messages. Their decoder reads what is in them.
    pub(super) fn of(body: &'b [u8], cap: usize) -> Self {
        // White space as JSON defines it.
        let first = body.iter().find(|byte| !b" \t\r\n".contains(byte));
        if first != Some(&b'[') {
            return Self::One;
        }
        let mut json = serde_json::Deserializer::from_slice(body);
        let found = Elements(cap).deserialize(&mut json);
        match found.and_then(|found| json.end().map(|()| found)) {
            Ok(Some(messages)) => Self::Batch(messages),
            Ok(None) => Self::TooMany,
            Err(error) => Self::Unreadable(error),
        }
    }
}

/// The elements of an array, unless there are more than so many: those above take no memory.
struct Elements(usize);

impl<'de> DeserializeSeed<'de> for Elements {
    type Value = Option<Vec<&'de [u8]>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements {
    type Value = Option<Vec<&'de [u8]>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut messages = Vec::new();
        while messages.len() < self.0 {
            match elements.next_element::<&RawValue>()? {
                Some(message) => messages.push(message.get().as_bytes()),
                None => return Ok(Some(messages)),
            }
        }
        let mut are_all = true;
        while elements.next_element::<IgnoredAny>()?.is_some() {
            are_all = false;
        }
        Ok(are_all.then_some(messages))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(body: &str) -> Option<Vec<&str>> {
        match Messages::of(body.as_bytes(), 3) {
            Messages::Batch(messages) => messages
                .into_iter()
                .map(|message| std::str::from_utf8(message).ok())
                .collect(),
            _ => None,
        }
    }

    #[test]
    fn elements_are_messages_as_they_were_written() {
        assert_eq!(split("[]").unwrap(), [""; 0]);
        assert_eq!(
            split("\n [ {\"a\" :\t1} , \"[\",[ [ ] ]\r\n] ").unwrap(),
            ["{\"a\" :\t1}", "\"[\"", "[ [ ] ]"]
        );
    }

    #[test]
    fn what_does_not_begin_like_an_array_is_one_message() {
        for body in ["", " ", "{}", "\u{feff}[]", "\u{b}[]", "x[]"] {
            assert!(matches!(Messages::of(body.as_bytes(), 3), Messages::One), "{body}");
        }
    }

    #[test]
    fn what_is_no_array_to_its_end_is_none_at_all() {
        for body in ["[", "[{}", "[{},]", "[{}]]", "[{}] {}", "[{]", "[1 2]", "[\"\u{1}\"]"] {
            assert!(
                matches!(Messages::of(body.as_bytes(), 3), Messages::Unreadable(_)),
                "{body}"
            );
        }
        assert!(matches!(Messages::of(b"[\"\xff\"]", 3), Messages::Unreadable(_)));
    }

    #[test]
    fn more_than_may_be_are_too_many_wherever_that_shows() {
        assert_eq!(split("[1,2,3]").unwrap().len(), 3);
        assert!(matches!(Messages::of(b"[1,2,3,4]", 3), Messages::TooMany));
        assert!(matches!(Messages::of(b"[1,2,3,4", 3), Messages::Unreadable(_)));
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = "[".repeat(1_000_000);
        assert!(matches!(Messages::of(deep.as_bytes(), 3), Messages::Unreadable(_)));
        let deep = format!("[{}{}]", "[".repeat(500_000), "]".repeat(500_000));
        assert_eq!(split(&deep).unwrap().len(), 1);
    }
}
