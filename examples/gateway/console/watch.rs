//! What nobody tells the record, and is seen by looking: how the sink is, and when a revocation is in force.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{Duration, Instant, MissedTickBehavior, interval, sleep};
use tower_revocation::status::Status;
use tower_revocation::{Credential, EventSink, FeedState, Key, Timestamp, Verdict};

use super::entry::{Kind, NAME_BYTES, excerpt};
use super::playground::Playground;
use super::record::{Record, ToTime};

/// Looks twice a second, and at once when something happened, for as long as the gateway runs.
pub(crate) async fn look(
    record: Record,
    sink: EventSink,
    playground: Option<Playground>,
    shown: watch::Sender<Arc<str>>,
) {
    let mut turns = interval(PAUSE);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = sink.status();
    loop {
        tokio::select! {
            _ = turns.tick() => {}
            // Not for each of a flood.
            () = record.stirred() => sleep(BREATH).await,
        }
        record.settle();
        let status = sink.status();
        for (kind, words) in changes(&before, &status) {
            record.write(kind, None, words);
        }
        before = status.clone();
        if shown.receiver_count() == 0 {
            continue;
        }
        let streams = record.chronicle().streams(Instant::now());
        let now = json!({
            "type": "now",
            "at_ms": Timestamp::now().as_unix_millis(),
            "status": status,
            "streams": streams,
            "agents": playground.as_ref().map(Playground::agents),
        });
        shown.send_replace(now.to_string().into());
    }
}

/// Sees when the revocations that came are in force.
pub(crate) async fn time(record: Record, sink: EventSink, mut coming: ToTime) {
    while let Some(agent) = coming.recv().await {
        let credential = Credential::from(Key::subject(&agent));
        let began = Instant::now();
        let mut looks = 0_u32;
        while began.elapsed() < PATIENCE {
            if matches!(sink.decide(&credential), Verdict::Revoked(_)) {
                record.in_force(&agent, Instant::now());
                break;
            }
            looks += 1;
            // It was decoded just now, and is being applied: mostly the next look finds it. A journal takes the disk's time.
            match looks {
                ..100 => yield_now().await,
                _ => sleep(BLINK).await,
            }
        }
    }
}

/// What a person would want to know of between two looks.
fn changes(before: &Status, now: &Status) -> Vec<(Kind, String)> {
    let mut changes = Vec::new();
    if before.feed.state != now.feed.state {
        let words = match now.feed.state {
            FeedState::Connecting => "feed is connecting".to_owned(),
            FeedState::CatchingUp => "feed is connected; older events are coming in".to_owned(),
            FeedState::Live => "feed is live: events come in as they happen".to_owned(),
            FeedState::Down => match &now.feed.last_error {
                Some(error) => format!("feed is down: {}", excerpt(error, NAME_BYTES)),
                None => "feed is down".to_owned(),
            },
            _ => "nothing is known of the feed".to_owned(),
        };
        changes.push((Kind::Feed, words));
    }
    if now.feed.gaps > before.feed.gaps {
        let why = now.feed.last_gap.as_ref().map_or("", |gap| &gap.reason);
        let words = format!(
            "feed may have missed events, a list is fetched: {}",
            excerpt(why, NAME_BYTES)
        );
        changes.push((Kind::Feed, words));
    }
    let list = |status: &Status| status.snapshot.as_ref().map(|list| (list.iat, list.entries));
    if let (Some((_, entries)), true) = (list(now), list(before) != list(now)) {
        let words = match entries {
            0 => "an empty list is installed".to_owned(),
            1 => "a list of 1 entry is installed".to_owned(),
            _ => format!("a list of {entries} entries is installed"),
        };
        changes.push((Kind::List, words));
    }
    if before.poll.last_error != now.poll.last_error {
        let words = match &now.poll.last_error {
            Some(error) => format!("the list could not be fetched: {}", excerpt(error, NAME_BYTES)),
            None => "the list can be fetched again".to_owned(),
        };
        changes.push((Kind::Poll, words));
    }
    let retries = now.dispositions.retry.saturating_sub(before.dispositions.retry);
    if retries > 0 {
        let words = format!("{retries} message(s) could not be applied, and are to be delivered again");
        changes.push((Kind::Feed, words));
    }
    changes
}

/// Between two looks at the status.
const PAUSE: Duration = Duration::from_millis(500);
const BREATH: Duration = Duration::from_millis(50);

/// Between two looks whether a revocation is in force.
const BLINK: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(5);
