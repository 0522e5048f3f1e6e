//! The service that is told of logouts.

use std::borrow::Cow;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tokio::time::{Instant, timeout, timeout_at};
use tower_service::Service;

use crate::common::bounded_body::{Unread, read_bounded};
use crate::common::log;
use crate::domain::door_counts::DoorCounts;
use crate::doors::RelayStatements;
use crate::doors::relay_statements::AnyRelay;
use crate::jose::{RemoteKeySet, VerifyError};
use crate::logout::answer::{LogoutRefusal, answer};
use crate::logout::logout_error::LogoutError;
use crate::logout::logout_policy::LogoutPolicy;
use crate::model::key::KeyKind;
use crate::model::timestamp::Timestamp;
use crate::respond::AnswerUnread;
use crate::sink::EventSink;
use crate::statements::statement::Statement;

/// Takes in back-channel logouts of one issuer. A cheap clone; see the [module](super) for requests and answers.
#[derive(Clone)]
pub struct BackchannelLogout {
    sink: EventSink,
    keys: RemoteKeySet,
    policy: Arc<LogoutPolicy>,
    relay: Option<AnyRelay>,
    counts: Arc<DoorCounts>,
}

impl BackchannelLogout {
    /// Returns a service that feeds `sink` with the logouts that `policy` takes, and one of `keys` has signed.
    #[must_use]
    pub fn new(sink: EventSink, keys: RemoteKeySet, policy: LogoutPolicy) -> Self {
        let counts = sink
            .domain()
            .add_door(format!("back-channel logout of {}", policy.issuer()));
        Self {
            counts,
            sink,
            keys,
            policy: Arc::new(policy),
            relay: None,
        }
    }

    /// Sets what has all replicas hear of what reached this one. By default nothing is passed on.
    ///
    /// The answer waits for it, for some 2 s in all: issuers wait no longer. If it fails until then, the logout is in force here, and the
    /// issuer is asked to send it again.
    #[must_use]
    pub fn with_relay(mut self, relay: impl RelayStatements) -> Self {
        self.relay = Some(AnyRelay::new(relay));
        self
    }

    async fn take_in<B>(&self, head: &Parts, body: B) -> Result<(), LogoutRefusal>
    where
        B: Body<Error: Into<Box<dyn Error + Send + Sync>>>,
    {
        if head.method != Method::POST {
            return Err(LogoutRefusal::NotPosted);
        }
        let body = timeout(BODY_TIMEOUT, read_bounded(body, LARGEST_BODY, LARGEST_BODY))
            .await
            .map_err(|_late| LogoutRefusal::TooSlow)?
            .map_err(|unread| match unread {
                Unread::Broken(_) => LogoutRefusal::BrokenOff,
                Unread::TooLarge => LogoutRefusal::TooLarge,
            })?;
        let token = logout_token(&body).map_err(LogoutRefusal::Invalid)?;
        let door = self.clone();
        // It goes on if the issuer waits no longer: it tells nobody a second time.
        let told = tokio::spawn(async move { door.hear(&token).await });
        told.await.unwrap_or_else(|lost| Err(self.lost(lost.to_string())))
    }

    /// Verifies a logout token, and does what it says.
    async fn hear(&self, token: &str) -> Result<(), LogoutRefusal> {
        let claims = match self.keys.verify(token, &self.policy.header()).await {
            Ok(claims) => claims,
            Err(VerifyError::Jws(error)) => {
                let problem = error.problem();
                return Err(LogoutRefusal::Invalid(LogoutError::new(error.field(), problem)));
            }
            Err(error @ VerifyError::Keys(_)) => return Err(self.lost(error.to_string())),
        };
        let now = Timestamp::now();
        let told = self.policy.read(&claims, now).map_err(|error| {
            log::warn!(%error, "logout that the issuer signed is refused");
            self.counts.lost(error.to_string());
            LogoutRefusal::Invalid(error)
        })?;
        let statements = self.policy.statements(&told, now);
        if statements
            .iter()
            .flat_map(Statement::subjects)
            .all(|subject| subject.kind() == KeyKind::Session)
        {
            self.sink.domain().note_ended_session();
        }
        self.put_in_force(statements)
            .await
            .map_err(|problem| self.lost(problem))
    }

    /// Notes that a logout cannot be relied on.
    fn lost(&self, problem: String) -> LogoutRefusal {
        log::error!(problem, "logout cannot be relied on");
        self.counts.lost(problem.clone());
        LogoutRefusal::NotNow(problem)
    }

    /// Returns once the statements can be relied on; or why they cannot.
    async fn put_in_force(&self, statements: Vec<Statement>) -> Result<(), String> {
        let until = Instant::now() + LONGEST_ANSWER;
        let events = statements.iter().flat_map(Statement::events);
        let applied = self.sink.apply_all(events).map_err(|error| error.to_string())?;
        // It goes on beyond the time that an answer may take.
        let relaying = self.relay.as_ref().map(|relay| tokio::spawn(relay.relay(statements)));
        let relayed = async {
            match relaying {
                Some(relaying) => match relaying.await {
                    Ok(relayed) => relayed.map_err(|error| error.to_string()),
                    Err(lost) => Err(lost.to_string()),
                },
                None => Ok(()),
            }
        };
        let durable = async { applied.durable().await.map_err(|error| error.to_string()) };
        let both = async { tokio::join!(durable, relayed) };
        match timeout_at(until, both).await {
            Ok((durable, relayed)) => durable.and(relayed),
            Err(_late) => Err("the logout is in force here, and could not be kept or passed on in time".to_owned()),
        }
    }
}

impl<B> Service<Request<B>> for BackchannelLogout
where
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = LogoutFuture;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    /// # Panics
    ///
    /// Panics when the future is polled outside a tokio runtime with its clock enabled.
    fn call(&mut self, request: Request<B>) -> LogoutFuture {
        let door = self.clone();
        LogoutFuture(Box::pin(async move {
            let (head, body) = request.into_parts();
            let mut body = Box::pin(body).fuse();
            let outcome = door.take_in(&head, &mut body).await;
            match &outcome {
                Ok(()) => door.counts.taken_in(),
                Err(refusal) => {
                    log::debug!(code = refusal.code(), "logout not taken in");
                    door.counts.refused(refusal.code());
                }
            }
            let response = answer(head.version, outcome).map(Full::new);
            AnswerUnread::new(Request::from_parts(head, body), response).await
        }))
    }
}

impl fmt::Debug for BackchannelLogout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackchannelLogout")
            .field("keys", &self.keys)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// Resolves to the answer to a logout.
///
/// # Cancel safety
///
/// Dropped once the body was read, the logout is taken in all the same; it is not counted.
pub struct LogoutFuture(Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send>>);

impl Future for LogoutFuture {
    type Output = Result<Response<Full<Bytes>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context).map(Ok)
    }
}

impl fmt::Debug for LogoutFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogoutFuture").finish_non_exhaustive()
    }
}

/// Returns the one `logout_token` of a form ([§2.5](https://openid.net/specs/openid-connect-backchannel-1_0.html#BCRequest)). Other
/// parameters are ignored.
fn logout_token(form: &[u8]) -> Result<String, LogoutError> {
    let mut tokens = form_urlencoded::parse(form).filter(|(name, _)| name == PARAMETER);
    match (tokens.next(), tokens.next()) {
        (Some((_, token)), None) => Ok(Cow::into_owned(token)),
        (None, _) => Err(LogoutError::new(PARAMETER, "is missing in the form")),
        (Some(_), Some(_)) => Err(LogoutError::new(PARAMETER, "is there twice")),
    }
}

const PARAMETER: &str = "logout_token";

/// The longest body that is read, in bytes: that of a token of some 48 KiB.
const LARGEST_BODY: usize = 64 * 1024;

/// How long a body may take to come in.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an answer may take beyond a fetch of keys. Of the issuers that were run, oidc-provider gives up after 2.5 s, the others later.
const LONGEST_ANSWER: Duration = Duration::from_secs(2);
