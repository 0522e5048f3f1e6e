//! A message, leased.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::source::cloudflare::connection::{Api, ApiClient};
use crate::source::cloudflare::dead_letters::CloudflareDeadLetters;
use crate::source::cloudflare::outbox::Outbox;
use crate::source::cloudflare::wire::{PulledMessage, Settlement};
use crate::source::dead_letter::DeadLetter;
use crate::source::error::SourceError;
use crate::source::event_source::{Delivery, Retry};
use crate::source::position::Position;
use bytes::Bytes;

/// A message of a [`CloudflareSource`](super::CloudflareSource), leased for its visibility timeout.
pub struct CloudflareDelivery<C> {
    payload: Bytes,
    attempts: u32,
    lag: u64,
    lease: String,
    handle: QueueHandle<C>,
}

/// What all messages of a queue are settled by.
#[derive(Clone)]
pub(super) struct QueueHandle<C> {
    pub(super) api: Api<C>,
    pub(super) queue: Arc<str>,
    pub(super) outbox: Outbox,
    pub(super) dead_letters: Option<CloudflareDeadLetters>,
    pub(super) max_retries: u32,
}

impl<C> CloudflareDelivery<C> {
    pub(super) fn new(message: PulledMessage, lag: u64, handle: QueueHandle<C>) -> Self {
        Self {
            payload: message.payload(),
            attempts: message.attempts(),
            lag,
            lease: message.lease_id,
            handle,
        }
    }

    fn settle(&self, retry_in: Option<u32>) {
        self.handle.outbox.push(Settlement {
            lease: self.lease.clone(),
            retry_in,
        });
    }
}

impl<C: ApiClient> Delivery for CloudflareDelivery<C> {
    fn payload(&self) -> &[u8] {
        &self.payload
    }

    fn attempts(&self) -> u32 {
        self.attempts
    }

    fn position(&self) -> Option<Position> {
        None
    }

    fn lag(&self) -> Option<u64> {
        Some(self.lag)
    }

    async fn ack(&mut self) -> Result<(), SourceError> {
        self.settle(None);
        Ok(())
    }

    async fn retry(&mut self, after: Duration) -> Result<Retry, SourceError> {
        if self.attempts >= self.handle.max_retries {
            // It would not come again: Cloudflare throws it away.
            return Ok(Retry::InPlace);
        }
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        self.settle(Some(
            u32::try_from(seconds).map_or(LONGEST_DELAY, |seconds| seconds.min(LONGEST_DELAY)),
        ));
        Ok(Retry::ByBroker)
    }

    async fn dead_letter(&mut self, letter: &DeadLetter) -> Result<(), SourceError> {
        if let Some(dead_letters) = &self.handle.dead_letters {
            dead_letters.store(self.handle.api.clone(), letter).await?;
        }
        self.settle(None);
        Ok(())
    }
}

impl<C> fmt::Debug for CloudflareDelivery<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudflareDelivery")
            .field("bytes", &self.payload.len())
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

/// How long Cloudflare delays a message at most: 12 hours, in seconds.
const LONGEST_DELAY: u32 = 12 * 60 * 60;
