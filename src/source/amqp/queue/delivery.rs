//! A message of a queue.

use std::fmt;
use std::sync::Arc;

use lapin::message::Delivery as Message;
use lapin::options::BasicAckOptions;

use crate::source::amqp::connection::{because, number};
use crate::source::amqp::dead_letters::AmqpDeadLetters;
use crate::source::dead_letter::DeadLetter;
use crate::source::error::SourceError;
use crate::source::event_source::Delivery;
use crate::source::position::Position;

/// A message of an [`AmqpQueue`](super::AmqpQueue). One that is tried again stays with this replica: the broker would deliver it
/// again at once, and does if this replica goes.
pub struct AmqpQueueDelivery {
    pub(super) message: Message,
    pub(super) lag: Option<u64>,
    pub(super) dead_letters: Option<Arc<AmqpDeadLetters>>,
}

impl Delivery for AmqpQueueDelivery {
    fn payload(&self) -> &[u8] {
        &self.message.data
    }

    fn attempts(&self) -> u32 {
        let before = number(self.message.properties.headers().as_ref(), "x-delivery-count").unwrap_or(0);
        u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1)
    }

    fn position(&self) -> Option<Position> {
        None
    }

    fn lag(&self) -> Option<u64> {
        self.lag
    }

    async fn ack(&mut self) -> Result<(), SourceError> {
        settled(self.message.ack(BasicAckOptions::default()).await)
    }

    /// Published with the reason, rather than rejected: the broker would forward a rejected message without one, and confirm
    /// to nobody that it has it.
    async fn dead_letter(&mut self, letter: &DeadLetter) -> Result<(), SourceError> {
        if let Some(dead_letters) = &self.dead_letters {
            let message_id = self.message.properties.message_id().as_ref();
            dead_letters.store_as(letter, message_id.map(|id| id.as_str())).await?;
        }
        self.ack().await
    }
}

impl fmt::Debug for AmqpQueueDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpQueueDelivery")
            .field("bytes", &self.message.data.len())
            .finish_non_exhaustive()
    }
}

fn settled(told: lapin::Result<bool>) -> Result<(), SourceError> {
    match told.map_err(because("cannot settle the message"))? {
        true => Ok(()),
        false => Err(SourceError::new("the message cannot be settled: its channel is closed")),
    }
}
