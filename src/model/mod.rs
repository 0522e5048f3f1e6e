//! The vocabulary: keys, credentials, events, verdicts, and what a host chooses. Only values; nothing here holds a
//! state.

pub(crate) mod challenge;
pub(crate) mod options;
pub(crate) mod last_words;
pub(crate) mod domain_config;
pub(crate) mod policy;
pub(crate) mod reach;
pub(crate) mod decode;
pub(crate) mod log_place;
pub(crate) mod refusal;
pub(crate) mod verdict;
pub mod canary;
pub(crate) mod event;
pub(crate) mod credential;
pub(crate) mod key;
pub(crate) mod key_secrets;
pub(crate) mod timestamp;
