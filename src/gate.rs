//! The check that every request passes.

use std::sync::Arc;

use crate::credential::Identity;
use crate::domain::Domain;
use crate::identify::Identify;
use crate::refusal::Refusal;
use crate::settings::{Anonymous, Enforcement, Settings, StatusExtension, Unreadable};
use crate::verdict::RevocationStatus;

/// What every clone of one service shares.
#[derive(Debug)]
pub(crate) struct Gate<I, R> {
    pub(crate) identify: I,
    pub(crate) respond: R,
    pub(crate) settings: Settings,
    pub(crate) domain: Arc<Domain>,
}

impl<I, R> Gate<I, R> {
    /// Whether `request` passes. If so, and if it was asked for, says how fresh the answer is.
    pub(crate) fn check<Req>(&self, request: &Req) -> Result<Option<RevocationStatus>, Refusal>
    where
        I: Identify<Req>,
    {
        let identity = self.identify.identify(request);
        let ruling = self.domain.rule(&identity);
        match ruling.refusal {
            Some(refusal) if self.stands(&refusal, &identity) => Err(refusal),
            _ => Ok(match self.settings.status_extension {
                StatusExtension::Omit => None,
                StatusExtension::Insert => Some(ruling.status),
            }),
        }
    }

    /// Whether a refusal is carried out.
    fn stands(&self, refusal: &Refusal, identity: &Identity) -> bool {
        let passes = match refusal {
            Refusal::Missing => self.settings.anonymous == Anonymous::Pass,
            Refusal::Unreadable { .. } => self.settings.unreadable == Unreadable::Pass,
            Refusal::Revoked(_) | Refusal::Unavailable { .. } => false,
        };
        if passes {
            return false;
        }
        let keys = match identity {
            Identity::Presented(credential) | Identity::Partial(credential, _) => credential.keys().count(),
            Identity::Anonymous | Identity::Unreadable(_) => 0,
        };
        match self.settings.enforcement {
            Enforcement::Enforce => {
                tracing::debug!(?refusal, keys, "request refused");
                true
            }
            Enforcement::Observe => {
                self.domain.counters.would_refuse();
                tracing::info!(?refusal, keys, "request would be refused");
                false
            }
        }
    }
}
