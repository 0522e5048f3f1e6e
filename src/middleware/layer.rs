//! The layer, and its builder.

use std::sync::Arc;

use tower_layer::Layer;

use crate::domain::trust_domain::TrustDomain;
use crate::in_flight::enforcer::Enforcer;
use crate::middleware::service::{Gate, RevocationService};
use crate::model::domain_config::DomainConfig;
use crate::model::key::KeyKind;
use crate::model::options::{
    Anonymous, Cut, Enforcement, GuardExtension, LayerOptions, Running, StatusExtension, Unreadable,
};
use crate::model::reach::Reach;
use crate::respond::Http;
use crate::sink::EventSink;

/// Refuses requests whose credential is revoked.
///
/// [`pair`](Self::pair) makes it together with the sink that feeds it. The layer is its own builder: see the [crate
/// docs](crate) for the whole picture. All clones share one trust domain: the credentials of one issuer. Two issuers
/// need two pairs, since their ids may coincide.
///
/// The domain holds what to do about stale lists, retention and capacity: see [`DomainConfig`]. The options set here
/// belong to this layer, and to the clones made of it afterwards.
#[derive(Clone, Debug)]
pub struct RevocationLayer<I, R = Http> {
    identify: I,
    respond: R,
    options: LayerOptions,
    domain: Arc<TrustDomain>,
}

impl<I> RevocationLayer<I> {
    /// Returns a layer that takes credentials from requests by `identify`, and the sink that feeds it. The trust domain
    /// has its default configuration: see [`DomainConfig`].
    ///
    /// Until the first list is installed, the [`StalePolicy`](crate::StalePolicy) answers for credentials that no event
    /// has revoked.
    #[must_use]
    pub fn pair(identify: I) -> (Self, EventSink) {
        Self::pair_with(DomainConfig::new(), identify)
    }

    /// Returns what [`pair`](Self::pair) returns, with a configuration that the host chose.
    #[must_use]
    pub fn pair_with(config: DomainConfig, identify: I) -> (Self, EventSink) {
        let domain = Arc::new(TrustDomain::new(config));
        let layer = Self {
            identify,
            respond: Http::default(),
            options: LayerOptions::default(),
            domain: Arc::clone(&domain),
        };
        (layer, EventSink::new(domain))
    }
}

impl<I, R> RevocationLayer<I, R> {
    /// Sets what to do with requests that present no credential. Defaults to [`Anonymous::Pass`].
    #[must_use]
    pub const fn with_anonymous(mut self, anonymous: Anonymous) -> Self {
        self.options.anonymous = anonymous;
        self
    }

    /// Sets what to do with credentials that cannot be read. Defaults to [`Unreadable::Refuse`].
    #[must_use]
    pub const fn with_unreadable(mut self, unreadable: Unreadable) -> Self {
        self.options.unreadable = unreadable;
        self
    }

    /// Sets whether to refuse, or only to count and log what would be refused. Defaults to [`Enforcement::Enforce`].
    #[must_use]
    pub const fn with_enforcement(mut self, enforcement: Enforcement) -> Self {
        self.options.enforcement = enforcement;
        self
    }

    /// Sets whether admitted requests carry a [`ListFreshness`](crate::ListFreshness) in their extensions. Defaults to
    /// [`StatusExtension::Omit`], since inserting it allocates.
    #[must_use]
    pub const fn with_status_extension(mut self, extension: StatusExtension) -> Self {
        self.options.status_extension = extension;
        self
    }

    /// Sets how a response body ends if its credential is revoked while it is sent. Defaults to [`Cut::Abort`].
    #[must_use]
    pub const fn with_cut(mut self, cut: Cut) -> Self {
        self.options.cut = cut;
        self
    }

    /// Sets what happens to a handler that is still running when its request's credential is revoked. Defaults to
    /// [`Running::Finish`].
    #[must_use]
    pub const fn with_running(mut self, running: Running) -> Self {
        self.options.running = running;
        self
    }

    /// Sets which revocations of a kind of key reach work in flight. Defaults to [`Reach::UnlessSuperseded`] for each
    /// kind: a rotation cuts nothing.
    #[must_use]
    pub const fn with_reach(mut self, kind: KeyKind, reach: Reach) -> Self {
        self.options.reaches.set(kind, reach);
        self
    }

    /// Sets whether admitted requests carry a [`RevocationGuard`](crate::RevocationGuard) in their extensions, for work
    /// that outlives their response. Defaults to [`GuardExtension::Omit`], since inserting it allocates.
    ///
    /// # Security
    ///
    /// A handler that switches protocols (a WebSocket) has to listen to the guard: the layer sees nothing of what
    /// happens after the response.
    #[must_use]
    pub const fn with_guard_extension(mut self, extension: GuardExtension) -> Self {
        self.options.guard_extension = extension;
        self
    }

    /// Sets what writes refusals: a [`Refuse`](crate::respond::Refuse), such as a closure. Defaults to
    /// [`Problem`](crate::respond::Problem).
    #[must_use]
    pub fn with_response<F>(self, refuse: F) -> RevocationLayer<I, Http<F>> {
        self.with_protocol(Http::new(refuse))
    }

    /// Sets the protocol of the services that it wraps: a [`Respond`](crate::respond::Respond). Defaults to [`Http`].
    #[must_use]
    pub fn with_protocol<P>(self, respond: P) -> RevocationLayer<I, P> {
        RevocationLayer {
            identify: self.identify,
            respond,
            options: self.options,
            domain: self.domain,
        }
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
                options: self.options,
            }),
        };
        RevocationService::new(inner, Arc::new(gate))
    }
}
