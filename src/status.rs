//! What a trust domain knows about itself, for operators.

use serde::Serialize;

use crate::verdict::Freshness;

/// What a trust domain knows about itself: enough to tell why a list or a message was refused.
///
/// Serializes to the JSON that is shown to operators. Ages are in milliseconds, as of the moment the status was taken.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// Whether requests are answered by what is known: false if the policy refuses everyone for want of a fresh list.
    pub ready: bool,
    /// What is not as it should be, in words, the gravest first. Empty if all is well.
    pub concerns: Vec<Concern>,
    /// `fresh`, `no-snapshot` or `stale`.
    #[serde(serialize_with = "freshness")]
    pub freshness: Freshness,
    /// The installed list; `None` before the first.
    pub snapshot: Option<SnapshotStatus>,
    /// The poller.
    pub poll: PollStatus,
    /// What events have said.
    pub overlay: OverlayStatus,
    /// The event feed.
    pub feed: FeedStatus,
    /// Messages by what became of them.
    pub dispositions: DispositionCounts,
    /// The latest dead letter.
    pub last_dead_letter: Option<DeadLetterStatus>,
    /// Requests by what was decided.
    pub verdicts: VerdictCounts,
    /// Requests that a layer in observe-only mode admitted and would have refused.
    pub would_refuse: u64,
    /// Work that was admitted and is under way.
    pub in_flight: InFlightStatus,
    /// Proofs that a revocation at the issuer is enforced here; `None` if none are
    /// [expected](crate::RevocationLayer::with_canary).
    pub canary: Option<CanaryStatus>,
    /// What keeps all this beyond the life of the process; `None` without a journal.
    pub journal: Option<JournalStatus>,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Concern {
    /// Which, for programs.
    pub code: ConcernCode,
    /// A sentence or two for people: what is the matter, since when, why as far as it is known, and what comes of it. No ids.
    pub words: String,
}

/// What may not be as it should be, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ConcernCode {
    /// What earlier processes were told is lost, and no signed list has made up for it yet.
    JournalLost,
    /// No list was ever installed.
    NoList,
    /// The list is older than the policy's `max_age`.
    ListStale,
    /// There are no signing keys to verify lists and tokens with.
    NoSigningKeys,
    /// The event feed is disconnected, or nobody reads it any more.
    FeedDown,
    /// No canary came through in time.
    CanaryOverdue,
    /// Messages may have been missed, and no list was fetched since.
    FeedGap,
    /// Events cannot be made durable.
    JournalNotDurable,
    /// Events hold 90 % or more of the keys that they may.
    OverlayFull,
    /// Polls fail. The list is young enough still.
    ListAging,
    /// The signing keys could not be fetched anew.
    SigningKeysAging,
    /// The event feed is being connected.
    FeedConnecting,
    /// Older events are still coming in.
    FeedCatchingUp,
}

impl ConcernCode {
    /// Its name in JSON: `list-stale`, ….
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JournalLost => "journal-lost",
            Self::NoList => "no-list",
            Self::ListStale => "list-stale",
            Self::NoSigningKeys => "no-signing-keys",
            Self::FeedDown => "feed-down",
            Self::CanaryOverdue => "canary-overdue",
            Self::FeedGap => "feed-gap",
            Self::JournalNotDurable => "journal-not-durable",
            Self::OverlayFull => "overlay-full",
            Self::ListAging => "list-aging",
            Self::SigningKeysAging => "signing-keys-aging",
            Self::FeedConnecting => "feed-connecting",
            Self::FeedCatchingUp => "feed-catching-up",
        }
    }
}

/// The installed list.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SnapshotStatus {
    /// How many keys it carries.
    pub entries: usize,
    /// How many bytes of memory it takes.
    pub bytes: usize,
    /// How long ago it was fetched or confirmed.
    pub age_ms: u64,
    /// How old it may become before the stale policy decides.
    pub max_age_ms: u64,
    /// When it was issued, in seconds since the epoch; `None` for the empty list of an issuer that signed none yet.
    pub iat: Option<u64>,
}

/// The poller.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct PollStatus {
    /// How long ago a list was last fetched or confirmed.
    pub last_success_ms_ago: Option<u64>,
    /// Why the last poll failed; `None` if it did not.
    pub last_error: Option<String>,
    /// How many polls failed since the last success.
    pub failures: u64,
    /// The keys that the issuer signs with; `None` where no poller runs.
    pub signing_keys: Option<SigningKeysStatus>,
}

/// The issuer's signing keys.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct SigningKeysStatus {
    /// How many are known.
    pub count: usize,
    /// How long ago they were last fetched; `None` before that, also if an earlier process left some.
    pub fetched_ms_ago: Option<u64>,
    /// Why they could last not be fetched; `None` once they were.
    pub last_error: Option<String>,
}

/// What events have said.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct OverlayStatus {
    /// How many keys are held.
    pub entries: usize,
    /// How many may be.
    pub capacity: usize,
    /// How many bytes of memory they take: they are held twice.
    pub bytes: usize,
    /// How many events were put in force since the start, those included that said nothing new.
    pub applied: u64,
}

/// The event feed.
///
/// Without the crate's own loop (feature `source`) only the state, the last event and the last heartbeat are known.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct FeedStatus {
    /// Its name, such as `nats:revocations`.
    pub source: Option<String>,
    /// What its consumer last said of it.
    pub state: FeedState,
    /// For how long it has been so; `None` before anything was said of it.
    pub state_for_ms: Option<u64>,
    /// How long ago the last event was applied.
    pub last_event_ms_ago: Option<u64>,
    /// How long ago the broker last gave a sign of life.
    pub last_signal_ms_ago: Option<u64>,
    /// How long ago the issuer sent the newest heartbeat that came in, by its own clock. A broker proves no more than itself;
    /// this proves the whole path.
    pub last_heartbeat_ms_ago: Option<u64>,
    /// How many messages are still to come, if the broker says so.
    pub lag: Option<u64>,
    /// How many messages were taken in and are not settled: waiting for the journal's disk, or to be tried again.
    pub unacknowledged: usize,
    /// How often it was opened since the start.
    pub opened: u64,
    /// How often messages may have been missed.
    pub gaps: u64,
    /// The latest of these.
    pub last_gap: Option<GapStatus>,
    /// Why it could last not be opened or read. It stays after things went well again.
    pub last_error: Option<String>,
}

/// Messages that may have been missed.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct GapStatus {
    /// Why.
    pub reason: String,
    /// How long ago it was noticed.
    pub ms_ago: u64,
    /// Whether no list was fetched since that would make up for it.
    pub is_open: bool,
}

/// What the consumer of the event feed says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FeedState {
    /// Nothing yet. The poller keeps its fast pace. The default.
    #[default]
    Unknown,
    /// It is being connected.
    Connecting,
    /// It is connected, and older events are still coming in.
    CatchingUp,
    /// It is connected, and events come in as they happen: the poller slows down.
    Live,
    /// It is disconnected: the poller speeds up.
    Down,
}

impl FeedState {
    /// All of them.
    #[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "only metrics name them all"))]
    pub(crate) const ALL: [Self; 5] = [
        Self::Unknown,
        Self::Connecting,
        Self::CatchingUp,
        Self::Live,
        Self::Down,
    ];

    /// Its name in JSON: `unknown`, `connecting`, `catching-up`, `live` or `down`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Connecting => "connecting",
            Self::CatchingUp => "catching-up",
            Self::Live => "live",
            Self::Down => "down",
        }
    }
}

/// Messages by what became of them.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct DispositionCounts {
    /// In force.
    pub applied: u64,
    /// None of our business.
    pub ignored: u64,
    /// To be delivered again.
    pub retry: u64,
    /// Put aside.
    pub dead_letter: u64,
}

/// A dead letter.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DeadLetterStatus {
    /// Why it can never be applied.
    pub reason: String,
    /// How long ago it came.
    pub ms_ago: u64,
}

/// Requests by what was decided.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct VerdictCounts {
    /// Nothing known against the credential, and fresh.
    pub admit: u64,
    /// No credential presented.
    pub anonymous: u64,
    /// Revoked.
    pub revoked: u64,
    /// Of these, those that an event alone refuses.
    pub revoked_by_event: u64,
    /// And those that the list refuses.
    pub revoked_by_list: u64,
    /// Nothing known against the credential, but not fresh.
    pub unknown: u64,
    /// A credential that could not be read.
    pub unreadable: u64,
}

/// Work that was admitted and is under way: response bodies, handlers, and whoever holds a guard.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct InFlightStatus {
    /// How much of it has had to wait, and is not over: that is what a revocation wakes. What never had to wait is not
    /// counted: it looks for itself, before each piece.
    pub waiting: usize,
    /// How often one that waited was woken, since a revocation concerned it.
    pub woken: u64,
    /// How much of it was ended: bodies, responses that were withheld, and guards, with all their clones, count one each.
    pub cut: u64,
    /// How much of it a layer in observe-only mode would have ended.
    pub would_cut: u64,
}

/// Proofs that a revocation at the issuer is enforced here.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct CanaryStatus {
    /// How often the issuer is to revoke its canary.
    pub every_ms: u64,
    /// How long after that it is to be refused here.
    pub within_ms: u64,
    /// How long ago the issuer revoked the newest that is refused here, by its own clock; `None` before the first.
    pub last_proof_ms_ago: Option<u64>,
    /// How long that took to be enforced here, by both clocks.
    pub last_delay_ms: Option<u64>,
    /// Whether the next one should be refused by now, and is not.
    pub is_overdue: bool,
}

/// The journal.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct JournalStatus {
    /// Its directory.
    pub directory: String,
    /// What was found in it at the start.
    pub start: JournalStart,
    /// How many keys of earlier processes were put in force at the start.
    pub restored_entries: usize,
    /// Whether the list of an earlier process was put in force at the start.
    pub restored_list: bool,
    /// When the list was issued that is kept and verified, in seconds since the epoch. A restart finds it, and not the installed one
    /// if that is another.
    pub list_iat: Option<u64>,
    /// Whether events are durable: false since the last attempt to write failed. Events are answered by "retry" then, and
    /// each of them is another attempt.
    pub durable: bool,
    /// What last went wrong: which file, and why. It stays after things went well again.
    pub last_error: Option<String>,
    /// How many attempts to write failed since the start.
    pub failures: u64,
    /// How many keys are kept.
    pub entries: u64,
    /// How many bytes the journal and the kept list take on disk.
    pub bytes: u64,
}

impl JournalStatus {
    /// At the start, when nothing has gone wrong.
    #[cfg_attr(not(feature = "journal"), expect(dead_code, reason = "there is none"))]
    pub(crate) const fn new(directory: String, start: JournalStart) -> Self {
        Self {
            directory,
            start,
            restored_entries: 0,
            restored_list: false,
            list_iat: None,
            durable: true,
            last_error: None,
            failures: 0,
            entries: 0,
            bytes: 0,
        }
    }
}

/// What was found of earlier processes at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum JournalStart {
    /// Something that was of no use, or nothing that could be read. Nobody is admitted until a list is fetched.
    Lost,
    /// Nothing: the directory is new.
    New,
    /// All that they were told.
    Restored,
}

fn freshness<S: serde::Serializer>(freshness: &Freshness, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match freshness {
        Freshness::Fresh => "fresh",
        Freshness::NoSnapshot => "no-snapshot",
        Freshness::Stale => "stale",
    })
}
