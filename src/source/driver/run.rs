//! The loop that reads a feed.

use std::future::Future;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::select;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::common::error_text::error_text;
use crate::model::decode::Decode;
use crate::sink::EventSink;
use crate::source::config::{DRAIN_TIMEOUT, Terms};
use crate::source::driver::progress::Progress;
use crate::source::driver::resync::Resync;
use crate::source::driver::resync_task::Debt;
use crate::source::driver::settle::Desk;
use crate::source::driver::since::since;
use crate::source::error::SourceError;
use crate::source::event_source::{Continuity, Delivery, EventSource, Signal};
use crate::source::position::Start;
use crate::status::FeedState;

/// A feed that is being read.
pub(super) struct Feed<S, D, R> {
    source: S,
    desk: Desk<D>,
    debt: Debt<R>,
    progress: Progress,
    /// Why messages are dead letters.
    dead: UnboundedReceiver<String>,
}

impl<S, D, R> Feed<S, D, R>
where
    S: EventSource,
    D: Decode + Send + Sync,
    R: Resync + 'static,
{
    pub(super) fn new(source: S, decode: D, sink: EventSink, resync: R, terms: Terms) -> Self {
        let (dead, told_dead) = unbounded_channel();
        Self {
            debt: Debt::new(resync, sink.clone()),
            desk: Desk {
                sink,
                decode,
                terms,
                source: source.name().to_owned(),
                dead,
            },
            source,
            progress: Progress::new(),
            dead: told_dead,
        }
    }

    pub(super) async fn run_until(mut self, told_to_end: impl Future<Output = ()>) {
        let name = Some(self.desk.source.clone());
        let _down_at_the_end = Down(self.desk.sink.clone());
        self.desk.health(|feed| feed.source = name);
        self.desk.sink.domain().set_feed(FeedState::Connecting);
        self.debt.take_over(&self.desk);
        let mut told_to_end = pin!(told_to_end);
        let mut pauses = pauses();
        loop {
            let opened = select! {
                biased;
                () = &mut told_to_end => return,
                opened = self.open() => opened,
            };
            let error = match opened {
                Ok(continuity) => match self.read(continuity, told_to_end.as_mut()).await {
                    ControlFlow::Break(()) => return,
                    ControlFlow::Continue(error) => {
                        if self.progress.is_caught_up {
                            pauses = self::pauses();
                        }
                        error
                    }
                },
                Err(error) => error,
            };
            self.broke(&error);
            select! {
                biased;
                () = &mut told_to_end => return,
                () = sleep(pauses.next().unwrap_or(LONGEST_PAUSE)) => {}
            }
        }
    }

    /// Opens the feed after what is settled, or since the list was issued.
    async fn open(&mut self) -> Result<Continuity, SourceError> {
        self.progress.reopened();
        let since = since(&self.desk.sink, self.desk.terms.margin);
        let start = Start::since(since).and_after(self.progress.watermark.resume_after());
        let within = self.desk.terms.open_timeout;
        let continuity = timeout(within, self.source.open(&start))
            .await
            .map_err(|_late| SourceError::new(format!("cannot be opened within {within:?}")))??;
        self.progress.is_caught_up = false;
        self.desk.sink.domain().set_feed(FeedState::CatchingUp);
        self.desk.health(|feed| feed.opened += 1);
        if let Continuity::Gap(reason) = &continuity {
            // Positions of a log that was wiped mean nothing in the new one.
            self.progress.watermark.forget();
            self.progress.missed(&self.desk, &mut self.debt, reason);
        }
        Ok(continuity)
    }

    /// Reads until the feed breaks, or until it is told to end.
    async fn read(
        &mut self,
        continuity: Continuity,
        mut told_to_end: Pin<&mut impl Future<Output = ()>>,
    ) -> ControlFlow<(), SourceError> {
        let Self {
            source,
            desk,
            debt,
            progress,
            dead,
        } = self;
        let desk = &*desk;
        if continuity != Continuity::Complete && debt.is_open() {
            select! {
                biased;
                () = &mut told_to_end => return ControlFlow::Break(()),
                () = debt.paid(desk) => {}
                () = sleep(desk.terms.patience) => {
                    tracing::warn!("no fresh list after a gap in the feed yet: reading on");
                }
            }
        }
        let mut settling = FuturesUnordered::new();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        progress.last_signal = Instant::now();
        let mut next_turn = None;
        loop {
            let turn = if let Some(turn) = next_turn.take() {
                turn
            } else {
                // One that is dropped at each tick would never come to a sign of life after a second.
                let mut next = pin!(source.next());
                loop {
                    select! {
                        biased;
                        () = &mut told_to_end => break Turn::Told,
                        Some(reason) = dead.recv() => progress.dead(desk, debt, &reason),
                        Some(settled) = settling.next(), if !settling.is_empty() => progress.settle(desk, settled),
                        () = debt.paid(desk), if debt.is_open() => progress.tell(desk, false),
                        _ = ticks.tick() => {
                            progress.tell(desk, debt.is_open());
                            if progress.is_silent(desk) {
                                break Turn::Silent;
                            }
                        }
                        signal = &mut next, if !progress.is_full() => break Turn::Signal(signal),
                    }
                }
            };
            match turn {
                Turn::Told => break,
                Turn::Silent => {
                    let silence = desk.terms.silence;
                    return ControlFlow::Continue(SourceError::new(format!("no sign of life for {silence:?}")));
                }
                Turn::Signal(Err(error)) => return ControlFlow::Continue(error),
                Turn::Signal(Ok(Signal::Alive { lag })) => progress.alive(desk, lag),
                Turn::Signal(Ok(Signal::CaughtUp)) => {
                    progress.alive(desk, Some(0));
                    progress.is_caught_up = true;
                    progress.tell(desk, debt.is_open());
                }
                Turn::Signal(Ok(Signal::Message(delivery))) => {
                    let mut batch = vec![delivery];
                    // Whatever else is there already is put in force with it: a replay of many is much faster for that.
                    while batch.len() < BATCH && next_turn.is_none() {
                        match source.next().now_or_never() {
                            Some(Ok(Signal::Message(delivery))) => batch.push(delivery),
                            Some(signal) => next_turn = Some(Turn::Signal(signal)),
                            None => break,
                        }
                    }
                    progress.told(desk, batch.last().and_then(Delivery::lag));
                    progress.delivered(&batch);
                    // In force before the next ones are read, in the order of the feed.
                    let taken_in = desk.take_in_all(&batch);
                    let settlements = batch.into_iter().zip(taken_in);
                    settling.extend(settlements.map(|(delivery, taken_in)| desk.settle(delivery, taken_in)));
                }
            }
        }
        let drained = async {
            while let Some(settled) = settling.next().await {
                progress.settle(desk, settled);
            }
        };
        let _ = timeout(DRAIN_TIMEOUT, drained).await;
        let _ = timeout(DRAIN_TIMEOUT, source.close()).await;
        ControlFlow::Break(())
    }

    /// Notes why the feed has to be opened again.
    fn broke(&self, error: &SourceError) {
        let error = error_text(error).into_owned();
        tracing::warn!(source = self.desk.source, %error, "event feed is down");
        self.desk.sink.domain().set_feed(FeedState::Down);
        self.desk.health(|feed| {
            feed.last_error = Some(error);
            feed.unacknowledged = 0;
            feed.lag = None;
        });
    }
}

/// What reading waited for.
enum Turn<D> {
    Signal(Result<Signal<D>, SourceError>),
    Silent,
    Told,
}

/// Says that the feed is down when nobody reads it any more, however that came about.
struct Down(EventSink);

impl Drop for Down {
    fn drop(&mut self) {
        self.0.domain().set_feed(FeedState::Down);
    }
}

fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_jitter()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(LONGEST_PAUSE)
        .without_max_times()
        .build()
}

/// Between attempts to open the feed.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// How often it is looked whether the feed is silent.
const TICK: Duration = Duration::from_millis(250);

/// How many messages are put in force at a time.
const BATCH: usize = 64;
