//! What a trust domain knows about itself, for operators.

mod all;
mod concern;
mod door;
mod events;
mod feed;
mod issuer_log;
mod journal;
mod list;
mod message;
mod work;

pub use all::Status;
pub use concern::{Concern, ConcernCode};
pub use door::{DoorLossStatus, DoorStatus};
pub use events::{CanaryStatus, OverlayStatus};
pub use feed::{FeedState, FeedStatus, GapStatus};
pub use issuer_log::IssuerLogStatus;
pub use journal::{JournalStart, JournalStatus};
pub use list::{ListStatus, PollStatus, SigningKeysStatus};
pub use message::{DeadLetterStatus, DispositionCounts};
pub use work::{DoubtfulStatus, InFlightStatus, SightingStatus, VerdictCounts};
