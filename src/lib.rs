#![doc = concat!(include_str!("guide/links.md"), include_str!("../README.md"))]
#![cfg_attr(docsrs, feature(doc_cfg))]

// Each folder uses only those below it, and each file those below it in its folder's list: a test holds them to it.

#[cfg(any(doc, doctest))]
pub mod guide;
mod middleware;
pub mod probe;
#[cfg(feature = "metrics")]
pub mod metrics;

#[cfg(any(feature = "outbox-postgres", feature = "outbox-sqlite"))]
pub mod outbox;
#[cfg(feature = "issuer")]
pub mod issuer;
#[cfg(feature = "source")]
pub mod source;
#[cfg(feature = "http-push")]
pub mod push;
#[cfg(feature = "logout")]
pub mod logout;
#[cfg(feature = "logout")]
pub mod doors;
#[cfg(all(feature = "cloudevents", feature = "crl-poll"))]
pub mod list_server;
#[cfg(feature = "crl-poll")]
pub mod crl;
#[cfg(feature = "journal")]
#[cfg_attr(
    not(feature = "crl-poll"),
    allow(dead_code, reason = "only the poller persists lists")
)]
pub mod journal;
mod sink;

pub mod respond;
mod in_flight;
mod domain;
#[cfg(any(feature = "crl-poll", feature = "jwks"))]
pub mod jose;
#[cfg(any(feature = "crl-poll", feature = "jwks"))]
#[cfg_attr(
    not(feature = "crl-poll"),
    allow(
        dead_code,
        reason = "only the poller asks whether there is something new, and may be asked to wait"
    )
)]
mod fetch;
pub mod format;
mod statements;
pub mod identify;
pub mod status;
mod state;
mod issuer_log;
mod model;
mod common;

pub use domain::applied::Applied;
pub use domain::ingested::Ingested;
pub use identify::Identify;
pub use in_flight::guard::RevocationGuard;
pub use middleware::{ResponseFuture, RevocationLayer, RevocationService};
pub use model::canary::{self, Canary};
pub use model::credential::{Credential, Identity};
pub use model::decode::{Decode, DecodeError, Decoded, Disposition, Placed};
pub use model::domain_config::*;
pub use model::event::{Effect, Event, Reason, Reinstatement, Revocation};
pub use model::key::{Key, KeyKind};
pub use model::last_words::LastWords;
pub use model::log_place::{LogDigest, LogId, LogPlace, LogPosition, NotBase64Url};
pub use model::options::{Anonymous, Cut, Enforcement, GuardExtension, Running, StatusExtension, Unreadable};
pub use model::policy::*;
pub use model::reach::Reach;
pub use model::refusal::{DEFAULT_RETRY_AFTER, Refusal};
pub use model::timestamp::Timestamp;
pub use model::verdict::{Freshness, ListFreshness, Revoked, RevokedBy, Unknown, Verdict};
pub use respond::body::ResponseBody;
pub use respond::body_error::{BodyError, StreamCut};
pub use sink::EventSink;
pub use state::accept::{ApplyError, InstallError};
pub use state::snapshot::{RevocationList, RevocationListBuilder};
pub use statements::in_force::InForce;
pub use statements::statement::{Statement, StatementKind};
pub use statements::subject::Subject;

#[doc(inline)]
pub use status::{Concern, ConcernCode, FeedState, Status};
