//! The loop that gets the list at two paces.

use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use crate::common::backoff::Backoff;
use crate::common::error_text::error_text;
use crate::common::host_code::guarded;
use crate::common::log;
use crate::crl::paces::{FETCH_GAP, Paces};
use crate::crl::poll_error::PollError;
use crate::crl::restore::{RestoreError, Restored, Restoring};
use crate::domain::observer::Polled;
use crate::sink::EventSink;
use crate::state::view::State;
use crate::status::FeedState;

/// How a list is got: from an issuer's server, or from the host's own database.
pub(super) trait PollMethod {
    fn sink(&self) -> &EventSink;

    fn paces(&self) -> Paces;

    /// Returns what puts the kept list in force, on a thread where blocking is allowed; `None` if that has been done.
    fn restoring(&self) -> Option<Restoring>;

    /// Takes over what was kept beside the list.
    fn adopt(&mut self, restored: Restored) -> Result<(), RestoreError>;

    /// Gets the list, and puts it in force.
    async fn poll(&mut self) -> Result<Polled, PollError>;

    /// Waits until somebody asks for something beside the list.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future forgets nothing.
    async fn is_asked(&mut self);

    /// Does what was asked for.
    async fn answer(&mut self);
}

/// Polls until the future is dropped.
pub(super) async fn poll_for_ever(mut method: impl PollMethod) -> Infallible {
    let mut signals = Signals::of(method.sink());
    let mut backoff = backoff(method.paces());
    restore_first(&mut method).await;
    loop {
        let started = Instant::now();
        let request = *signals.requested.borrow_and_update();
        let mut earliest = started + FETCH_GAP;
        let polled = method.poll().await;
        let domain = method.sink().domain();
        if let Some(observer) = domain.observer.get() {
            let outcome = polled
                .as_ref()
                .map_or_else(|error| Polled::Failed(error.code()), |done| *done);
            let _ = guarded(|| observer.polled(outcome, started.elapsed()));
        }
        let next = match polled {
            Ok(_done) => {
                backoff = self::backoff(method.paces());
                earliest.max(Instant::now() + pace(&method))
            }
            Err(error) => {
                let error_in_words = error_text(&error);
                log::warn!(error = %error_in_words, "poll failed");
                domain.poll_failed(error_in_words.into_owned(), error.is_in_force());
                let now = Instant::now();
                // Not even a request breaks a pause that the server asked for.
                let demanded = error.retry_after().unwrap_or_default().min(LONGEST_PAUSE);
                earliest = earliest.max(now + demanded);
                earliest.max(now + backoff.pause())
            }
        };
        domain.answered.send_replace(request);
        pause(&mut method, &mut signals, next, earliest).await;
    }
}

/// Puts the kept list in force, unless the host has done so.
async fn restore_first(method: &mut impl PollMethod) {
    let Some(restoring) = method.restoring() else { return };
    let adopted = match spawn_blocking(restoring).await {
        Ok(restored) => method.adopt(restored).map_err(|error| error.to_string()),
        // The format panicked.
        Err(lost) => Err(lost.to_string()),
    };
    if let Err(error) = adopted {
        method.sink().domain().store.set_needs_list(true);
        log::error!(%error, "kept list is of no use: failing closed until it or a later one is fetched");
    }
}

/// Waits until `next`, or until something asks for an earlier fetch; but at least until `earliest`.
async fn pause(method: &mut impl PollMethod, signals: &mut Signals, mut next: Instant, earliest: Instant) {
    // No sender goes away while the method's sink is there.
    loop {
        tokio::select! {
            biased; // The list is fetched in time, however many keys are asked for, and however slowly they come.
            () = sleep_until(next) => return,
            _ = signals.requested.changed() => next = next.min(earliest),
            () = method.is_asked() => method.answer().await,
            _ = signals.feed.changed() => {
                let was_live = signals.was_live;
                signals.was_live = *signals.feed.borrow_and_update() == FeedState::Live;
                // A feed that comes back asks for a fetch by itself. When a broker dies, all its gateways get here at the same
                // time, so each picks a random moment within the fast pace. Not at once, since most feeds are back soon.
                if was_live && !signals.was_live {
                    let moment = method.paces().fast.mul_f64(fastrand::f64().mul_add(0.8, 0.2));
                    next = next.min(Instant::now() + moment).max(earliest);
                }
            }
        }
    }
}

/// Returns the time to the next fetch, if nothing happens.
fn pace(method: &impl PollMethod) -> Duration {
    let (domain, paces) = (method.sink().domain(), method.paces());
    let is_live = *domain.feed.borrow() == FeedState::Live;
    // While everybody is refused, the list is urgent too.
    let may_wait = is_live && !domain.store.look(State::needs_list);
    let pace = if may_wait { paces.slow } else { paces.fast };
    pace.mul_f64(fastrand::f64().mul_add(0.2, 0.9))
}

fn backoff(paces: Paces) -> Backoff {
    Backoff::jittered(FETCH_GAP.min(paces.fast), paces.fast)
}

/// What may ask for an earlier fetch.
struct Signals {
    requested: watch::Receiver<u64>,
    feed: watch::Receiver<FeedState>,
    was_live: bool,
}

impl Signals {
    fn of(sink: &EventSink) -> Self {
        let domain = sink.domain();
        let mut feed = domain.feed.subscribe();
        let was_live = *feed.borrow_and_update() == FeedState::Live;
        Self {
            requested: domain.requested.subscribe(),
            feed,
            was_live,
        }
    }
}

/// The longest pause that a server may ask for by `Retry-After`: a quarter of the default `max_age`. A typing error on its
/// side must not make the list stale.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);
