//! How far an issuer's own logs are known whole. Pure: whoever asks says what the clock shows.

mod logs;
mod missing;
mod settled;
mod log;
mod heartbeats;
mod recent;
#[cfg(all(test, feature = "source"))]
mod tests;

pub(crate) use logs::{IssuerLogs, LogView};
