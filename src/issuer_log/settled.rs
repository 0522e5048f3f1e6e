//! What makes up for what is missing of a log: a list, or another log that continues it.

use tokio::time::Instant;

use crate::issuer_log::log::IssuerLog;
use crate::model::log_place::LogPosition;

impl IssuerLog {
    /// Notes that another log continues this one behind a position. If that was read, whatever came or is missing beyond it is of no
    /// matter: its issuer did not know of it, and says it again.
    pub(super) fn is_continued(&mut self, after: LogPosition) -> bool {
        (self.is_ended, self.is_presumed_ended) = (true, false);
        if !self.reaches(after) {
            return false;
        }
        self.ahead.clear();
        (self.end, self.missing_since, self.is_given_up) = (None, None, false);
        self.contradiction = self.contradiction.filter(|at| *at <= after.n);
        true
    }

    /// Notes that its issuer goes on in another log, and gave a list: whatever is missing of this one is of no matter any more.
    pub(super) fn is_past(&mut self) {
        self.is_presumed_ended |= !self.is_ended;
        self.is_ended = true;
        self.ahead.clear();
        (self.end, self.missing_since, self.waits_for) = (None, None, None);
        (self.is_given_up, self.contradiction) = (false, None);
    }

    /// Notes how it begins, if that was not known.
    pub(super) fn begin(&mut self, after: Option<LogPosition>, now: Instant) {
        match after {
            _ if self.whole.is_some() => {}
            None => self.begins(now),
            Some(_) => self.waits_for = after,
        }
    }

    /// Notes that the log that this one continues was read as far as this one says.
    pub(super) fn begins(&mut self, now: Instant) {
        self.waits_for = None;
        if self.whole.is_none() {
            self.set_whole(Some(LogPosition::beginning(self.id)));
        }
        self.go_on(now);
    }

    /// Takes what a list covers of it.
    pub(super) fn covered(&mut self, covers: LogPosition, now: Instant) {
        let is_settled = self.contradiction.is_some_and(|at| covers.n >= at);
        let is_news = self.whole.is_none_or(|whole| covers.n > whole.n);
        // Where two messages contradict each other, the list says which one its issuer has.
        if is_news || (is_settled && self.contradicts(covers)) {
            self.waits_for = None;
            self.set_whole(Some(covers));
            self.end = self.end.filter(|end| end.n > covers.n);
        }
        if is_settled {
            self.contradiction = None;
        }
        self.go_on(now);
    }

    /// Takes a list that was asked for after everything that came: it makes up for whatever is lost.
    pub(super) fn resynced(&mut self, now: Instant) {
        if !self.is_lost() {
            return;
        }
        (self.waits_for, self.contradiction, self.is_given_up) = (None, None, false);
        while let Some((n, (prev, _))) = self.ahead.first_key_value() {
            let before = LogPosition {
                log: self.id,
                n: n - 1,
                digest: *prev,
            };
            self.set_whole(Some(before));
            self.go_on(now);
        }
        let whole = self.whole.map_or(0, |whole| whole.n);
        if let Some(end) = self.end.filter(|end| end.n >= whole) {
            self.set_whole(Some(end));
        }
        self.go_on(now);
    }
}
