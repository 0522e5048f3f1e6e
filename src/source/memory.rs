//! A log in memory: for tests, and for processes whose issuer is inside.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::model::timestamp::Timestamp;
use crate::source::dead_letter::DeadLetter;
use crate::source::error::SourceError;
use crate::source::event_source::{Continuity, EventSource, Signal};
use crate::source::landmark::Landmark;
use crate::source::log::{CaughtUp, LogDeadLetters, LogDelivery, Storing};
use crate::source::position::{Position, Start};

/// A log of messages in memory, as brokers keep theirs: any number of replicas read it, each from where it wants. A cheap
/// clone.
///
/// It holds as many messages as it has room for; then the oldest go, and whoever comes for them finds a gap. It can be made to
/// fail as brokers do, which is how to test what one's own application does then.
#[derive(Clone)]
pub struct Memory {
    shared: Arc<Shared>,
}

struct Shared {
    name: String,
    room: usize,
    log: Mutex<MemoryLog>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct MemoryLog {
    /// The offset of the oldest message.
    first: u64,
    messages: VecDeque<(Timestamp, Bytes)>,
    /// Since when it has everything that was published; from the beginning, until it is trimmed or wiped.
    complete_since: Timestamp,
    dead_letters: Vec<DeadLetter>,
    /// How often everybody was disconnected.
    cuts: u64,
    wipes: u64,
    is_frozen: bool,
    is_away: bool,
}

impl Memory {
    /// Returns an empty log with room for [65,536](Self::DEFAULT_ROOM) messages. The name is for status and dead letters.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self::with_room(name, Self::DEFAULT_ROOM)
    }

    /// Returns an empty log with room for so many messages.
    #[must_use]
    pub fn with_room(name: &str, room: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                name: format!("memory:{name}"),
                room,
                log: Mutex::default(),
                changed: watch::Sender::new(()),
            }),
        }
    }

    /// Publishes a message to every replica, and returns its offset.
    pub fn publish(&self, message: impl Into<Bytes>) -> u64 {
        self.change(|log| {
            log.messages.push_back((Timestamp::now(), message.into()));
            if log.messages.len() > self.shared.room {
                log.drop_oldest();
            }
            log.end() - 1
        })
    }

    /// Publishes messages in one go, if the newest that `is_own` is the expected one.
    #[cfg(feature = "issuer")]
    pub(crate) fn publish_behind(
        &self,
        expected: Option<&Bytes>,
        is_own: impl Fn(&Bytes) -> bool,
        messages: impl Iterator<Item = Bytes>,
    ) -> bool {
        self.change(|log| {
            let newest = log
                .messages
                .iter()
                .rev()
                .map(|(_, message)| message)
                .find(|held| is_own(held));
            if newest != expected {
                return false;
            }
            for message in messages {
                log.messages.push_back((Timestamp::now(), message));
                if log.messages.len() > self.shared.room {
                    log.drop_oldest();
                }
            }
            true
        })
    }

    /// Returns all messages that it holds, the oldest first.
    #[must_use]
    pub fn messages(&self) -> Vec<Bytes> {
        self.log().messages.iter().map(|(_, message)| message.clone()).collect()
    }

    #[cfg(feature = "issuer")]
    pub(crate) fn name(&self) -> &str {
        &self.shared.name
    }

    /// Returns the log as a source that one replica reads.
    #[must_use]
    pub fn source(&self) -> MemorySource {
        MemorySource {
            log: self.clone(),
            changed: self.shared.changed.subscribe(),
            next: 0,
            cuts: 0,
            caught_up: CaughtUp::default(),
            asked: Instant::now(),
        }
    }

    /// Returns what was put aside, each message once.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.log().dead_letters.clone()
    }

    /// Disconnects everybody; they may come back at once.
    pub fn cut(&self) {
        self.change(|log| log.cuts += 1);
    }

    /// Disconnects everybody, and keeps them away until told otherwise; publishing goes on.
    pub fn set_away(&self, is_away: bool) {
        self.change(|log| {
            log.is_away = is_away;
            log.cuts += 1;
        });
    }

    /// Stops answering, without disconnecting anybody, until told otherwise.
    pub fn set_frozen(&self, is_frozen: bool) {
        self.change(|log| log.is_frozen = is_frozen);
    }

    /// Drops all messages and everybody's place, as a broker does that lost its disk.
    pub fn wipe(&self) {
        self.change(|log| {
            log.messages.clear();
            log.first = 0;
            log.complete_since = Timestamp::now();
            log.cuts += 1;
            log.wipes += 1;
        });
    }

    /// Drops the newest messages, all but so many of the oldest, as a broker does that is put back to an old copy. Nothing shows it: what is
    /// published next takes the places of what is lost.
    pub fn set_back(&self, rest: usize) {
        self.change(|log| {
            log.messages.truncate(rest);
            log.cuts += 1;
        });
    }

    /// Drops the oldest messages, all but so many, as retention does.
    pub fn trim(&self, rest: usize) {
        self.change(|log| {
            while log.messages.len() > rest {
                log.drop_oldest();
            }
        });
    }

    /// The room that a log has by default.
    pub const DEFAULT_ROOM: usize = 65_536;

    fn change<T>(&self, change: impl FnOnce(&mut MemoryLog) -> T) -> T {
        let outcome = change(&mut self.log());
        self.shared.changed.send_replace(());
        outcome
    }

    fn log(&self) -> MutexGuard<'_, MemoryLog> {
        self.shared.log()
    }
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, MemoryLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryLog {
    fn end(&self) -> u64 {
        self.first + self.messages.len() as u64
    }

    /// The same for each of its messages.
    fn landmark(&self) -> Landmark {
        Landmark::of(self.wipes)
    }

    fn drop_oldest(&mut self) {
        if let Some((at, _)) = self.messages.pop_front() {
            self.first += 1;
            self.complete_since = self.complete_since.max(at.saturating_add(Duration::from_millis(1)));
        }
    }

    /// Where reading starts, and whether everything is there.
    fn place(&self, start: &Start) -> (u64, Continuity) {
        let gap = |reason: &str| (self.first, Continuity::Gap(reason.to_owned()));
        match start.after(0) {
            Some(after) if after + 1 < u128::from(self.first) => gap("the log was trimmed"),
            Some(after) => (after as u64 + 1, Continuity::Complete),
            None if self.complete_since > start.time() => gap("the log does not reach back far enough"),
            None => {
                let skipped = self.messages.partition_point(|(at, _)| *at < start.time());
                (self.first + skipped as u64, Continuity::Complete)
            }
        }
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("name", &self.shared.name)
            .finish_non_exhaustive()
    }
}

/// A [`Memory`] log as one replica reads it.
#[derive(Debug)]
pub struct MemorySource {
    log: Memory,
    changed: watch::Receiver<()>,
    next: u64,
    cuts: u64,
    caught_up: CaughtUp,
    /// When it was last looked where the log ends.
    asked: Instant,
}

impl EventSource for MemorySource {
    type Delivery = LogDelivery;

    fn name(&self) -> &str {
        &self.log.shared.name
    }

    async fn open(&mut self, start: &Start) -> Result<Continuity, SourceError> {
        // The sender lives as long as the log that this holds.
        let _ = self.changed.wait_for(|()| !self.log.log().is_frozen).await;
        let log = self.log.log();
        if log.is_away {
            return Err(SourceError::new("the log is away"));
        }
        let is_another = start.landmarks(0).any(|(_, landmark)| landmark != log.landmark());
        let (next, continuity) = match is_another {
            true => (log.first, Continuity::Gap("the log was wiped".to_owned())),
            false => log.place(start),
        };
        self.next = next;
        self.cuts = log.cuts;
        self.caught_up = CaughtUp::from([Position::at(next.into())]);
        self.caught_up.ends([Position::at(log.end().into())]);
        self.asked = Instant::now();
        Ok(continuity)
    }

    async fn next(&mut self) -> Result<Signal<LogDelivery>, SourceError> {
        loop {
            self.changed.mark_unchanged();
            if let Some(signal) = self.look() {
                return signal;
            }
            let due = match self.log.log().is_frozen {
                true => Instant::now() + FOR_EVER,
                false => self.asked + SIGN_OF_LIFE,
            };
            let _ = timeout_at(due, self.changed.changed()).await;
        }
    }
}

impl MemorySource {
    fn look(&mut self) -> Option<Result<Signal<LogDelivery>, SourceError>> {
        let log = self.log.log();
        if log.is_frozen {
            return None;
        }
        if log.cuts != self.cuts {
            return Some(Err(SourceError::new("disconnected")));
        }
        if self.next < log.first {
            return Some(Err(SourceError::new("the log was trimmed while it was read").as_loss()));
        }
        if self.asked.elapsed() >= SIGN_OF_LIFE {
            self.caught_up.ends([Position::at(log.end().into())]);
            self.asked = Instant::now();
        }
        if self.caught_up.is_news() {
            return Some(Ok(Signal::CaughtUp));
        }
        let (_, payload) = log.messages.get((self.next - log.first) as usize)?;
        let position = Position::at(self.next.into());
        let delivery = LogDelivery::new(payload.clone(), position)
            .with_landmark(log.landmark())
            .with_lag(Some(log.end() - self.next - 1))
            .with_dead_letters(Some(self.log.shared.clone()));
        self.next += 1;
        self.caught_up.came_in(position);
        Some(Ok(Signal::Message(delivery)))
    }
}

impl LogDeadLetters for Shared {
    fn store<'s>(&'s self, letter: &'s DeadLetter) -> Storing<'s> {
        Box::pin(async move {
            let mut log = self.log();
            if !log.dead_letters.iter().any(|known| known.key() == letter.key()) {
                log.dead_letters.push(letter.clone());
            }
            Ok(())
        })
    }
}

/// How often it is looked where the log ends.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

const FOR_EVER: Duration = Duration::from_secs(60 * 60 * 24);
