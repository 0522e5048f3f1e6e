//! The crate as its users see it, one module per concern.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod allocation;
mod anonymous;
mod architecture;
mod bytes_codec;
#[cfg(feature = "source")]
mod canary;
mod challenges;
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
#[cfg(all(feature = "cloudflare", feature = "source-testing"))]
mod cloudflare;
#[cfg(feature = "cloudflare")]
mod cloudflare_api;
mod cors;
mod connect;
mod cut_offs;
mod cuts;
mod doubtful;
#[cfg(feature = "source")]
mod feed;
mod finishing;
mod freshness;
mod http3;
mod identify;
mod in_flight;
mod issuer_logs;
#[cfg(feature = "jwks")]
mod issuers_keys;
mod layer;
mod login_races;
#[cfg(all(feature = "cloudevents", feature = "crl-poll"))]
mod list_server;
#[cfg(all(feature = "crl-poll", feature = "source"))]
mod list_source;
#[cfg(all(
    feature = "clawdentity",
    feature = "crl-poll",
    feature = "metrics",
    feature = "source"
))]
mod metrics;
#[cfg(feature = "logout")]
mod logout;
#[cfg(feature = "logout")]
mod logout_recorded;
mod model;
#[cfg(all(feature = "cloudevents", feature = "crl-poll"))]
mod open_list;
mod places;
#[cfg(feature = "crl-poll")]
mod poll;
mod presented;
mod probe;
#[cfg(feature = "http-push")]
mod push;
#[cfg(feature = "jwks")]
mod remote_keys;
mod revocation_events;
mod shows;
mod sink;
mod sparing;
#[cfg(feature = "source-testing")]
mod source_contract;
mod stacks;
mod storm;
mod streams;
#[cfg(feature = "source-testing")]
mod stuck;
mod support;
#[cfg(feature = "jwks")]
mod token_issuer;
mod tokens;
mod two_domains;
mod unread;
mod websocket;
#[cfg(feature = "source")]
mod without_lists;
