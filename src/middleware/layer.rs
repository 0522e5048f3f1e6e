//! The layer, and its builder.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;

use crate::domain::trust_domain::TrustDomain;
use crate::in_flight::enforcer::Enforcer;
use crate::middleware::service::{Gate, RevocationService};
use crate::model::canary::Canary;
use crate::model::key::KeyKind;
use crate::model::options::{
    Anonymous, Cut, Enforcement, GuardExtension, LayerOptions, Running, StatusExtension, Unreadable,
};
use crate::model::policy::{ListPolicy, Policy, StalePolicy};
use crate::model::reach::Reach;
use crate::respond::Http;
use crate::sink::EventSink;

/// Refuses requests whose credential is revoked.
///
/// Made together with the sink that feeds it by [`pair`](Self::pair), and its own builder: see the [crate
/// docs](crate) for the whole picture. All clones share one trust domain: the credentials of one issuer. Two issuers need two
/// pairs, since their ids may coincide.
///
/// How stale lists, retention and capacity are dealt with is a matter of the domain, so that these setters reach every
/// clone of the layer, made before or after; the others are the layer's own.
#[derive(Clone, Debug)]
pub struct RevocationLayer<I, R = Http> {
    identify: I,
    respond: R,
    settings: LayerOptions,
    domain: Arc<TrustDomain>,
}

impl<I> RevocationLayer<I> {
    /// A layer that takes credentials from requests by `identify`, and the sink that feeds it.
    ///
    /// Until the first list is installed, credentials that no event has revoked are answered by the
    /// [`StalePolicy`].
    #[must_use]
    pub fn pair(identify: I) -> (Self, EventSink) {
        let domain = Arc::new(TrustDomain::new());
        let layer = Self {
            identify,
            respond: Http::default(),
            settings: LayerOptions::default(),
            domain: Arc::clone(&domain),
        };
        (layer, EventSink::new(domain))
    }
}

impl<I, R> RevocationLayer<I, R> {
    /// What to do while the list is stale or missing. Defaults to [`StalePolicy::FailClosed`].
    #[must_use]
    pub fn with_stale_policy(self, policy: StalePolicy) -> Self {
        self.with_policy(|domain| domain.stale = policy)
    }

    /// How long a list may be used after it was fetched or confirmed. Defaults to
    /// [`DEFAULT_MAX_AGE`](crate::DEFAULT_MAX_AGE).
    ///
    /// # Security
    ///
    /// While the event feed and the registry are both away, a revocation stays unknown for up to this long.
    #[must_use]
    pub fn with_max_age(self, max_age: Duration) -> Self {
        self.with_policy(|domain| domain.max_age = max_age)
    }

    /// Whether there is a list at all. Defaults to [`ListPolicy::Expected`].
    #[must_use]
    pub fn with_lists(self, lists: ListPolicy) -> Self {
        self.with_policy(|domain| domain.lists = lists)
    }

    /// How long an event's effect is kept. Defaults to [`DEFAULT_RETENTION`](crate::DEFAULT_RETENTION); must
    /// exceed the longest token lifetime.
    ///
    /// # Security
    ///
    /// A token that outlives the retention of its revocation passes again.
    #[must_use]
    pub fn with_retention(self, retention: Duration) -> Self {
        self.with_policy(|domain| domain.retention = retention)
    }

    /// By how much another machine's clock may be ahead of this one's. Defaults to
    /// [`DEFAULT_LEEWAY`](crate::DEFAULT_LEEWAY).
    #[must_use]
    pub fn with_leeway(self, leeway: Duration) -> Self {
        self.with_policy(|domain| domain.leeway = leeway)
    }

    /// How many keys events may hold, at some 140 bytes each. Defaults to
    /// [`DEFAULT_CAPACITY`](crate::DEFAULT_CAPACITY). Nothing is evicted at capacity: new events are to be
    /// retried.
    #[must_use]
    pub fn with_capacity(self, keys: NonZeroUsize) -> Self {
        self.with_policy(|domain| domain.capacity = keys)
    }

    /// Which proofs to expect that a revocation at the issuer is enforced here. Defaults to none.
    #[must_use]
    pub fn with_canary(self, canary: Canary) -> Self {
        self.domain.health().canary.terms = Some(canary);
        self
    }

    /// What to do with requests that present no credential. Defaults to [`Anonymous::Pass`].
    #[must_use]
    pub const fn with_anonymous(mut self, anonymous: Anonymous) -> Self {
        self.settings.anonymous = anonymous;
        self
    }

    /// What to do with credentials that cannot be read. Defaults to [`Unreadable::Refuse`].
    #[must_use]
    pub const fn with_unreadable(mut self, unreadable: Unreadable) -> Self {
        self.settings.unreadable = unreadable;
        self
    }

    /// Whether to refuse, or only to count and log what would be refused. Defaults to [`Enforcement::Enforce`].
    #[must_use]
    pub const fn with_enforcement(mut self, enforcement: Enforcement) -> Self {
        self.settings.enforcement = enforcement;
        self
    }

    /// Whether admitted requests carry a [`ListFreshness`](crate::ListFreshness) in their extensions. Defaults
    /// to [`StatusExtension::Omit`], since inserting it allocates.
    #[must_use]
    pub const fn with_status_extension(mut self, extension: StatusExtension) -> Self {
        self.settings.status_extension = extension;
        self
    }

    /// How a response body ends whose credential is revoked on its way. Defaults to [`Cut::Abort`].
    #[must_use]
    pub const fn with_cut(mut self, cut: Cut) -> Self {
        self.settings.cut = cut;
        self
    }

    /// What becomes of a handler that is still running when its request's credential is revoked. Defaults to
    /// [`Running::Finish`].
    #[must_use]
    pub const fn with_running(mut self, running: Running) -> Self {
        self.settings.running = running;
        self
    }

    /// Which revocations of a kind of key reach work in flight. Defaults to [`Reach::UnlessSuperseded`] for each kind: a
    /// rotation cuts nothing.
    #[must_use]
    pub const fn with_reach(mut self, kind: KeyKind, reach: Reach) -> Self {
        self.settings.reaches.set(kind, reach);
        self
    }

    /// Whether admitted requests carry a [`RevocationGuard`](crate::RevocationGuard) in their extensions, for work that
    /// outlives their response. Defaults to [`GuardExtension::Omit`], since inserting it allocates.
    ///
    /// # Security
    ///
    /// Whoever switches protocols (a WebSocket) has to listen to it: the layer sees nothing of what goes on behind the response.
    #[must_use]
    pub const fn with_guard_extension(mut self, extension: GuardExtension) -> Self {
        self.settings.guard_extension = extension;
        self
    }

    /// Writes refusals by `refuse`: a [`Refuse`](crate::respond::Refuse), such as a closure. Defaults to
    /// [`Problem`](crate::respond::Problem).
    #[must_use]
    pub fn with_response<F>(self, refuse: F) -> RevocationLayer<I, Http<F>> {
        self.with_protocol(Http::new(refuse))
    }

    /// Wraps services of another protocol than HTTP: a [`Respond`](crate::respond::Respond).
    #[must_use]
    pub fn with_protocol<P>(self, respond: P) -> RevocationLayer<I, P> {
        RevocationLayer {
            identify: self.identify,
            respond,
            settings: self.settings,
            domain: self.domain,
        }
    }

    fn with_policy(self, change: impl FnOnce(&mut Policy)) -> Self {
        self.domain.store.configure(change);
        self
    }
}

impl<S, I: Clone, R: Clone> Layer<S> for RevocationLayer<I, R> {
    type Service = RevocationService<S, I, R>;

    fn layer(&self, inner: S) -> Self::Service {
        let gate = Gate {
            identify: self.identify.clone(),
            respond: self.respond.clone(),
            enforcer: Arc::new(Enforcer {
                domain: Arc::clone(&self.domain),
                settings: self.settings,
            }),
        };
        RevocationService::new(inner, Arc::new(gate))
    }
}
