//! One trust domain: what it decides, what it takes in, and what it knows about itself.

pub(crate) mod ingested;
pub(crate) mod ingest;
mod lists;
pub(crate) mod issuer_logs;
mod report;
mod concerns;
mod requests;
pub(crate) mod trust_domain;
pub(crate) mod door_counts;
mod sightings;
pub(crate) mod applied;
pub(crate) mod health;
pub(crate) mod counters;
pub(crate) mod observer;
pub(crate) mod persistence;
