//! The rules that every source is held to: the log in memory keeps them, and sources with a fault are found out.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tower_revocation::source::testing::{self, Capability, Checked, Harness, Rule, RuleBroken};
use tower_revocation::source::{
    Continuity, EventSource, LogDelivery, Memory, MemorySource, Signal, SourceError, Start,
};

/// A log in memory, whose readers may have a fault.
struct InMemory<F> {
    log: Memory,
    fault: F,
}

impl<F: Fault> Harness for InMemory<F> {
    type Source = Faulty<F>;

    async fn source(&self) -> Faulty<F> {
        Faulty {
            source: self.log.source(),
            fault: self.fault.clone(),
            opened: 0,
        }
    }

    async fn publish(&self, messages: Vec<Vec<u8>>) {
        for message in messages {
            self.log.publish(message);
        }
    }

    async fn dead_letters(&self) -> Vec<Vec<u8>> {
        let letters = self.log.dead_letters();
        letters.into_iter().map(|letter| letter.payload.to_vec()).collect()
    }

    async fn cut(&mut self) {
        self.log.set_away(true);
    }

    async fn mend(&mut self) {
        self.log.set_away(false);
    }

    async fn wipe(&mut self) {
        self.log.wipe();
    }

    async fn trim(&mut self, rest: usize) {
        self.log.trim(rest);
    }

    async fn set_frozen(&mut self, is_frozen: bool) {
        self.log.set_frozen(is_frozen);
    }
}

/// What may be wrong with a source. Nothing is, by default.
trait Fault: Clone + Send + Sync + 'static {
    /// What to say when it is opened.
    fn opened(&mut self, _start: &Start, continuity: Continuity) -> Continuity {
        continuity
    }

    /// What to say in place of everything else.
    fn instead(&mut self) -> Option<Signal<LogDelivery>> {
        None
    }

    /// Whether a message is swallowed that comes after so many openings.
    fn swallows(&mut self, _opened: u32) -> bool {
        false
    }
}

struct Faulty<F> {
    source: MemorySource,
    fault: F,
    opened: u32,
}

impl<F: Fault> EventSource for Faulty<F> {
    type Delivery = LogDelivery;

    fn name(&self) -> &str {
        self.source.name()
    }

    async fn open(&mut self, start: &Start) -> Result<Continuity, SourceError> {
        let continuity = self.source.open(start).await?;
        self.opened += 1;
        Ok(self.fault.opened(start, continuity))
    }

    async fn next(&mut self) -> Result<Signal<LogDelivery>, SourceError> {
        if let Some(signal) = self.fault.instead() {
            return Ok(signal);
        }
        loop {
            let signal = self.source.next().await?;
            if !(matches!(signal, Signal::Message(_)) && self.fault.swallows(self.opened)) {
                return Ok(signal);
            }
        }
    }
}

async fn checked<F: Fault>(rule: Rule, fault: F) -> Result<Checked, RuleBroken> {
    let log = Memory::new("revocations");
    testing::check(rule, InMemory { log, fault }).await
}

/// Which rules a fault breaks, and what is said of each.
async fn broken(fault: impl Fault) -> Vec<(Rule, String)> {
    let mut broken = Vec::new();
    for rule in Rule::ALL {
        if let Err(found) = checked(rule, fault.clone()).await {
            assert_eq!(found.rule, rule);
            broken.push((rule, found.to_string()));
        }
    }
    broken
}

#[derive(Clone)]
struct Sound;

impl Fault for Sound {}

#[tokio::test(start_paused = true)]
async fn a_log_in_memory_keeps_every_rule() {
    for rule in Rule::ALL {
        assert_eq!(checked(rule, Sound).await, Ok(Checked::Holds));
    }
}

#[derive(Clone, Default)]
struct SkipsAfterACut {
    /// After which opening it skipped one.
    skipped: u32,
}

impl Fault for SkipsAfterACut {
    fn swallows(&mut self, opened: u32) -> bool {
        opened > 1 && std::mem::replace(&mut self.skipped, opened) != opened
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_skips_a_message_after_a_cut_is_found_out() {
    let broken = broken(SkipsAfterACut::default()).await;
    let (_, words) = broken.iter().find(|(rule, _)| *rule == Rule::GoesOnAfterACut).unwrap();
    assert!(
        words.starts_with(
            "the source breaks the rule that after a cut, what was published meanwhile comes, and what was settled does not come \
             again: not settled, with Some(\"meanwhile 0\")"
        ),
        "{words}"
    );
    assert!(
        broken.iter().any(|(rule, _)| *rule == Rule::UnsettledComesAgain),
        "{broken:?}"
    );
    assert!(
        !broken.iter().any(|(rule, _)| *rule == Rule::OnceAndInOrder),
        "{broken:?}"
    );
}

#[derive(Clone)]
struct TrustsItsOffset;

impl Fault for TrustsItsOffset {
    fn opened(&mut self, start: &Start, continuity: Continuity) -> Continuity {
        match start.after(0) {
            Some(_) => Continuity::Complete,
            None => continuity,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_takes_another_log_for_its_own_is_found_out() {
    let broken = broken(TrustsItsOffset).await;
    let rules: Vec<_> = broken.iter().map(|(rule, _)| *rule).collect();
    assert_eq!(
        rules,
        [Rule::TrimmedIsAGap, Rule::AnotherLogIsAGap, Rule::LostLogIsAGap]
    );
    let words = &broken[1].1;
    assert!(
        words.starts_with(
            "the source breaks the rule that another log of the same name has a gap when it is opened in the place of the first: \
             not told of a gap"
        ),
        "{words}"
    );
}

#[derive(Clone, Default)]
struct CaughtUpTooEarly {
    says: bool,
}

impl Fault for CaughtUpTooEarly {
    fn opened(&mut self, _start: &Start, continuity: Continuity) -> Continuity {
        self.says = true;
        continuity
    }

    fn instead(&mut self) -> Option<Signal<LogDelivery>> {
        std::mem::take(&mut self.says).then_some(Signal::CaughtUp)
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_says_too_early_that_it_is_caught_up_is_found_out() {
    let broken = broken(CaughtUpTooEarly::default()).await;
    let words = "the source breaks the rule that caught up is said once everything came in that was there at the opening, and \
                 not before: caught up after 0 of 300: \"old 0\" did not come";
    assert_eq!(broken, [(Rule::CaughtUpAtTheEnd, words.to_owned())]);
}

/// One that says once that it is caught up, and then only that it is alive.
struct CaughtUpOnce(MemorySource, bool);

impl EventSource for CaughtUpOnce {
    type Delivery = LogDelivery;

    fn name(&self) -> &str {
        self.0.name()
    }

    async fn open(&mut self, start: &Start) -> Result<Continuity, SourceError> {
        self.0.open(start).await
    }

    async fn next(&mut self) -> Result<Signal<LogDelivery>, SourceError> {
        let signal = self.0.next().await?;
        let is_caught_up = matches!(signal, Signal::CaughtUp);
        match is_caught_up && std::mem::replace(&mut self.1, true) {
            true => Ok(Signal::Alive { lag: Some(0) }),
            false => Ok(signal),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_says_only_once_that_it_is_caught_up_is_found_out() {
    let once = ReadBy(Memory::new("revocations"), |source| CaughtUpOnce(source, false));
    let found = testing::check(Rule::StaysCaughtUp, once).await.unwrap_err();
    assert!(
        found.to_string().starts_with(
            "the source breaks the rule that caught up is said again and again for as long as it is true, also while messages \
             come: caught up 0 times within 4"
        ),
        "{found}"
    );
}

/// One that gives signs of life by its own clock, whatever the broker does.
struct AlwaysAlive(MemorySource);

impl EventSource for AlwaysAlive {
    type Delivery = LogDelivery;

    fn name(&self) -> &str {
        self.0.name()
    }

    async fn open(&mut self, start: &Start) -> Result<Continuity, SourceError> {
        self.0.open(start).await
    }

    async fn next(&mut self) -> Result<Signal<LogDelivery>, SourceError> {
        match timeout(Duration::from_secs(1), self.0.next()).await {
            Ok(signal) => signal,
            Err(_) => Ok(Signal::Alive { lag: None }),
        }
    }
}

/// One whose `next` takes a message out of its log before it waits for something else.
struct LosesWhatIsDropped(MemorySource);

impl EventSource for LosesWhatIsDropped {
    type Delivery = LogDelivery;

    fn name(&self) -> &str {
        self.0.name()
    }

    async fn open(&mut self, start: &Start) -> Result<Continuity, SourceError> {
        self.0.open(start).await
    }

    async fn next(&mut self) -> Result<Signal<LogDelivery>, SourceError> {
        let signal = self.0.next().await;
        sleep(Duration::from_millis(2)).await;
        signal
    }
}

/// A log in memory that is read by whatever this makes of its source, and can only be frozen.
struct ReadBy<W>(Memory, W);

impl<S: EventSource + 'static, W: Fn(MemorySource) -> S + Send + Sync> Harness for ReadBy<W> {
    type Source = S;

    const LACKS: &[Capability] = &[Capability::Cut, Capability::Trim, Capability::Wipe];

    async fn source(&self) -> S {
        (self.1)(self.0.source())
    }

    async fn publish(&self, messages: Vec<Vec<u8>>) {
        for message in messages {
            self.0.publish(message);
        }
    }

    async fn dead_letters(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    async fn set_frozen(&mut self, is_frozen: bool) {
        self.0.set_frozen(is_frozen);
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_alive_by_its_own_clock_is_found_out() {
    let always = ReadBy(Memory::new("revocations"), AlwaysAlive);
    let found = testing::check(Rule::SilenceIsNoticed, always).await.unwrap_err();
    assert!(
        found.to_string().starts_with(
            "the source breaks the rule that an idle broker gives signs of life, and one that is frozen gives none: not down"
        ),
        "{found}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_source_that_loses_what_is_dropped_is_found_out() {
    let loses = ReadBy(Memory::new("revocations"), LosesWhatIsDropped);
    let found = testing::check(Rule::DroppedCallsLoseNothing, loses).await.unwrap_err();
    assert_eq!(
        found.to_string(),
        "the source breaks the rule that a call of `next` that is dropped loses no message: \"message 1\" came where \"message \
         0\" was expected"
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_broker_lacks_is_said_and_not_passed_over() {
    let lacking = || ReadBy(Memory::new("revocations"), |source| source);
    let cut = testing::check(Rule::GoesOnAfterACut, lacking()).await;
    assert_eq!(cut, Ok(Checked::CannotBeShown(Capability::Cut)));
    let wiped = testing::check(Rule::LostLogIsAGap, lacking()).await;
    assert_eq!(wiped, Ok(Checked::CannotBeShown(Capability::Wipe)));
    let order = testing::check(Rule::OnceAndInOrder, lacking()).await;
    assert_eq!(order, Ok(Checked::Holds));
}
