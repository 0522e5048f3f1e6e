//! What this crate has to know of gRPC ([its
//! protocol](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md)).

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Request};

/// The content type for the response to a gRPC or gRPC-Web request; `None` if the request is neither.
///
/// All such requests are POSTs: for other methods no header is looked at.
pub(crate) fn content_type<B>(request: &Request<B>) -> Option<&'static str> {
    if request.method() != Method::POST {
        return None;
    }
    let asked = request.headers().get(CONTENT_TYPE)?.as_bytes();
    let rest = asked.strip_prefix(GRPC.as_bytes())?;
    if !rest.first().is_none_or(|next| b"+-;".contains(next)) {
        return None;
    }
    let known = CONTENT_TYPES.iter().find(|known| known.as_bytes() == asked);
    Some(known.copied().unwrap_or(GRPC))
}

/// Whether a response ends with trailers that state its outcome. gRPC has them; in gRPC-Web they are part of the body.
pub(crate) fn has_trailers(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let rest = kind.and_then(|kind| kind.strip_prefix(GRPC.as_bytes()));
    rest.is_some_and(|rest| rest.first().is_none_or(|next| b"+;".contains(next)))
}

/// States an outcome, in a header of its own or in trailers.
pub(crate) fn state(headers: &mut HeaderMap, status: &'static str, message: &'static str) {
    headers.insert("grpc-status", HeaderValue::from_static(status));
    headers.insert("grpc-message", HeaderValue::from_static(message));
}

/// [Status codes](https://github.com/grpc/grpc/blob/master/doc/statuscodes.md).
pub(crate) const UNAVAILABLE: &str = "14";
pub(crate) const UNAUTHENTICATED: &str = "16";

const GRPC: &str = "application/grpc";

const CONTENT_TYPES: [&str; 6] = [
    "application/grpc+proto",
    "application/grpc+json",
    "application/grpc-web",
    "application/grpc-web+proto",
    "application/grpc-web-text",
    "application/grpc-web-text+proto",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_grpc_by_its_method_and_content_type() {
        let ask = |method: &str, kind: &str| {
            let request = Request::builder().method(method).header(CONTENT_TYPE, kind);
            content_type(&request.body(()).unwrap())
        };
        assert_eq!(ask("POST", "application/grpc"), Some("application/grpc"));
        assert_eq!(
            ask("POST", "application/grpc-web+proto"),
            Some("application/grpc-web+proto")
        );
        assert_eq!(ask("POST", "application/grpc+thrift"), Some("application/grpc"));
        assert_eq!(ask("POST", "application/json"), None);
        assert_eq!(ask("POST", "application/grpcx"), None);
        assert_eq!(ask("GET", "application/grpc"), None);
        assert_eq!(content_type(&Request::post("/").body(()).unwrap()), None);
    }

    #[test]
    fn grpc_web_has_no_trailers() {
        let response = |kind: &'static str| HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
        for kind in ["application/grpc", "application/grpc+proto", "application/grpc;x=y"] {
            assert!(has_trailers(&response(kind)), "{kind}");
        }
        for kind in [
            "application/grpc-web",
            "application/grpc-web-text",
            "application/grpcx",
            "text/plain",
        ] {
            assert!(!has_trailers(&response(kind)), "{kind}");
        }
        assert!(!has_trailers(&HeaderMap::new()));
    }
}
