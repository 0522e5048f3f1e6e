//! What came to the doors through which other parties' statements come in.

#![cfg_attr(not(feature = "logout"), allow(dead_code, reason = "logouts have the one door"))]

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::domain::health::millis;
use crate::status::{DoorLossStatus, DoorStatus};

/// What came to one door.
#[derive(Debug)]
pub(crate) struct DoorCounts {
    name: String,
    counts: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    taken_in: u64,
    refused: BTreeMap<String, u64>,
    last_loss: Option<(String, Instant)>,
}

impl DoorCounts {
    pub(super) fn new(name: String) -> Self {
        let counts = Mutex::default();
        Self { name, counts }
    }

    /// Notes a request that was taken in.
    pub(crate) fn taken_in(&self) {
        self.counts().taken_in += 1;
    }

    /// Notes a request that was refused, by the part at fault.
    pub(crate) fn refused(&self, code: &str) {
        let mut counts = self.counts();
        match counts.refused.get_mut(code) {
            Some(count) => *count += 1,
            // The parts at fault are those of a token: some 20.
            None => drop(counts.refused.insert(code.to_owned(), 1)),
        }
    }

    /// Notes why something that the issuer told is not in force, or cannot be relied on.
    pub(crate) fn lost(&self, problem: String) {
        self.counts().last_loss = Some((problem, Instant::now()));
    }

    pub(super) fn status(&self, now: Instant) -> DoorStatus {
        let counts = self.counts();
        DoorStatus {
            name: self.name.clone(),
            taken_in: counts.taken_in,
            refused: counts.refused.clone(),
            last_loss: counts.last_loss.as_ref().map(|(problem, at)| DoorLossStatus {
                problem: problem.clone(),
                ms_ago: millis(now.saturating_duration_since(*at)),
            }),
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counted> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
