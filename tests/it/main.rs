//! Integration tests, one module per concern.

#![allow(clippy::unwrap_used, reason = "what a test cannot go on without, it fails without")]

#[cfg(feature = "clawdentity")]
mod clawdentity_events;
#[cfg(all(feature = "clawdentity", feature = "crl-poll"))]
mod clawdentity_list;
#[cfg(all(feature = "clawdentity", feature = "crl-poll"))]
mod clawdentity_list_forged;
#[cfg(all(feature = "clawdentity", feature = "crl-poll"))]
mod clawdentity_tokens;
#[cfg(feature = "clawdentity")]
#[cfg_attr(
    not(feature = "crl-poll"),
    expect(dead_code, reason = "only the tests of lists and tokens read all of it")
)]
mod clawdentity_vectors;
