//! Fetching a document over any tower HTTP client, within bounds.

pub(crate) mod exchange;
pub(crate) mod fetch_error;
mod pace;
