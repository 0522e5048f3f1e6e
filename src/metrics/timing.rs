//! How long things take, recorded as it happens.

use std::time::Duration;

use metrics::{Key, Label, with_recorder};

use crate::domain::observer::{Observer, Phase, Polled};
use crate::metrics::catalogue::{ENFORCEMENT_DELAY, POLL_DURATION, POLLS};
use crate::metrics::output::{METADATA, key};

/// Records how long things take.
pub(super) struct Timing {
    labels: Vec<Label>,
    /// Made once: there may be hundreds of thousands of events a second.
    catch_up: Key,
    live: Key,
}

impl Timing {
    pub(super) fn new(labels: Vec<Label>) -> Self {
        Self {
            catch_up: key(ENFORCEMENT_DELAY, &labels, &[("phase", "catch-up")]),
            live: key(ENFORCEMENT_DELAY, &labels, &[("phase", "live")]),
            labels,
        }
    }
}

impl Observer for Timing {
    fn enforced(&self, after: Duration, phase: Phase) {
        let key = match phase {
            Phase::CatchUp => &self.catch_up,
            Phase::Live => &self.live,
        };
        with_recorder(|recorder| recorder.register_histogram(key, &METADATA).record(after));
    }

    fn polled(&self, outcome: Polled, took: Duration) {
        let (outcome, reason) = match outcome {
            Polled::Confirmed => ("confirmed", "none"),
            Polled::Failed(why) => ("failed", why),
            Polled::Installed => ("installed", "none"),
            Polled::NoneYet => ("none-yet", "none"),
        };
        let count = key(POLLS, &self.labels, &[("outcome", outcome), ("reason", reason)]);
        let time = key(POLL_DURATION, &self.labels, &[("outcome", outcome)]);
        with_recorder(|recorder| {
            recorder.register_counter(&count, &METADATA).increment(1);
            recorder.register_histogram(&time, &METADATA).record(took);
        });
    }
}
