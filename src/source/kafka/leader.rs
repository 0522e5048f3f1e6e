//! Reads from whoever leads a partition.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::source::error::SourceError;
use crate::source::kafka::fetch_size::FetchSize;
use crate::source::kafka::leadership::Leadership;
use crate::source::kafka::partition::{Partition, ReadFrom};
use crate::source::kafka::wire::{ErrorCode, FetchAnswer, FetchedPartition, PATIENCE, Received, Sent};

/// Asks the leader of a partition for records, and follows when another one leads.
pub(super) struct LeaderReader {
    pub(super) partition: Partition,
    pub(super) max_wait: Duration,
    leadership: Leadership,
    size: FetchSize,
    asked: Option<FetchUnderWay>,
    /// Until when the leader says nothing, as it said.
    throttled_until: Option<Instant>,
    /// When it said so last.
    held_up: Option<Instant>,
    /// Since when it is not clear who leads.
    unsettled_since: Option<Instant>,
    has_moved: bool,
}

/// A request that is under way.
#[derive(Clone, Copy)]
struct FetchUnderWay {
    sent: Sent,
    at: Instant,
    /// When something of the answer came last.
    heard: Instant,
}

/// An answer, and when it was asked for.
type LeaderAnswer = (FetchedPartition, Instant);

/// Why there is no answer.
enum Unanswered {
    /// The connection broke: another one may do.
    Broken(SourceError),
    /// The leader does not answer: another connection to it would be no better.
    Late(SourceError),
}

impl LeaderReader {
    pub(super) fn new(partition: Partition, leadership: Leadership, max_wait: Duration) -> Self {
        Self {
            partition,
            max_wait,
            leadership,
            size: FetchSize::default(),
            asked: None,
            throttled_until: None,
            held_up: None,
            unsettled_since: None,
            has_moved: false,
        }
    }

    /// Waits for the next answer, or for a sign of life. Returns `None` for that.
    pub(super) async fn answer(&mut self, from: ReadFrom) -> Result<Option<LeaderAnswer>, SourceError> {
        self.follow().await?;
        if self.has_moved || self.is_throttled().await {
            return Ok(None);
        }
        match self.ask(from).await {
            Ok(answer) => Ok(answer),
            Err(Unanswered::Late(late)) => Err(late),
            Err(Unanswered::Broken(broken)) => {
                self.find(broken, true).await?;
                Ok(None)
            }
        }
    }

    /// Finds out who leads, now that this one refuses to answer.
    pub(super) async fn is_refused(&mut self, code: ErrorCode) -> Result<(), SourceError> {
        let refused = self.partition.failed("cannot read").because(code);
        match code {
            // Perhaps the topic is gone: whoever is asked for the leader says that.
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID => self.find(refused, false).await,
            code if code.is_about_leader() => self.find(refused, false).await,
            _ => Err(refused),
        }
    }

    /// Notes that the leader gave a good answer.
    pub(super) fn is_settled(&mut self) {
        self.unsettled_since = None;
    }

    /// Returns whether the answers come over another connection than before, once.
    pub(super) fn has_moved(&mut self) -> bool {
        std::mem::take(&mut self.has_moved)
    }

    /// Returns whether a quota held it up a moment ago.
    pub(super) fn is_held_up(&self) -> bool {
        self.held_up.is_some_and(|at| at.elapsed() < HELD_UP)
    }

    async fn ask(&mut self, from: ReadFrom) -> Result<Option<LeaderAnswer>, Unanswered> {
        let mut asked = match self.asked {
            Some(asked) => asked,
            None => {
                let sent = self.partition.send_fetch(from, self.size.bytes(), self.max_wait).await;
                let at = Instant::now();
                let sent = sent.map_err(Unanswered::Broken)?;
                FetchUnderWay { sent, at, heard: at }
            }
        };
        loop {
            self.asked = Some(asked);
            let received = self.partition.receive(asked.sent, Instant::now() + TURN).await;
            match received.map_err(Unanswered::Broken)? {
                Received::Answer(answer) => return Ok(self.answered(asked, answer)),
                Received::Part => {
                    asked.heard = Instant::now();
                    self.asked = Some(asked);
                    return Ok(None);
                }
                Received::Nothing if asked.heard.elapsed() >= self.max_wait + PATIENCE => {
                    let late = format!("no answer within {:?}", self.max_wait + PATIENCE);
                    return Err(Unanswered::Late(self.partition.failed("cannot read").because(late)));
                }
                Received::Nothing => {}
            }
        }
    }

    fn answered(&mut self, asked: FetchUnderWay, answer: FetchAnswer) -> Option<LeaderAnswer> {
        self.asked = None;
        self.size.took(asked.at.elapsed().saturating_sub(self.max_wait));
        if let Ok(millis @ 1..) = u64::try_from(answer.throttled_ms) {
            let now = Instant::now();
            (self.throttled_until, self.held_up) = (Some(now + Duration::from_millis(millis)), Some(now));
        }
        answer.partition.map(|partition| (partition, asked.at))
    }

    /// Waits while the leader says nothing since a quota is used up, for a second at most. It tells other connections that it
    /// is there, and is not taken for dead.
    async fn is_throttled(&mut self) -> bool {
        while let Some(until) = self.throttled_until {
            let now = Instant::now();
            if until <= now {
                self.throttled_until = None;
                return false;
            }
            sleep_until(until.min(now + TURN)).await;
            if self.leadership.has_heard_of(self.partition.leader) {
                return true;
            }
        }
        false
    }

    /// Goes to another leader if somebody names one.
    async fn follow(&mut self) -> Result<(), SourceError> {
        match self.leadership.newest(self.partition.number) {
            Some(newest) if newest.epoch > self.partition.epoch => match newest.leader == self.partition.leader {
                true => {
                    self.partition.epoch = newest.epoch;
                    Ok(())
                }
                false => {
                    let cause = self.partition.failed("cannot read").because("its leader was replaced");
                    self.find(cause, false).await
                }
            },
            _ => Ok(()),
        }
    }

    /// Finds out who leads, and connects to it; or leaves things as they are if that is not clear yet, for a moment.
    async fn find(&mut self, cause: SourceError, is_broken: bool) -> Result<(), SourceError> {
        let since = *self.unsettled_since.get_or_insert_with(Instant::now);
        if since.elapsed() > SETTLED_WITHIN {
            return Err(cause);
        }
        self.asked = None;
        sleep(PAUSE).await;
        let Ok(looked_up) = timeout(PATIENCE, self.partition.cluster.look_up()).await else {
            return Err(cause);
        };
        let view = looked_up?;
        if view.id != self.partition.topic_id {
            let changed = self.partition.failed("cannot go on reading");
            return Err(changed.because("the topic was deleted, and made anew").as_loss());
        }
        self.leadership.learn(&view);
        let Some(named) = self.leadership.newest(self.partition.number) else {
            return Err(cause);
        };
        if named.leader == self.partition.leader && !is_broken {
            self.partition.epoch = named.epoch;
        } else if named.leader >= 0 || is_broken {
            self.partition = Partition::at(&self.partition.cluster, view.id, &named).await?;
            self.throttled_until = None;
            self.has_moved = true;
        }
        Ok(())
    }
}

/// How long is waited for anything before somebody gets to know that there is a broker.
const TURN: Duration = Duration::from_secs(1);

/// For how long a quota counts as one that is used up.
const HELD_UP: Duration = Duration::from_secs(60);

/// Within which time it has to be clear who leads: in good order, another leader is there in less than a second.
const SETTLED_WITHIN: Duration = Duration::from_millis(2_500);

const PAUSE: Duration = Duration::from_millis(100);
