#![doc = include_str!("../README.md")]

// Each file uses only those below it: a test holds this list to it.

// Read side, per request.
mod layer;
mod service;
mod future;
mod gate;
pub mod respond;
mod body;
mod grpc;
pub mod identify;

// For operators.
#[cfg(feature = "metrics")]
pub mod metrics;
pub mod probe;

// Write side.
#[cfg(feature = "source")]
pub mod source;
#[cfg(feature = "http-push")]
pub mod push;
#[cfg(feature = "crl-poll")]
pub mod crl;
pub mod format;
#[cfg(feature = "journal")]
#[cfg_attr(
    not(feature = "crl-poll"),
    allow(dead_code, reason = "only the poller has lists kept")
)]
pub mod journal;
mod sink;
mod pending;
#[cfg(any(feature = "cloudflare", feature = "crl-poll", feature = "http-push"))]
mod whole;

// Work in flight.
mod guard;
mod watch;
mod flight;
mod spares;
mod settings;

// State.
mod domain;
mod keep;
mod observe;
mod counters;
mod concerns;
mod health;
pub mod status;
mod store;
mod live;
mod left_right;
mod state;
mod admission;
mod clock;
mod overlay;
mod snapshot;
mod reach;
mod entry;
mod mark;
mod table;
mod sync;
mod policy;

// Vocabulary.
mod decode;
mod refusal;
mod verdict;
pub mod canary;
mod event;
mod credential;
mod key;
mod secret;
mod timestamp;

pub use admission::{ApplyError, InstallError};
pub use body::{ResponseBody, StreamCut};
pub use canary::Canary;
pub use credential::{Credential, Identity};
pub use decode::{Decode, DecodeError, Decoded, Disposition};
pub use event::{Effect, Event, Reason, Reinstatement, Revocation};
pub use future::ResponseFuture;
pub use guard::RevocationGuard;
pub use identify::Identify;
pub use key::{Key, KeyKind};
pub use layer::RevocationLayer;
pub use policy::*;
pub use reach::Reach;
pub use refusal::{DEFAULT_RETRY_AFTER, Refusal};
pub use service::RevocationService;
pub use settings::{Anonymous, Cut, Enforcement, GuardExtension, Running, StatusExtension, Unreadable};
pub use sink::EventSink;
pub use snapshot::{Snapshot, SnapshotBuilder};

#[doc(inline)]
pub use status::{Concern, ConcernCode, FeedState, Status};
pub use timestamp::Timestamp;
pub use verdict::{Freshness, RevocationStatus, Revoked, Source, Unknown, Verdict};
