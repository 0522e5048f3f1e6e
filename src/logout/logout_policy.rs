//! What a receiver of logouts takes, and what it makes of them.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::identify::SESSIONLESS_SUBJECT;
use crate::jose::{Algorithm, JwsPolicy};
use crate::logout::logout_error::LogoutError;
use crate::logout::logout_token::LogoutToken;
use crate::model::timestamp::Timestamp;
use crate::statements::statement::Statement;
use crate::statements::subject::Subject;

/// Says which logout tokens are taken, and what they end.
#[derive(Clone, Debug)]
pub struct LogoutPolicy {
    issuer: String,
    client_ids: Option<BTreeSet<String>>,
    algorithms: Vec<Algorithm>,
    effect: LogoutEffect,
    without_exp: Option<Duration>,
    skew: Duration,
    hold: Duration,
}

/// Names what a logout ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogoutEffect {
    /// The session that the token names, and nothing else; the user's if it names none. The default.
    ///
    /// Void where access tokens do not name their session: that shows as a concern once such a logout came. Among issuers that were run,
    /// Keycloak, better-auth and `idpyoidc` put `sid` into access tokens by themselves; oidc-provider, Hydra and glewlwyd do not.
    #[default]
    Session,
    /// All that was issued to the user up to the logout; the session if the token names no user.
    ///
    /// Ends the user's other sessions too, until they refresh their tokens. Void for clients to which the issuer calls the user by a
    /// name of their own (pairwise subjects).
    Subject,
    /// By what each credential names: those of the session that the token names; and those of its user that name no session at all. The
    /// user's, if the token names no session.
    ///
    /// Credentials without a session have to present their subject by a key of the name
    /// [`SESSIONLESS_SUBJECT`](crate::identify::SESSIONLESS_SUBJECT) as well: see
    /// [`Jwt::with_sessionless_subjects`](crate::identify::Jwt::with_sessionless_subjects).
    ByCredential,
}

impl LogoutPolicy {
    /// Takes logout tokens of `issuer`, to the letter, that are for one of these clients.
    ///
    /// The audience of a logout token is the id of the client that is told, also where access tokens have another audience. An issuer
    /// tells each client of a session by a token of its own: name all of them whose tokens come to this service.
    #[must_use]
    pub fn new<T: Into<String>>(issuer: impl Into<String>, client_ids: impl IntoIterator<Item = T>) -> Self {
        Self {
            issuer: issuer.into(),
            client_ids: Some(client_ids.into_iter().map(Into::into).collect()),
            algorithms: Algorithm::ALL.to_vec(),
            effect: LogoutEffect::default(),
            without_exp: None,
            skew: Duration::ZERO,
            hold: Duration::ZERO,
        }
    }

    /// Takes logout tokens for any client of the issuer.
    ///
    /// # Security
    ///
    /// A client of the issuer that can have tokens made of any form might have one made that ends somebody else's session. Issuers sign
    /// `events` in logout tokens alone.
    #[must_use]
    pub fn for_any_client(mut self) -> Self {
        self.client_ids = None;
        self
    }

    /// Sets what a logout ends. Defaults to [`LogoutEffect::Session`].
    #[must_use]
    pub const fn with_effect(mut self, effect: LogoutEffect) -> Self {
        self.effect = effect;
        self
    }

    /// Sets which algorithms are taken. Defaults to [all](Algorithm::ALL): issuers choose one for each client, and each key is for its own
    /// alone.
    #[must_use]
    pub fn with_algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// Takes tokens without an `exp` as well, until they are so old by their `iat`. By default they are refused, as §2.4 demands one. Hydra
    /// 2.3 and glewlwyd 2.7 state none.
    #[must_use]
    pub const fn with_missing_exp(mut self, oldest: Duration) -> Self {
        self.without_exp = Some(oldest);
        self
    }

    /// Cuts off what was issued up to so long after the token's `iat` too, but not after it came. Defaults to zero.
    ///
    /// For issuers that date tokens back: zitadel's library takes a setting of each client, up to 5 s, off all its dates.
    #[must_use]
    pub const fn with_skew(mut self, skew: Duration) -> Self {
        self.skew = skew;
        self
    }

    /// Refuses what is issued of an ended session within so long after the logout as well. Defaults to zero.
    ///
    /// At some issuers (Hydra 2.3) a code of before the logout can be redeemed after it, and gives tokens of the ended session: make it as
    /// long as a code lives. Tokens of offline grants that go on with the session's id (Keycloak, oidc-provider) are refused too until they
    /// are refreshed after that time.
    #[must_use]
    pub const fn with_hold(mut self, hold: Duration) -> Self {
        self.hold = hold;
        self
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Returns what a logout token's header has to say.
    ///
    /// `typ` is `logout+jwt`, `JWT` or missing: "requiring it will break most existing deployments" (§4).
    pub(super) fn header(&self) -> JwsPolicy {
        JwsPolicy::new(self.algorithms.iter().copied())
            .with_types(["logout+jwt", "JWT"])
            .or_untyped()
    }

    /// Reads the claims of a logout token whose signature is verified ([§2.6](https://openid.net/specs/openid-connect-backchannel-1_0.html#Validation)):
    /// for hosts with a door of their own. `now` is the wall clock's time.
    ///
    /// `exp` is taken for 60 s longer, and an `iat` from the future for now.
    ///
    /// # Errors
    ///
    /// A [`LogoutError`] that names the claim.
    pub fn read(&self, claims: &[u8], now: Timestamp) -> Result<LogoutToken, LogoutError> {
        let mut token = LogoutToken::read(claims)?;
        if token.issuer != self.issuer {
            return Err(LogoutError::new("iss", "is not the expected issuer"));
        }
        if let Some(client_ids) = &self.client_ids
            && !token.audiences.iter().any(|audience| client_ids.contains(audience))
        {
            return Err(LogoutError::new("aud", "is none of the expected clients"));
        }
        match (token.expires_at, self.without_exp) {
            (Some(exp), _) if exp.saturating_add(LEEWAY) > now => {}
            (Some(_), _) => return Err(LogoutError::new("exp", "has passed")),
            (None, Some(oldest)) if token.issued_at.saturating_add(oldest) >= now => {}
            (None, Some(_)) => return Err(LogoutError::new("iat", "is too old for a token without an exp")),
            (None, None) => return Err(LogoutError::new("exp", "is missing")),
        }
        // A cut-off cannot be undone.
        token.issued_at = token.issued_at.min(now);
        Ok(token)
    }

    /// Returns what the logout ends, as an issuer says it.
    #[must_use]
    pub fn statements(&self, token: &LogoutToken, now: Timestamp) -> Vec<Statement> {
        let session = token.session.as_deref().map(Subject::session);
        let subject = token.subject.as_deref();
        let (session, subject) = match (self.effect, session, subject) {
            (LogoutEffect::Session, Some(session), _) => (Some(session), None),
            (LogoutEffect::Subject, _, Some(subject)) => (None, Some(Subject::subject(subject))),
            (LogoutEffect::ByCredential, Some(session), Some(subject)) => {
                (Some(session), Some(Subject::named(SESSIONLESS_SUBJECT, subject)))
            }
            (_, session, subject) => (session, subject.map(Subject::subject)),
        };
        let cut_off = |subject, at| Statement::cut_off(subject).at(at);
        let at = token.issued_at.saturating_add(self.skew).min(now.max(token.issued_at));
        let until = match self.hold {
            Duration::ZERO => at,
            // From the logout on, however often and late its token comes.
            hold => at.saturating_add(hold),
        };
        let session = session.map(|session| cut_off(session, until));
        session
            .into_iter()
            .chain(subject.map(|subject| cut_off(subject, at)))
            .collect()
    }
}

/// How far the issuer's clock may be behind ours: that of most verifiers.
const LEEWAY: Duration = Duration::from_secs(60);
