//! The check that every request passes.

use std::sync::Arc;

use crate::credential::Identity;
use crate::flight::Flight;
use crate::refusal::Refusal;
use crate::settings::{Anonymous, Enforcement, Unreadable};
use crate::verdict::RevocationStatus;

/// What every clone of one service shares.
#[derive(Debug)]
pub(crate) struct Gate<I, R> {
    pub(crate) identify: I,
    pub(crate) respond: R,
    pub(crate) flight: Arc<Flight>,
}

impl<I, R> Gate<I, R> {
    /// Whether a request that presents `identity` passes.
    pub(crate) fn check(&self, identity: &Identity) -> Result<Pass, Refusal> {
        let ruling = self.flight.domain.rule(identity);
        match ruling.refusal {
            Some(refusal) if self.stands(&refusal, identity) => Err(refusal),
            refusal => Ok(Pass {
                // What is only observed was counted here, and is not to be counted again.
                is_watched: !matches!(refusal, Some(Refusal::Revoked(_))),
                status: ruling.status,
                version: ruling.version,
            }),
        }
    }

    /// Whether a refusal is carried out.
    fn stands(&self, refusal: &Refusal, identity: &Identity) -> bool {
        let passes = match refusal {
            Refusal::Missing => self.flight.settings.anonymous == Anonymous::Pass,
            Refusal::Unreadable { .. } => self.flight.settings.unreadable == Unreadable::Pass,
            Refusal::Revoked(_) | Refusal::Unavailable { .. } => false,
        };
        if passes {
            return false;
        }
        let keys = match identity {
            Identity::Presented(credential) | Identity::Partial(credential, _) => credential.keys().count(),
            Identity::Anonymous | Identity::Unreadable(_) => 0,
        };
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

/// How a request passes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    /// Whether a revocation can end it from here on.
    pub(crate) is_watched: bool,
    /// How fresh the answer is.
    pub(crate) status: RevocationStatus,
    /// Which state admitted it.
    pub(crate) version: u64,
}
