//! A message, leased.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::source::cloudflare::api::{Api, ApiClient};
use crate::source::cloudflare::outbox::Outbox;
use crate::source::cloudflare::wire::{Message, Settlement};
use crate::source::dead_letter::DeadLetter;
use crate::source::error::SourceError;
use crate::source::event_source::{Delivery, Retry};
use crate::source::position::Position;

/// A message of a [`CloudflareSource`](super::CloudflareSource), leased for its visibility timeout.
pub struct CloudflareDelivery<C> {
    payload: Bytes,
    attempts: u32,
    lag: u64,
    lease: String,
    desk: Desk<C>,
}

/// What all messages of a queue are settled by.
#[derive(Clone)]
pub(super) struct Desk<C> {
    pub(super) api: Api<C>,
    pub(super) queue: Arc<str>,
    pub(super) outbox: Outbox,
    pub(super) dead_letters: Option<Arc<str>>,
    pub(super) max_retries: u32,
    /// Until when no dead letter may be published.
    pub(super) closed_until: Arc<Mutex<Option<Instant>>>,
}

impl<C> CloudflareDelivery<C> {
    pub(super) fn new(message: Message, lag: u64, desk: Desk<C>) -> Self {
        Self {
            payload: message.payload(),
            attempts: message.attempts(),
            lag,
            lease: message.lease_id,
            desk,
        }
    }

    fn settle(&self, retry_in: Option<u32>) {
        self.desk.outbox.push(Settlement {
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
        if self.attempts >= self.desk.max_retries {
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
        if let Some(queue) = self.desk.dead_letters.clone() {
            self.desk.publish(&queue, letter).await?;
        }
        self.settle(None);
        Ok(())
    }
}

impl<C: ApiClient> Desk<C> {
    /// Publishing, unlike all else, counts against the account's limit of requests: all dead letters keep away when one was
    /// told to.
    async fn publish(&mut self, queue: &str, letter: &DeadLetter) -> Result<(), SourceError> {
        let closed_until = || self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        if closed_until().is_some_and(|until| Instant::now() < until) {
            return Err(SourceError::new("Cloudflare asked for a pause in publishing"));
        }
        let published = self.api.publish(queue, letter);
        published.await.map_err(|failure| {
            if let Some(pause) = failure.retry_after {
                *closed_until() = Some(Instant::now() + pause);
            }
            failure.error
        })
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
