//! How far one log of an issuer is known whole.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::issuer_log::heartbeats::IssuerHeartbeats;
use crate::issuer_log::recent::Recent;
use crate::model::log_place::{LogDigest, LogId, LogPosition};
use crate::model::timestamp::Timestamp;

/// One log of an issuer, as far as its messages came in.
#[derive(Debug)]
pub(super) struct IssuerLog {
    pub(super) id: LogId,
    /// Everything up to here was read, or a list covers it. `None` while nobody knows how the log began.
    pub(super) whole: Option<LogPosition>,
    recent: Recent,
    /// What came of it beyond the first that is missing: by number, the digest before it and its own.
    pub(super) ahead: BTreeMap<u64, (LogDigest, LogDigest)>,
    /// The furthest end that its issuer named.
    pub(super) end: Option<LogPosition>,
    /// Since when something is missing.
    pub(super) missing_since: Option<Instant>,
    /// Whether what is missing counts as lost: only a list makes up for it, or its coming in after all.
    pub(super) is_given_up: bool,
    /// The furthest number under which two different messages came, or that does not continue what came before it: only a list
    /// makes up for that.
    pub(super) contradiction: Option<u64>,
    /// The log that this one continues, as long as that one was not read that far.
    pub(super) waits_for: Option<LogPosition>,
    /// Whether another log continues this one.
    pub(super) is_ended: bool,
    /// Whether that is only taken for granted, since a list does not name it and nothing came of it: then it is not ended if
    /// something new comes.
    pub(super) is_presumed_ended: bool,
    heartbeats: IssuerHeartbeats,
    last_heard: Instant,
    /// When something came of it that had not come before: repetitions prove nothing.
    last_news: Instant,
}

impl IssuerLog {
    /// Creates a log that continues another one, which was not read that far.
    pub(super) fn after(id: LogId, waits_for: Option<LogPosition>, now: Instant) -> Self {
        Self {
            waits_for,
            ..Self::new(id, None, now)
        }
    }

    /// Creates a log that is known up to a position.
    pub(super) fn known(whole: LogPosition, now: Instant) -> Self {
        Self::new(whole.log, Some(whole), now)
    }

    fn new(id: LogId, whole: Option<LogPosition>, now: Instant) -> Self {
        let mut log = Self {
            id,
            whole: None,
            recent: Recent::default(),
            ahead: BTreeMap::new(),
            end: None,
            missing_since: None,
            is_given_up: false,
            contradiction: None,
            waits_for: None,
            is_ended: false,
            is_presumed_ended: false,
            heartbeats: IssuerHeartbeats::default(),
            last_heard: now,
            last_news: now,
        };
        log.set_whole(whole);
        log
    }

    pub(super) const fn id(&self) -> LogId {
        self.id
    }

    /// Returns up to where it is known whole.
    pub(super) const fn whole(&self) -> Option<LogPosition> {
        self.whole
    }

    /// Returns whether something of it counts as lost.
    pub(super) const fn is_lost(&self) -> bool {
        self.is_given_up || self.contradiction.is_some()
    }

    pub(super) const fn last_heard(&self) -> Instant {
        self.last_heard
    }

    /// Returns when something new came of it.
    pub(super) const fn last_news(&self) -> Instant {
        self.last_news
    }

    /// Returns the position of another log for which this one waits.
    pub(super) const fn waits_for(&self) -> Option<LogPosition> {
        self.waits_for
    }

    /// Returns whether everything came in that is known to be there.
    pub(super) const fn is_whole(&self) -> bool {
        self.missing_since.is_none() && !self.is_lost()
    }

    /// Returns whether another log continues it.
    pub(super) const fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Returns the number of the furthest message that is known to be there.
    pub(super) fn furthest(&self) -> u64 {
        let ahead = self.ahead.last_key_value().map(|(n, _)| *n);
        let end = self.end.map(|end| end.n);
        let whole = self.whole.map(|whole| whole.n);
        [ahead, end, whole].into_iter().flatten().max().unwrap_or_default()
    }

    /// Returns whether everything up to a position of this log came in, and is what the position says.
    pub(super) fn reaches(&self, position: LogPosition) -> bool {
        self.whole.is_some_and(|whole| whole.n >= position.n) && !self.contradicts(position)
    }

    /// Returns whether something else came in under the position's number.
    pub(super) fn contradicts(&self, position: LogPosition) -> bool {
        let known = self.recent.get(position.n);
        position.n > 0 && known.is_some_and(|known| known != position.digest)
    }

    /// Takes in a message. Returns what is wrong with it, if anything is.
    pub(super) fn entry(&mut self, position: LogPosition, prev: LogDigest, now: Instant) -> Option<String> {
        self.last_heard = now;
        let n = position.n;
        let another = || format!("another message came under number {n} than before");
        let mut problem = None;
        match self.whole {
            Some(whole) if n <= whole.n => problem = self.contradicts(position).then(another),
            whole => {
                let known = self.ahead.insert(n, (prev, position.digest));
                if known.is_none() {
                    self.has_news(now);
                }
                if known.is_some_and(|(_, known)| known != position.digest) {
                    problem = Some(another());
                } else if whole.is_some_and(|whole| n == whole.n + 1 && prev != whole.digest) {
                    problem = Some(format!("message {n} does not continue what came before it"));
                }
            }
        }
        let was_lost = self.is_lost();
        if problem.is_some() {
            self.contradiction = self.contradiction.max(Some(n));
        }
        self.go_on(now);
        if self.ahead.len() > MOST_AHEAD {
            self.ahead.pop_first();
            self.is_given_up = true;
        }
        let is_news = self.is_lost() && !was_lost;
        is_news.then(|| problem.unwrap_or_else(|| self.what_is_missing()))
    }

    /// Takes in where its issuer says that it ends. Returns what is wrong with that, if anything is.
    pub(super) fn end(&mut self, end: LogPosition, now: Instant) -> Option<String> {
        self.last_heard = now;
        if self.end.is_none_or(|known| known.n < end.n) {
            self.end = Some(end);
        }
        let is_another = self.contradicts(end) || self.ahead.get(&end.n).is_some_and(|(_, known)| *known != end.digest);
        let was_lost = self.is_lost();
        if is_another {
            self.contradiction = self.contradiction.max(Some(end.n));
        }
        self.go_on(now);
        let is_news = is_another && !was_lost;
        is_news.then(|| format!("its issuer has another message under number {} than came", end.n))
    }

    /// Notes a heartbeat. One that comes again proves nothing new.
    pub(super) fn heartbeat(&mut self, sent: Timestamp, every: Duration, now: Instant) {
        if self.heartbeats.came(sent, every, now) {
            self.has_news(now);
        }
    }

    /// Returns for how long its issuer has said nothing, if that is too long.
    pub(super) fn silent_for(&self, now: Instant) -> Option<Duration> {
        if self.is_ended {
            return None;
        }
        self.heartbeats.silent_for(now)
    }

    /// Returns whether nothing new came of it for longer than an issuer is silent.
    pub(super) fn is_quiet(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last_news) > self.heartbeats.longest_silence()
    }

    /// Returns when its issuer's newest heartbeat came.
    pub(super) fn heartbeat_came(&self) -> Option<Instant> {
        self.heartbeats.newest_came()
    }

    /// Notes that something new came of it.
    const fn has_news(&mut self, now: Instant) {
        self.last_news = now;
        if self.is_presumed_ended {
            (self.is_ended, self.is_presumed_ended) = (false, false);
        }
    }

    pub(super) fn set_whole(&mut self, whole: Option<LogPosition>) {
        self.whole = whole;
        if let Some(whole) = whole {
            self.recent.push(whole.n, whole.digest);
        }
    }

    /// Joins what came ahead to what is whole, as far as it continues that.
    pub(super) fn go_on(&mut self, now: Instant) {
        while let (Some(whole), Some(first)) = (self.whole, self.ahead.first_entry()) {
            let (n, (prev, digest)) = (*first.key(), *first.get());
            if n <= whole.n {
                first.remove();
            } else if n == whole.n + 1 && prev == whole.digest {
                first.remove();
                self.set_whole(Some(LogPosition { n, digest, ..whole }));
            } else {
                break;
            }
        }
        let is_missing = match self.whole {
            None => true,
            Some(whole) => !self.ahead.is_empty() || self.end.is_some_and(|end| end.n > whole.n),
        };
        if is_missing {
            self.missing_since.get_or_insert(now);
        } else {
            self.missing_since = None;
            // It came in after all, or a list covers it.
            self.is_given_up = false;
        }
    }
}

/// How many messages are remembered beyond the first that is missing.
const MOST_AHEAD: usize = 4096;
