//! A registry in memory: it signs lists as Clawdentity does, or is away.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use ed25519_dalek::{Signer, SigningKey};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{Empty, Full};
use serde_json::json;
use tokio::task::JoinHandle;
use tower::Service;
use tower_revocation::crl::clawdentity::ClawdentityList;
use tower_revocation::crl::{ListFormat, Poller, RestoreError};
use tower_revocation::{EventSink, Key};

/// What it publishes.
#[derive(Clone, Default)]
pub(crate) struct Registry(Arc<Mutex<Documents>>);

#[derive(Default)]
struct Documents {
    list: Option<String>,
    keys: Option<String>,
    /// Answered with 304, if anything.
    is_unchanged: bool,
    /// Said instead of being away.
    is_none_yet: bool,
}

impl Registry {
    /// With one signing key, `k1`.
    pub(crate) fn new() -> Self {
        let registry = Self::default();
        registry.publish_keys(&[("k1", 7, "active")]);
        registry
    }

    /// Publishes signing keys: id, seed, status.
    pub(crate) fn publish_keys(&self, keys: &[(&str, u8, &str)]) {
        let key = |(kid, seed, status): &(&str, u8, &str)| {
            let x = URL_SAFE_NO_PAD.encode(SigningKey::from_bytes(&[*seed; 32]).verifying_key().as_bytes());
            json!({ "kid": kid, "alg": "EdDSA", "crv": "Ed25519", "x": x, "status": status })
        };
        let keys: Vec<_> = keys.iter().map(key).collect();
        self.0.lock().unwrap().keys = Some(json!({ "keys": keys }).to_string());
    }

    /// Publishes a list, signed with `k1`.
    pub(crate) fn publish(&self, list: String) {
        self.0.lock().unwrap().list = Some(list);
    }

    pub(crate) fn go_away(&self) {
        *self.0.lock().unwrap() = Documents::default();
    }

    /// Says that it has signed no list yet.
    pub(crate) fn say_none_yet(&self) {
        self.0.lock().unwrap().is_none_yet = true;
    }

    pub(crate) fn say_unchanged(&self, is_unchanged: bool) {
        self.0.lock().unwrap().is_unchanged = is_unchanged;
    }

    /// A poller of it, for a sink.
    pub(crate) fn poller(&self, sink: &EventSink) -> Poller<Client, ClawdentityList> {
        self.poller_by(ClawdentityList::new(ISSUER), sink)
    }

    pub(crate) fn poller_by<F: ListFormat>(&self, format: F, sink: &EventSink) -> Poller<Client, F> {
        let (list, keys) = (
            Uri::from_static("http://registry/list"),
            Uri::from_static("http://registry/keys"),
        );
        Poller::new(Client(self.clone()), format, list, keys, sink.clone())
    }

    /// Has the list fetched, and kept.
    pub(crate) async fn fetch_for(&self, sink: &EventSink) {
        self.poll_for(sink).await;
        assert_eq!(sink.status().poll.last_error, None);
    }

    /// Has a list fetched that does not say all.
    pub(crate) async fn fetch_in_vain_for(&self, sink: &EventSink) {
        self.poll_for(sink).await;
        let status = sink.status();
        let error = status.poll.last_error.unwrap();
        assert!(error.contains("one of the same second was lost"), "{error}");
        assert!(!status.ready);
    }

    async fn poll_for(&self, sink: &EventSink) {
        let running = self.run(sink);
        sink.refreshed().await;
        running.abort();
        // It holds a handle to the sink.
        let _ = running.await;
    }

    /// Runs a poller.
    pub(crate) fn run(&self, sink: &EventSink) -> JoinHandle<Infallible> {
        tokio::spawn(self.poller(sink).run())
    }

    /// Restores what an earlier process kept.
    pub(crate) fn restore(&self, sink: &EventSink) -> Result<(), RestoreError> {
        self.poller(sink).restore()
    }
}

/// What a poller asks.
pub(crate) struct Client(Registry);

impl Service<Request<Empty<Bytes>>> for Client {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Empty<Bytes>>) -> Self::Future {
        ready(Ok(self.0.0.lock().unwrap().answer(request.uri().path())))
    }
}

impl Documents {
    fn answer(&self, path: &str) -> Response<Full<Bytes>> {
        let document = if path == "/keys" { &self.keys } else { &self.list };
        let reply = Response::builder();
        let (reply, body) = match document {
            Some(_) if self.is_unchanged && path == "/list" => (reply.status(StatusCode::NOT_MODIFIED), String::new()),
            Some(document) => (reply.header("etag", "\"1\""), document.clone()),
            None if self.is_none_yet => (reply.status(StatusCode::NOT_FOUND), NONE_YET.to_owned()),
            None => (reply.status(StatusCode::BAD_GATEWAY), String::new()),
        };
        reply.body(Full::from(body)).unwrap()
    }
}

/// A list issued at `iat`, good for fetching until `exp`, signed by the key of this id and seed.
pub(crate) fn list(iat: u64, exp: u64, tokens: &[&str], (kid, seed): (&str, u8)) -> String {
    let entry = |jti: &&str| {
        json!({
            "jti": jti,
            "agentDid": "did:cdi:registry.example.com:agent:01KDVDNA03XJ61A46WBY7B0EGN",
            "revokedAt": iat - 1,
        })
    };
    let entries: Vec<_> = tokens.iter().map(entry).collect();
    let claims = json!({
        "iss": ISSUER,
        "jti": "01KDVDNA09Q5HAD7MTFBDK3NYZ",
        "iat": iat,
        "exp": exp,
        "revocations": entries,
    });
    let header = json!({ "alg": "EdDSA", "typ": "CRL", "kid": kid });
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let message = format!(
        "{}.{}",
        encode(header.to_string().as_bytes()),
        encode(claims.to_string().as_bytes())
    );
    let signature = SigningKey::from_bytes(&[seed; 32]).sign(message.as_bytes());
    json!({ "crl": format!("{message}.{}", encode(&signature.to_bytes())) }).to_string()
}

const NONE_YET: &str = r#"{"error":{"code":"CRL_NOT_FOUND","message":"CRL snapshot is not available"}}"#;

pub(crate) const ISSUER: &str = "https://registry.example.com";

/// Tokens that lists name.
pub(crate) const A: &str = "01KDVDNA09Q5HAD7MTFBDK3NYZ";
pub(crate) const B: &str = "01KDVDNA0CJGBR9K83VZA6KFGW";
pub(crate) const C: &str = "01KDVDNA070CJJ00Y0RKYJW2XC";

pub(crate) fn token(jti: &str) -> Key {
    Key::token(jti)
}
