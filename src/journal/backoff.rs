//! How long to wait after the disk failed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::backoff::Backoff;
use crate::domain::persistence::NotKept;

/// The pauses after a failure of the disk. They grow.
#[derive(Debug)]
pub(super) struct DiskBackoff {
    pauses: Backoff,
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
        let pause = self.pauses.pause();
        self.until = Some((Instant::now() + pause, Arc::clone(problem)));
    }
}

impl Default for DiskBackoff {
    fn default() -> Self {
        Self {
            pauses: Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE),
            until: None,
        }
    }
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
