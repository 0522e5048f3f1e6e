//! The poller and its settings.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::crl::key_handle::KeyHandle;
use crate::crl::list::ListFormat;
use crate::crl::paces::Paces;
use crate::crl::poll_error::PollError;
use crate::crl::poll_loop::{PollMethod, poll_for_ever};
use crate::crl::restore::{RestoreError, Restored, Restoring, restoring};
use crate::domain::observer::Polled;
use crate::fetch::exchange::{HttpClient, Limits, Plain, Validator};
use crate::jose::key_set::KeySet;
use crate::sink::EventSink;

/// Keeps an issuer's signed revocation list fresh: the safety net under the event feed.
///
/// `client` is any tower HTTP client (hyper-util's, or one wrapped in layers of the host's). It takes care of TLS, proxies
/// and credentials.
///
/// - **Two paces.** While the feed is [live](crate::FeedState::Live) the list is fetched every
///   [`DEFAULT_SLOW_PACE`](crate::crl::DEFAULT_SLOW_PACE), otherwise every [`DEFAULT_FAST_PACE`](crate::crl::DEFAULT_FAST_PACE), and at once when the feed comes
///   back; both with a jitter of a tenth, so that a fleet does not fetch in step. When the feed goes, the next fetch starts at
///   a random moment within the fast pace, so that a fleet does not fetch in step after its broker died.
/// - **One at a time.** However many callers ask for a fetch (`EventSink::refresh`), one is under way, and fetches start at
///   least [`FETCH_GAP`](crate::crl::FETCH_GAP) apart.
/// - **Back-off.** Failures back off exponentially up to the fast pace, with a jitter of up to as much again; a
///   `Retry-After` is honoured even beyond that.
/// - **Bounds.** Each exchange has a [timeout](DEFAULT_TIMEOUT) for its answer and for each piece of the body, a
///   [total timeout](DEFAULT_TOTAL_TIMEOUT), and a [size cap](DEFAULT_SIZE_CAP).
/// - **Conditional requests**, if the server gives an `ETag` or a `Last-Modified`.
/// - **Keys** are fetched before the first list, again when they are older than [`KEYS_MAX_AGE`] or the host asks for a fetch, and
///   once more if a list names an unknown key.
///
/// The poller verifies and indexes on threads where blocking is allowed. A failure of any kind changes nothing that is in
/// force, and shows in [`EventSink::status`].
///
/// ```no_run
/// # #[cfg(feature = "clawdentity")] {
/// use bytes::Bytes;
/// use http_body_util::Empty;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use tower_revocation::crl::{Poller, clawdentity::ClawdentityList};
/// # use tower_revocation::{RevocationLayer, identify};
/// # let (layer, sink) = RevocationLayer::pair(identify::jwt(http::header::AUTHORIZATION, "Claw"));
///
/// let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
/// let poller = Poller::new(
///     client,
///     ClawdentityList::new("https://registry.example.com"),
///     http::Uri::from_static("http://registry.internal/v1/crl"),
///     http::Uri::from_static("http://registry.internal/.well-known/claw-keys.json"),
///     sink.clone(),
/// );
/// # async move {
/// tokio::spawn(poller.run());
/// # };
/// # }
/// ```
#[must_use = "a poller does nothing until it is run"]
pub struct Poller<C, F> {
    pub(super) client: C,
    pub(super) format: Arc<F>,
    pub(super) list_uri: Uri,
    pub(super) keys_uri: Uri,
    pub(super) sink: EventSink,
    pub(super) paces: Paces,
    pub(super) limits: Limits,
    pub(super) keys: watch::Sender<Arc<KeySet>>,
    /// The document from which the keys were read.
    pub(super) keys_document: Option<Arc<[u8]>>,
    /// Whether the poller has looked for what an earlier process left.
    pub(super) is_restored: bool,
    pub(super) handle: KeyHandle,
    /// Sees each request for new keys.
    pub(super) key_requests: watch::Receiver<()>,
    pub(super) keys_fetched_at: Option<Instant>,
    pub(super) keys_tried_at: Option<Instant>,
    pub(super) validator: Option<Validator>,
}

impl<C, F> fmt::Debug for Poller<C, F> {
    /// Writes where it fetches from, without the parts that may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller")
            .field("list_uri", &format_args!("{}", Plain(&self.list_uri)))
            .field("keys_uri", &format_args!("{}", Plain(&self.keys_uri)))
            .finish_non_exhaustive()
    }
}

impl<C, F: ListFormat> Poller<C, F> {
    /// Creates a poller that installs the list at `list_uri`, signed with one of the keys at `keys_uri`, in `sink`.
    pub fn new(client: C, format: F, list_uri: Uri, keys_uri: Uri, sink: EventSink) -> Self {
        let (handle, keys) = KeyHandle::new();
        Self {
            client,
            format: Arc::new(format),
            list_uri,
            keys_uri,
            sink,
            paces: Paces::default(),
            limits: Limits {
                timeout: DEFAULT_TIMEOUT,
                total: DEFAULT_TOTAL_TIMEOUT,
                size: DEFAULT_SIZE_CAP,
            },
            keys,
            keys_document: None,
            is_restored: false,
            key_requests: handle.requests(),
            handle,
            keys_fetched_at: None,
            keys_tried_at: None,
            validator: None,
        }
    }

    /// Sets the pace while the event feed is live. Defaults to [`DEFAULT_SLOW_PACE`](crate::crl::DEFAULT_SLOW_PACE); a year at most.
    pub fn with_slow_pace(mut self, pace: Duration) -> Self {
        self.paces.set_slow(pace);
        self
    }

    /// Sets the pace while the event feed is not live. Defaults to [`DEFAULT_FAST_PACE`](crate::crl::DEFAULT_FAST_PACE); a year at most.
    pub fn with_fast_pace(mut self, pace: Duration) -> Self {
        self.paces.set_fast(pace);
        self
    }

    /// Sets how long a server may take to answer. Its body may take longer, as over a slow link a large list does: but for as long as
    /// it comes, at least 1 KiB for each second of such a time has to come within that time. Defaults to [`DEFAULT_TIMEOUT`].
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = timeout;
        self
    }

    /// Sets how long one exchange may take in all, however well its body comes. Defaults to [`DEFAULT_TOTAL_TIMEOUT`].
    ///
    /// Meanwhile no other one is tried, so that a server that sends as slowly as it may holds up the poller for that long.
    pub const fn with_total_timeout(mut self, timeout: Duration) -> Self {
        self.limits.total = timeout;
        self
    }

    /// Sets the size of the largest list that is read, in bytes. Defaults to [`DEFAULT_SIZE_CAP`]. A key set may have 64 KiB at
    /// most.
    pub const fn with_size_cap(mut self, bytes: usize) -> Self {
        self.limits.size = bytes;
        self
    }

    /// Returns a handle to the issuer's keys, which this poller keeps up to date.
    #[must_use]
    pub fn keys(&self) -> KeyHandle {
        self.handle.clone()
    }
}

impl<C: HttpClient, F: ListFormat> Poller<C, F> {
    /// Polls until the future is dropped: spawn it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops an exchange under way; a list that is being indexed may still be installed.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with its clock enabled.
    pub async fn run(self) -> Infallible {
        self.sink.domain().signing_keys(|_| ());
        poll_for_ever(self).await
    }
}

impl<C, F: ListFormat> Poller<C, F> {
    /// Puts the list in force that an earlier process kept in the sink's journal (`EventSink::keep_in`, feature `journal`), and
    /// takes over the signing keys of that process. So requests are decided at once, even if the registry cannot be reached.
    ///
    /// Does nothing without a journal. Blocks while the list is verified and indexed, some 0.5 s for a million entries.
    /// [`run`](Self::run) does the same first if nobody has called this.
    ///
    /// The list does not become younger by that: [`max_age`](crate::DomainConfig::with_max_age) counts from when it was last
    /// fetched or
    /// confirmed, by the wall clock, and from nothing if that was set back since.
    ///
    /// # Errors
    ///
    /// Fails if the list is missing, is not what the issuer signed, or is older than another that was installed. Then nothing
    /// is put in force. With a journal that was opened by `Journal::open_or_start_empty`, everybody is refused instead, until that
    /// list or one of a later second is fetched. The same happens if the issuer has withdrawn the key that signed the list.
    pub fn restore(&mut self) -> Result<(), RestoreError> {
        let restored = restoring(&self.format, &self.sink)();
        self.take_over(restored)
    }

    fn take_over(&mut self, restored: Restored) -> Result<(), RestoreError> {
        self.is_restored = true;
        if let Some((keys, document)) = restored.keys {
            let count = keys.len();
            self.keys.send_replace(Arc::new(keys));
            self.keys_document = Some(document);
            self.sink.domain().signing_keys(|known| known.count = count);
        }
        RestoreError::of(restored.problem)
    }
}

impl<C: HttpClient, F: ListFormat> PollMethod for Poller<C, F> {
    fn sink(&self) -> &EventSink {
        &self.sink
    }

    fn paces(&self) -> Paces {
        self.paces
    }

    fn restoring(&self) -> Option<Restoring> {
        (!self.is_restored).then(|| restoring(&self.format, &self.sink))
    }

    fn adopt(&mut self, restored: Restored) -> Result<(), RestoreError> {
        self.take_over(restored)
    }

    async fn poll(&mut self) -> Result<Polled, PollError> {
        self.fetch_list().await
    }

    async fn is_asked(&mut self) {
        // The sender lives as long as the handle that this has.
        let _ = self.key_requests.changed().await;
    }

    async fn answer(&mut self) {
        self.refetch_keys().await;
    }
}

/// How long a server may take to answer, and to send each 30 KiB of its body: 30 seconds.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long one exchange may take in all: 1 hour, which is how old a list may be by default. Over 1 Mbit/s, the largest list that is
/// read takes 36 minutes.
pub const DEFAULT_TOTAL_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// The largest body that is read: 256 MiB, some 1.6 million entries of Clawdentity's list.
pub const DEFAULT_SIZE_CAP: usize = 256 * 1024 * 1024;

/// How old the signing keys may grow before they are fetched again with the next list: 5 minutes.
pub const KEYS_MAX_AGE: Duration = Duration::from_secs(5 * 60);

/// How far apart fetches of the signing keys start if unknown keys cause them: 10 seconds.
pub const KEY_FETCH_GAP: Duration = Duration::from_secs(10);
