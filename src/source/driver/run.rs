//! The loop that reads a feed.

use std::future::Future;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::select;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::yield_now;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::common::backoff::Backoff;
use crate::common::error_text::error_text;
use crate::common::host_code::guarded_future;
use crate::common::log;
use crate::domain::health::FeedReport;
use crate::model::decode::Decode;
use crate::sink::EventSink;
use crate::source::config::{DRAIN_TIMEOUT, DriverConfig};
use crate::source::driver::progress::Progress;
use crate::source::driver::resync::Resync;
use crate::source::driver::resync_task::ResyncTask;
use crate::source::driver::settle::{Intake, Noted};
use crate::source::driver::since::Since;
use crate::source::error::SourceError;
use crate::source::event_source::{Continuity, EventSource, Signal};
use crate::source::position::Start;
use crate::status::FeedState;

/// A feed that is being read.
pub(super) struct Feed<S, D, R> {
    source: S,
    intake: Intake<D>,
    resync_task: ResyncTask<R>,
    progress: Progress,
    /// What is found out while messages are settled.
    noted: UnboundedReceiver<Noted>,
    /// What was lost before it was read, until the feed is open again.
    loss: Option<String>,
}

impl<S, D, R> Feed<S, D, R>
where
    S: EventSource,
    D: Decode + Send + Sync,
    R: Resync + 'static,
{
    pub(super) fn new(source: S, decode: D, sink: EventSink, resync: R, config: DriverConfig) -> Self {
        let (noted, told) = unbounded_channel();
        let config = Arc::new(config);
        Self {
            resync_task: ResyncTask::new(resync, sink.clone()),
            progress: Progress::new(sink.clone(), Arc::clone(&config), source.name()),
            intake: Intake {
                sink,
                decode,
                config,
                source: source.name().to_owned(),
                noted,
            },
            source,
            noted: told,
            loss: None,
        }
    }

    pub(super) async fn run_until(mut self, told_to_end: impl Future<Output = ()>) {
        let _down_at_the_end = Down(self.intake.sink.clone());
        self.progress.say(FeedState::Connecting);
        // What an earlier feed left open when it ended.
        if self.progress.is_gap_open() {
            self.resync_task.ask();
        }
        let mut told_to_end = pin!(told_to_end);
        let mut backoff = backoff();
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
                        if self.progress.is_caught_up() {
                            backoff = self::backoff();
                        }
                        error
                    }
                },
                Err(error) => error,
            };
            self.progress.broke(&error);
            if error.is_loss() {
                self.loss = Some(error_text(&error).into_owned());
            }
            select! {
                biased;
                () = &mut told_to_end => return,
                () = sleep(backoff.pause()) => {}
            }
        }
    }

    /// Opens the feed after what is settled, or since the list was issued.
    async fn open(&mut self) -> Result<Continuity, SourceError> {
        self.progress.reopened();
        let since = Since::of(&self.intake.sink, self.intake.config.margin);
        let mut start = Start::since(since.time);
        if self.loss.is_none() {
            let watermark = &self.progress.watermark;
            start = start
                .and_after(watermark.resume_after())
                .and_landmarks(watermark.landmarks());
        }
        let within = self.intake.config.open_timeout;
        let opened = timeout(within, guarded_future(async { self.source.open(&start).await }))
            .await
            .map_err(|_late| SourceError::new(format!("cannot be opened within {within:?}")))?
            .unwrap_or_else(panicked)?;
        let continuity = match (opened, self.loss.take()) {
            (Continuity::Complete | Continuity::Unproven, Some(loss)) => Continuity::Gap(loss),
            (opened, _) => opened,
        };
        self.progress.opened(since.is_all, &continuity);
        if let Continuity::Gap(reason) = &continuity {
            // Positions of a log that was wiped mean nothing in the new one.
            self.progress.watermark.forget();
            self.progress.missed(&mut self.resync_task, reason);
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
            intake,
            resync_task,
            progress,
            noted,
            ..
        } = self;
        let intake = &*intake;
        if matches!(continuity, Continuity::Gap(_)) && resync_task.is_open() {
            select! {
                biased;
                () = &mut told_to_end => return ControlFlow::Break(()),
                () = resync_task.done() => progress.resynced(),
                () = sleep(intake.config.patience) => {
                    log::warn!("no fresh list after a gap in the feed yet: reading on");
                }
            }
        }
        let mut settling = FuturesUnordered::new();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        progress.last_signal = Instant::now();
        let mut next_turn = None;
        let mut batches = 0_u64;
        loop {
            let turn = if let Some(turn) = next_turn.take() {
                turn
            } else {
                // One that is dropped at each tick would never come to a sign of life after a second.
                let mut next = pin!(next(source));
                loop {
                    select! {
                        biased;
                        () = &mut told_to_end => break Turn::Told,
                        Some(noted) = noted.recv() => progress.note(resync_task, noted),
                        Some(settled) = settling.next(), if !settling.is_empty() => progress.settle(settled),
                        () = resync_task.done(), if resync_task.is_open() => {
                            progress.resynced();
                            progress.tell(false);
                        }
                        _ = ticks.tick() => {
                            progress.look_for_lost_messages(resync_task);
                            progress.look_for_proof(resync_task);
                            progress.tell(resync_task.is_open());
                            if progress.is_silent() {
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
                    let silence = intake.config.silence;
                    return ControlFlow::Continue(SourceError::new(format!("no sign of life for {silence:?}")));
                }
                Turn::Signal(Err(error)) => return ControlFlow::Continue(error),
                Turn::Signal(Ok(Signal::Alive { lag })) => progress.alive(lag),
                Turn::Signal(Ok(Signal::Behind(by))) => progress.behind(by),
                Turn::Signal(Ok(Signal::CaughtUp)) => {
                    progress.caught_up();
                    progress.tell(resync_task.is_open());
                }
                Turn::Signal(Ok(Signal::Message(delivery))) => {
                    let mut batch = vec![delivery];
                    // Whatever else is there already is put in force with it: a replay of many is much faster for that.
                    while batch.len() < BATCH && next_turn.is_none() {
                        match next(source).now_or_never() {
                            Some(Ok(Signal::Message(delivery))) => batch.push(delivery),
                            Some(signal) => next_turn = Some(Turn::Signal(signal)),
                            None => break,
                        }
                    }
                    progress.delivered(&batch);
                    // In force before the next ones are read, in the order of the feed.
                    let taken_in = intake.take_in_all(&batch);
                    progress.look_for_lost_messages(resync_task);
                    for (delivery, taken_in) in batch.into_iter().zip(taken_in) {
                        match intake.settle_at_once(&delivery, taken_in) {
                            Ok(settled) => progress.settle(settled),
                            Err(taken_in) => settling.push(intake.settle(delivery, taken_in)),
                        }
                    }
                    // A long replay leaves room for requests on this thread.
                    batches += 1;
                    if batches.is_multiple_of(AT_A_STRETCH) {
                        yield_now().await;
                    }
                }
            }
        }
        let drained = async {
            while let Some(settled) = settling.next().await {
                progress.settle(settled);
            }
        };
        let _ = timeout(DRAIN_TIMEOUT, drained).await;
        let _ = timeout(DRAIN_TIMEOUT, guarded_future(async { source.close().await })).await;
        ControlFlow::Break(())
    }
}

/// Waits for what the source says next. One that panics is opened anew.
async fn next<S: EventSource>(source: &mut S) -> Result<Signal<S::Delivery>, SourceError> {
    guarded_future(async { source.next().await })
        .await
        .unwrap_or_else(panicked)
}

fn panicked<T>(panic: String) -> Result<T, SourceError> {
    Err(SourceError::new(format!("the source panicked: {panic}")))
}

/// What reading waited for.
enum Turn<D> {
    Signal(Result<Signal<D>, SourceError>),
    Silent,
    Told,
}

/// Says that the feed is down when nobody reads it any more, however that came about; then nothing of it is under way.
struct Down(EventSink);

impl Drop for Down {
    fn drop(&mut self) {
        let domain = self.0.domain();
        domain.set_feed_report(FeedReport {
            lag: None,
            behind: None,
            unacknowledged: 0,
            ..domain.feed_report()
        });
        domain.set_feed(FeedState::Down);
    }
}

fn backoff() -> Backoff {
    Backoff::jittered(SHORTEST_PAUSE, LONGEST_PAUSE)
}

/// Between attempts to open the feed.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// How often it is looked whether the feed is silent.
const TICK: Duration = Duration::from_millis(250);

/// How many messages are put in force at a time.
const BATCH: usize = 64;

/// How many times in a row, before other tasks come in between: some 1,000 messages, which take a millisecond.
const AT_A_STRETCH: u64 = 16;

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::middleware::RevocationLayer;
    use crate::model::credential::Credential;
    use crate::model::decode::{DecodeError, Decoded};
    use crate::model::event::Revocation;
    use crate::model::key::Key;
    use crate::model::policy::ListPolicy;
    use crate::source::driver::drive;
    use crate::source::memory::Memory;
    use crate::state::view::State;

    /// It used to count as replayed from the beginning, and admit again what a lost journal had known.
    #[tokio::test(start_paused = true)]
    async fn a_feed_that_was_read_since_a_list_makes_up_for_nothing_once_lists_are_not_used() {
        let (_layer, sink) = RevocationLayer::pair(|_: &()| Option::<Credential>::None);
        let needs_list = || sink.domain().store.look(State::needs_list);
        sink.domain().store.set_needs_list(true);
        let log = Memory::new("log");
        let ignore = |_: &[u8]| Ok::<_, DecodeError>(Decoded::Ignored("nobody's".into()));
        let read = || tokio::spawn(drive(log.source(), ignore, sink.clone()).run());
        let running = read();
        while sink.status().feed.state != FeedState::Live {
            sleep(TICK).await;
        }
        sink.configure(|config| config.with_lists(ListPolicy::NotUsed));
        sleep(4 * TICK).await;
        assert!(needs_list());
        // It is read since the list also if it is opened anew, but another one begins at the beginning.
        log.cut();
        sleep(Duration::from_secs(10)).await;
        assert!(needs_list());
        running.abort();
        let running = read();
        sleep(Duration::from_secs(10)).await;
        assert!(!needs_list());
        running.abort();
    }

    /// A number of a feed that nobody reads any more used to stand in the status for ever.
    #[tokio::test(start_paused = true)]
    async fn nothing_is_under_way_in_a_feed_that_nobody_reads_any_more() {
        let (_layer, sink) = RevocationLayer::pair(|_: &()| Option::<Credential>::None);
        sink.configure(|config| config.with_capacity(NonZeroUsize::MIN));
        let log = Memory::new("log");
        let revoke = |message: &[u8]| {
            let key = Key::subject(&String::from_utf8_lossy(message));
            Ok::<_, DecodeError>(Decoded::from(Revocation::block(key)))
        };
        let running = tokio::spawn(drive(log.source(), revoke, sink.clone()).run());
        log.publish("finds room");
        log.publish("finds none");
        while sink.status().feed.unacknowledged == 0 {
            sleep(TICK).await;
        }
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
        let feed = sink.status().feed;
        assert_eq!((feed.state, feed.lag, feed.unacknowledged), (FeedState::Down, None, 0));
        assert_eq!(feed.opened, 1, "what happened stays");
    }
}
