//! The page: one document, put together at the start, that loads nothing else.

use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use sha2::{Digest, Sha256};

/// The document and its policy. A cheap clone.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    document: Bytes,
    policy: HeaderValue,
}

impl Page {
    pub(crate) fn new() -> Self {
        // As a browser reads them, whatever the checkout made of the ends of lines.
        let unix = |text: &str| text.replace("\r\n", "\n");
        let (style, script) = (unix(STYLE), unix(&SCRIPTS.concat()));
        let document = unix(FRAME)
            .replacen("{style}", &style, 1)
            .replacen("{script}", &script, 1);
        // Only this very script and style: nothing that somebody gets into the page could run, and there is nowhere to send to.
        let policy = format!(
            "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
            hash(&script),
            hash(&style)
        );
        Self {
            document: document.into(),
            policy: HeaderValue::try_from(policy).expect("base64 makes a header value"),
        }
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut response = self.document.into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, self.policy);
        for (name, value) in [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (CACHE_CONTROL, "no-store"),
            (REFERRER_POLICY, "no-referrer"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (X_FRAME_OPTIONS, "DENY"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
        headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
        response
    }
}

fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text.as_bytes()))
}

const FRAME: &str = include_str!("page/frame.html");
const STYLE: &str = include_str!("page/style.css");

/// One after another, in one scope.
const SCRIPTS: [&str; 6] = [
    include_str!("page/words.js"),
    include_str!("page/state.js"),
    include_str!("page/log.js"),
    include_str!("page/chart.js"),
    include_str!("page/agents.js"),
    include_str!("page/start.js"),
];
