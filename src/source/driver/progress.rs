//! How far reading a feed has come, and what is said of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::common::error_text::error_text;
use crate::common::log;
use crate::domain::health::FeedReport;
use crate::model::policy::ListPolicy;
use crate::sink::EventSink;
use crate::source::config::DriverConfig;
use crate::source::dead_letter::DeadLetterPolicy;
use crate::source::driver::resync::Resync;
use crate::source::driver::resync_task::ResyncTask;
use crate::source::driver::settle::{Noted, Settled};
use crate::source::driver::watermark::Watermark;
use crate::source::error::SourceError;
use crate::source::event_source::{Continuity, Delivery};
use crate::status::FeedState;

/// How far reading has come. It alone says how the feed is.
pub(super) struct Progress {
    sink: EventSink,
    config: Arc<DriverConfig>,
    pub(super) watermark: Watermark,
    /// When the feed last said that it is at its end, since it was opened.
    at_end: Option<Instant>,
    /// Since when the issuer's numbers have to show that everything came, if the feed itself cannot tell.
    unproven_since: Option<Instant>,
    /// Whether that counts as a gap already.
    is_proof_late: bool,
    /// Whether all that is not to be forgotten yet was always asked for, and no message was ever missed.
    is_whole: bool,
    /// How many messages were taken in and are not settled, and their size.
    unsettled: usize,
    bytes: usize,
    pub(super) last_signal: Instant,
    report: FeedReport,
}

impl Progress {
    /// Begins where the last feed of this sink ended.
    pub(super) fn new(sink: EventSink, config: Arc<DriverConfig>, source: &str) -> Self {
        let report = sink.domain().feed_report();
        Self {
            sink,
            config,
            watermark: Watermark::default(),
            at_end: None,
            unproven_since: None,
            is_proof_late: false,
            is_whole: true,
            unsettled: 0,
            bytes: 0,
            last_signal: Instant::now(),
            report: FeedReport {
                source: Some(source.into()),
                ..report
            },
        }
    }

    /// Returns whether the feed gave no sign of life for too long, though somebody listened.
    pub(super) fn is_silent(&mut self) -> bool {
        if self.is_full() {
            self.last_signal = Instant::now();
        }
        self.last_signal.elapsed() >= self.config.silence
    }

    /// Notes a sign of life, and how many messages are still to come if it says so.
    pub(super) fn alive(&mut self, lag: Option<u64>) {
        self.heard(lag.or(self.report.lag));
    }

    /// Notes that a copy is read that is this much behind the log.
    pub(super) fn behind(&mut self, by: Duration) {
        self.heard(self.report.lag);
        self.report.behind = Some(by);
        self.publish();
    }

    /// Notes that everything came in that lies before the end of the feed, which was asked for just now.
    pub(super) fn caught_up(&mut self) {
        self.report.behind = None;
        self.sink.domain().settle_issuer_logs();
        self.heard(Some(0));
        self.at_end = Some(self.last_signal);
    }

    /// Returns whether everything has come in that was there when the feed was opened.
    pub(super) const fn is_caught_up(&self) -> bool {
        self.at_end.is_some()
    }

    /// Returns whether everything came in that was there just now. A feed that is alive may have lost the log's leader, and
    /// with it everything new.
    fn is_at_end(&self) -> bool {
        self.report.behind.is_none() && self.at_end.is_some_and(|at| at.elapsed() < self.config.silence)
    }

    /// Notes a sign of life. Where it does not say how many more messages there are, nobody knows.
    fn heard(&mut self, lag: Option<u64>) {
        self.last_signal = Instant::now();
        self.report.last_signal = Some(self.last_signal);
        self.report.lag = lag;
        self.publish();
    }

    /// Notes that messages came.
    pub(super) fn delivered(&mut self, deliveries: &[impl Delivery]) {
        for delivery in deliveries {
            self.unsettled += 1;
            self.bytes += delivery.payload().len();
            if let Some(position) = delivery.position() {
                self.watermark.delivered(position, delivery.landmark());
            }
        }
        self.heard(deliveries.last().and_then(Delivery::lag));
    }

    /// Notes that a message needs nothing more of this process.
    pub(super) fn settle(&mut self, settled: Settled) {
        self.unsettled -= 1;
        self.bytes -= settled.bytes;
        if let Some(position) = settled.position {
            self.watermark.settled(position);
        }
        if let Some(error) = settled.error {
            self.failed(error);
        }
    }

    /// Notes that the feed is about to be read anew: what was not settled comes again.
    pub(super) fn reopened(&mut self) {
        self.watermark.reopened();
        (self.unsettled, self.bytes) = (0, 0);
    }

    /// Notes that the feed is open, and whether all messages were asked for that are not to be forgotten yet.
    pub(super) fn opened(&mut self, is_all: bool, continuity: &Continuity) {
        self.at_end = None;
        let is_unproven = *continuity == Continuity::Unproven;
        if is_unproven {
            // A log that turns up in its midst has lost its beginning: nobody says that the list has that.
            self.sink.domain().settle_issuer_logs();
        }
        self.unproven_since = is_unproven.then(Instant::now);
        self.is_proof_late = false;
        self.is_whole &= is_all && !is_unproven;
        self.report.opened += 1;
        self.say(FeedState::CatchingUp);
    }

    /// Notes why the feed has to be opened again.
    pub(super) fn broke(&mut self, error: &SourceError) {
        let error = error_text(error).into_owned();
        log::warn!(source = self.report.source.as_deref(), %error, "event feed is down");
        (self.unsettled, self.bytes) = (0, 0);
        (self.report.lag, self.report.behind) = (None, None);
        self.failed(error);
        self.say(FeedState::Down);
    }

    /// Notes that messages may have been missed, so that a list is needed.
    pub(super) fn missed<R: Resync + 'static>(&mut self, resync_task: &mut ResyncTask<R>, reason: &str) {
        log::warn!(source = self.report.source.as_deref(), reason, "gap in the event feed");
        self.is_whole = false;
        self.report.gaps += 1;
        self.report.last_gap = Some((Instant::now(), reason.into()));
        self.report.is_gap_open = true;
        self.publish();
        resync_task.ask();
    }

    /// Looks whether messages are missing by the issuer's own numbers.
    pub(super) fn look_for_lost_messages<R: Resync + 'static>(&mut self, resync_task: &mut ResyncTask<R>) {
        if let Some(lost) = self.sink.domain().take_lost_messages() {
            self.missed(resync_task, &lost);
        }
    }

    /// Looks whether the issuer's numbers show that everything came, where the feed itself cannot tell.
    pub(super) fn look_for_proof<R: Resync + 'static>(&mut self, resync_task: &mut ResyncTask<R>) {
        let Some(since) = self.unproven_since else { return };
        if self.sink.domain().are_issuer_logs_at_end(since) {
            self.report.lag = Some(0);
            self.at_end = Some(Instant::now());
        } else if self.at_end.is_none() && !self.is_proof_late && since.elapsed() >= PROOF_WITHIN {
            self.is_proof_late = true;
            self.missed(
                resync_task,
                "nothing shows that everything came: the issuer's numbers are missing",
            );
        }
    }

    /// Returns whether a gap is open that nothing made up for yet, perhaps an earlier feed's.
    pub(super) const fn is_gap_open(&self) -> bool {
        self.report.is_gap_open
    }

    /// Notes that a list made up for all gaps.
    pub(super) fn resynced(&mut self) {
        self.report.is_gap_open = false;
        self.publish();
    }

    /// Notes what was found out while a message was settled.
    pub(super) fn note<R: Resync + 'static>(&mut self, resync_task: &mut ResyncTask<R>, noted: Noted) {
        match noted {
            Noted::DeadLetter(reason) => {
                self.is_whole = false;
                if self.config.dead_letters == DeadLetterPolicy::Gap {
                    self.missed(resync_task, &format!("dead letter: {reason}"));
                    self.tell(resync_task.is_open());
                }
            }
            Noted::Failed(error) => self.failed(error),
        }
    }

    /// Returns whether no more can be read before something is settled.
    pub(super) const fn is_full(&self) -> bool {
        self.unsettled >= ROOM || self.bytes >= ROOM_BYTES
    }

    /// Lets go of a gap that is as old as anything may be that is not to be forgotten yet. Where there are lists, one of them closes it.
    fn outlive_gap(&mut self) {
        let (lists, retention) = self
            .sink
            .domain()
            .store
            .look(|state| (state.policy.lists, state.policy.retention));
        let is_over = |(at, _): &(Instant, _)| at.elapsed() > retention;
        if lists == ListPolicy::NotUsed && self.report.is_gap_open && self.report.last_gap.as_ref().is_some_and(is_over)
        {
            self.resynced();
        }
    }

    /// Says how the feed is while it is read.
    pub(super) fn tell(&mut self, needs_list: bool) {
        self.outlive_gap();
        let age = self.sink.domain().health().feed.heartbeat_age(Instant::now());
        let is_issuer_silent = |within| age.is_none_or(|age| age > within);
        let (state, problem) = if self.is_full() {
            let problem = "nothing is read: too much is not settled".into();
            (FeedState::CatchingUp, Some(problem))
        } else if let Some(behind) = self.report.behind {
            let problem = format!("the copy of the log that is read is {behind:?} behind, or cut off for so long");
            (FeedState::CatchingUp, Some(problem))
        } else if !self.is_caught_up() || needs_list {
            (FeedState::CatchingUp, None)
        } else if !self.is_at_end() {
            let problem = "the end of the log is not known, or was not reached".into();
            (FeedState::CatchingUp, Some(problem))
        } else if let Some(silent_for) = self.sink.domain().silent_issuer() {
            let problem = format!("the issuer has been silent for {} s", silent_for.as_secs());
            (FeedState::Down, Some(problem))
        } else if self.config.heartbeat.is_some_and(is_issuer_silent) {
            (FeedState::Down, Some("the issuer's heartbeat is late".into()))
        } else {
            (FeedState::Live, None)
        };
        if let Some(problem) = problem {
            self.report.last_error = Some(problem.into());
        }
        self.say(state);
        // Once all of it was replayed and settled, a feed makes up for what a journal lost, where there are no lists.
        if self.is_caught_up() && self.is_whole && self.unsettled == 0 && self.watermark.is_settled() {
            self.sink.domain().caught_up();
        }
    }

    /// Says how the feed is.
    pub(super) fn say(&mut self, state: FeedState) {
        self.publish();
        self.sink.domain().set_feed(state);
    }

    fn failed(&mut self, error: String) {
        self.report.last_error = Some(error.into());
        self.publish();
    }

    fn publish(&mut self) {
        self.report.unacknowledged = self.unsettled;
        self.sink.domain().set_feed_report(self.report.clone());
    }
}

/// How long the issuer's numbers may take to show that everything came: 3 seconds.
const PROOF_WITHIN: Duration = Duration::from_secs(3);

/// How many messages may be unsettled before no more are read: a bound of memory. Those of a disk that fails are in force.
const ROOM: usize = 65_536;

/// And how large they may be, together: 256 MiB.
const ROOM_BYTES: usize = 256 * 1024 * 1024;
