//! What the domain knows of its issuer's own logs.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::common::log;
use crate::domain::trust_domain::TrustDomain;
use crate::issuer_log::{IssuerLogs, LogView};
use crate::model::log_place::LogPosition;
use crate::state::snapshot::RevocationList;
use crate::status::IssuerLogStatus;

impl TrustDomain {
    /// Whoever holds this may ask for the health as well, and not the other way round.
    pub(super) fn issuer_logs(&self) -> MutexGuard<'_, IssuerLogs> {
        self.issuer_logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on where an earlier process ended.
    #[cfg_attr(not(feature = "journal"), expect(dead_code, reason = "only a journal keeps any"))]
    pub(crate) fn restore_issuer_logs(&self, whole: impl IntoIterator<Item = LogPosition>) {
        self.issuer_logs().restore(whole, Instant::now());
    }

    /// Takes what a list covers of the issuer's logs.
    pub(crate) fn list_covers(&self, list: &RevocationList) {
        let (was_lost, is_lost) = {
            let mut logs = self.issuer_logs();
            let was_lost = logs.is_lost();
            logs.covered(list.covers(), Instant::now());
            if was_lost && list.covers().is_empty() && self.makes_up_for_gap_of_no_loop(list) {
                logs.resynced(Instant::now());
            }
            (was_lost, logs.is_lost())
        };
        if was_lost && !is_lost {
            log::info!("a list covers what was missing of the issuer's log");
            self.close_gap_of_no_loop();
        }
    }

    /// Takes a list that was asked for after everything that came. One that says what it covers has closed what it closes.
    #[cfg(feature = "source")]
    pub(crate) fn resynced_issuer_logs(&self) {
        self.issuer_logs().resynced(Instant::now());
    }

    /// Returns whether messages of the issuer are lost that no list covers.
    #[cfg(feature = "source")]
    pub(crate) fn is_issuer_log_lost(&self) -> bool {
        self.issuer_logs().is_lost()
    }

    /// Notes that everything came in that was there when the feed was opened.
    #[cfg(feature = "source")]
    pub(crate) fn settle_issuer_logs(&self) {
        self.issuer_logs().settle();
    }

    /// Returns what was found to be lost since this was asked last.
    pub(crate) fn take_lost_messages(&self) -> Option<String> {
        let mut logs = self.issuer_logs();
        logs.look(Instant::now());
        logs.take_loss()
    }

    /// Returns for how long an issuer has been silent that is expected to speak.
    #[cfg(feature = "source")]
    pub(crate) fn silent_issuer(&self) -> Option<Duration> {
        self.issuer_logs().silent_for(Instant::now())
    }

    /// Returns whether everything came in up to where the issuers say that their logs end, and said so since a moment.
    #[cfg(feature = "source")]
    pub(crate) fn are_issuer_logs_at_end(&self, since: Instant) -> bool {
        self.issuer_logs().are_at_end(since, Instant::now())
    }

    /// Asks for a list if messages are found to be lost, where no loop reads the feed that would.
    pub(crate) fn look_for_lost_messages(&self) {
        let Some(lost) = self.take_lost_messages() else { return };
        log::warn!(lost, "gap in the issuer's log");
        {
            let report = &mut self.health().feed.report;
            report.gaps += 1;
            report.last_gap = Some((Instant::now(), lost.into()));
            report.is_gap_open = true;
        }
        self.refresh();
    }

    /// Whether a list was issued after messages were missed that no loop asks for a list for.
    fn makes_up_for_gap_of_no_loop(&self, list: &RevocationList) -> bool {
        let health = self.health();
        let report = &health.feed.report;
        let missed = report.last_gap.as_ref().filter(|_| report.source.is_none());
        let missed = missed.map(|(at, _)| self.now().saturating_sub(at.elapsed()));
        list.issued_at()
            .zip(missed)
            .is_some_and(|(issued, missed)| issued > missed)
    }

    /// A loop closes its gaps by itself.
    fn close_gap_of_no_loop(&self) {
        let report = &mut self.health().feed.report;
        if report.source.is_none() {
            report.is_gap_open = false;
        }
    }

    pub(super) fn issuer_log_status(&self) -> Vec<IssuerLogStatus> {
        let millis = |age: Duration| u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let logs = self.issuer_logs();
        let of = |log: LogView| IssuerLogStatus {
            log: log.log.to_string(),
            whole_to: log.whole,
            known_to: log.furthest,
            is_lost: log.is_lost,
            is_continued: log.is_ended,
            last_heartbeat_ms_ago: log.heartbeat_age.map(millis),
            is_silent: log.is_silent,
        };
        logs.look_at_each(Instant::now()).map(of).collect()
    }
}
