//! The check that every request passes.

use std::sync::Arc;

use crate::credential::{Credential, Identity};
use crate::flight::Flight;
use crate::refusal::Refusal;
use crate::settings::{Anonymous, Enforcement, Unreadable};

/// What every clone of one service shares.
#[derive(Debug)]
pub(crate) struct Gate<I, R> {
    pub(crate) identify: I,
    pub(crate) respond: R,
    pub(crate) flight: Arc<Flight>,
}

impl<I, R> Gate<I, R> {
    /// Whether a refusal is carried out: what the domain knows is one thing, what this layer does about it another.
    pub(crate) fn stands(&self, refusal: &Refusal, identity: &Identity) -> bool {
        let passes = match refusal {
            Refusal::Missing => self.flight.settings.anonymous == Anonymous::Pass,
            Refusal::Unreadable { .. } => self.flight.settings.unreadable == Unreadable::Pass,
            Refusal::Revoked(_) | Refusal::Unavailable { .. } => false,
        };
        if passes {
            return false;
        }
        let keys = identity.credential().map_or(0, Credential::len);
        match self.flight.settings.enforcement {
            Enforcement::Enforce => {
                tracing::debug!(?refusal, keys, "request refused");
                true
            }
            Enforcement::Observe => {
                self.flight.domain.counters.would_refuse();
                tracing::info!(?refusal, keys, "request would be refused");
                false
            }
        }
    }
}
