//! The queue of one replica.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;

use crate::source::cloudflare::config::DEFAULT_MAX_RETRIES;
use crate::source::cloudflare::connection::{Api, ApiAddress, ApiClient};
use crate::source::cloudflare::dead_letters::CloudflareDeadLetters;
use crate::source::cloudflare::delivery::{CloudflareDelivery, QueueHandle};
use crate::source::cloudflare::outbox::Outbox;
use crate::source::cloudflare::reader::QueueReader;
use crate::source::error::SourceError;
use crate::source::event_source::{Continuity, EventSource, Signal};
use crate::source::position::Start;

/// A queue of Cloudflare's that this replica alone pulls from; see the [module](super).
///
/// `client` is any tower HTTP client. TLS and proxies are its affair; each exchange has a timeout of 10 seconds, and its answer
/// a size cap.
///
/// # Security
///
/// The API token is in no error, log or `Debug`. A client, or a layer around it, that logs headers does not show it
/// either, as long as it honours [`HeaderValue::is_sensitive`](http::HeaderValue::is_sensitive).
pub struct CloudflareSource<C> {
    name: String,
    reader: QueueReader<C>,
}

impl<C> CloudflareSource<C> {
    /// Returns a source of the queue of that id. Account and queue are named by their ids, of 32 hexadecimal digits each.
    #[must_use]
    pub fn new(
        client: C,
        account_id: impl Into<String>,
        queue_id: impl Into<String>,
        api_token: impl AsRef<str>,
    ) -> Self {
        let queue = queue_id.into();
        let address = ApiAddress::new(account_id.into(), api_token.as_ref());
        Self {
            name: format!("cloudflare:{queue}"),
            reader: QueueReader::new(QueueHandle {
                queue: queue.into(),
                api: Api {
                    client,
                    address: Arc::new(address),
                },
                outbox: Outbox::default(),
                dead_letters: None,
                max_retries: DEFAULT_MAX_RETRIES,
            }),
        }
    }

    /// Sets where the API is, up to and without `/accounts`. Defaults to `https://api.cloudflare.com/client/v4`.
    #[must_use]
    pub fn with_base_uri(mut self, uri: &Uri) -> Self {
        Arc::make_mut(&mut self.reader.handle.api.address).base = uri.to_string().trim_end_matches('/').to_owned();
        self
    }

    /// Sets how often an empty queue is asked; every hour at least. Defaults to [`DEFAULT_PACE`](super::DEFAULT_PACE). A queue that filled a batch is asked again at once.
    ///
    /// A message waits for half of it on average. Each asking is billed as a reading. It must stay well below the
    /// [silence](crate::source::Drive::with_silence) after which a feed is taken for dead.
    #[must_use]
    pub fn with_pace(mut self, pace: Duration) -> Self {
        self.reader.config.pace = pace.min(SLOWEST_PACE);
        self
    }

    /// Sets how long a message is leased: after that, one that is not settled is delivered again. Defaults to
    /// [`DEFAULT_VISIBILITY_TIMEOUT`](super::DEFAULT_VISIBILITY_TIMEOUT); 12 hours at most.
    #[must_use]
    pub const fn with_visibility_timeout(mut self, timeout: Duration) -> Self {
        self.reader.config.visibility_timeout = timeout;
        self
    }

    /// Puts dead letters into this queue, with the reason, before they are acknowledged. By default they are only acknowledged,
    /// and seen by the [hook](crate::source::Drive::with_dead_letter_hook).
    ///
    /// The `dead_letter_queue` in the consumer's own settings takes only what was delivered too often. Since each replica has
    /// a queue of its own, each puts the same message aside.
    #[must_use]
    pub fn with_dead_letters(mut self, queue_id: impl Into<String>) -> Self {
        self.reader.handle.dead_letters = Some(CloudflareDeadLetters::new(queue_id.into()));
        self
    }

    /// Sets the `max_retries` of the consumer's settings. Defaults to [`DEFAULT_MAX_RETRIES`](super::DEFAULT_MAX_RETRIES), as with Cloudflare; 100 is the most it
    /// takes, and what to set it to.
    ///
    /// Up to then a message that is to be tried again is given back, and delivered again by Cloudflare. Then it is kept, and
    /// tried in place.
    ///
    /// # Security
    ///
    /// If this is more than it is in the settings, Cloudflare throws revocations away that were to be tried again.
    #[must_use]
    pub const fn with_max_retries(mut self, retries: u32) -> Self {
        self.reader.handle.max_retries = retries;
        self
    }

    /// Sets how long the queue keeps messages. Defaults to [`DEFAULT_RETENTION`](super::DEFAULT_RETENTION). A queue that could not be pulled from for longer may
    /// have lost some.
    #[must_use]
    pub const fn with_retention(mut self, retention: Duration) -> Self {
        self.reader.config.retention = retention;
        self
    }
}

impl<C: ApiClient> EventSource for CloudflareSource<C> {
    type Delivery = CloudflareDelivery<C>;

    fn name(&self) -> &str {
        &self.name
    }

    async fn open(&mut self, _start: &Start) -> Result<Continuity, SourceError> {
        self.reader.open().await
    }

    async fn next(&mut self) -> Result<Signal<CloudflareDelivery<C>>, SourceError> {
        self.reader.next().await
    }

    async fn close(&mut self) {
        self.reader.close().await;
    }
}

impl<C> fmt::Debug for CloudflareSource<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudflareSource")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// An hour.
const SLOWEST_PACE: Duration = Duration::from_secs(60 * 60);
