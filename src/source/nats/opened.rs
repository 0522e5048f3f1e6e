//! A stream while it is read.

use std::sync::Arc;
use std::time::Duration;

use tokio::select;
use tokio::time::Instant;

use crate::source::error::SourceError;
use crate::source::event_source::Signal;
use crate::source::log::{CaughtUp, LogDeadLetters, LogDelivery};
use crate::source::nats::connection::NatsConnection;
use crate::source::nats::continuity::Wholeness;
use crate::source::nats::leader::{Look, Looks};
use crate::source::nats::opening::Begun;
use crate::source::nats::reader::{Heard, StreamConsumer, StreamMessage};
use crate::source::nats::seen::Seen;
use crate::source::position::Position;

/// A stream that is open.
pub(super) struct OpenedStream {
    connection: NatsConnection,
    consumer: StreamConsumer,
    wholeness: Wholeness,
    caught_up: CaughtUp,
    looks: Looks,
    /// The leader's last answer.
    look: Look,
    /// When one that tells where the stream ends came, or a message, or much else that it waits behind.
    moved: Instant,
    /// The end that the leader did not know of any more when it was last asked.
    lost_end: Option<u64>,
    /// Whether it ended because no leader was to be had.
    is_leaderless: bool,
    /// Whether the consumer has said anything.
    is_heard: bool,
    seen: Option<Seen>,
    dead_letters: Option<Arc<dyn LogDeadLetters>>,
}

impl OpenedStream {
    pub(super) fn new(
        begun: Begun,
        connection: NatsConnection,
        looks: Looks,
        seen: Option<Seen>,
        dead_letters: Option<Arc<dyn LogDeadLetters>>,
    ) -> Self {
        Self {
            connection,
            consumer: begun.consumer,
            wholeness: begun.wholeness,
            caught_up: begun.caught_up,
            looks,
            look: begun.look,
            moved: Instant::now(),
            lost_end: None,
            is_leaderless: false,
            is_heard: false,
            seen,
            dead_letters,
        }
    }

    /// Waits for the next thing that the stream has to say.
    pub(super) async fn next(&mut self) -> Result<Signal<LogDelivery>, SourceError> {
        let mut is_idle = false;
        loop {
            if let Some(look) = self.looks.news() {
                self.looked(look, is_idle)?;
            }
            if self.is_at_end() {
                return Ok(Signal::CaughtUp);
            }
            let heard = select! {
                biased;
                heard = self.consumer.next() => heard?,
                held_up = self.connection.broken_or_busy() => {
                    held_up?;
                    // What comes may be a message that is large for the link: that is a sign of life.
                    self.moved = Instant::now();
                    return Ok(Signal::Alive { lag: None });
                }
                () = self.looks.changed() => {
                    is_idle = true;
                    continue;
                }
            };
            is_idle = false;
            self.is_heard = true;
            match heard {
                Heard::Message(message) => {
                    if let Some(delivery) = self.came(message)? {
                        return Ok(Signal::Message(delivery));
                    }
                }
                Heard::Heartbeat { passed } => {
                    self.passed(passed)?;
                    return Ok(match self.is_at_end() {
                        true => Signal::CaughtUp,
                        // A server that is cut off from the leader sends them as well.
                        false => Signal::Alive { lag: None },
                    });
                }
            }
        }
    }

    /// Returns up to where everything was seen, if a message was given.
    pub(super) const fn seen(&self) -> Option<Seen> {
        self.seen
    }

    /// Returns whether it ended because no leader was to be had.
    pub(super) const fn is_leaderless(&self) -> bool {
        self.is_leaderless
    }

    /// Has the server forget the consumer.
    pub(super) async fn discard(&self) {
        self.consumer.discard().await;
    }

    /// Whether everything came in that lies before the end, as the leader named it just now, and that was not said since.
    fn is_at_end(&mut self) -> bool {
        // Before the consumer said anything, it is not known whether it can be read.
        self.is_heard && self.look.asked.elapsed() < FRESH && self.caught_up.is_news()
    }

    fn came(&mut self, message: StreamMessage) -> Result<Option<LogDelivery>, SourceError> {
        self.moved = Instant::now();
        let position = Position::at(message.sequence.into());
        let landmark = self.wholeness.read(message.sequence, message.published)?;
        self.caught_up.came_in(position);
        if message.is_servers_own {
            self.seen = self.seen.map(|seen| seen.and_to(message.sequence));
            return Ok(None);
        }
        self.seen = Some(Seen::delivered(message.sequence));
        let delivery = LogDelivery::new(message.payload, position)
            .with_landmark(landmark)
            .with_lag(Some(message.lag))
            .with_dead_letters(self.dead_letters.clone());
        Ok(Some(delivery))
    }

    /// Notes that the consumer has come past a message, and has sent all that there were.
    fn passed(&mut self, passed: Option<u64>) -> Result<(), SourceError> {
        let Some(passed) = passed else { return Ok(()) };
        self.wholeness.passed(passed)?;
        self.caught_up.came_to(Position::at(u128::from(passed) + 1));
        self.seen = self.seen.map(|seen| seen.and_to(passed));
        Ok(())
    }

    /// Notes what the leader says. While nothing waits to be read, the consumer is held to say something as well.
    fn looked(&mut self, look: Result<Look, String>, is_idle: bool) -> Result<(), SourceError> {
        match look {
            // What is sent over one connection comes in order.
            Ok(_) if is_idle && self.consumer.silence() > SILENCE && !self.connection.is_busy() => {
                Err(SourceError::new("the consumer is silent: its server may be gone"))
            }
            Ok(look) => {
                self.moved = Instant::now();
                let known = self.look.last.max(self.seen.map_or(0, |seen| seen.to));
                let lost = self.lost_end.take().filter(|lost| look.last < *lost);
                if let Some(lost) = lost {
                    let words = format!("the stream ended at message {lost}, and ends at {} now", look.last);
                    return Err(SourceError::new(words).as_loss());
                }
                if look.last < known {
                    // What came meanwhile, or a new leader that has not taken in yet all that it has? The next answer tells.
                    self.lost_end = Some(known);
                } else {
                    self.look = look;
                    self.caught_up.ends([Position::at(u128::from(look.last) + 1)]);
                }
                Ok(())
            }
            Err(why) => {
                self.consumer.slow_down();
                if self.moved.elapsed() < PATIENCE {
                    return Ok(());
                }
                self.is_leaderless = true;
                Err(SourceError::new(why))
            }
        }
    }
}

/// How old the leader's answer may be.
const FRESH: Duration = Duration::from_secs(2);

/// How long to wait for a leader. It was asked some four times by then, and the feed is not live any more.
const PATIENCE: Duration = Duration::from_secs(4);

/// How long a consumer may be silent that sends a heartbeat each second.
const SILENCE: Duration = Duration::from_secs(3);
