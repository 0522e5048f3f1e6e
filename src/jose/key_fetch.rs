//! Fetching an issuer's keys, once.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use http::{StatusCode, Uri};
use http_body::Body;

use crate::fetch::exchange::{Answer, HttpClient, JSON, Limits, Plain, get};
use crate::fetch::fetch_error::FetchProblem;
use crate::jose::discovery::{Discovery, NoSuchAddress, read_jwks_uri};
use crate::jose::jwk_set::JwkSetError;
use crate::jose::key_set::KeySet;

/// Where keys are.
#[derive(Clone)]
pub(super) enum KeysPlace {
    At(Uri),
    Discovered { metadata: Uri, issuer: Box<str> },
}

impl KeysPlace {
    pub(super) fn discovered(discovery: Discovery, issuer: &str) -> Result<Self, NoSuchAddress> {
        Ok(Self::Discovered {
            metadata: discovery.address(issuer)?,
            issuer: issuer.into(),
        })
    }
}

impl fmt::Debug for KeysPlace {
    /// Writes it without the parts that may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(uri) | Self::Discovered { metadata: uri, .. } => write!(f, "{}", Plain(uri)),
        }
    }
}

/// Keys, and the address that they came from.
pub(super) struct FetchedKeys {
    pub(super) keys: KeySet,
    pub(super) address: Uri,
}

/// Fetches keys: from the address that is known from the time before, or wherever they are by now.
pub(super) type FetchKeys = Arc<dyn Fn(Option<Uri>) -> KeysFuture + Send + Sync>;

pub(super) type KeysFuture = Pin<Box<dyn Future<Output = Result<FetchedKeys, KeyFetchError>> + Send>>;

/// Returns what fetches the keys at `place` by `client`.
pub(super) fn key_fetch<C>(client: C, place: KeysPlace, limits: Limits) -> FetchKeys
where
    C: HttpClient<Body: Body<Data: Send> + Send, Future: Send, Error: Send> + Clone + Send + Sync + 'static,
{
    Arc::new(move |known| {
        let (client, place) = (client.clone(), place.clone());
        Box::pin(fetch_keys(client, place, known, limits))
    })
}

async fn fetch_keys<C: HttpClient>(
    mut client: C,
    place: KeysPlace,
    known: Option<Uri>,
    limits: Limits,
) -> Result<FetchedKeys, KeyFetchError> {
    let (metadata, issuer) = match place {
        KeysPlace::At(address) => return fetch_set(&mut client, address, limits).await,
        KeysPlace::Discovered { metadata, issuer } => (metadata, issuer),
    };
    if let Some(address) = known
        && let Ok(fetched) = fetch_set(&mut client, address, limits).await
    {
        return Ok(fetched);
    }
    let body = fetch_document(&mut client, &metadata, limits).await?;
    let address = read_jwks_uri(&body, &issuer)
        .map_err(|error| KeyFetchError::new(&metadata, KeyFetchProblem::Metadata(error)))?;
    fetch_set(&mut client, address, limits).await
}

async fn fetch_set<C: HttpClient>(client: &mut C, address: Uri, limits: Limits) -> Result<FetchedKeys, KeyFetchError> {
    let body = fetch_document(client, &address, limits).await?;
    let keys =
        KeySet::from_jwk_set(&body).map_err(|error| KeyFetchError::new(&address, KeyFetchProblem::Set(error)))?;
    Ok(FetchedKeys { keys, address })
}

async fn fetch_document<C: HttpClient>(client: &mut C, uri: &Uri, limits: Limits) -> Result<Vec<u8>, KeyFetchError> {
    let answer = get(client, uri, JSON, None, limits).await;
    let problem = match answer.map_err(|error| error.problem) {
        Ok(Answer::Document { body, .. }) => return Ok(body),
        Ok(Answer::NotModified) => KeyFetchProblem::Status(StatusCode::NOT_MODIFIED),
        Ok(Answer::Other { status, .. }) => KeyFetchProblem::Status(status),
        Err(problem) => KeyFetchProblem::Exchange(problem),
    };
    Err(KeyFetchError::new(uri, problem))
}

/// Why keys could not be fetched.
#[derive(Debug)]
pub struct KeyFetchError {
    /// Without the parts that may be secret.
    place: String,
    problem: KeyFetchProblem,
}

#[derive(Debug)]
enum KeyFetchProblem {
    Exchange(FetchProblem),
    /// The task that fetched them panicked, or the runtime is going down.
    Lost(tokio::task::JoinError),
    Metadata(NoSuchAddress),
    Set(JwkSetError),
    Status(StatusCode),
}

impl KeyFetchError {
    pub(super) fn lost(why: tokio::task::JoinError) -> Self {
        Self {
            place: "the fetch of signing keys".to_owned(),
            problem: KeyFetchProblem::Lost(why),
        }
    }

    fn new(place: &Uri, problem: KeyFetchProblem) -> Self {
        let place = Plain(place).to_string();
        Self { place, problem }
    }
}

impl fmt::Display for KeyFetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.place;
        match &self.problem {
            KeyFetchProblem::Exchange(problem) => write!(f, "{place}: {problem}"),
            KeyFetchProblem::Lost(why) => write!(f, "{place}: {why}"),
            KeyFetchProblem::Metadata(error) => write!(f, "{place}: {error}"),
            KeyFetchProblem::Set(error) => write!(f, "{place}: {error}"),
            KeyFetchProblem::Status(status) => write!(f, "{place}: status {}", status.as_u16()),
        }
    }
}

impl Error for KeyFetchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.problem {
            KeyFetchProblem::Exchange(problem) => problem.cause(),
            KeyFetchProblem::Set(error) => error.source(),
            KeyFetchProblem::Lost(_) | KeyFetchProblem::Metadata(_) | KeyFetchProblem::Status(_) => None,
        }
    }
}
