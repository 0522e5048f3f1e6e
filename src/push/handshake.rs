//! The question that a sender asks before it pushes anything.

use bytes::Bytes;
use http::header::ALLOW;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response};

/// The senders that may ask, by the origins that they state.
#[derive(Clone, Debug, Default)]
pub(super) struct AllowedOrigins(Vec<String>);

impl AllowedOrigins {
    pub(super) fn allow(&mut self, origin: String) {
        self.0.push(origin);
    }

    /// Answers the handshake of [CloudEvents' webhooks, section
    /// 4](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md#4-abuse-protection), if this is one
    /// by a sender that may push. Nothing else gets an answer from here.
    pub(super) fn answer(&self, head: &Parts) -> Option<Response<Bytes>> {
        let origin = head.headers.get(REQUEST_ORIGIN)?;
        let is_handshake = head.method == Method::OPTIONS;
        if !is_handshake || !self.allows(origin.to_str().ok()?) {
            return None;
        }
        let mut response = Response::new(Bytes::new());
        let headers = response.headers_mut();
        headers.insert(ALLOW, HeaderValue::from_static("POST, OPTIONS"));
        headers.insert(ALLOWED_ORIGIN, origin.clone());
        if head.headers.contains_key(REQUEST_RATE) {
            headers.insert(ALLOWED_RATE, HeaderValue::from_static("*"));
        }
        Some(response)
    }

    fn allows(&self, origin: &str) -> bool {
        let is_it = |allowed: &String| allowed == "*" || allowed.eq_ignore_ascii_case(origin);
        self.0.iter().any(is_it)
    }
}

const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const REQUEST_RATE: HeaderName = HeaderName::from_static("webhook-request-rate");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");
