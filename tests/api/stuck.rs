//! Calls into a source that never return, as those of a broker's client may: the loop goes on, and the kit names them.

use std::future::pending;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};
use tower_revocation::source::testing::{self, Capability, Harness, Rule};
use tower_revocation::source::{
    self, Continuity, DRAIN_TIMEOUT, DeadLetter, Delivery, EventSource, Landmark, LogDelivery, Memory, MemorySource,
    Position, Retry, SETTLE_TIMEOUT, Signal, SourceError, Start,
};
use tower_revocation::status::Status;
use tower_revocation::{DecodeError, Decoded, EventSink, Key, Revocation};

use crate::support::fresh_pair;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Ack,
    Close,
    DeadLetter,
    Open,
    Publish,
    Retry,
}

/// Which call does not return, for as long as it is not mended.
#[derive(Clone)]
struct Fault {
    call: Call,
    is_mended: Arc<AtomicBool>,
}

impl Fault {
    fn of(call: Call) -> Self {
        let is_mended = Arc::default();
        Self { call, is_mended }
    }

    fn mend(&self) {
        self.is_mended.store(true, Ordering::Relaxed);
    }

    async fn during(&self, call: Call) {
        if call == self.call && !self.is_mended.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    }
}

struct Stuck(Memory, Fault);

struct StuckSource(MemorySource, Fault);

struct StuckDelivery(LogDelivery, Fault);

impl Harness for Stuck {
    type Source = StuckSource;

    const LACKS: &[Capability] = &[Capability::Cut, Capability::Freeze, Capability::Trim, Capability::Wipe];

    async fn source(&self) -> StuckSource {
        StuckSource(self.0.source(), self.1.clone())
    }

    async fn publish(&self, messages: Vec<Vec<u8>>) {
        self.1.during(Call::Publish).await;
        for message in messages {
            self.0.publish(message);
        }
    }

    async fn dead_letters(&self) -> Vec<Vec<u8>> {
        let letters = self.0.dead_letters().into_iter();
        letters.map(|letter| letter.payload.to_vec()).collect()
    }
}

impl EventSource for StuckSource {
    type Delivery = StuckDelivery;

    fn name(&self) -> &str {
        self.0.name()
    }

    async fn open(&mut self, start: &Start) -> Result<Continuity, SourceError> {
        self.1.during(Call::Open).await;
        self.0.open(start).await
    }

    async fn next(&mut self) -> Result<Signal<StuckDelivery>, SourceError> {
        Ok(match self.0.next().await? {
            Signal::Message(delivery) => Signal::Message(StuckDelivery(delivery, self.1.clone())),
            Signal::CaughtUp => Signal::CaughtUp,
            _ => Signal::Alive { lag: None },
        })
    }

    async fn close(&mut self) {
        self.1.during(Call::Close).await;
    }
}

impl Delivery for StuckDelivery {
    fn payload(&self) -> &[u8] {
        self.0.payload()
    }

    fn position(&self) -> Option<Position> {
        self.0.position()
    }

    fn landmark(&self) -> Option<Landmark> {
        self.0.landmark()
    }

    async fn ack(&mut self) -> Result<(), SourceError> {
        self.1.during(Call::Ack).await;
        self.0.ack().await
    }

    async fn retry(&mut self, _after: Duration) -> Result<Retry, SourceError> {
        self.1.during(Call::Retry).await;
        Ok(Retry::InPlace)
    }

    async fn dead_letter(&mut self, letter: &DeadLetter) -> Result<(), SourceError> {
        self.1.during(Call::DeadLetter).await;
        self.0.dead_letter(letter).await
    }
}

/// RabbitMQ's client once closed for ever, and all that was seen of it was a test that did not end.
#[tokio::test(start_paused = true)]
async fn the_kit_names_a_call_that_does_not_return() {
    for (call, words) in [
        (Call::Ack, "it did not acknowledge \"message 0\" within 60s"),
        (Call::Close, "it did not close within 60s"),
        (Call::Open, "it did not open within 60s"),
        (Call::Publish, "the harness did not publish within 120s"),
    ] {
        let stuck = Stuck(Memory::new("revocations"), Fault::of(call));
        let found = testing::check(Rule::AfterAPosition, stuck).await;
        assert_eq!(found.unwrap_err().seen, words);
    }
}

/// Blocks whatever the message is, unless it is poison.
fn decode(message: &[u8]) -> Result<Decoded, DecodeError> {
    match message {
        b"poison" => Err(DecodeError::new("message", "is poison")),
        _ => Ok(Revocation::block(Key::subject(&String::from_utf8_lossy(message))).into()),
    }
}

type Plain = fn(&[u8]) -> Result<Decoded, DecodeError>;

/// Reads a log, of which a call does not return.
fn read(log: &Memory, sink: &EventSink, fault: &Fault) {
    let source = StuckSource(log.source(), fault.clone());
    let feed = source::drive(source, decode as Plain, sink.clone()).with_resync(|_| async { Ok(()) });
    tokio::spawn(feed.run());
}

/// Waits until the status is as wanted, but no longer than it takes to give up a call.
async fn until(sink: &EventSink, wanted: impl Fn(&Status) -> bool) -> Status {
    let deadline = Instant::now() + SETTLE_TIMEOUT + Duration::from_secs(10);
    loop {
        let status = sink.status();
        if wanted(&status) {
            return status;
        }
        assert!(Instant::now() < deadline, "{status:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

const TOLD: &str = "what became of a message is not told within 60s";

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_that_does_not_return_is_given_up() {
    let (log, fault) = (Memory::new("revocations"), Fault::of(Call::Ack));
    let (_layer, sink) = fresh_pair();
    read(&log, &sink, &fault);
    log.publish("alice");
    until(&sink, |status| status.feed.unacknowledged == 1).await;
    let status = until(&sink, |status| status.feed.unacknowledged == 0).await;
    assert_eq!(status.feed.last_error.as_deref(), Some(TOLD));
    assert_eq!((status.feed.opened, status.overlay.entries), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_whose_storing_does_not_return_is_stored_again() {
    let (log, fault) = (Memory::new("revocations"), Fault::of(Call::DeadLetter));
    let (_layer, sink) = fresh_pair();
    read(&log, &sink, &fault);
    log.publish("poison");
    log.publish("alice");
    until(&sink, |status| status.overlay.entries == 1).await;
    until(&sink, |status| status.feed.last_error.as_deref() == Some(TOLD)).await;
    assert_eq!(log.dead_letters().len(), 0);
    fault.mend();
    until(&sink, |status| status.feed.unacknowledged == 0).await;
    assert_eq!(log.dead_letters().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_never_promised_again_is_tried_again_by_the_loop() {
    let (log, fault) = (Memory::new("revocations"), Fault::of(Call::Retry));
    let (_layer, sink) = fresh_pair();
    sink.configure(|config| config.with_capacity(NonZeroUsize::MIN));
    read(&log, &sink, &fault);
    log.publish("alice");
    log.publish("bob");
    until(&sink, |status| status.dispositions.retry == 1).await;
    sink.configure(|config| config.with_capacity(NonZeroUsize::MAX));
    let status = until(&sink, |status| status.overlay.entries == 2).await;
    assert_eq!(status.feed.opened, 1);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_does_not_close_is_let_go_all_the_same() {
    let (log, fault) = (Memory::new("revocations"), Fault::of(Call::Close));
    let (_layer, sink) = fresh_pair();
    let (end, told_to_end) = oneshot::channel::<()>();
    let source = StuckSource(log.source(), fault);
    let feed = source::drive(source, decode as Plain, sink.clone());
    let reading = tokio::spawn(feed.run_until(async { drop(told_to_end.await) }));
    until(&sink, |status| status.feed.opened == 1).await;
    let told_at = Instant::now();
    end.send(()).unwrap();
    timeout(4 * DRAIN_TIMEOUT, reading).await.expect("it ends").unwrap();
    assert_eq!(told_at.elapsed().as_secs(), DRAIN_TIMEOUT.as_secs());
}
