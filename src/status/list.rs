//! The list, and how it is fetched.

use serde::Serialize;

/// Shows the installed list.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ListStatus {
    /// How many keys it carries.
    pub entries: usize,
    /// How many bytes of memory it takes.
    pub bytes: usize,
    /// How long ago it was fetched or confirmed.
    pub age_ms: u64,
    /// How old it may become before the stale policy decides.
    pub max_age_ms: u64,
    /// When it was issued, in seconds since the epoch; `None` for the empty list of an issuer that signed none yet.
    pub iat: Option<u64>,
}

/// Shows how the poller does.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct PollStatus {
    /// How long ago a list was last fetched or confirmed.
    pub last_success_ms_ago: Option<u64>,
    /// Why the last poll failed; `None` if it did not.
    pub last_error: Option<String>,
    /// How many polls failed since the last success.
    pub failures: u64,
    /// The keys that the issuer signs with; `None` if no poller runs.
    pub signing_keys: Option<SigningKeysStatus>,
}

/// Shows what is known of the issuer's signing keys.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct SigningKeysStatus {
    /// How many are known.
    pub count: usize,
    /// How long ago they were last fetched; `None` before that, even if an earlier process left some.
    pub fetched_ms_ago: Option<u64>,
    /// Why they could not be fetched the last time; `None` after a success.
    pub last_error: Option<String>,
}
