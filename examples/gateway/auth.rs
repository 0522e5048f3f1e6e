//! Authentication, in front of the revocation layer: who is asking, by a verified agent identity token.
//!
//! It never waits for the network: keys are those that the poller last fetched. A token with an unknown `kid` is
//! refused at once, and has the keys fetched anew in the background, at a limited rate, for the next time.
//!
//! The upstream system also has the agent prove that it holds the token's key (`X-Claw-Proof` and its nonce), and
//! asks the registry about its session. Both have nothing to do with revocation and are left out.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue};
use tower_revocation::crl::{JwsError, KeyHandle, verify_jws};
use tower_revocation::identify::ToCredential;
use tower_revocation::respond::{AnswerUnread, Problem, Refuse};
use tower_revocation::{Credential, DEFAULT_RETRY_AFTER, Key, Refusal, Timestamp, Unknown};

use crate::ait::AitClaims;
use crate::envelope::ErrorReply;
use crate::refusal::{self, invalid_ait, invalid_scheme, missing_token, unavailable};

/// Verifies tokens of one issuer.
#[derive(Clone)]
pub(crate) struct Authenticator {
    keys: KeyHandle,
    issuer: Arc<str>,
}

impl Authenticator {
    pub(crate) fn new(keys: KeyHandle, issuer: &str) -> Self {
        Self {
            keys,
            issuer: issuer.into(),
        }
    }

    fn agent(&self, headers: &HeaderMap) -> Result<Agent, Denial> {
        let token = token(headers)?;
        let keys = self.keys.current();
        if keys.is_empty() {
            self.keys.refetch();
            return Err(Denial::KeysUnavailable);
        }
        let claims = verify_jws(token, "AIT", &*keys).map_err(|error| {
            if matches!(error, JwsError::UnknownKey { .. }) {
                self.keys.refetch();
            }
            Denial::InvalidAit(error.to_string())
        })?;
        let claims: AitClaims =
            serde_json::from_slice(&claims).map_err(|error| Denial::InvalidAit(format!("claims: {error}")))?;
        let now = Timestamp::now().as_unix_secs();
        match claims.check(&self.issuer, now) {
            Ok(()) => Ok(Agent::from(&claims)),
            Err(problem) => Err(Denial::InvalidAit(problem.to_owned())),
        }
    }
}

/// Lets requests with a verified token pass, and says in their extensions whose it is.
pub(crate) async fn authenticate(State(verifier): State<Authenticator>, mut request: Request, next: Next) -> Response {
    match verifier.agent(request.headers()) {
        Ok(agent) => {
            request.extensions_mut().insert(agent);
            next.run(request).await
        }
        Err(denial) => {
            if let Denial::InvalidAit(problem) = &denial {
                tracing::debug!(%problem, "token refused");
            }
            let response = denial.respond(&request);
            AnswerUnread::new(request, response).await
        }
    }
}

/// Who is asking: what is left of a token once it is verified.
#[derive(Clone)]
pub(crate) struct Agent {
    credential: Credential,
    did: Arc<str>,
}

impl Agent {
    /// Its name, for those who write things down.
    pub(crate) const fn did(&self) -> &Arc<str> {
        &self.did
    }
}

impl From<&AitClaims> for Agent {
    fn from(claims: &AitClaims) -> Self {
        let credential = Credential::new()
            .with_key(Key::token(&claims.jti))
            .with_key(Key::subject(&claims.sub))
            .with_issued_at(Timestamp::from_unix_secs(claims.iat));
        Self {
            credential,
            did: claims.sub.as_str().into(),
        }
    }
}

impl ToCredential for Agent {
    fn to_credential(&self) -> Credential {
        self.credential.clone()
    }
}

/// Why a request is not authenticated.
enum Denial {
    InvalidAit(String),
    InvalidScheme,
    KeysUnavailable,
    MissingToken,
}

impl Denial {
    fn respond(self, request: &Request) -> Response {
        if let Some(grpc) = refusal::grpc(request) {
            return Problem::new().refuse(&self.into(), grpc).map(Body::from);
        }
        let retry_later = matches!(self, Self::KeysUnavailable);
        let mut response = ErrorReply::from(self).into_response(request.extensions());
        if retry_later {
            let seconds = HeaderValue::from(DEFAULT_RETRY_AFTER.as_secs());
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::InvalidAit(_) | Denial::InvalidScheme => Self::Unreadable {
                problem: "not verified",
            },
            Denial::KeysUnavailable => Self::Unavailable {
                why: Unknown::NoSnapshot,
                retry_after: DEFAULT_RETRY_AFTER,
            },
            Denial::MissingToken => Self::Missing,
        }
    }
}

impl From<Denial> for ErrorReply {
    fn from(denial: Denial) -> Self {
        match denial {
            // What is wrong with it goes into the log alone: it would only help those who forge.
            Denial::InvalidAit(_) => invalid_ait(),
            Denial::InvalidScheme => invalid_scheme(),
            Denial::KeysUnavailable => unavailable("Registry signing keys are unavailable"),
            Denial::MissingToken => missing_token(),
        }
    }
}

/// The token of `Authorization: Claw <token>`: the scheme to the letter, any white space, nothing else, and once.
fn token(headers: &HeaderMap) -> Result<&str, Denial> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Denial::MissingToken)?;
    // Which of several the service behind us would believe is anyone's guess.
    if values.next().is_some() {
        return Err(Denial::InvalidScheme);
    }
    let mut words = value
        .to_str()
        .map_err(|_| Denial::InvalidScheme)?
        .split_ascii_whitespace();
    match (words.next(), words.next(), words.next()) {
        (None, ..) => Err(Denial::MissingToken),
        (Some("Claw"), Some(token), None) => Ok(token),
        _ => Err(Denial::InvalidScheme),
    }
}
