//! What becomes of one message.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{sleep, timeout};

use crate::common::backoff::Backoff;
use crate::common::error_text::error_text;
use crate::common::host_code::{guarded, guarded_future};
use crate::common::log;
use crate::domain::applied::Applied;
use crate::domain::ingest::ended;
use crate::model::decode::{Decode, Disposition, Ended};
use crate::model::timestamp::Timestamp;
use crate::sink::EventSink;
use crate::source::config::{DriverConfig, SETTLE_TIMEOUT};
use crate::source::dead_letter::DeadLetter;
use crate::source::error::SourceError;
use crate::source::event_source::{Delivery, Retry};
use crate::source::position::Position;
use crate::state::accept::ApplyError;

/// What all messages of a feed are settled by.
pub(super) struct Intake<D> {
    pub(super) sink: EventSink,
    pub(super) decode: D,
    pub(super) config: Arc<DriverConfig>,
    /// The feed's name.
    pub(super) source: String,
    /// Is told what is found out before a message is settled.
    pub(super) noted: UnboundedSender<Noted>,
}

/// What is found out while a message is settled, which may take its time.
pub(super) enum Noted {
    /// It is a dead letter, and why.
    DeadLetter(String),
    /// A dead letter cannot be stored yet, and why not.
    Failed(String),
}

/// A message that needs nothing more of this process.
pub(super) struct Settled {
    /// If everything before it may be forgotten.
    pub(super) position: Option<Position>,
    /// How large it was.
    pub(super) bytes: usize,
    /// What went wrong with telling the broker.
    pub(super) error: Option<String>,
}

impl<D: Decode> Intake<D> {
    /// Puts in force what the messages say, together.
    pub(super) fn take_in_all(&self, deliveries: &[impl Delivery]) -> Vec<Result<Applied, Ended>> {
        if deliveries.iter().any(|delivery| delivery.defect().is_some()) {
            return deliveries.iter().map(|delivery| self.take_in(delivery)).collect();
        }
        let messages = deliveries.iter().map(Delivery::payload);
        self.sink.domain().take_in_all(&self.decode, messages)
    }

    /// Puts in force what the message says.
    fn take_in(&self, delivery: &impl Delivery) -> Result<Applied, Ended> {
        match delivery.defect() {
            None => self.sink.domain().take_in(&self.decode, delivery.payload()),
            Some(why) => Err(Ended::dead_letter("unreadable", why.to_owned().into())),
        }
    }

    /// Settles a message, if nothing has to be waited for and nobody to be told. Of a replay, that is every message.
    pub(super) fn settle_at_once(
        &self,
        delivery: &impl Delivery,
        taken_in: Result<Applied, Ended>,
    ) -> Result<Settled, Result<Applied, Ended>> {
        if delivery.needs_ack() || delivery.comes_again() {
            return Err(taken_in);
        }
        let ended = match taken_in {
            Ok(applied) if applied.is_done() => Ended::applied(),
            Err(ended) if matches!(ended.disposition, Disposition::Applied | Disposition::Ignored(_)) => ended,
            waits => return Err(waits),
        };
        let bytes = delivery.payload().len();
        let _ = self.sink.domain().disposed(ended, bytes);
        Ok(Settled {
            position: delivery.position(),
            bytes,
            error: None,
        })
    }

    /// Waits until what was taken in is durable, and tells the broker what became of the message; as often as it takes.
    pub(super) async fn settle<M: Delivery>(&self, mut delivery: M, taken_in: Result<Applied, Ended>) -> Settled {
        let attempts = delivery.attempts().max(1);
        let outcome = durable(taken_in).await;
        if delivery.comes_again() {
            return Settled {
                position: None,
                bytes: delivery.payload().len(),
                error: None,
            };
        }
        match self.judged(outcome, attempts, delivery.payload()) {
            Disposition::Applied | Disposition::Ignored(_) => acknowledged(&mut delivery).await,
            // Rare, and large.
            other => Box::pin(self.go_on(delivery, other, attempts)).await,
        }
    }

    /// Tries again what was not applied, until it is settled.
    async fn go_on<M: Delivery>(&self, mut delivery: M, mut outcome: Disposition, mut attempts: u32) -> Settled {
        let mut backoff = backoff(attempts);
        loop {
            match outcome {
                Disposition::Applied | Disposition::Ignored(_) => return acknowledged(&mut delivery).await,
                Disposition::DeadLetter(reason) => {
                    return self.put_aside(delivery, reason.into_owned(), attempts).await;
                }
                Disposition::Retry(_) => {}
            }
            let pause = backoff.pause();
            match told(delivery.retry(pause)).await {
                Ok(Retry::ByBroker) => {
                    return Settled {
                        // It comes again, and until then it is not settled.
                        position: None,
                        bytes: delivery.payload().len(),
                        error: None,
                    };
                }
                Ok(Retry::InPlace) | Err(_) => sleep(pause).await,
            }
            attempts = attempts.saturating_add(1);
            let taken_in = self.take_in(&delivery);
            outcome = self.judged(durable(taken_in).await, attempts, delivery.payload());
        }
    }

    /// What became of a message at this attempt. What was tried often enough is a dead letter; but for what is in force and waits
    /// for a disk: there is nothing wrong with it, and the broker keeps it as long as nobody acknowledges it.
    fn judged(&self, attempt: Attempt, attempts: u32, payload: &[u8]) -> Disposition {
        let ended = match attempt {
            Attempt::Ended(Ended {
                disposition: Disposition::Retry(reason),
                ..
            }) if attempts >= self.config.attempts.get() => {
                let words = format!("given up after {attempts} attempts: {reason}");
                Ended::dead_letter("given-up", words.into())
            }
            Attempt::Ended(ended) | Attempt::NotDurable(ended) => ended,
        };
        self.sink.domain().disposed(ended, payload.len())
    }

    async fn put_aside(&self, mut delivery: impl Delivery, reason: String, attempts: u32) -> Settled {
        let letter = DeadLetter {
            source: self.source.clone(),
            position: delivery.position(),
            payload: Bytes::copy_from_slice(delivery.payload()),
            reason,
            replica: self.config.replica.clone(),
            at: Timestamp::now(),
            attempts,
        };
        log::warn!(source = letter.source, position = ?letter.position, reason = letter.reason, "message is a dead letter");
        // Nobody listens any more if the feed ends just now.
        let _ = self.noted.send(Noted::DeadLetter(letter.reason.clone()));
        if let Some(hook) = &self.config.hook {
            let _ = guarded(|| hook(&letter));
        }
        let mut backoff = backoff(1);
        while let Err(error) = told(delivery.dead_letter(&letter)).await {
            let error = error_text(&error).into_owned();
            log::warn!(error, "dead letter cannot be stored");
            let _ = self.noted.send(Noted::Failed(error));
            sleep(backoff.pause()).await;
        }
        Settled {
            position: letter.position,
            bytes: letter.payload.len(),
            error: None,
        }
    }
}

async fn acknowledged(delivery: &mut impl Delivery) -> Settled {
    let acknowledged = told(delivery.ack()).await;
    Settled {
        position: delivery.position(),
        bytes: delivery.payload().len(),
        // It is in force. Should it come again, nothing happens.
        error: acknowledged.err().map(|error| error_text(&error).into_owned()),
    }
}

/// Waits until the broker is told what became of a message. It may never answer, or its client may never say so, and then the
/// message would count as unsettled for as long as the feed is open.
async fn told<T>(told: impl Future<Output = Result<T, SourceError>>) -> Result<T, SourceError> {
    let late = |_| {
        SourceError::new(format!(
            "what became of a message is not told within {SETTLE_TIMEOUT:?}"
        ))
    };
    timeout(SETTLE_TIMEOUT, guarded_future(told))
        .await
        .map_err(late)?
        .unwrap_or_else(|panic| Err(SourceError::new(format!("the source panicked: {panic}"))))
}

/// What became of an attempt.
enum Attempt {
    Ended(Ended),
    /// What the message says is in force, and on no disk.
    NotDurable(Ended),
}

/// Waits until what is in force is durable.
async fn durable(taken_in: Result<Applied, Ended>) -> Attempt {
    match taken_in {
        Ok(pending) => match pending.durable().await {
            failed @ Err(ApplyError::NotDurable { .. }) => Attempt::NotDurable(ended(failed)),
            applied => Attempt::Ended(ended(applied)),
        },
        Err(ended) => Attempt::Ended(ended),
    }
}

/// The pauses between attempts, after so many of them.
fn backoff(attempts: u32) -> Backoff {
    Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE).after(attempts - 1)
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::domain::persistence::{Durable, Persist, PersistLists};
    use crate::middleware::RevocationLayer;
    use crate::model::credential::Credential;
    use crate::model::decode::{DecodeError, Decoded};
    use crate::model::event::Revocation;
    use crate::model::key::Key;
    use crate::model::log_place::LogPosition;
    use crate::model::policy::ListPolicy;
    use crate::source::memory::Memory;
    use crate::state::entry::Entry;
    use crate::status::{JournalStart, JournalStatus};

    /// A journal whose disk fails so many times.
    struct Failing(Arc<AtomicUsize>);

    impl Persist for Failing {
        fn persist(&self, _: Vec<Entry>, _: Option<LogPosition>) -> Durable {
            let left = self.0.load(Ordering::Relaxed);
            self.0.store(left.saturating_sub(1), Ordering::Relaxed);
            Durable::new(ready(if left == 0 { Ok(()) } else { Err("no room".into()) }))
        }

        fn persist_newest(&self, _: Timestamp) -> Durable {
            Durable::new(ready(Ok(())))
        }

        fn persist_resynced(&self) -> Durable {
            Durable::new(ready(Ok(())))
        }

        fn persist_feed_read(&self, _: Timestamp) -> Durable {
            Durable::new(ready(Ok(())))
        }

        fn lists(&self) -> &dyn PersistLists {
            unreachable!("no list is kept here")
        }

        fn status(&self) -> JournalStatus {
            JournalStatus::new(String::new(), JournalStart::New)
        }
    }

    fn decode(message: &[u8]) -> Result<Decoded, DecodeError> {
        Ok(Revocation::block(Key::subject(&String::from_utf8_lossy(message))).into())
    }

    /// It used to be given up, and acknowledged, while its broker would have kept it until the disk is well.
    #[tokio::test(start_paused = true)]
    async fn what_is_not_durable_is_tried_for_as_long_as_the_disk_fails() {
        let (_layer, sink) = RevocationLayer::pair(|_: &()| Option::<Credential>::None);
        sink.configure(|config| config.with_lists(ListPolicy::NotUsed));
        let left = Arc::new(AtomicUsize::new(50));
        assert!(sink.domain().journal.set(Box::new(Failing(Arc::clone(&left)))).is_ok());
        let log = Memory::new("log");
        let feed =
            crate::source::driver::drive(log.source(), decode, sink.clone()).with_attempts(std::num::NonZeroU32::MIN);
        let running = tokio::spawn(feed.run());
        log.publish("agent");
        while left.load(Ordering::Relaxed) > 0 || sink.status().dispositions.applied == 0 {
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(log.dead_letters(), []);
        assert_eq!(sink.status().dispositions.retry, 50);
        running.abort();
    }
}
