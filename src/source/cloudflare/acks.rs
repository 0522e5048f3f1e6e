//! Tells Cloudflare what became of messages.

use std::mem;
use std::time::Duration;

use tokio::time::Instant;

use crate::common::error_text::error_text;
use crate::common::log;
use crate::source::cloudflare::connection::{ApiClient, Failure};
use crate::source::cloudflare::delivery::QueueHandle;
use crate::source::cloudflare::under_way::{UnderWay, over};
use crate::source::cloudflare::wire::Settlement;

/// Tells Cloudflare what is in the outbox, one batch after the other.
pub(super) struct CloudflareAcks {
    under_way: Option<UnderWay<Told>>,
    /// When to try again after a failure.
    again_at: Instant,
    /// Whether that it fails was logged.
    is_mute: bool,
}

/// What was told, and whether it was heard.
pub(super) type Told = (Vec<Settlement>, Result<(), Failure>);

impl CloudflareAcks {
    pub(super) fn new() -> Self {
        Self {
            under_way: None,
            again_at: Instant::now(),
            is_mute: false,
        }
    }

    pub(super) fn may_begin(&self) -> bool {
        Instant::now() >= self.again_at
    }

    /// Begins with the oldest batch, unless one is under way. Whether there is anything to wait for.
    pub(super) fn begin<C: ApiClient>(&mut self, handle: &QueueHandle<C>) -> bool {
        if self.under_way.is_some() {
            return true;
        }
        let settlements = handle.outbox.take(BATCH);
        if settlements.is_empty() {
            return false;
        }
        let heard = handle.api.settle(&handle.queue, &settlements);
        self.under_way = Some(Box::pin(async { (settlements, heard.await) }));
        true
    }

    /// Waits for what is under way; for ever, if nothing is. Then it has to be [heard](Self::heard).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves it under way.
    pub(super) async fn told(&mut self) -> Told {
        over(&mut self.under_way).await
    }

    /// Whether it was heard. What was not is told again, unless it was refused; if it never is, the messages are delivered
    /// again.
    pub(super) fn heard<C>(&mut self, handle: &QueueHandle<C>, (settlements, outcome): Told) -> bool {
        let Err(failure) = outcome else {
            self.is_mute = false;
            return true;
        };
        self.again_at = Instant::now() + failure.retry_after.unwrap_or(PAUSE);
        if !mem::replace(&mut self.is_mute, true) {
            log::warn!(error = %error_text(&failure.error), "messages cannot be acknowledged");
        }
        if !failure.is_final {
            handle.outbox.put_back(settlements);
        }
        false
    }
}

/// How many messages are pulled, or told of, at a time: the most that may be.
pub(super) const BATCH: usize = 100;

/// After a failure.
const PAUSE: Duration = Duration::from_secs(1);
