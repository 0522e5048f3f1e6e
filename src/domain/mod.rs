//! One trust domain: what it decides, what it takes in, and what it knows about itself.

pub(crate) mod trust_domain;
pub(crate) mod applied;
pub(crate) mod concerns;
pub(crate) mod health;
pub(crate) mod counters;
pub(crate) mod observer;
pub(crate) mod persistence;
