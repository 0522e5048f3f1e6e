//! What everything in the gateway tells of what it does.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Method;
use tokio::sync::{Notify, broadcast, mpsc};
use tokio::time::Instant;
use tower_revocation::{Refusal, RevokedBy, Timestamp};

use super::chronicle::{Chronicle, line};
use super::delays::{Phase, millis};
use super::entry::{Entry, Kind, NAME_BYTES, excerpt};
use crate::registry::Registry;

/// The record. A cheap clone.
///
/// Telling it something costs a short lock. What comes faster than a person could read is counted and not kept.
#[derive(Clone)]
pub(crate) struct Record {
    shared: Arc<Shared>,
}

struct Shared {
    chronicle: Mutex<Chronicle>,
    /// Lines for the pages that are open.
    lines: broadcast::Sender<Arc<str>>,
    /// Told when there is something to show at once.
    stirred: Notify,
    /// Who knows to the microsecond when it revoked an agent, if it is in this process.
    registry: Option<Registry>,
    began: Timestamp,
    to_time: mpsc::Sender<Arc<str>>,
}

/// The agents whose revocations have come and may not be in force yet.
pub(crate) type ToTime = mpsc::Receiver<Arc<str>>;

impl Record {
    /// An empty record, and what is to be given to whoever can say when a revocation is in force.
    pub(crate) fn new(registry: Option<Registry>) -> (Self, ToTime) {
        let (to_time, timing) = mpsc::channel(TIMED);
        let shared = Arc::new(Shared {
            chronicle: Mutex::new(Chronicle::new()),
            lines: broadcast::Sender::new(LINES),
            stirred: Notify::new(),
            registry,
            began: Timestamp::now(),
            to_time,
        });
        (Self { shared }, timing)
    }

    /// A request of this agent was refused.
    pub(crate) fn refused(&self, agent: Option<&Arc<str>>, refusal: &Refusal, request: impl FnOnce() -> String) {
        let now = Instant::now();
        let mut chronicle = self.chronicle();
        if let (Some(agent), Refusal::Revoked(_) | Refusal::Withheld(_)) = (agent, refusal) {
            self.note(&mut chronicle, agent, Phase::Refused, now);
        }
        if !chronicle.refused.take(now) {
            return;
        }
        let why = match refusal {
            Refusal::Revoked(why) | Refusal::Withheld(why) => match why.source {
                RevokedBy::Event | RevokedBy::Host => "revoked, by an event",
                RevokedBy::List => "revoked, by the list",
            },
            Refusal::Unavailable { .. } => "no fresh list, and the policy is to refuse then",
            Refusal::Missing => "no token",
            _ => "token cannot be read",
        };
        let words = format!("{} refused: {why}", request());
        self.publish(chronicle.write(Kind::Refused, agent.cloned(), words));
    }

    /// An agent's revocation came, which the issuer dates so.
    pub(crate) fn revoked(&self, agent: Arc<str>, stated: Option<Timestamp>, words: String) {
        let (now, wall) = (Instant::now(), Timestamp::now());
        let accepted = self.shared.registry.as_ref().and_then(|registry| {
            // The ULID at the end of its DID.
            registry.revoked_at(agent.rsplit(':').next().unwrap_or_default())
        });
        // Exactly if the registry is within; by the two clocks on the wall otherwise.
        let took = stated.map(|stated| wall.saturating_since(stated));
        let origin = accepted.or_else(|| now.checked_sub(took?));
        let mut chronicle = self.chronicle();
        self.publish(chronicle.write(Kind::Revoked, Some(Arc::clone(&agent)), words));
        // What was revoked before we were there says nothing about how fast we are.
        let stated = stated.filter(|stated| *stated >= self.shared.began);
        if let (Some(origin), Some(stated)) = (origin, stated)
            && let Some(case) = chronicle.delays.open(&agent, stated.as_unix_millis(), origin)
        {
            self.send(|| line("point", case));
            // If too many come at once, some are not timed.
            let _ = self.shared.to_time.try_send(agent);
        }
    }

    /// An agent's revocation is in force.
    pub(crate) fn in_force(&self, agent: &str, since: Instant) {
        self.note(&mut self.chronicle(), agent, Phase::InForce, since);
    }

    /// A stream was cut. How long after the revocation, in milliseconds, if that is known.
    pub(crate) fn cut(&self, agent: Option<&Arc<str>>, what: &str) -> Option<f64> {
        let now = Instant::now();
        let mut chronicle = self.chronicle();
        let took = agent.and_then(|agent| {
            self.note(&mut chronicle, agent, Phase::Cut, now);
            chronicle.delays.since(agent, now)
        });
        if chronicle.cuts.take(now) {
            let after = took.map_or_else(String::new, |took| format!(" {} after the revocation", duration(took)));
            let words = format!("{what} cut{after}");
            self.publish(chronicle.write(Kind::Cut, agent.cloned(), words));
        }
        took
    }

    /// Whether one more message may be written down; if not, it is counted.
    pub(crate) fn has_room_for_a_message(&self) -> bool {
        self.chronicle().messages.take(Instant::now())
    }

    /// Writes something down.
    pub(crate) fn write(&self, kind: Kind, agent: Option<Arc<str>>, words: String) {
        self.publish(self.chronicle().write(kind, agent, words));
    }

    /// Writes down how much was not.
    pub(crate) fn settle(&self) {
        let mut chronicle = self.chronicle();
        for (kind, count) in chronicle.settle(Instant::now()) {
            let words = format!("and {} more {}", grouped(count), kind.plural());
            self.publish(chronicle.write(kind, None, words));
        }
    }

    /// What there is now, and every change from here on.
    pub(crate) fn follow(&self) -> (String, broadcast::Receiver<Arc<str>>) {
        let chronicle = self.chronicle();
        (chronicle.picture(), self.shared.lines.subscribe())
    }

    /// Waits until there is something to show at once.
    pub(crate) async fn stirred(&self) {
        self.shared.stirred.notified().await;
    }

    /// There is something to show at once.
    pub(crate) fn stir(&self) {
        self.shared.stirred.notify_one();
    }

    pub(crate) fn chronicle(&self) -> MutexGuard<'_, Chronicle> {
        self.shared.chronicle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, chronicle: &mut Chronicle, agent: &str, phase: Phase, now: Instant) {
        if let Some(case) = chronicle.delays.note(agent, phase, now) {
            self.send(|| line("point", case));
        }
    }

    fn publish(&self, entry: &Entry) {
        self.send(|| line("entry", entry));
        self.stir();
    }

    /// Sent with the chronicle locked, so that no page misses anything between its picture and its first change.
    fn send(&self, line: impl FnOnce() -> String) {
        if self.shared.lines.receiver_count() > 0 {
            let _ = self.shared.lines.send(line().into());
        }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").finish_non_exhaustive()
    }
}

/// A request as it is named in the log: without its query, where people put secrets.
pub(crate) fn request(method: &Method, path: &str) -> String {
    format!("{method} {}", excerpt(path, NAME_BYTES))
}

/// Milliseconds as a person writes them.
pub(crate) fn duration(ms: f64) -> String {
    match ms {
        ..10.0 => format!("{ms:.2} ms"),
        ..1000.0 => format!("{ms:.0} ms"),
        _ => format!("{:.1} s", ms / 1e3),
    }
}

/// A number with a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Milliseconds between two moments.
pub(crate) fn between(earlier: Instant, later: Instant) -> f64 {
    millis(later.saturating_duration_since(earlier))
}

/// How far a page may lag behind before it is given the whole picture again.
const LINES: usize = 512;

/// How many revocations are timed at once.
const TIMED: usize = 256;
