//! Helpers that several parts need, and that belong to none of them.

#[cfg(any(feature = "crl-poll", feature = "journal", feature = "source"))]
pub(crate) mod backoff;
pub(crate) mod base64_digit;
pub(crate) mod bounded_body;
pub(crate) mod buffer;
pub(crate) mod error_text;
pub(crate) mod log;
pub(crate) mod host_code;
