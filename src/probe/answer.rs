//! How a probe is answered.

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};

/// The answer in plain text. `write` is called only for a method that a probe may use.
pub(super) fn answer<B>(request: &Request<B>, write: impl FnOnce() -> (StatusCode, String)) -> Response<String> {
    let is_asked = matches!(*request.method(), Method::GET | Method::HEAD);
    let (status, text) = match is_asked {
        true => write(),
        false => (StatusCode::METHOD_NOT_ALLOWED, "probes are made by GET\n".to_owned()),
    };
    let mut response = Response::new(text);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if !is_asked {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    // An answer is true only at this moment.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
