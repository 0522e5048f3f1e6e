//! Messages, and what became of them.

use serde::Serialize;

/// Counts messages by what became of them.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct DispositionCounts {
    /// In force.
    pub applied: u64,
    /// Not about revocation.
    pub ignored: u64,
    /// To be delivered again.
    pub retry: u64,
    /// Put aside.
    pub dead_letter: u64,
}

/// Describes a dead letter.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DeadLetterStatus {
    /// Why it can never be applied.
    pub reason: String,
    /// How long ago it came.
    pub ms_ago: u64,
}
