//! What an operator asks about an issuer.

use serde::Serialize;

use crate::issuer::publisher::Promise;

/// Holds what an operator asks about an issuer, as of one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct IssuerStatus {
    /// The issuer's name, as its messages state it.
    pub source: String,
    /// The publisher's name; `None` if nothing is published.
    pub publisher: Option<String>,
    /// Whether the last attempt to publish, or to read back, was good.
    pub connected: bool,
    /// What a confirmation of the broker is worth, once it said so.
    pub promise: Option<Promise>,
    /// The log that is being written, once there is one.
    pub log: Option<String>,
    /// Its newest message that was confirmed and read back.
    pub n: u64,
    /// How many statements are not published yet.
    pub pending: u64,
    /// How long ago the oldest of them was made.
    pub oldest_pending_ms_ago: Option<u64>,
    /// How many statements this process has published.
    pub published: u64,
    /// How long ago a message was confirmed and read back, a heartbeat too.
    pub last_confirmed_ms_ago: Option<u64>,
    /// How many logs this process has begun because the broker or the store had gone back.
    pub logs_begun: u64,
    /// Why the last attempt that failed did.
    pub last_error: Option<String>,
    /// What somebody should look at, in words.
    pub concerns: Vec<IssuerConcern>,
}

/// Names something that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct IssuerConcern {
    /// Which one it is.
    pub code: IssuerConcernCode,
    /// What it is, in words.
    pub words: String,
}

/// Names the kinds of concern about an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum IssuerConcernCode {
    /// The broker did not hold what it had confirmed.
    LogWentBack,
    /// Nothing gets to the broker.
    NotConnected,
    /// A setting of the broker loses confirmed messages.
    Promise,
    /// The broker held messages that the issuer's own database does not know.
    StoreWentBack,
    /// Statements wait for longer than they should.
    Unpublished,
}
