//! The whole status.

use serde::Serialize;

use crate::model::verdict::Freshness;
use crate::status::concern::Concern;
use crate::status::door::DoorStatus;
use crate::status::events::{CanaryStatus, OverlayStatus};
use crate::status::feed::FeedStatus;
use crate::status::issuer_log::IssuerLogStatus;
use crate::status::journal::JournalStatus;
use crate::status::list::{ListStatus, PollStatus};
use crate::status::message::{DeadLetterStatus, DispositionCounts};
use crate::status::work::{DoubtfulStatus, InFlightStatus, VerdictCounts};

/// Shows what a trust domain knows about itself: enough to tell why a list or a message was refused.
///
/// Serializes to the JSON that is shown to operators. Ages are in milliseconds, as of the moment the status was taken.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// How long ago this trust domain was made, and began to count.
    pub started_ms_ago: u64,
    /// Whether requests are answered by what is known. False if the policy refuses everyone because no fresh list is
    /// there.
    pub ready: bool,
    /// What is wrong, in words, the gravest first. Empty if all is well.
    pub concerns: Vec<Concern>,
    /// `feed-unread`, `fresh`, `no-snapshot` or `stale`.
    #[serde(serialize_with = "freshness")]
    pub freshness: Freshness,
    /// The installed list; `None` before the first.
    pub snapshot: Option<ListStatus>,
    /// The poller.
    pub poll: PollStatus,
    /// What events have said.
    pub overlay: OverlayStatus,
    /// The event feed.
    pub feed: FeedStatus,
    /// The issuer's own logs, as far as its messages state any.
    pub issuer_logs: Vec<IssuerLogStatus>,
    /// Messages by what became of them.
    pub dispositions: DispositionCounts,
    /// The latest dead letter.
    pub last_dead_letter: Option<DeadLetterStatus>,
    /// Requests by what was decided.
    pub verdicts: VerdictCounts,
    /// How many credentials came since a logout ended a session, if none of them named its session: then it reached nobody. `None` if one
    /// did, or there was no such logout.
    pub without_sessions: Option<u64>,
    /// Doors through which other parties' statements come in over HTTP.
    pub doors: Vec<DoorStatus>,
    /// Credentials that are not as they should be.
    pub doubtful: DoubtfulStatus,
    /// Requests that a layer in observe-only mode admitted and would otherwise have refused.
    pub would_refuse: u64,
    /// Work that was admitted and is still running.
    pub in_flight: InFlightStatus,
    /// Proofs that a revocation at the issuer is enforced here; `None` if none are
    /// [expected](crate::DomainConfig::with_canary).
    pub canary: Option<CanaryStatus>,
    /// The journal, which persists what is known beyond the life of the process; `None` without one.
    pub journal: Option<JournalStatus>,
}

fn freshness<S: serde::Serializer>(freshness: &Freshness, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match freshness {
        Freshness::FeedUnread => "feed-unread",
        Freshness::Fresh => "fresh",
        Freshness::NoSnapshot => "no-snapshot",
        Freshness::Stale => "stale",
    })
}
