//! The poller.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use http::Uri;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use crate::common::error_text::error_text;
use crate::crl::fetch::{Answer, FetchError, HttpClient, Limits, Plain, PollProblem, Validator, get};
use crate::crl::key_handle::KeyHandle;
use crate::crl::keys::KeySet;
use crate::crl::list::{ListError, ListFormat};
use crate::domain::observer::Polled;
use crate::domain::persistence::Fetched;
use crate::model::timestamp::Timestamp;
use crate::sink::EventSink;
use crate::state::accept::AcceptedList;
use crate::state::view::State;
use crate::status::FeedState;

/// Keeps an issuer's signed revocation list fresh: the safety net under the event feed.
///
/// `client` is any tower HTTP client (hyper-util's, or one wrapped in layers of the host's). TLS, proxies and
/// credentials are its affair.
///
/// - **Two paces.** While the feed is [live](FeedState::Live) the list is fetched every
///   [`DEFAULT_SLOW_PACE`], otherwise every [`DEFAULT_FAST_PACE`], and at once when the feed comes
///   back; both with a jitter of a tenth, so that a fleet does not fetch in step. When the feed goes, the next fetch is somewhere
///   within the fast pace, so that a fleet whose broker dies does not begin to.
/// - **One at a time.** However many ask for a fetch (`EventSink::refresh`), one is under way, and they start at least
///   [`FETCH_GAP`] apart.
/// - **Patience.** Failures back off exponentially up to the fast pace, with a jitter of up to as much again; a
///   `Retry-After` is honoured even beyond it.
/// - **Bounds.** Each exchange has a [total timeout](DEFAULT_TIMEOUT) and a [size cap](DEFAULT_SIZE_CAP).
/// - **Conditional requests**, if the server gives an `ETag` or a `Last-Modified`.
/// - **Keys** are fetched before the first list, anew when older than [`KEYS_MAX_AGE`], and once more if a list names an
///   unknown one.
///
/// Verifying and indexing happen on threads where blocking is allowed. A failure of any kind changes nothing that is in
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
    client: C,
    pub(super) format: Arc<F>,
    list_uri: Uri,
    keys_uri: Uri,
    pub(super) sink: EventSink,
    slow: Duration,
    pub(super) fast: Duration,
    pub(super) limits: Limits,
    pub(super) keys: watch::Sender<Arc<KeySet>>,
    /// The document that they were read from.
    pub(super) keys_document: Option<Arc<[u8]>>,
    /// Whether what an earlier process left was looked for.
    pub(super) is_restored: bool,
    handle: KeyHandle,
    keys_fetched_at: Option<Instant>,
    keys_tried_at: Option<Instant>,
    validator: Option<Validator>,
}

impl<C, F> fmt::Debug for Poller<C, F> {
    /// Writes where it fetches from, without what may be secret of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller")
            .field("list_uri", &format_args!("{}", Plain(&self.list_uri)))
            .field("keys_uri", &format_args!("{}", Plain(&self.keys_uri)))
            .finish_non_exhaustive()
    }
}

impl<C, F: ListFormat> Poller<C, F> {
    /// A poller of the list at `list_uri`, signed with one of the keys at `keys_uri`, for `sink`.
    pub fn new(client: C, format: F, list_uri: Uri, keys_uri: Uri, sink: EventSink) -> Self {
        let (handle, keys) = KeyHandle::new();
        Self {
            client,
            format: Arc::new(format),
            list_uri,
            keys_uri,
            sink,
            slow: DEFAULT_SLOW_PACE,
            fast: DEFAULT_FAST_PACE,
            limits: Limits {
                timeout: DEFAULT_TIMEOUT,
                size: DEFAULT_SIZE_CAP,
            },
            keys,
            keys_document: None,
            is_restored: false,
            handle,
            keys_fetched_at: None,
            keys_tried_at: None,
            validator: None,
        }
    }

    /// The pace while the event feed is live. Defaults to [`DEFAULT_SLOW_PACE`]; a year at most.
    pub fn with_slow_pace(mut self, pace: Duration) -> Self {
        self.slow = pace.min(SLOWEST_PACE);
        self
    }

    /// The pace while the event feed is not live. Defaults to [`DEFAULT_FAST_PACE`]; a year at most.
    pub fn with_fast_pace(mut self, pace: Duration) -> Self {
        self.fast = pace.min(SLOWEST_PACE);
        self
    }

    /// The time for one exchange, from first to last byte. Defaults to [`DEFAULT_TIMEOUT`].
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = timeout;
        self
    }

    /// The largest list that is read, in bytes. Defaults to [`DEFAULT_SIZE_CAP`]. Of keys never more than 64 KiB are.
    pub const fn with_size_cap(mut self, bytes: usize) -> Self {
        self.limits.size = bytes;
        self
    }

    /// The issuer's keys, as this poller keeps them.
    #[must_use]
    pub fn keys(&self) -> KeyHandle {
        self.handle.clone()
    }
}

impl<C: HttpClient, F: ListFormat> Poller<C, F> {
    /// Polls until it is dropped: spawn it.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops an exchange under way; a list that is being indexed may still be installed.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its clock enabled.
    pub async fn run(mut self) -> Infallible {
        self.sink.domain().signing_keys(|_| ());
        let mut signals = Signals::of(&self);
        let mut backoff = self.backoff();
        self.restore_first().await;
        loop {
            let started = Instant::now();
            let request = *signals.requested.borrow_and_update();
            let mut earliest = started + FETCH_GAP;
            let polled = self.poll().await;
            if let Some(observer) = self.sink.domain().observer.get() {
                let outcome = polled
                    .as_ref()
                    .map_or_else(|error| Polled::Failed(error.code()), |done| *done);
                observer.polled(outcome, started.elapsed());
            }
            let next = match polled {
                Ok(_done) => {
                    backoff = self.backoff();
                    earliest.max(Instant::now() + self.pace())
                }
                Err(error) => {
                    let error_in_words = error_text(&error);
                    tracing::warn!(error = %error_in_words, "poll failed");
                    self.sink
                        .domain()
                        .poll_failed(error_in_words.into_owned(), error.is_in_force());
                    let now = Instant::now();
                    // Not even a request breaks a pause that the server asked for.
                    let excused = error.retry_after().unwrap_or_default().min(LONGEST_PAUSE);
                    earliest = earliest.max(now + excused);
                    earliest.max(now + backoff.next().unwrap_or(self.fast))
                }
            };
            self.sink.domain().answered.send_replace(request);
            self.pause(&mut signals, next, earliest).await;
        }
    }

    /// Puts the kept list in force, if the host has not done it.
    async fn restore_first(&mut self) {
        if self.is_restored {
            return;
        }
        let restored = spawn_blocking(self.restoring()).await;
        let adopted = match restored {
            Ok(restored) => self.adopt(restored).map_err(|error| error.to_string()),
            // The format panicked.
            Err(lost) => Err(lost.to_string()),
        };
        if let Err(error) = adopted {
            self.sink.domain().store.set_needs_list(true);
            tracing::error!(%error, "kept list is of no use: failing closed until it or a later one is fetched");
        }
    }

    /// Waits until `next`, or until something asks for a fetch before; in any case until `earliest`.
    async fn pause(&mut self, signals: &mut Signals, mut next: Instant, earliest: Instant) {
        // No sender goes away while `self` is there.
        loop {
            tokio::select! {
                biased; // However many keys are wished for, and however slowly they come, the list is fetched in time.
                () = sleep_until(next) => return,
                _ = signals.requested.changed() => next = next.min(earliest),
                _ = signals.wishes.changed() => self.refetch_keys().await,
                _ = signals.feed.changed() => {
                    let was_live = signals.was_live;
                    signals.was_live = *signals.feed.borrow_and_update() == FeedState::Live;
                    // One that comes back asks for a fetch by itself. When a broker dies, all its gateways get here at a time: within
                    // the fast pace each picks a moment of its own. Not at once, since most feeds are back soon.
                    if was_live && !signals.was_live {
                        let moment = self.fast.mul_f64(fastrand::f64().mul_add(0.8, 0.2));
                        next = next.min(Instant::now() + moment).max(earliest);
                    }
                }
            }
        }
    }

    async fn poll(&mut self) -> Result<Polled, FetchError> {
        if self.keys_fetched_at.is_none_or(|at| at.elapsed() >= KEYS_MAX_AGE) {
            let fetched = self.fetch_keys().await;
            // Old keys are better than none: what they verify still has to be the issuer's.
            if self.keys.borrow().is_empty() {
                fetched?;
            } else if let Err(error) = fetched {
                tracing::warn!(error = %error_text(&error), "signing keys could not be fetched anew");
            }
        }
        // An expired list can't be confirmed: the whole of the newest is wanted then.
        let is_current = self.sink.domain().store.may_confirm(Timestamp::now());
        let validator = self.validator.as_ref().filter(|_| is_current);
        let is_conditional = validator.is_some();
        match get(&mut self.client, &self.list_uri, validator, self.limits).await? {
            Answer::Document { body, validator } => {
                self.install(body).await?;
                self.validator = validator;
                Ok(Polled::Installed)
            }
            Answer::NotModified if !is_conditional => Err(self.failed(PollProblem::NothingToModify)),
            Answer::NotModified => {
                let confirmed = self.sink.confirm().map_err(|error| {
                    // Ask for the whole of it next time.
                    self.validator = None;
                    self.failed(PollProblem::Install(error))
                });
                if let (Ok(()), Some(journal)) = (&confirmed, self.sink.domain().journal.get()) {
                    // Nothing waits for it: if it fails, a restart takes the list to be older than it is.
                    drop(journal.lists().persist_confirmed(Timestamp::now()));
                }
                confirmed.map(|()| Polled::Confirmed)
            }
            Answer::Other { status, body, .. } if self.format.is_none_yet(status, &body) => self
                .sink
                .install_none()
                .map(|()| Polled::NoneYet)
                .map_err(|error| self.failed(PollProblem::Install(error))),
            Answer::Other {
                status, retry_after, ..
            } => Err(self.failed(PollProblem::Status { status, retry_after })),
        }
    }

    /// Verifies, indexes and installs a list, with the keys fetched anew if it names an unknown one; and has it kept.
    async fn install(&mut self, body: Vec<u8>) -> Result<(), FetchError> {
        let accepted_at = Timestamp::now();
        let (body, outcome) = self.try_install(body, accepted_at).await?;
        let (body, outcome) = match outcome {
            Err(PollProblem::List(ListError::UnknownKey { .. })) if self.may_fetch_keys() => {
                self.fetch_keys().await?;
                self.try_install(body, accepted_at).await?
            }
            outcome => (body, outcome),
        };
        let admitted = outcome.map_err(|problem| self.failed(problem))?;
        let fetched = Fetched {
            document: body,
            keys: self.keys_document.clone(),
            accepted_at,
        };
        self.keep(fetched, admitted).await.map_err(|problem| {
            // A `304 Not Modified` would be said of a list that is not kept.
            self.validator = None;
            self.failed(problem)
        })?;
        if self.needs_list() {
            return Err(self.failed(PollProblem::NotAll));
        }
        self.sink.domain().poll_succeeded();
        Ok(())
    }

    async fn try_install(
        &self,
        body: Vec<u8>,
        now: Timestamp,
    ) -> Result<(Vec<u8>, Result<AcceptedList, PollProblem>), FetchError> {
        let format = Arc::clone(&self.format);
        let keys = self.handle.current();
        let sink = self.sink.clone();
        let read_and_install = move || {
            let outcome = format
                .read_list(&body, &keys, now)
                .map_err(PollProblem::List)
                .and_then(|list| sink.domain().accept_list(list).map_err(PollProblem::Install));
            (body, outcome)
        };
        spawn_blocking(read_and_install)
            .await
            .map_err(|lost| self.failed(PollProblem::Lost(lost)))
    }

    /// Fetches the keys because somebody outside saw an unknown one.
    async fn refetch_keys(&mut self) {
        if self.may_fetch_keys()
            && let Err(error) = self.fetch_keys().await
        {
            tracing::warn!(error = %error_text(&error), "signing keys could not be fetched anew");
        }
    }

    async fn fetch_keys(&mut self) -> Result<(), FetchError> {
        let fetched = self.try_fetch_keys().await;
        let count = self.keys.borrow().len();
        let last_error = fetched.as_ref().err().map(|error| error_text(error).into_owned());
        self.sink.domain().signing_keys(|keys| {
            keys.count = count;
            keys.fetched = self.keys_fetched_at;
            keys.last_error = last_error;
        });
        fetched
    }

    async fn try_fetch_keys(&mut self) -> Result<(), FetchError> {
        self.keys_tried_at = Some(Instant::now());
        let failed = |problem| FetchError {
            uri: self.keys_uri.clone(),
            problem,
        };
        // Read on an async thread, so there must not be much of it.
        let limits = Limits {
            size: self.limits.size.min(LARGEST_KEYS),
            ..self.limits
        };
        let keys = match get(&mut self.client, &self.keys_uri, None, limits).await? {
            Answer::Document { body, .. } => {
                let keys = self.format.read_keys(&body);
                let keys = keys.map_err(|error| failed(PollProblem::List(error)))?;
                if let Some(journal) = self.sink.domain().journal.get() {
                    // Nothing waits for it: they are kept with the next list as well.
                    drop(journal.lists().persist_keys(&body));
                }
                self.keys_document = Some(body.into());
                keys
            }
            Answer::NotModified => return Err(failed(PollProblem::NothingToModify)),
            Answer::Other {
                status, retry_after, ..
            } => return Err(failed(PollProblem::Status { status, retry_after })),
        };
        self.keys.send_replace(Arc::new(keys));
        self.keys_fetched_at = Some(Instant::now());
        Ok(())
    }

    fn may_fetch_keys(&self) -> bool {
        self.keys_tried_at.is_none_or(|at| at.elapsed() >= KEY_FETCH_GAP)
    }

    /// The time to the next fetch, if nothing happens.
    fn pace(&self) -> Duration {
        let is_live = *self.sink.domain().feed.borrow() == FeedState::Live;
        // Nor is there time to lose while everybody is refused.
        let may_wait = is_live && !self.needs_list();
        let pace = if may_wait { self.slow } else { self.fast };
        pace.mul_f64(fastrand::f64().mul_add(0.2, 0.9))
    }

    /// Whether something is lost that no list has made up for.
    fn needs_list(&self) -> bool {
        self.sink.domain().store.look(State::needs_list)
    }

    fn backoff(&self) -> ExponentialBackoff {
        ExponentialBuilder::new()
            .with_jitter()
            .with_min_delay(FETCH_GAP.min(self.fast))
            .with_max_delay(self.fast)
            .without_max_times()
            .build()
    }

    fn failed(&self, problem: PollProblem) -> FetchError {
        FetchError {
            uri: self.list_uri.clone(),
            problem,
        }
    }
}

/// What may call for a fetch before its time.
struct Signals {
    requested: watch::Receiver<u64>,
    feed: watch::Receiver<FeedState>,
    was_live: bool,
    wishes: watch::Receiver<()>,
}

impl Signals {
    fn of<C, F>(poller: &Poller<C, F>) -> Self {
        let domain = poller.sink.domain();
        let mut feed = domain.feed.subscribe();
        let was_live = *feed.borrow_and_update() == FeedState::Live;
        Self {
            requested: domain.requested.subscribe(),
            feed,
            was_live,
            wishes: poller.handle.wishes(),
        }
    }
}

/// How often the list is fetched while the event feed is live: every 15 minutes.
pub const DEFAULT_SLOW_PACE: Duration = Duration::from_secs(15 * 60);

/// How often the list is fetched while the event feed is not live: every 30 seconds.
pub const DEFAULT_FAST_PACE: Duration = Duration::from_secs(30);

/// How long one exchange may take, from first to last byte: 30 seconds.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// The largest body that is read: 256 MiB, some 1.6 million entries of Clawdentity's list.
pub const DEFAULT_SIZE_CAP: usize = 256 * 1024 * 1024;

/// The largest key set that is read, in bytes: some 400 keys.
const LARGEST_KEYS: usize = 64 * 1024;

/// How far apart fetches start, however many are asked for: 1 second.
pub const FETCH_GAP: Duration = Duration::from_secs(1);

/// How old the signing keys may grow before they are fetched anew with the next list: 5 minutes.
pub const KEYS_MAX_AGE: Duration = Duration::from_secs(5 * 60);

/// How far apart fetches of the signing keys start that unknown keys give rise to: 10 seconds.
pub const KEY_FETCH_GAP: Duration = Duration::from_secs(10);

/// The slowest pace: clocks overflow somewhere beyond a year.
const SLOWEST_PACE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The longest pause that a server may ask for by `Retry-After`: a quarter of the default `max_age`. A typing error on its
/// side must not make the list stale.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);
