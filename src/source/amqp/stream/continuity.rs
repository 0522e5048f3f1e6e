//! Where reading a stream begins, and whether it has everything from there on.

use std::time::Duration;

use crate::source::amqp::stream::connection::{PATIENCE, Place, StreamConnection};
use crate::source::amqp::stream::consumer::{AmqpMessage, CREDIT, StreamMessages};
use crate::source::error::SourceError;
use crate::source::event_source::Continuity;
use crate::source::landmark::Landmark;
use crate::source::position::Start;

/// Where reading begins.
pub(super) struct FirstMessages {
    pub(super) messages: StreamMessages,
    pub(super) continuity: Continuity,
    /// What was settled before.
    pub(super) after: Option<u64>,
    /// The message that came first, if one came.
    pub(super) first: Option<u64>,
    /// The oldest message of the stream; not looked for when reading on.
    pub(super) oldest: Option<u64>,
}

impl FirstMessages {
    pub(super) async fn find(stream: &StreamConnection, start: &Start) -> Result<Self, SourceError> {
        let mut gap = None;
        if let Some(after) = start.after(0) {
            let after = u64::try_from(after).unwrap_or(u64::MAX);
            match read_after(stream, after, start).await? {
                Ok(mut messages) => {
                    return Ok(Self {
                        first: offset_of_first(&mut messages).await?,
                        messages,
                        continuity: Continuity::Complete,
                        after: Some(after),
                        oldest: None,
                    });
                }
                Err(reason) => gap = Some(reason),
            }
        }
        let mut messages = stream.read(Place::Since(start.time()), CREDIT).await?;
        // Asked for once reading has its place: what is trimmed in between counts as missing.
        let oldest = stream.oldest().await?;
        let first = offset_of_first(&mut messages).await?;
        let reason = match (gap, oldest, first) {
            (Some(reason), _, _) => Some(reason),
            (None, None, _) => Some("the stream is empty"),
            // Only if something lies before it, it has everything.
            (None, Some(oldest), Some(first)) if first <= oldest => Some("the stream does not reach back far enough"),
            (None, Some(_), _) => None,
        };
        Ok(Self {
            messages,
            continuity: reason.map_or(Continuity::Complete, |reason| Continuity::Gap(reason.to_owned())),
            after: None,
            first,
            oldest,
        })
    }
}

/// Reads on after an offset. If it cannot be shown that nothing is missing: why not.
///
/// It starts at that offset itself. If the stream still has it, and the same message there, then it has everything that comes
/// after; and an offset beyond the end of the stream would be taken without complaint, and nothing read until then.
async fn read_after(
    stream: &StreamConnection,
    after: u64,
    start: &Start,
) -> Result<Result<StreamMessages, &'static str>, SourceError> {
    let mut messages = stream.read(Place::At(after), CREDIT).await?;
    Ok(match messages.first(PATIENCE).await? {
        None => Err("the stream ends before what was read of it"),
        // There may be no message with that offset: then it is the next one.
        Some(first) if first.offset > after.saturating_add(1) => Err("the stream was trimmed"),
        Some(first) if !is_known(first, start) => Err("the stream is another one"),
        Some(_) => Ok(messages),
    })
}

/// Whether it may be the message that was read from there.
///
/// A stream that was created again counts from zero, like the old one, and the protocol says nothing of when it was created. But
/// what lies at a position never changes within one stream.
fn is_known(message: &AmqpMessage, start: &Start) -> bool {
    let mut known = start
        .landmarks(0)
        .filter(|(offset, _)| *offset == message.offset.into());
    known.all(|(_, read)| read == landmark(message))
}

/// What tells a message from another one at the same offset.
pub(super) fn landmark(message: &AmqpMessage) -> Landmark {
    let properties = &message.delivery.properties;
    Landmark::of((&message.delivery.data, properties.message_id(), properties.timestamp()))
}

async fn offset_of_first(messages: &mut StreamMessages) -> Result<Option<u64>, SourceError> {
    Ok(messages.first(MOMENT).await?.map(|first| first.offset))
}

/// How long to wait for a first message once others came, and there may be none.
const MOMENT: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use lapin::message::Delivery;

    use super::*;
    use crate::model::timestamp::Timestamp;
    use crate::source::position::Position;

    fn message(offset: u64, payload: &str) -> AmqpMessage {
        AmqpMessage {
            offset,
            delivery: Delivery::mock(offset, "".into(), "".into(), false, payload.into()),
        }
    }

    #[test]
    fn tells_another_message_at_the_same_place() {
        let read = [3, 4, 7].map(|offset| {
            let read = message(offset, &format!("event {offset}"));
            (Position::at(offset.into()), landmark(&read))
        });
        let start = Start::since(Timestamp::default()).and_landmarks(read);
        assert!(is_known(&message(4, "event 4"), &start));
        assert!(!is_known(&message(4, "event 5"), &start));
        assert!(is_known(&message(5, "anything"), &start), "nothing was read there");
    }
}
