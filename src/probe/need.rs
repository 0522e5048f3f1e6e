//! What readiness may depend on besides the list.

use crate::status::{ConcernCode, FeedState, Status};

/// Names what a replica must have to be called ready, besides what its policy demands of the list.
///
/// Choose with the fleet in mind: all replicas share one broker and one issuer. What fails for all of them takes all of
/// them out of a load balancer at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Need {
    /// A canary that is refused, and was revoked not too long ago
    /// ([`DomainConfig::with_canary`](crate::DomainConfig::with_canary)). Never met if no canary is expected.
    Canary,
    /// A feed that is live: it is neither down nor still catching up.
    Feed,
    /// Signing keys of the issuer. Never met if no poller runs. For hosts that verify tokens with them.
    SigningKeys,
}

impl Need {
    /// Returns its name: `canary`, `feed` or `signing-keys`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Canary => "canary",
            Self::Feed => "feed",
            Self::SigningKeys => "signing-keys",
        }
    }

    pub(super) fn is_met(self, status: &Status) -> bool {
        match self {
            Self::Canary => status.canary.as_ref().is_some_and(|canary| !canary.is_overdue),
            Self::Feed => status.feed.state == FeedState::Live,
            Self::SigningKeys => status.poll.signing_keys.as_ref().is_some_and(|keys| keys.count > 0),
        }
    }

    /// The concerns that explain why it is not met.
    pub(super) const fn concerns(self) -> &'static [ConcernCode] {
        match self {
            Self::Canary => &[ConcernCode::CanaryOverdue],
            Self::Feed => &[
                ConcernCode::FeedDown,
                ConcernCode::FeedConnecting,
                ConcernCode::FeedCatchingUp,
            ],
            Self::SigningKeys => &[ConcernCode::NoSigningKeys],
        }
    }

    /// What to say if no concern explains it.
    pub(super) const fn unmet(self) -> &'static str {
        match self {
            Self::Canary => "No canary is expected, so none proves anything.",
            Self::Feed => "Nothing was said of an event feed yet.",
            Self::SigningKeys => "No poller runs that would fetch signing keys.",
        }
    }
}
