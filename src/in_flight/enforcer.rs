//! What all work that one service admitted has in common.

use std::fmt;
use std::sync::Arc;

use crate::common::log;
use crate::domain::trust_domain::TrustDomain;
use crate::model::options::{Enforcement, LayerOptions};
use crate::model::verdict::Revoked;

/// What all work that one service admitted has in common: the domain that may revoke it, and the options that say what
/// happens then.
pub(crate) struct Enforcer {
    pub(crate) domain: Arc<TrustDomain>,
    pub(crate) options: LayerOptions,
}

impl Enforcer {
    /// Counts a piece of work that a revocation ends, and returns why, unless the layer only observes.
    pub(crate) fn end(&self, why: Revoked) -> Option<Revoked> {
        let Revoked {
            kind, effect, source, ..
        } = why;
        let (effect, source) = (effect.as_str(), source.as_str());
        match self.options.enforcement {
            Enforcement::Enforce => {
                self.domain.counters.cut();
                log::debug!(%kind, effect, source, "work in flight ended");
                Some(why)
            }
            Enforcement::Observe => {
                self.domain.counters.would_cut();
                log::info!(%kind, effect, source, "work in flight would be ended");
                None
            }
        }
    }
}

impl fmt::Debug for Enforcer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enforcer")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
