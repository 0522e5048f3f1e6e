//! OpenID Connect Back-Channel Logout: a service that is told which sessions have ended, to mount on any router
//! ([specification](https://openid.net/specs/openid-connect-backchannel-1_0.html)).
//!
//! ```
//! use axum::Router;
//! use bytes::Bytes;
//! use http_body_util::Empty;
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use tower_revocation::jose::{Discovery, RemoteKeySet};
//! use tower_revocation::logout::{BackchannelLogout, LogoutPolicy};
//! # use tower_revocation::{RevocationLayer, identify};
//! # let (layer, sink) = RevocationLayer::pair(identify::jwt(http::header::AUTHORIZATION, "Bearer"));
//!
//! # fn example(sink: tower_revocation::EventSink) -> Result<Router, Box<dyn std::error::Error>> {
//! let issuer = "https://sso.example.com/realms/acme";
//! let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
//! let keys = RemoteKeySet::discovered(client, Discovery::OpenIdConnect, issuer)?;
//! let logout = BackchannelLogout::new(sink, keys, LogoutPolicy::new(issuer, ["web", "app"]));
//! let app = Router::new().route_service("/backchannel-logout", logout);
//! # Ok(app)
//! # }
//! ```
//!
//! The issuer posts `logout_token=<JWT>` as a form. The answer comes when the end of the session is in force, with a journal when it is
//! durable, and with a [relay](BackchannelLogout::with_relay) when all replicas will hear of it:
//!
//! | status | the logout | the issuer |
//! |---|---|---|
//! | 200, without a body | is in force; the same token again is too | is done |
//! | 503, `Retry-After: 2` | may be in force here, but cannot be relied on | sends it again, if it ever does: hardly any does |
//! | 400 | can never be right; the body says why | |
//! | 405, 408, 413 | was not looked at | |
//!
//! # What it does
//!
//! - **A session is cut off**, never blocked: what is issued of it later is good, as tokens of offline grants are. What was issued up to
//!   the logout is refused, and its open streams end. [`LogoutEffect`] says what becomes of tokens that name no session.
//! - **Hardly an issuer sends a second time.** So a token that names a new key waits for the keys to be fetched; whatever is refused is
//!   counted and shown in [`EventSink::status`](crate::EventSink::status), with a concern if the issuer's own logout was refused.
//! - **No redirect, and no login in front of it.** An issuer that is redirected follows without the token, and takes the 200 of a login
//!   page for ours.
//!
//! # Security
//!
//! - Nothing happens before the signature is verified by a key of the issuer. Access and ID tokens of the same key are told apart by their
//!   `typ`, their `nonce` and their lack of `events`.
//! - Anybody can send garbage. It costs a body of at most 64 KiB, and one request to the issuer in a second if it names keys that nobody
//!   knows. Limit how many requests there may be at the same time.
//! - Mount it **outside of** the layer that it feeds.

mod service;
mod answer;
mod logout_policy;
mod logout_token;
mod logout_error;

pub use logout_error::LogoutError;
pub use logout_policy::{LogoutEffect, LogoutPolicy};
pub use logout_token::LogoutToken;
pub use service::{BackchannelLogout, LogoutFuture};
