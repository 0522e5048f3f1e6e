//! Requests and streams, and whether what comes of them may.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use http_body_util::BodyExt;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::client::{Answer, presenting};
use crate::gateway::Gateway;
use crate::passes::Pass;
use crate::tally::add;
use crate::world::World;

/// Asks for one agent after another, until it is dropped.
pub(crate) async fn requests(world: Arc<World>, mut random: fastrand::Rng) {
    let mut turns = interval(PAUSE);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        if let Some(gateway) = world.gate.current() {
            let pass = world.passes.pick(&mut random);
            ask(&world, &gateway, &pass).await;
        }
    }
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Admitted,
    Nothing,
    Other,
    Revoked,
}

/// Sends one request, and judges its answer.
pub(crate) async fn ask(world: &World, gateway: &Gateway, pass: &Pass) -> Outcome {
    let acknowledged = pass.acknowledged(gateway.number);
    let started = Instant::now();
    let answer = world
        .client
        .call(presenting(&pass.agent.ait, &format!("{}/hello", gateway.url)), ANSWERED)
        .await;
    let tally = &world.tally;
    add(&tally.requests);
    if acknowledged.is_some() {
        add(&tally.forbidden);
    }
    let Some(answer) = answer else {
        add(&tally.unanswered);
        // Nothing may keep it waiting but its own end or stop. A response that is withheld from one just revoked may break off.
        if pass.is_healthy() && !gateway.is_doomed() {
            tally.healthy_refused(format_args!("no answer to {}", pass.agent.did));
        }
        return Outcome::Nothing;
    };
    let code = code(&answer);
    let what = format!(
        "{} {code} to {} by process {}",
        answer.status, pass.agent.did, gateway.number
    );
    match (answer.status, code.as_str()) {
        (StatusCode::OK, _) => {
            add(&tally.admitted);
            if let Some(since) = acknowledged {
                let after = started - since;
                tally.revoked_admitted(format_args!("{what}, {after:?} after it was acknowledged"));
            }
            Outcome::Admitted
        }
        // Forbidden: it was revoked while it was handled.
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, "PROXY_AUTH_REVOKED") => {
            add(&tally.refused);
            match pass.is_healthy() {
                true => tally.healthy_refused(format_args!("{what}")),
                false => pass.in_force(gateway.number),
            }
            Outcome::Revoked
        }
        // Not the layer's, and right: by this clock the token is yet to be issued.
        (StatusCode::UNAUTHORIZED, "PROXY_AUTH_INVALID_AIT")
            if pass.issued_at > world.gate.clock.lowest_since(started) + LEEWAY =>
        {
            add(&tally.too_young);
            Outcome::Other
        }
        (StatusCode::SERVICE_UNAVAILABLE, _) => {
            match gateway.is_fresh(started, Instant::now()) {
                true => tally.healthy_refused(format_args!("{what}, with a fresh list")),
                false => add(&tally.unavailable),
            }
            Outcome::Other
        }
        // Somebody else's word, such as that of an upstream that is away: it never is.
        _ if pass.is_healthy() => {
            tally.healthy_refused(format_args!("{what}"));
            Outcome::Other
        }
        _ => {
            tally.violation(format_args!("{what}"));
            Outcome::Other
        }
    }
}

/// Opens one stream after another, and sees each to its end, until it is dropped.
pub(crate) async fn streams(world: Arc<World>, mut random: fastrand::Rng) {
    let mut turns = interval(PAUSE);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        if let (Some(gateway), Some(pass)) = (world.gate.current(), world.soon_to_go(&mut random)) {
            follow(&world, &gateway, &pass).await;
        }
    }
}

async fn follow(world: &World, gateway: &Gateway, pass: &Pass) {
    let request = presenting(&pass.agent.ait, &format!("{}/events", gateway.url));
    let Some(mut stream) = world.client.open(request, ANSWERED).await else {
        return;
    };
    if stream.status() != StatusCode::OK {
        return;
    }
    let tally = &world.tally;
    add(&tally.streams);
    let opened = Instant::now();
    loop {
        let frame = timeout(SILENCE, stream.frame()).await;
        let goes_on = match frame {
            Ok(Some(Ok(_tick))) => true,
            Ok(_) => false,
            Err(_) if gateway.is_doomed() => return,
            Err(_) => return tally.violation(format_args!("stream of {} says nothing", pass.agent.did)),
        };
        match (goes_on, pass.acknowledged(gateway.number)) {
            (true, Some(since)) if since.elapsed() > UNDER_WAY => {
                let after = since.elapsed();
                let what = format_args!(
                    "stream of {} goes on {after:?} after it was acknowledged",
                    pass.agent.did
                );
                return tally.revoked_admitted(what);
            }
            (true, _) => {}
            (false, _) if gateway.is_doomed() => return,
            (false, _) if pass.is_healthy() => {
                let after = opened.elapsed();
                let what = format_args!("stream of {} breaks after {after:?}", pass.agent.did);
                return tally.healthy_refused(what);
            }
            (false, _) => return add(&tally.cut),
        }
    }
}

fn code(answer: &Answer) -> String {
    answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
}

/// Between the requests of one client: 25 a second.
const PAUSE: Duration = Duration::from_millis(40);

/// How long a client waits, on a busy machine and while the gateway is stopped.
const ANSWERED: Duration = Duration::from_secs(5);

/// What the gateway grants a token's times, in seconds.
const LEEWAY: i64 = 60;

/// Ticks come twice a second, unless the gateway is frozen.
const SILENCE: Duration = Duration::from_secs(10);

/// For what was sent before, and this test has not got to on a busy machine.
const UNDER_WAY: Duration = Duration::from_secs(2);
