//! What is missing of a log, and for how long that may still come.

use std::time::Duration;

use tokio::time::Instant;

use crate::issuer_log::log::IssuerLog;

impl IssuerLog {
    /// Returns what is missing, if that has been missing for so long that it counts as lost from now on.
    pub(super) fn due(&mut self, now: Instant) -> Option<String> {
        let since = self.missing_since?;
        if self.is_lost() || now.saturating_duration_since(since) < LONGEST_WAIT {
            return None;
        }
        self.is_given_up = true;
        Some(self.what_is_missing())
    }

    pub(super) fn what_is_missing(&self) -> String {
        let (from, to) = (self.whole.map_or(1, |whole| whole.n + 1), self.furthest());
        match (self.whole, self.waits_for) {
            (None, Some(after)) => format!("the log before it was not read up to message {}", after.n),
            (None, None) => format!("what came before message {to} is not known"),
            _ if from >= to => format!("message {to} is missing"),
            _ => format!("some of the messages {from} to {to} are missing"),
        }
    }
}

/// For how long what is missing may still come: 2 seconds. Brokers swap messages, and a list costs more than waiting.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(2);
