//! The queue of one replica.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::mem;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Uri;
use tokio::select;
use tokio::time::{Instant, sleep_until};

use crate::source::cloudflare::api::{Api, ApiClient, Failure, Place};
use crate::source::cloudflare::delivery::{CloudflareDelivery, Desk};
use crate::source::cloudflare::outbox::Outbox;
use crate::source::cloudflare::teller::{BATCH, Teller};
use crate::source::cloudflare::terms::{DEFAULT_MAX_RETRIES, Terms};
use crate::source::cloudflare::under_way::{UnderWay, over};
use crate::source::cloudflare::wire::{Message, Pulled, Settlement};
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
    desk: Desk<C>,
    terms: Terms,
    /// What was pulled and is to be handed out, and how many come behind all of it.
    inbox: VecDeque<Message>,
    behind: u64,
    /// After how many messages all those have come in that were there at the opening. `None` once that is said.
    until_caught_up: Option<u64>,
    is_alive: bool,
    /// Cloudflare asked to be left alone until then.
    welcome_at: Instant,
    pull_at: Instant,
    pulling: Option<UnderWay<Result<Pulled, Failure>>>,
    teller: Teller,
    /// When a pull last succeeded.
    answered_at: Option<Instant>,
}

impl<C> CloudflareSource<C> {
    /// The queue of that id. Account and queue are named by their ids, of 32 hexadecimal digits each.
    #[must_use]
    pub fn new(
        client: C,
        account_id: impl Into<String>,
        queue_id: impl Into<String>,
        api_token: impl AsRef<str>,
    ) -> Self {
        let queue = queue_id.into();
        let place = Place::new(account_id.into(), api_token.as_ref());
        Self {
            name: format!("cloudflare:{queue}"),
            desk: Desk {
                queue: queue.into(),
                api: Api {
                    client,
                    place: Arc::new(place),
                },
                outbox: Outbox::default(),
                dead_letters: None,
                max_retries: DEFAULT_MAX_RETRIES,
                closed_until: Arc::new(Mutex::new(None)),
            },
            terms: Terms::default(),
            inbox: VecDeque::new(),
            behind: 0,
            until_caught_up: None,
            is_alive: false,
            welcome_at: Instant::now(),
            pull_at: Instant::now(),
            pulling: None,
            teller: Teller::new(),
            answered_at: None,
        }
    }

    /// Where the API is, up to and without `/accounts`. Defaults to `https://api.cloudflare.com/client/v4`.
    #[must_use]
    pub fn with_base_uri(mut self, uri: &Uri) -> Self {
        Arc::make_mut(&mut self.desk.api.place).base = uri.to_string().trim_end_matches('/').to_owned();
        self
    }

    /// How often an empty queue is asked; every hour at least. Defaults to [`DEFAULT_PACE`](super::DEFAULT_PACE). A queue that filled a batch is asked again at once.
    ///
    /// A message waits for half of it on average. Each asking is billed as a reading. It must stay well below the
    /// [silence](crate::source::Drive::with_silence) after which a feed is taken for dead.
    #[must_use]
    pub fn with_pace(mut self, pace: Duration) -> Self {
        self.terms.pace = pace.min(SLOWEST_PACE);
        self
    }

    /// How long a message is leased: after that, one that is not settled is delivered again. Defaults to
    /// [`DEFAULT_VISIBILITY_TIMEOUT`](super::DEFAULT_VISIBILITY_TIMEOUT); 12 hours at most.
    #[must_use]
    pub const fn with_visibility_timeout(mut self, timeout: Duration) -> Self {
        self.terms.visibility_timeout = timeout;
        self
    }

    /// Puts dead letters into this queue, with the reason, before they are acknowledged. By default they are only acknowledged,
    /// and seen by the [hook](crate::source::Drive::with_dead_letter_hook).
    ///
    /// The `dead_letter_queue` in the consumer's own settings takes only what was delivered too often. Since each replica has
    /// a queue of its own, each puts the same message aside.
    #[must_use]
    pub fn with_dead_letters(mut self, queue_id: impl Into<String>) -> Self {
        self.desk.dead_letters = Some(queue_id.into().into());
        self
    }

    /// The `max_retries` of the consumer's settings. Defaults to [`DEFAULT_MAX_RETRIES`](super::DEFAULT_MAX_RETRIES), as with Cloudflare; 100 is the most it
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
        self.desk.max_retries = retries;
        self
    }

    /// How long the queue keeps messages. Defaults to [`DEFAULT_RETENTION`](super::DEFAULT_RETENTION). A queue that could not be pulled from for longer may
    /// have lost some.
    #[must_use]
    pub const fn with_retention(mut self, retention: Duration) -> Self {
        self.terms.retention = retention;
        self
    }
}

impl<C: ApiClient> EventSource for CloudflareSource<C> {
    type Delivery = CloudflareDelivery<C>;

    fn name(&self) -> &str {
        &self.name
    }

    /// Pulls, to see that it works. Messages that were pulled before and not handed out stay: Cloudflare would not deliver them
    /// again before their leases end.
    async fn open(&mut self, _start: &Start) -> Result<Continuity, SourceError> {
        self.pulling = None;
        self.until_caught_up = None;
        let wait = self.welcome_at.saturating_duration_since(Instant::now());
        if wait > LONGEST_WAIT {
            return Err(SourceError::new(format!(
                "Cloudflare asked to be left alone for another {} seconds",
                wait.as_secs()
            )));
        }
        sleep_until(self.welcome_at).await;
        let before = self.answered_at;
        let pulled = self.pull().await;
        // All that are there, these and the others, though they may be counted twice.
        let old = pulled.as_ref().map_or(0, |pulled| {
            pulled.backlog().saturating_add(pulled.messages.len() as u64)
        });
        self.until_caught_up = Some(old.saturating_add(self.inbox.len() as u64));
        self.pulled(pulled)?;
        Ok(match before {
            None => Continuity::Gap("a queue cannot be read again from before this process began".to_owned()),
            Some(at) if at.elapsed() > self.terms.retention => Continuity::Gap(format!(
                "the queue was not read for {} seconds, and keeps messages for {}",
                at.elapsed().as_secs(),
                self.terms.retention.as_secs()
            )),
            Some(_) => Continuity::Complete,
        })
    }

    async fn next(&mut self) -> Result<Signal<CloudflareDelivery<C>>, SourceError> {
        loop {
            if let Some(message) = self.inbox.pop_front() {
                let lag = self.inbox.len() as u64 + self.behind;
                self.until_caught_up = self.until_caught_up.map(|left| left.saturating_sub(1));
                return Ok(Signal::Message(CloudflareDelivery::new(
                    message,
                    lag,
                    self.desk.clone(),
                )));
            }
            if self.until_caught_up == Some(0) {
                self.until_caught_up = None;
                return Ok(Signal::CaughtUp);
            }
            if mem::take(&mut self.is_alive) {
                let lag = Some(self.behind);
                return Ok(Signal::Alive { lag });
            }
            self.begin_what_is_due();
            select! {
                biased;
                told = self.teller.told() => drop(self.teller.heard(&self.desk, told)),
                pulled = over(&mut self.pulling) => self.pulled(pulled)?,
                () = sleep_until(self.pull_at), if self.pulling.is_none() => {}
            }
        }
    }

    /// Tells what is left to be told, and gives back what was not handed out, so that the next process gets it at once.
    async fn close(&mut self) {
        self.pulling = None;
        for message in mem::take(&mut self.inbox) {
            // One that was delivered too often would be thrown away.
            if message.attempts() < self.desk.max_retries {
                self.desk.outbox.push(Settlement {
                    lease: message.lease_id,
                    retry_in: Some(0),
                });
            }
        }
        while self.teller.begin(&self.desk) {
            let told = self.teller.told().await;
            if !self.teller.heard(&self.desk, told) {
                return;
            }
        }
    }
}

impl<C: ApiClient> CloudflareSource<C> {
    fn pull(&self) -> impl Future<Output = Result<Pulled, Failure>> + Send + use<C> {
        self.desk
            .api
            .pull(&self.desk.queue, BATCH, self.terms.visibility_timeout)
    }

    /// What became of messages is told whenever there are new ones to ask for, or enough to tell.
    fn begin_what_is_due(&mut self) {
        let is_pull_due = self.pulling.is_none() && Instant::now() >= self.pull_at;
        if is_pull_due {
            self.pulling = Some(Box::pin(self.pull()));
        }
        if (is_pull_due || self.desk.outbox.len() >= BATCH) && self.teller.may_begin() {
            self.teller.begin(&self.desk);
        }
    }

    fn pulled(&mut self, pulled: Result<Pulled, Failure>) -> Result<(), SourceError> {
        let now = Instant::now();
        let pulled = pulled.map_err(|failure| {
            self.welcome_at = now + failure.retry_after.unwrap_or_default();
            failure.error
        })?;
        let count = pulled.messages.len();
        self.answered_at = Some(now);
        self.behind = pulled.backlog().saturating_sub(count as u64);
        self.is_alive = count == 0;
        self.pull_at = now;
        if count < BATCH {
            self.pull_at += self.terms.pace;
            self.until_caught_up = self.until_caught_up.map(|_| 0);
        }
        self.inbox.extend(pulled.messages);
        Ok(())
    }
}

impl<C> fmt::Debug for CloudflareSource<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudflareSource")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// For how long opening waits in silence when Cloudflare asks to be left alone.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// An hour.
const SLOWEST_PACE: Duration = Duration::from_secs(60 * 60);
