//! Headers that concern one hop, and those that a proxy adds
//! ([RFC 9110 §7.6](https://www.rfc-editor.org/rfc/rfc9110#section-7.6)).

use std::net::SocketAddr;

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING,
    UPGRADE, VIA,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Version};

/// Makes a client's headers ready for an upstream of this version.
pub(crate) fn prepare_request(parts: &mut Parts, peer: SocketAddr, upstream: Version) {
    let protocol = upgrade(&parts.headers, parts.version);
    let takes_trailers = upstream == Version::HTTP_2 && parts.headers.get(TE).is_some_and(|te| te == TRAILERS);
    let authority = parts
        .uri
        .authority()
        .and_then(|it| HeaderValue::try_from(it.as_str()).ok());
    let headers = &mut parts.headers;
    // A length beside a transfer coding is how requests are smuggled
    // (RFC 9112 §6.3, https://www.rfc-editor.org/rfc/rfc9112#section-6.3).
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    strip(headers);
    if takes_trailers {
        // The one value that HTTP/2 has for it (RFC 9113 §8.2.2, https://www.rfc-editor.org/rfc/rfc9113#section-8.2.2), which gRPC
        // requires of every client.
        headers.insert(TE, HeaderValue::from_static(TRAILERS));
    }
    // We answer `100-continue` ourselves, by reading the body.
    headers.remove(EXPECT);
    join_cookies(headers);
    // The client sets the upstream's own. An absolute URI outranks what came as `Host`
    // (RFC 9112 §3.2.2, https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2).
    let host = headers.remove(HOST);
    headers.remove(X_FORWARDED_HOST);
    if let Some(host) = authority.or(host) {
        headers.insert(X_FORWARDED_HOST, host);
    }
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("http"));
    append(headers, X_FORWARDED_FOR, &peer.ip().to_string());
    append(headers, VIA, &via(parts.version));
    if let Some(protocol) = protocol {
        set_upgrade(headers, protocol);
    }
}

/// Makes an upstream's headers ready for the client.
pub(crate) fn prepare_response(headers: &mut HeaderMap, upstream: Version) {
    strip(headers);
    append(headers, VIA, &via(upstream));
}

/// The protocol that these headers ask or agree to upgrade to, if it may be.
///
/// # Security
///
/// A tunnel in which more HTTP requests are spoken (`h2c`, or TLS) would carry them past every check.
pub(crate) fn upgrade(headers: &HeaderMap, version: Version) -> Option<HeaderValue> {
    let asked = version == Version::HTTP_11 && connection_options(headers).any(|it| it.eq_ignore_ascii_case("upgrade"));
    let protocol = headers.get(UPGRADE).filter(|_| asked)?;
    let name = protocol.to_str().ok()?.to_ascii_lowercase();
    let carries_requests = |name: &str| ["h2", "http", "tls"].iter().any(|it| name.trim().starts_with(it));
    (!name.split(',').any(carries_requests)).then(|| protocol.clone())
}

/// States an upgrade.
pub(crate) fn set_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

/// Removes what concerns one hop alone, and what `Connection` says does.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = connection_options(headers).filter_map(|it| it.parse().ok()).collect();
    named.iter().for_each(|name| drop(headers.remove(name)));
    HOP_BY_HOP.iter().for_each(|name| drop(headers.remove(name)));
}

fn connection_options(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// HTTP/2 may split cookies, HTTP/1.1 may not
/// ([RFC 9113 §8.2.3](https://www.rfc-editor.org/rfc/rfc9113#section-8.2.3)).
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_some() {
        let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
        if let Ok(cookies) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
            headers.insert(COOKIE, cookies);
        }
    }
}

fn append(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.append(name, value);
    }
}

fn via(version: Version) -> String {
    let version = match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    };
    format!("{version} gateway")
}

const TRAILERS: &str = "trailers";

const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
