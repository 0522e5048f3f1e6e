//! How long to wait after the disk failed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use crate::domain::persistence::NotKept;

/// The pauses after a failure of the disk. They grow.
#[derive(Debug)]
pub(super) struct DiskBackoff {
    pauses: ExponentialBackoff,
    until: Option<(Instant, NotKept)>,
}

impl DiskBackoff {
    /// Returns why the last attempt failed, as long as it is too early for the next one.
    pub(super) fn problem(&self) -> Option<NotKept> {
        let (until, problem) = self.until.as_ref()?;
        (Instant::now() < *until).then(|| Arc::clone(problem))
    }

    /// Begins the next pause.
    pub(super) fn note_failure(&mut self, problem: &NotKept) {
        let pause = self.pauses.next().unwrap_or(LONGEST_PAUSE);
        self.until = Some((Instant::now() + pause, Arc::clone(problem)));
    }
}

impl Default for DiskBackoff {
    fn default() -> Self {
        let pauses = ExponentialBuilder::new()
            .with_min_delay(SHORTEST_PAUSE)
            .with_max_delay(LONGEST_PAUSE)
            .without_max_times();
        Self {
            pauses: pauses.build(),
            until: None,
        }
    }
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
