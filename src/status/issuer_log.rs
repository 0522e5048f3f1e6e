//! The status of an issuer's own log.

use serde::Serialize;

/// Shows how far one of the issuer's own logs is known whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct IssuerLogStatus {
    /// Which log, in base64url.
    pub log: String,
    /// Everything up to this message was read, or is in the list; `None` while the log's beginning is not known.
    pub whole_to: Option<u64>,
    /// The furthest message that is known to be there.
    pub known_to: u64,
    /// Whether messages are lost, and no list covers them yet.
    pub is_lost: bool,
    /// Whether another log continues it.
    pub is_continued: bool,
    /// How long ago its issuer's newest heartbeat came; `None` if it sends none.
    pub last_heartbeat_ms_ago: Option<u64>,
    /// Whether the issuer missed three heartbeats.
    pub is_silent: bool,
}
