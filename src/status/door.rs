//! Doors through which other parties' statements come in over HTTP.

use std::collections::BTreeMap;

use serde::Serialize;

/// Tells what came to one door.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DoorStatus {
    /// What it is, and whose: `back-channel logout of https://sso.example.com`.
    pub name: String,
    /// How many requests were taken in.
    pub taken_in: u64,
    /// How many were refused, by the part at fault: `aud`, `header.kid`, `signature`, ….
    pub refused: BTreeMap<String, u64>,
    /// The last refusal of what the issuer itself had signed, or of what could not be relied on: what it told is lost, unless it tells it
    /// again.
    pub last_loss: Option<DoorLossStatus>,
}

/// Tells of something that an issuer told, and that is not in force.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DoorLossStatus {
    /// Why, in words.
    pub problem: String,
    /// How long ago.
    pub ms_ago: u64,
}
