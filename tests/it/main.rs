//! The crate as its users see it, one module per concern.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod allocation;
mod architecture;
mod convergence;
mod freshness;
mod identify;
mod layer;
#[cfg(feature = "crl-poll")]
mod poll;
mod sink;
mod stacks;
mod storm;
mod support;
