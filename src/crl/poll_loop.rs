//! The loop that fetches the list at two paces.

use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use crate::common::backoff::Backoff;
use crate::common::error_text::error_text;
use crate::common::host_code::guarded;
use crate::common::log;
use crate::crl::fetch::HttpClient;
use crate::crl::list::ListFormat;
use crate::crl::poller::{FETCH_GAP, Poller};
use crate::domain::observer::Polled;
use crate::status::FeedState;

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
                let _ = guarded(|| observer.polled(outcome, started.elapsed()));
            }
            let next = match polled {
                Ok(_done) => {
                    backoff = self.backoff();
                    earliest.max(Instant::now() + self.pace())
                }
                Err(error) => {
                    let error_in_words = error_text(&error);
                    log::warn!(error = %error_in_words, "poll failed");
                    self.sink
                        .domain()
                        .poll_failed(error_in_words.into_owned(), error.is_in_force());
                    let now = Instant::now();
                    // Not even a request breaks a pause that the server asked for.
                    let demanded = error.retry_after().unwrap_or_default().min(LONGEST_PAUSE);
                    earliest = earliest.max(now + demanded);
                    earliest.max(now + backoff.pause())
                }
            };
            self.sink.domain().answered.send_replace(request);
            self.pause(&mut signals, next, earliest).await;
        }
    }

    /// Puts the kept list in force, unless the host has done so.
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
            log::error!(%error, "kept list is of no use: failing closed until it or a later one is fetched");
        }
    }

    /// Waits until `next`, or until something asks for an earlier fetch; but at least until `earliest`.
    async fn pause(&mut self, signals: &mut Signals, mut next: Instant, earliest: Instant) {
        // No sender goes away while `self` is there.
        loop {
            tokio::select! {
                biased; // The list is fetched in time, however many keys are asked for, and however slowly they come.
                () = sleep_until(next) => return,
                _ = signals.requested.changed() => next = next.min(earliest),
                _ = signals.key_requests.changed() => self.refetch_keys().await,
                _ = signals.feed.changed() => {
                    let was_live = signals.was_live;
                    signals.was_live = *signals.feed.borrow_and_update() == FeedState::Live;
                    // A feed that comes back asks for a fetch by itself. When a broker dies, all its gateways get here at the same
                    // time, so each picks a random moment within the fast pace. Not at once, since most feeds are back soon.
                    if was_live && !signals.was_live {
                        let moment = self.fast.mul_f64(fastrand::f64().mul_add(0.8, 0.2));
                        next = next.min(Instant::now() + moment).max(earliest);
                    }
                }
            }
        }
    }

    /// Returns the time to the next fetch, if nothing happens.
    fn pace(&self) -> Duration {
        let is_live = *self.sink.domain().feed.borrow() == FeedState::Live;
        // While everybody is refused, the list is urgent too.
        let may_wait = is_live && !self.needs_list();
        let pace = if may_wait { self.slow } else { self.fast };
        pace.mul_f64(fastrand::f64().mul_add(0.2, 0.9))
    }

    fn backoff(&self) -> Backoff {
        Backoff::jittered(FETCH_GAP.min(self.fast), self.fast)
    }
}

/// What may ask for an earlier fetch.
struct Signals {
    requested: watch::Receiver<u64>,
    feed: watch::Receiver<FeedState>,
    was_live: bool,
    key_requests: watch::Receiver<()>,
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
            key_requests: poller.handle.requests(),
        }
    }
}

/// The longest pause that a server may ask for by `Retry-After`: a quarter of the default `max_age`. A typing error on its
/// side must not make the list stale.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);
