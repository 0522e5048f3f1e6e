//! Looks after the gateway: what it says of itself, and what that acknowledges.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval};

use crate::client::request;
use crate::gateway::Gateway;
use crate::world::World;

/// Asks for its status again and again, until it is dropped.
pub(crate) async fn watch(world: Arc<World>) {
    let mut turns = interval(Duration::from_millis(50));
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut listed = None;
    loop {
        turns.tick().await;
        let Some(gateway) = world.gate.current() else {
            continue;
        };
        if let Some(words) = gateway.has_died() {
            world
                .tally
                .violation(format_args!("gateway {} ended by itself: {words}", gateway.number));
            world.gate.kill();
            continue;
        }
        let asked = Instant::now();
        let url = format!("{}/status", gateway.admin);
        let answer = world
            .client
            .call(request(Method::GET, &url, Bytes::new()), Duration::from_secs(2))
            .await;
        let Some(answer) = answer.filter(|answer| answer.status == StatusCode::OK) else {
            continue;
        };
        let status = answer.json();
        gateway.said(&status, asked);
        let list = status["snapshot"]["iat"].as_u64();
        if let Some(iat) = list
            && listed != Some((gateway.number, iat))
        {
            listed = Some((gateway.number, iat));
            world.passes.listed(gateway.number, &world.origin.carried(iat));
        }
        if has_kept_all(&status) {
            world.passes.kept(gateway.number, asked);
        }
        world.note_said(gateway.number, asked, status);
    }
}

/// Whether all that is in force is on disk as well.
pub(crate) fn has_kept_all(status: &Value) -> bool {
    let journal = &status["journal"];
    journal["durable"] == true
        && journal["entries"].as_u64() >= status["overlay"]["entries"].as_u64()
        && journal["list_iat"].is_u64()
        && journal["list_iat"] == status["snapshot"]["iat"]
}

/// Waits until the gateway's status is as wanted.
///
/// # Panics
/// If it is not within this time.
pub(crate) async fn until(
    world: &World,
    within: Duration,
    what: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Arc<Gateway> {
    let started = Instant::now();
    let mut last = Value::Null;
    loop {
        if let (Some(status), Some(gateway)) = (world.said_since(started), world.gate.current()) {
            if wanted(&status) {
                return gateway;
            }
            last = status;
        }
        let words = world.gate.current().map(|gateway| gateway.words()).unwrap_or_default();
        assert!(
            started.elapsed() < within,
            "not {what} within {within:?}: {last:#}\n{words}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
