//! What is done to a source to see whether it keeps to a rule.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::model::timestamp::Timestamp;
use crate::source::event_source::{Continuity, Delivery};
use crate::source::position::Start;
use crate::source::testing::bounded_harness::BoundedHarness;
use crate::source::testing::bounded_source::acknowledge;
use crate::source::testing::harness::{Capability, Harness};
use crate::source::testing::limit::{PATIENCE, POLL};
use crate::source::testing::observed::{NONSENSE, Observed, Said, messages};
use crate::status::FeedState;

pub(super) async fn once_and_in_order(harness: &mut BoundedHarness<impl Harness>) -> Result<(), String> {
    let mut expected = Vec::new();
    if can_be_read_again(harness) {
        expected = harness.publish("old", 0..20).await?;
    }
    let feed = live(harness).await?;
    expected.extend(harness.publish("new", 0..30).await?);
    feed.until_settled(&expected).await?;
    same(&feed.messages(), &expected)
}

pub(super) async fn dropped_calls_lose_nothing(harness: &mut BoundedHarness<impl Harness>) -> Result<(), String> {
    let mut source = harness.bare_source().await?;
    source.open(&Start::since(Timestamp::default())).await?;
    let expected = harness.publish("message", 0..100).await?;
    let mut read = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    for millis in (0..4).cycle() {
        if let Some(delivery) = source.message_within(Duration::from_millis(millis)).await? {
            read.push(acknowledge(delivery).await?);
        }
        if read.len() >= expected.len() || Instant::now() > deadline {
            break;
        }
    }
    same(&read, &expected)
}

pub(super) async fn after_a_position(harness: &mut BoundedHarness<impl Harness>) -> Result<(), String> {
    let mut expected = harness.publish("message", 0..10).await?;
    let mut source = harness.bare_source().await?;
    source.open(&Start::since(Timestamp::default())).await?;
    let mut places = Vec::new();
    while places.len() < expected.len() {
        let delivery = source.message().await?;
        let position = delivery.position();
        let position = position.ok_or("a message of a feed that can be read again has no position")?;
        places.push((position, delivery.landmark()));
        acknowledge(delivery).await?;
    }
    source.close().await?;
    let newest = places[places.len() - 1];
    for at in [0, 4, 9] {
        let known = [places[at], newest];
        let known = known
            .iter()
            .filter_map(|(position, landmark)| Some((*position, (*landmark)?)));
        let start = Start::since(Timestamp::now())
            .and_after([places[at].0])
            .and_landmarks(known);
        let mut source = harness.bare_source().await?;
        let continuity = source.open(&start).await?;
        if continuity != Continuity::Complete {
            return Err(format!("nothing was lost, and yet it says {continuity:?}"));
        }
        expected.extend(harness.publish("later", at..at + 1).await?);
        let mut read = Vec::new();
        while read.len() < expected.len() - at - 1 {
            read.push(acknowledge(source.message().await?).await?);
        }
        source.close().await?;
        same(&read, &expected[at + 1..])?;
    }
    Ok(())
}

pub(super) async fn since_a_time(harness: &mut BoundedHarness<impl Harness>) -> Result<(), String> {
    harness.publish("old", 0..10).await?;
    sleep(SOME_TIME).await;
    let since = Timestamp::now();
    // Clocks and brokers may be coarse. What comes too early does no harm.
    sleep(SOME_TIME).await;
    let expected = harness.publish("new", 0..10).await?;
    let feed = Observed::start(harness.source().await?, since, ROOM);
    feed.until_settled(&expected).await?;
    let read = feed.messages().into_iter().filter(|read| read.starts_with("new"));
    same(&read.collect::<Vec<_>>(), &expected)
}

pub(super) async fn goes_on_after_a_cut(harness: &mut BoundedHarness<impl Harness>) -> Result<(), String> {
    let feed = live(harness).await?;
    feed.until_settled(&harness.publish("before", 0..10).await?).await?;
    // Acknowledgements may be on their way.
    sleep(SOME_TIME).await;
    let gaps = feed.status().feed.gaps;
    let before = cut(harness, &feed).await?;
    let expected = harness.publish("meanwhile", 0..90).await?;
    harness.mend().await?;
    feed.until_settled(&expected).await?;
    if feed.status().feed.gaps > gaps {
        return Err(format!("nothing was lost, and yet {:?}", feed.status().feed.last_gap));
    }
    same(&messages(&feed.said()[before..]), &expected)
}

pub(super) async fn unsettled_comes_again(harness: &mut BoundedHarness<impl Harness>) -> Result<(), String> {
    let feed = Observed::start(harness.source().await?, Timestamp::default(), 1);
    feed.until_state(FeedState::Live).await?;
    let mut expected = harness.publish("message", 0..2).await?;
    feed.until("without room for the second", |feed| {
        feed.status().dispositions.retry > 0
    })
    .await?;
    cut(harness, &feed).await?;
    feed.make_room(ROOM);
    expected.extend(harness.publish("meanwhile", 0..1).await?);
    harness.mend().await?;
    feed.until_settled(&expected).await
}

pub(super) async fn caught_up_at_the_end(harness: &mut BoundedHarness<impl Harness>) -> Result<(), String> {
    let (feed, before, expected) = if can_be_read_again(harness) {
        let expected = harness.publish("old", 0..300).await?;
        let feed = Observed::start(harness.source().await?, Timestamp::default(), ROOM);
        (feed, 0, expected)
    } else {
        let feed = live(harness).await?;
        let before = cut(harness, &feed).await?;
        let expected = harness.publish("old", 0..300).await?;
        harness.mend().await?;
        (feed, before, expected)
    };
    feed.until("caught up", |feed| feed.said()[before..].contains(&Said::CaughtUp))
        .await?;
    let said = feed.said().split_off(before);
    let caught_up = said.iter().position(|said| *said == Said::CaughtUp).unwrap_or_default();
    let came = messages(&said[..caught_up]);
    same(&came, &expected).map_err(|what| format!("caught up after {} of {}: {what}", came.len(), expected.len()))
}

pub(super) async fn stays_caught_up(harness: &mut BoundedHarness<impl Harness>) -> Result<(), String> {
    let feed = live(harness).await?;
    let before = feed.said().len();
    let begun_at = Instant::now();
    // Without a pause in which the broker could say that there is nothing.
    for message in 0.. {
        harness.publish("message", message..message + 1).await?;
        let status = feed.status().feed;
        if (status.state, status.opened) != (FeedState::Live, 1) {
            let (after, caught_up) = (begun_at.elapsed(), count_caught_up(&feed.said()[before..]));
            return Err(format!("caught up {caught_up} times within {after:?}: {status:?}"));
        }
        if begun_at.elapsed() >= IDLE {
            break;
        }
        sleep(BETWEEN).await;
    }
    Ok(())
}

fn count_caught_up(said: &[Said]) -> usize {
    said.iter().filter(|said| **said == Said::CaughtUp).count()
}

pub(super) async fn trimmed_is_a_gap(harness: &mut BoundedHarness<impl Harness>) -> Result<(), String> {
    let feed = live(harness).await?;
    feed.until_settled(&harness.publish("before", 0..10).await?).await?;
    let gaps = feed.status().feed.gaps;
    cut(harness, &feed).await?;
    let lost = harness.publish("lost", 0..970).await?;
    harness.publish("kept", 0..20).await?;
    harness.trim(20).await?;
    let kept = harness.publish("new", 0..10).await?;
    harness.mend().await?;
    gap(&feed, gaps).await?;
    feed.until_settled(&kept).await?;
    match feed.blocks(&lost[lost.len() / 2]) {
        true => Err("what should be trimmed was read: the harness does not trim".to_owned()),
        false => Ok(()),
    }
}

pub(super) async fn another_log_is_a_gap(harness: &mut BoundedHarness<impl Harness>) -> Result<(), String> {
    let feed = live(harness).await?;
    feed.until_settled(&harness.publish("before", 0..10).await?).await?;
    let gaps = feed.status().feed.gaps;
    cut(harness, &feed).await?;
    harness.publish("lost", 0..500).await?;
    harness.wipe().await?;
    // More than was read of the other one, so that its place is there again.
    let others = harness.publish("another", 0..40).await?;
    harness.mend().await?;
    gap(&feed, gaps).await?;
    feed.until_settled(&others).await
}

pub(super) async fn lost_log_is_a_gap(harness: &mut BoundedHarness<impl Harness>) -> Result<(), String> {
    let feed = live(harness).await?;
    feed.until_settled(&harness.publish("before", 0..10).await?).await?;
    let gaps = feed.status().feed.gaps;
    harness.wipe().await?;
    let others = if can_be_read_again(harness) {
        let others = harness.publish("another", 0..100).await?;
        gap(&feed, gaps).await?;
        others
    } else {
        gap(&feed, gaps).await?;
        harness.publish("another", 0..100).await?
    };
    feed.until_settled(&others).await
}

pub(super) async fn every_message_ends(harness: &mut BoundedHarness<impl Harness>) -> Result<(), String> {
    let feed = Observed::start(harness.source().await?, Timestamp::default(), 1);
    feed.until_state(FeedState::Live).await?;
    let mut expected = harness.publish("message", 0..2).await?;
    harness.publish_these(&[NONSENSE]).await?;
    harness.publish_these(&expected[..1]).await?;
    feed.until("past what finds no room and what makes no sense", |feed| {
        let dispositions = feed.status().dispositions;
        dispositions.retry > 0 && dispositions.dead_letter > 0 && dispositions.applied > 1
    })
    .await?;
    feed.make_room(ROOM);
    expected.extend(harness.publish("later", 0..1).await?);
    feed.until_settled(&expected).await?;
    let deadline = Instant::now() + PATIENCE;
    while !harness.dead_letters().await?.contains(&NONSENSE.as_bytes().to_vec()) {
        if Instant::now() > deadline {
            return Err("the dead letter is not stored".to_owned());
        }
        sleep(POLL).await;
    }
    if can(harness, Capability::Cut) {
        sleep(SOME_TIME).await;
        let before = cut(harness, &feed).await?;
        harness.mend().await?;
        feed.until_settled(&harness.publish("last", 0..1).await?).await?;
        same(&messages(&feed.said()[before..]), &["last 0".to_owned()])?;
    }
    match feed.status().dispositions.dead_letter {
        1 => Ok(()),
        times => Err(format!("one message became a dead letter {times} times")),
    }
}

pub(super) async fn silence_is_noticed(harness: &mut BoundedHarness<impl Harness>) -> Result<(), String> {
    let feed = live(harness).await?;
    feed.until_settled(&harness.publish("before", 0..1).await?).await?;
    sleep(IDLE).await;
    let idle = feed.status().feed;
    if (idle.state, idle.opened) != (FeedState::Live, 1) {
        return Err(format!("idle, it was taken for dead: {idle:?}"));
    }
    harness.set_frozen(true).await?;
    let frozen_at = Instant::now();
    feed.until_state(FeedState::Down).await?;
    let noticed = frozen_at.elapsed();
    if noticed > NOTICED_WITHIN {
        return Err(format!("frozen, it was noticed only after {noticed:?}"));
    }
    harness.set_frozen(false).await?;
    feed.until_state(FeedState::Live).await?;
    feed.until_settled(&harness.publish("after", 0..1).await?).await
}

fn can<H: Harness>(_: &BoundedHarness<H>, capability: Capability) -> bool {
    !H::LACKS.contains(&capability)
}

fn can_be_read_again(harness: &BoundedHarness<impl Harness>) -> bool {
    can(harness, Capability::ReadAgain)
}

/// A feed that is read from its beginning, once it is live.
async fn live(harness: &BoundedHarness<impl Harness>) -> Result<Observed, String> {
    let feed = Observed::start(harness.source().await?, Timestamp::default(), ROOM);
    feed.until_state(FeedState::Live).await?;
    Ok(feed)
}

/// Cuts the feed off, and returns how much it had said by then.
async fn cut(harness: &mut BoundedHarness<impl Harness>, feed: &Observed) -> Result<usize, String> {
    harness.cut().await?;
    feed.until_state(FeedState::Down).await?;
    Ok(feed.said().len())
}

/// Waits for a gap beside so many, and sees that a list was asked for before the first event after it.
async fn gap(feed: &Observed, gaps: u64) -> Result<(), String> {
    feed.until("told of a gap", |feed| feed.status().feed.gaps > gaps)
        .await?;
    feed.until("asking for a list", |feed| feed.resyncs().len() as u64 > gaps)
        .await?;
    match feed.resyncs().last() {
        Some(10) => Ok(()),
        in_force => Err(format!(
            "a list was asked for when {in_force:?} events were in force, of 10 before the gap"
        )),
    }
}

/// Says where what was read departs from what was expected.
fn same(read: &[String], expected: &[String]) -> Result<(), String> {
    let departs = (0..read.len().max(expected.len())).find(|&at| read.get(at) != expected.get(at));
    let Some(at) = departs else {
        return Ok(());
    };
    Err(match (read.get(at), expected.get(at)) {
        (Some(read), Some(expected)) => format!("{read:?} came where {expected:?} was expected"),
        (Some(read), None) => format!("{read:?} came after everything that was expected"),
        (None, expected) => format!("{:?} did not come", expected.map_or("", String::as_str)),
    })
}

const ROOM: usize = 10_000;
const IDLE: Duration = Duration::from_secs(6);
/// Beside the silence that the loop allows, the time until a sign of life is due, and the loop's own pace of looking.
const NOTICED_WITHIN: Duration = Duration::from_millis(5_250);
/// Between messages of a feed that is busy.
const BETWEEN: Duration = Duration::from_millis(50);
const SOME_TIME: Duration = Duration::from_millis(1_100);
