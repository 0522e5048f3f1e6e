//! Who gets in: the page itself, from the address that it was loaded from, with the token.
//!
//! A browser on this machine opens pages of whatever origin. None of them may act here: they name an `Origin` or a
//! `Sec-Fetch-Site` of their own, or, with their name's address changed to ours (DNS rebinding), a `Host` of their own.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{HOST, ORIGIN, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};

use super::token::Token;

/// The door. A cheap clone.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    token: Arc<Token>,
    /// A name that it may be reached by, besides addresses and `localhost`.
    host: Option<Arc<str>>,
}

impl Door {
    pub(crate) fn new(token: Token, host: Option<&str>) -> Self {
        Self {
            token: Arc::new(token),
            host: host.map(Into::into),
        }
    }

    /// Why a request is not one of the page's own, if it is not.
    fn refusal(&self, request: &Request) -> Option<&'static str> {
        let headers = request.headers();
        let host = match request.uri().authority() {
            Some(authority) => authority.as_str(),
            None => only(headers, HOST.as_str()).ok().flatten().unwrap_or_default(),
        };
        if !self.may_be_called(host) {
            return Some(
                "this console answers to an IP address or localhost, not to that name; --console-host allows one\n",
            );
        }
        let is_ours = |origin: &str| origin.strip_prefix("http://") == Some(host);
        if only(headers, ORIGIN.as_str()).map_or(true, |origin| !origin.is_none_or(is_ours)) {
            return Some("a page of another origin has no business here\n");
        }
        let is_direct = |site: &str| site == "same-origin" || site == "none";
        if only(headers, "sec-fetch-site").map_or(true, |site| !site.is_none_or(is_direct)) {
            return Some("another site has no business here; open this address by itself\n");
        }
        None
    }

    fn may_be_called(&self, host: &str) -> bool {
        let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, _port)) => return address.parse::<Ipv6Addr>().is_ok(),
            None => host.split_once(':').map_or(host, |(name, _port)| name),
        };
        name.parse::<Ipv4Addr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self.host.as_deref().is_some_and(|host| name.eq_ignore_ascii_case(host))
    }
}

/// Lets nothing in but the page's own requests, and whoever has no origin at all.
pub(crate) async fn refuse_others(State(door): State<Door>, request: Request, next: Next) -> Response {
    match door.refusal(&request) {
        Some(why) => (StatusCode::FORBIDDEN, why).into_response(),
        None => next.run(request).await,
    }
}

/// Lets nobody in without the token.
pub(crate) async fn ask_for_token(State(door): State<Door>, request: Request, next: Next) -> Response {
    if door.token.is_in(request.headers()) {
        return next.run(request).await;
    }
    let challenge = [(WWW_AUTHENTICATE, "Bearer realm=\"console\"")];
    (
        StatusCode::UNAUTHORIZED,
        challenge,
        "the token that the gateway printed at its start is missing or wrong\n",
    )
        .into_response()
}

/// A header's value, if it is there; an error if it is there twice or is no text.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        _ => Err(()),
    }
}
