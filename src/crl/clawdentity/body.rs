//! The bodies of the registry's answers.

use http::StatusCode;
use serde::Deserialize;

use crate::crl::list::ListError;
use crate::format::json::Json;

/// Reads a body as JSON.
pub(super) fn read_body<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<Json<'a, T>, ListError> {
    serde_json::from_slice(body).map_err(|cause| ListError::invalid("body", "is not readable JSON").because(cause))
}

/// Returns whether an answer is the registry's own `CRL_NOT_FOUND`; any other 404 may come from anywhere.
pub(super) fn is_none_yet(status: StatusCode, body: &[u8]) -> bool {
    let Ok(Json::Object(ErrorBody { error })) = read_body(body) else {
        return false;
    };
    let Json::Object(Cause { code: Json::Text(code) }) = error else {
        return false;
    };
    status == StatusCode::NOT_FOUND && code == "CRL_NOT_FOUND"
}

/// `{"crl": <JWS>}`.
#[derive(Deserialize)]
pub(super) struct Response<'a> {
    #[serde(borrow, default)]
    pub(super) crl: Json<'a>,
}

#[derive(Deserialize)]
struct ErrorBody<'a> {
    #[serde(borrow, default)]
    error: Json<'a, Cause<'a>>,
}

#[derive(Deserialize)]
struct Cause<'a> {
    #[serde(borrow, default)]
    code: Json<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn believes_nobody_but_the_registry_that_there_is_no_list_yet() {
        let body = br#"{"error":{"code":"CRL_NOT_FOUND","message":"CRL snapshot is not available"}}"#;
        assert!(is_none_yet(StatusCode::NOT_FOUND, body));
        assert!(!is_none_yet(StatusCode::OK, body));
        assert!(!is_none_yet(StatusCode::INTERNAL_SERVER_ERROR, body));
        for body in [
            "",
            "<html>not found</html>",
            "{}",
            r#"{"error":"CRL_NOT_FOUND"}"#,
            r#"{"error":{"code":"NOT_FOUND"}}"#,
            r#"{"error":{"code":["CRL_NOT_FOUND"]}}"#,
            r#"[{"error":{"code":"CRL_NOT_FOUND"}}]"#,
            r#"{"code":"CRL_NOT_FOUND"}"#,
        ] {
            assert!(!is_none_yet(StatusCode::NOT_FOUND, body.as_bytes()), "{body}");
        }
    }
}
