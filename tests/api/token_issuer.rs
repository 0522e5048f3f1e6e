//! An issuer of tokens, whose keys are fetched.

use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use ed25519_dalek::{Signer, SigningKey};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{Empty, Full};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tower_revocation::jose::{Discovery, RemoteKeySet};

pub(crate) const ISSUER: &str = "https://sso.example/realms/acme";
pub(crate) const METADATA: &str = "https://sso.example/realms/acme/.well-known/openid-configuration";

/// An issuer whose keys are those of some seeds.
#[derive(Clone)]
pub(crate) struct TokenIssuer {
    shared: Arc<Mutex<Shared>>,
    /// Each answer takes a permit.
    pub(crate) answers: Arc<Semaphore>,
}

pub(crate) struct Shared {
    pub(crate) seeds: Vec<u8>,
    pub(crate) is_down: bool,
    pub(crate) jwks_uri: &'static str,
    pub(crate) asked: Vec<(String, Instant)>,
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// A token that the key of this seed signed.
pub(crate) fn token(seed: u8) -> String {
    signed(seed, &format!(r#"{{"alg":"EdDSA","kid":"k{seed}"}}"#), "{}")
}

/// A token of this header and these claims, that the key of this seed signed.
pub(crate) fn signed(seed: u8, header: &str, claims: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", part(header), part(claims));
    let signature = key(seed).sign(message.as_bytes()).to_bytes();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

impl TokenIssuer {
    pub(crate) fn new(seeds: &[u8]) -> Self {
        Self {
            shared: Arc::new(Mutex::new(Shared {
                seeds: seeds.to_vec(),
                is_down: false,
                jwks_uri: "https://sso.example/keys",
                asked: Vec::new(),
            })),
            answers: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        }
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut Shared)) {
        change(&mut self.shared.lock().unwrap());
    }

    /// Returns the addresses that were asked.
    pub(crate) fn asked(&self) -> Vec<String> {
        let shared = self.shared.lock().unwrap();
        shared.asked.iter().map(|(uri, _)| uri.clone()).collect()
    }

    fn answer(&self, uri: &Uri) -> (StatusCode, String) {
        let mut shared = self.shared.lock().unwrap();
        let uri = uri.to_string();
        shared.asked.push((uri.clone(), Instant::now()));
        if shared.is_down {
            (StatusCode::SERVICE_UNAVAILABLE, String::new())
        } else if uri == shared.jwks_uri {
            let keys = shared.seeds.iter().map(|seed| {
                let x = URL_SAFE_NO_PAD.encode(key(*seed).verifying_key().as_bytes());
                format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"k{seed}","x":"{x}"}}"#)
            });
            (
                StatusCode::OK,
                format!(r#"{{"keys":[{}]}}"#, keys.collect::<Vec<_>>().join(",")),
            )
        } else if uri == METADATA {
            let jwks_uri = shared.jwks_uri;
            (
                StatusCode::OK,
                format!(r#"{{"issuer":"{ISSUER}","jwks_uri":"{jwks_uri}"}}"#),
            )
        } else {
            (StatusCode::NOT_FOUND, String::new())
        }
    }

    pub(crate) fn keys(&self) -> RemoteKeySet {
        RemoteKeySet::at(self.client(), Uri::from_static("https://sso.example/keys"))
    }

    pub(crate) fn discovered(&self) -> RemoteKeySet {
        RemoteKeySet::discovered(self.client(), Discovery::OpenIdConnect, ISSUER).unwrap()
    }

    pub(crate) fn client(
        &self,
    ) -> impl tower::Service<
        Request<Empty<Bytes>>,
        Response = Response<Full<Bytes>>,
        Error = Infallible,
        Future = impl Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send,
    > + Clone
    + Send
    + Sync
    + 'static {
        let issuer = self.clone();
        tower::service_fn(move |request: Request<Empty<Bytes>>| {
            let issuer = issuer.clone();
            async move {
                let (status, body) = issuer.answer(request.uri());
                issuer.answers.acquire().await.unwrap().forget();
                let mut response = Response::new(Full::from(body));
                *response.status_mut() = status;
                Ok(response)
            }
        })
    }
}
