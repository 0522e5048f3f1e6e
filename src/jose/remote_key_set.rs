//! An issuer's keys, fetched when they are needed.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Uri;
use http_body::Body;
use tokio::sync::{Mutex, OwnedMutexGuard, watch};
use tokio::time::{Instant, sleep_until};

use crate::common::error_text::error_text;
use crate::common::log;
use crate::fetch::exchange::{HttpClient, Limits};
use crate::jose::discovery::{Discovery, NoSuchAddress};
use crate::jose::jws::Jws;
use crate::jose::jws_error::JwsError;
use crate::jose::jws_policy::JwsPolicy;
use crate::jose::key_fetch::{FetchKeys, KeyFetchError, KeysPlace, key_fetch};
use crate::jose::key_set::KeySet;

/// The signing keys of an issuer, as its JWK set has them; fetched over any tower HTTP client when they are needed. A cheap clone.
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::Empty;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use tower_revocation::jose::{Algorithm, Discovery, JwsPolicy, RemoteKeySet};
///
/// # async fn example(token: &str) -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
/// let keys = RemoteKeySet::discovered(client, Discovery::OpenIdConnect, "http://sso.example/realms/acme")?;
/// let claims = keys.verify(token, &JwsPolicy::new([Algorithm::Rs256, Algorithm::Es256])).await?;
/// # Ok(())
/// # }
/// ```
///
/// - **A token that names an unknown key** waits for a fetch: issuers rotate keys, and some make one with the first login that needs it.
///   A token of before the rotation needs no fetch.
/// - **One at a time.** However many tokens name unknown keys, one fetch is under way, and fetches start at least
///   [`COOL_DOWN`] apart: the first starts at once, a later one waits for the rest of that time. A failed fetch makes it no
///   longer.
/// - **Old keys** are fetched again once they are [`REMOTE_KEYS_MAX_AGE`] old, behind the token that found them old: nobody waits. If
///   that fails, the old ones stay.
/// - **Bounds**: [`KEYS_TIMEOUT`] for each exchange, 128 KiB for each document.
///
/// # Security
///
/// What cannot be right without a key is refused before any fetch: another algorithm, another type, a `crit`. A withdrawn key goes with
/// the next fetch: ask for it by [`refresh`](Self::refresh) where one is known to be withdrawn. Anybody can send tokens that name
/// unknown keys, and have a request to the issuer made each second.
#[derive(Clone)]
pub struct RemoteKeySet {
    shared: Arc<SharedKeys>,
}

struct SharedKeys {
    known: watch::Sender<KnownKeys>,
    place: KeysPlace,
    fetch: FetchKeys,
    /// How many fetches have started. Each is for all who asked before it did.
    started: AtomicU64,
    /// Held by the fetch that is under way.
    flight: Arc<Mutex<Flight>>,
}

#[derive(Clone, Default)]
struct KnownKeys {
    keys: Arc<KeySet>,
    fetched_at: Option<Instant>,
    last_error: Option<Arc<KeyFetchError>>,
}

#[derive(Default)]
struct Flight {
    tried_at: Option<Instant>,
    address: Option<Uri>,
}

impl RemoteKeySet {
    /// Returns the keys of the JWK set at this address. Fetches nothing yet.
    #[must_use]
    pub fn at<C>(client: C, jwks_uri: Uri) -> Self
    where
        C: HttpClient<Body: Body<Data: Send> + Send, Future: Send, Error: Send> + Clone + Send + Sync + 'static,
    {
        Self::of(client, KeysPlace::At(jwks_uri))
    }

    /// Returns the keys of this issuer, such as `https://sso.example.com/realms/acme`, whose metadata say where they are. Fetches nothing
    /// yet.
    ///
    /// The metadata have to name the issuer to the letter. They are read with the first fetch, and again if no keys are to be had where
    /// they were.
    ///
    /// # Errors
    ///
    /// Fails if the issuer is not a URL of http or https, or has a query or a fragment.
    pub fn discovered<C>(client: C, discovery: Discovery, issuer: &str) -> Result<Self, NoSuchAddress>
    where
        C: HttpClient<Body: Body<Data: Send> + Send, Future: Send, Error: Send> + Clone + Send + Sync + 'static,
    {
        Ok(Self::of(client, KeysPlace::discovered(discovery, issuer)?))
    }

    fn of<C>(client: C, place: KeysPlace) -> Self
    where
        C: HttpClient<Body: Body<Data: Send> + Send, Future: Send, Error: Send> + Clone + Send + Sync + 'static,
    {
        let limits = Limits {
            timeout: KEYS_TIMEOUT,
            total: KEYS_TIMEOUT,
            size: LARGEST_DOCUMENT,
        };
        Self {
            shared: Arc::new(SharedKeys {
                known: watch::Sender::default(),
                fetch: key_fetch(client, place.clone(), limits),
                place,
                started: AtomicU64::new(0),
                flight: Arc::default(),
            }),
        }
    }

    /// Returns the keys that were fetched last; none before that. Does not wait for the network.
    #[must_use]
    pub fn current(&self) -> Arc<KeySet> {
        Arc::clone(&self.shared.known.borrow().keys)
    }

    /// Returns why the last fetch failed; `None` if it did not, or there was none.
    #[must_use]
    pub fn last_error(&self) -> Option<Arc<KeyFetchError>> {
        self.shared.known.borrow().last_error.clone()
    }

    /// Verifies a JWS in compact serialization, and returns its payload, as [`JwsPolicy::verify`] does; fetches the keys first if the one
    /// that it names is not known. Claims such as `exp` are the caller's to check.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Jws`] if it is not what the policy wants, or no key of the issuer signed it. [`VerifyError::Keys`] if its key is not
    /// known, and they could not be fetched: it may be right.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves a fetch under way to its end.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with its clock enabled.
    pub async fn verify(&self, token: &str, policy: &JwsPolicy) -> Result<Vec<u8>, VerifyError> {
        let jws = Jws::read(token, policy).map_err(VerifyError::Jws)?;
        let known = self.shared.known.borrow().clone();
        let keys = if jws.is_signed_by_one_of(&*known.keys) {
            self.refresh_if_old(&known);
            Arc::clone(&known.keys)
        } else {
            self.fetch_anew().await.map_err(VerifyError::Keys)?;
            self.current()
        };
        let mut verified = jws.verify(&*keys);
        if verified.is_err() && jws.key_id().is_err() {
            // It names no key: it may be signed by one that came since.
            self.fetch_anew().await.map_err(VerifyError::Keys)?;
            verified = jws.verify(&*self.current());
        }
        verified.and_then(|()| jws.payload()).map_err(VerifyError::Jws)
    }

    /// Fetches the keys: at the start, so that the first token need not wait, or since one was withdrawn.
    ///
    /// # Errors
    ///
    /// Fails if they could not be fetched; the old ones stay in use.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves a fetch under way to its end.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with its clock enabled.
    pub async fn refresh(&self) -> Result<(), Arc<KeyFetchError>> {
        self.fetch_anew().await
    }

    /// Waits for a fetch that starts from now on.
    async fn fetch_anew(&self) -> Result<(), Arc<KeyFetchError>> {
        let shared = &self.shared;
        let before = shared.started.load(Ordering::Acquire);
        let flight = Arc::clone(&shared.flight).lock_owned().await;
        if shared.started.load(Ordering::Acquire) == before {
            // It goes on if nobody waits any more: others may.
            let fetching = tokio::spawn(Arc::clone(shared).fetch(flight));
            if let Err(lost) = fetching.await {
                log::error!(error = %lost, "fetch of signing keys was lost");
                let error = Some(Arc::new(KeyFetchError::lost(lost)));
                shared.known.send_modify(|known| known.last_error = error);
            }
        }
        match &shared.known.borrow().last_error {
            Some(error) => Err(Arc::clone(error)),
            None => Ok(()),
        }
    }

    fn refresh_if_old(&self, known: &KnownKeys) {
        let is_old = known.fetched_at.is_none_or(|at| at.elapsed() >= REMOTE_KEYS_MAX_AGE);
        if is_old && let Ok(flight) = Arc::clone(&self.shared.flight).try_lock_owned() {
            tokio::spawn(Arc::clone(&self.shared).fetch(flight));
        }
    }
}

impl SharedKeys {
    async fn fetch(self: Arc<Self>, mut flight: OwnedMutexGuard<Flight>) {
        if let Some(tried_at) = flight.tried_at {
            sleep_until(tried_at + COOL_DOWN).await;
        }
        flight.tried_at = Some(Instant::now());
        self.started.fetch_add(1, Ordering::AcqRel);
        let known = match (self.fetch)(flight.address.take()).await {
            Ok(fetched) => {
                flight.address = Some(fetched.address);
                KnownKeys {
                    keys: Arc::new(fetched.keys),
                    fetched_at: Some(Instant::now()),
                    last_error: None,
                }
            }
            Err(error) => {
                log::warn!(error = %error_text(&error), "signing keys could not be fetched");
                KnownKeys {
                    last_error: Some(Arc::new(error)),
                    ..self.known.borrow().clone()
                }
            }
        };
        self.known.send_replace(known);
    }
}

impl fmt::Debug for RemoteKeySet {
    /// Writes where it fetches from, without the parts that may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeySet")
            .field("place", &self.shared.place)
            .field("keys", &self.current().len())
            .finish()
    }
}

/// Why a signed document was refused.
#[derive(Debug)]
#[non_exhaustive]
pub enum VerifyError {
    /// It is not what it should be.
    Jws(JwsError),
    /// It names a key that is not known, and the keys could not be fetched.
    Keys(Arc<KeyFetchError>),
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jws(error) => error.fmt(f),
            Self::Keys(_) => f.write_str("header.kid names an unknown key, and the keys cannot be fetched"),
        }
    }
}

impl Error for VerifyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Jws(error) => error.source(),
            Self::Keys(error) => Some(&**error),
        }
    }
}

/// How far apart fetches of an issuer's keys start: 1 second.
pub const COOL_DOWN: Duration = Duration::from_secs(1);

/// How old an issuer's keys grow before they are fetched again: 5 minutes.
pub const REMOTE_KEYS_MAX_AGE: Duration = Duration::from_secs(5 * 60);

/// How long an issuer may take to send a document: 5 seconds. Some make their keys only when they are first asked for them.
pub const KEYS_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest document that is read, in bytes: some 100 keys of RSA.
const LARGEST_DOCUMENT: usize = 128 * 1024;
