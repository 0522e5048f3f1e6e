//! The layer, and its builder.

use std::sync::Arc;

use tower_layer::Layer;

use crate::domain::trust_domain::TrustDomain;
use crate::in_flight::enforcer::Enforcer;
use crate::middleware::exemption::Exemption;
use crate::middleware::service::{Gate, RevocationService};
use crate::model::challenge::Challenge;
use crate::model::domain_config::DomainConfig;
use crate::model::key::KeyKind;
use crate::model::options::{
    Anonymous, Cut, Enforcement, GuardExtension, LayerOptions, Running, StatusExtension, Unreadable,
};
use crate::model::reach::Reach;
use crate::respond::{Http, RequestHead};
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
    challenges: Vec<Challenge>,
    exemption: Exemption,
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
            challenges: Vec::new(),
            exemption: Exemption::default(),
            domain: Arc::clone(&domain),
        };
        (layer, EventSink::new(domain))
    }
}

impl<I, R> RevocationLayer<I, R> {
    /// Sets what to do with requests that present no credential. Defaults to [`Anonymous::Pass`].
    ///
    /// ```
    /// use http::header::AUTHORIZATION;
    /// use tower_revocation::{Anonymous, RevocationLayer, identify};
    ///
    /// let (layer, sink) = RevocationLayer::pair(identify::jwt(AUTHORIZATION, "Bearer"));
    /// let layer = layer
    ///     .with_anonymous(Anonymous::Challenge)
    ///     // Some calls never have a token: preflights of browsers, probes, a login, the end of a session that is in a cookie.
    ///     .with_anonymous_allowed(|request| {
    ///         request.is_preflight() || matches!(request.path(), "/healthz" | "/login" | "/logout")
    ///     });
    /// # let _ = (layer, sink);
    /// ```
    #[must_use]
    pub const fn with_anonymous(mut self, anonymous: Anonymous) -> Self {
        self.options.anonymous = anonymous;
        self
    }

    /// Sets which requests pass without a credential under [`Anonymous::Challenge`]. Defaults to CORS preflights
    /// ([`RequestHead::is_preflight`]), which browsers send without one: a rule of your own has to name them, too, unless a CORS layer
    /// around this one answers them.
    ///
    /// Only a request that presents no credential is put to the rule. It must not block. A protocol other than HTTP has no such
    /// requests, unless it implements [`Respond::head`](crate::respond::Respond::head).
    ///
    /// # Security
    ///
    /// What it lets through is as open as if the layer were not there. Say what is open, and compare it whole:
    ///
    /// - The path is the one that this layer sees. A router that nests another takes the prefix off: around `nest("/api", …)` the
    ///   path is `/api/logout`, within it `/logout`.
    /// - It is not decoded, and `//logout` or `/%6Cogout` is another path, though your router or upstream may take it for the same.
    ///   So `==` errs on the strict side, and `!=` or `starts_with` does not: `/public/../admin` begins with `/public/`.
    /// - A preflight reaches the inner service. If that does not answer it by itself, as a proxy does not, an upstream that acts upon
    ///   `OPTIONS` gets it without a credential.
    #[must_use]
    pub fn with_anonymous_allowed(mut self, rule: impl Fn(&RequestHead<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.exemption = Exemption::new(rule);
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

    /// Adds a challenge, with which a refusal asks for a credential: one for each scheme that is welcome, the best one first.
    ///
    /// By default a refusal asks for what `identify` reads, without parameters: `identify::jwt(AUTHORIZATION, "DPoP")` asks for
    /// `DPoP`. If it names no scheme, as [`identify::extension`](crate::identify::extension) does not, it asks for `Bearer`. The
    /// first challenge that you add takes the place of all these.
    ///
    /// ```
    /// use http::header::AUTHORIZATION;
    /// use tower_revocation::respond::Challenge;
    /// use tower_revocation::{RevocationLayer, identify};
    ///
    /// let jwt = identify::jwt(AUTHORIZATION, "DPoP").with_scheme("Bearer");
    /// let (layer, sink) = RevocationLayer::pair(jwt);
    /// let metadata = "https://api.example.com/.well-known/oauth-protected-resource";
    /// let layer = layer
    ///     .with_challenge(Challenge::dpop().with_algs("ES256")?.with_resource_metadata(metadata)?)
    ///     .with_challenge(Challenge::bearer().with_resource_metadata(metadata)?);
    /// # let _ = (layer, sink);
    /// # Ok::<_, tower_revocation::respond::ChallengeError>(())
    /// ```
    ///
    /// Over HTTP, each challenge is a `WWW-Authenticate` of its own. They are added to a 401 that has none, whoever writes it, since
    /// [RFC 9110 §15.5.2](https://www.rfc-editor.org/rfc/rfc9110#section-15.5.2) demands one, even where the credential travels in a
    /// cookie. Other refusals have none: 503 asks for patience, and a response that is withheld (403) must not ask for a new try.
    /// `error="invalid_token"` stands in the challenge whose scheme the request presents in `Authorization`, which then comes first;
    /// if it presents none of them there, in the first; and nowhere if there was no credential.
    #[must_use]
    pub fn with_challenge(mut self, challenge: Challenge) -> Self {
        self.challenges.push(challenge);
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
            challenges: self.challenges,
            exemption: self.exemption,
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
            challenges: self.challenges.clone(),
            exemption: self.exemption.clone(),
            enforcer: Arc::new(Enforcer {
                domain: Arc::clone(&self.domain),
                options: self.options,
            }),
        };
        RevocationService::new(inner, Arc::new(gate))
    }
}
