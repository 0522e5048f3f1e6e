//! What several parts need and none of them is about.

#[cfg(any(feature = "cloudflare", feature = "crl-poll", feature = "http-push"))]
pub(crate) mod bounded_body;
pub(crate) mod error_text;
