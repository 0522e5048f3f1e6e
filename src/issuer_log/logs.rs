//! The logs of all issuers on a feed.

use std::time::Duration;

use tokio::time::Instant;

use crate::issuer_log::log::IssuerLog;
use crate::model::log_place::{LogId, LogPlace, LogPosition};
use crate::model::timestamp::Timestamp;

/// How far the logs of all issuers are known whole. The order of one log counts, not that of the feed.
#[derive(Debug, Default)]
pub(crate) struct IssuerLogs {
    logs: Vec<IssuerLog>,
    /// What the newest list covers.
    covers: Vec<LogPosition>,
    /// Whether a log that turns up in its midst, unknown, has lost its beginning. Before, it is for the feed to say whether what came
    /// before is in the list.
    is_settled: bool,
    /// What was found to be lost, and that nobody was told yet.
    loss: Option<String>,
}

impl IssuerLogs {
    /// Goes on where an earlier process ended.
    pub(crate) fn restore(&mut self, whole: impl IntoIterator<Item = LogPosition>, now: Instant) {
        for position in whole {
            self.is_settled = true;
            self.logs.push(IssuerLog::known(position, now));
        }
    }

    /// Takes in what a message states. `sent` is when a heartbeat was sent, by its issuer's clock.
    pub(crate) fn note(&mut self, place: &LogPlace, sent: Option<Timestamp>, now: Instant) {
        let index = self.index(place, now);
        let log = &mut self.logs[index];
        let problem = match *place {
            LogPlace::Entry { position, prev, .. } => log.entry(position, prev, now),
            LogPlace::End { position, every, .. } => {
                log.heartbeat(sent.unwrap_or_default(), every, now);
                log.end(position, now)
            }
        };
        match *place {
            // Its second message came before its first.
            LogPlace::Entry { position, after, .. } if position.n <= 1 => log.begin(after, now),
            LogPlace::End { position, after, .. } if position.n == 0 => log.begin(after, now),
            _ => {}
        }
        let log = log.id();
        self.tell(problem.map(|problem| (log, problem)));
        self.look(now);
    }

    /// Looks whether something has been missing for too long.
    pub(crate) fn look(&mut self, now: Instant) {
        self.leave_what_lists_leave(now);
        for index in 0..self.logs.len() {
            if let Some(after) = self.logs[index].waits_for() {
                let continued = self.logs.iter_mut().find(|log| log.id() == after.log);
                if continued.is_some_and(|log| log.is_continued(after)) {
                    self.logs[index].begins(now);
                }
            }
            let log = &mut self.logs[index];
            let due = log.due(now).map(|what| (log.id(), what));
            self.tell(due);
        }
    }

    /// Leaves logs that say nothing any more, while one that the newest list names has said something since: their issuer went on in that
    /// one. The message that says which log the new one continues may be lost with what the list made up for, and the list may have come
    /// before the old log was quiet. What is missing of a log keeps it: only a list makes up for that.
    fn leave_what_lists_leave(&mut self, now: Instant) {
        if self.logs.len() < 2 || self.covers.is_empty() {
            return;
        }
        let covers = &self.covers;
        let is_named = |log: &&IssuerLog| covers.iter().any(|covers| covers.log == log.id());
        let named = self.logs.iter().filter(is_named);
        let Some(newest) = named.map(IssuerLog::last_news).max() else {
            return;
        };
        for log in &mut self.logs {
            if !log.is_ended() && log.is_whole() && log.last_news() < newest && log.is_quiet(now) {
                log.is_past();
            }
        }
    }

    /// Notes that everything came in that was there when the feed was opened.
    #[cfg(feature = "source")]
    pub(crate) const fn settle(&mut self) {
        self.is_settled = true;
    }

    /// Takes what a list covers that was installed.
    pub(crate) fn covered(&mut self, covers: &[LogPosition], now: Instant) {
        self.covers = covers.to_vec();
        for log in &mut self.logs {
            match covers.iter().find(|covers| covers.log == log.id()) {
                Some(covers) => log.covered(*covers, now),
                // Its issuer went on in another log, and knows what it said in this one.
                None if !covers.is_empty() && (log.is_ended() || log.is_quiet(now)) => log.is_past(),
                None => {}
            }
        }
        self.look(now);
    }

    /// Takes a list that does not say what it covers, and that was asked for after everything that came.
    pub(crate) fn resynced(&mut self, now: Instant) {
        if self.covers.is_empty() {
            for log in &mut self.logs {
                log.resynced(now);
            }
        }
    }

    /// Returns what was found to be lost since it was asked last.
    pub(crate) fn take_loss(&mut self) -> Option<String> {
        self.loss.take()
    }

    /// Returns whether something is lost that no list covers.
    pub(crate) fn is_lost(&self) -> bool {
        self.logs.iter().any(IssuerLog::is_lost)
    }

    /// Returns up to where a log is known whole.
    pub(crate) fn whole(&self, log: LogId) -> Option<LogPosition> {
        self.logs.iter().find(|known| known.id() == log)?.whole()
    }

    /// Returns what is known of each log.
    pub(crate) fn look_at_each(&self, now: Instant) -> impl Iterator<Item = LogView> {
        self.logs.iter().map(move |log| LogView {
            log: log.id(),
            whole: log.whole().map(|whole| whole.n),
            furthest: log.furthest(),
            is_lost: log.is_lost(),
            is_ended: log.is_ended(),
            heartbeat_age: log.heartbeat_came().map(|came| now.saturating_duration_since(came)),
            is_silent: log.silent_for(now).is_some(),
        })
    }

    /// Returns for how long an issuer has been silent that is expected to speak, if one has.
    #[cfg(feature = "source")]
    pub(crate) fn silent_for(&self, now: Instant) -> Option<Duration> {
        self.logs.iter().filter_map(|log| log.silent_for(now)).max()
    }

    /// Returns whether everything came in up to where all issuers say that their logs end, and said so since a moment.
    #[cfg(feature = "source")]
    pub(crate) fn are_at_end(&self, since: Instant, now: Instant) -> bool {
        let mut speaking = self
            .logs
            .iter()
            .filter(|log| !log.is_ended() && log.heartbeat_came().is_some());
        let is_at_end = |log: &IssuerLog| {
            log.is_whole() && log.silent_for(now).is_none() && log.heartbeat_came().is_some_and(|came| came >= since)
        };
        speaking.clone().next().is_some() && speaking.all(is_at_end)
    }

    /// Which log the message is of. A log that is not known begins here.
    fn index(&mut self, place: &LogPlace, now: Instant) -> usize {
        let id = place.position().log;
        if let Some(index) = self.logs.iter().position(|log| log.id() == id) {
            return index;
        }
        if self.logs.len() >= MOST_LOGS {
            self.forget_one();
        }
        let log = self.begin(place, now);
        self.logs.push(log);
        self.logs.len() - 1
    }

    fn begin(&mut self, place: &LogPlace, now: Instant) -> IssuerLog {
        let id = place.position().log;
        let known_at = |whole| IssuerLog::known(whole, now);
        let (after, is_first, before) = match *place {
            LogPlace::Entry { position, prev, after } => {
                let before = LogPosition {
                    n: position.n.saturating_sub(1),
                    digest: prev,
                    ..position
                };
                (after, position.n <= 1, before)
            }
            LogPlace::End { position, after, .. } => (after, position.n == 0, position),
        };
        let continues = after.and_then(|after| {
            let continued = self.logs.iter_mut().find(|log| log.id() == after.log)?;
            Some(continued.is_continued(after))
        });
        if let Some(covers) = self.covers.iter().find(|covers| covers.log == id) {
            return known_at(*covers);
        }
        let is_covered = |after: &LogPosition| {
            self.covers
                .iter()
                .any(|covers| covers.log == after.log && covers.n >= after.n)
        };
        let is_whole = match (after, continues) {
            (Some(after), _) if is_covered(&after) => true,
            (_, Some(continues)) => continues,
            (Some(_), None) => !self.is_settled,
            (None, None) => is_first || !self.is_settled,
        };
        if is_whole {
            return known_at(if is_first { LogPosition::beginning(id) } else { before });
        }
        IssuerLog::after(id, after, now)
    }

    /// Forgets the log that was silent for longest; one that is continued by another, if there is any.
    fn forget_one(&mut self) {
        let oldest = (0..self.logs.len()).min_by_key(|index| {
            let log = &self.logs[*index];
            (!log.is_ended(), log.last_heard())
        });
        if let Some(oldest) = oldest {
            self.logs.remove(oldest);
        }
    }

    fn tell(&mut self, problem: Option<(LogId, String)>) {
        if let Some((log, problem)) = problem {
            self.loss = Some(format!("issuer's log {log}: {problem}"));
        }
    }
}

/// What is known of one log.
#[derive(Debug)]
pub(crate) struct LogView {
    pub(crate) log: LogId,
    /// Up to which message it is known whole, if its beginning is known.
    pub(crate) whole: Option<u64>,
    /// The furthest message that is known to be there.
    pub(crate) furthest: u64,
    pub(crate) is_lost: bool,
    /// Whether another log continues it.
    pub(crate) is_ended: bool,
    pub(crate) heartbeat_age: Option<Duration>,
    pub(crate) is_silent: bool,
}

/// How many logs are followed.
const MOST_LOGS: usize = 64;
