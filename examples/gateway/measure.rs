//! The measurement: how long a revoked agent is still admitted, and how long a stream that it opened before goes on.
//!
//! For each agent the clock starts inside the registry, when the revocation is accepted: before its event is published,
//! and before the `DELETE` is answered. It stops when the head of the first refusal has arrived at the agent, which
//! asks over one connection, one request after another. So the figure contains the queue, the gateway, and the round
//! trip of a request; the request that was under way when the revocation came counts as well. For the agent's stream it
//! stops when the agent sees it broken off. Meanwhile other agents keep the gateway busy, and none of them may be refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Failure;
use crate::caller::{Agent, Caller, Doors, Reply, url};

/// Revokes `agents` agents, and returns the line to print.
pub(crate) async fn run(doors: &Doors, agents: u32) -> Result<String, Failure> {
    let caller = Caller::new();
    let crowd = Crowd::gather(doors, &caller).await?;
    let (mut windows, mut streams) = (Vec::new(), Vec::new());
    for _ in 0..agents {
        let agent = register(doors, &caller).await?;
        let (window, stream) = measure(doors, &caller, agent).await?;
        windows.push(window);
        streams.push(stream);
    }
    let requests = crowd.disperse().await?;
    windows.sort_unstable();
    streams.sort_unstable();
    let figures = Figures {
        revocations: windows.len(),
        p50_ms: millis(percentile(&windows, 50)),
        p99_ms: millis(percentile(&windows, 99)),
        max_ms: millis(percentile(&windows, 100)),
        streams_p50_ms: millis(percentile(&streams, 50)),
        streams_p99_ms: millis(percentile(&streams, 99)),
        streams_max_ms: millis(percentile(&streams, 100)),
        requests_meanwhile: requests,
    };
    Ok(serde_json::to_string(&figures)?)
}

#[derive(Serialize)]
struct Figures {
    revocations: usize,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    /// To the end of a stream.
    streams_p50_ms: f64,
    streams_p99_ms: f64,
    streams_max_ms: f64,
    /// By agents that were not revoked.
    requests_meanwhile: u64,
}

/// The times from the registry accepting the revocation of `agent` to its first refusal, and to the end of its stream.
async fn measure(doors: &Doors, caller: &Caller, agent: Agent) -> Result<(Duration, Duration), Failure> {
    ask(doors, caller, &agent).await?.expect(StatusCode::OK)?;
    let stream = caller.open(url(&doors.gateway, "/events")?, &agent.ait).await?;
    let cut = tokio::spawn(stream.cut());
    let asking = tokio::spawn(first_refusal(doors.clone(), caller.clone(), agent.clone()));
    // Were the two to start together, the first request would always meet the revocation at the same point of its way.
    tokio::time::sleep(Duration::from_micros(rand::random_range(1_000..5_000))).await;
    let revoked = caller.call(Method::DELETE, doors.agent(&agent.id, "")?, None).await?;
    revoked.expect(StatusCode::NO_CONTENT)?;
    let accepted_at = doors.registry_inside.revoked_at(&agent.id);
    let accepted_at = accepted_at.ok_or("the registry does not know whom it revoked")?;
    let (refused_at, cut_at) = (asking.await??, cut.await??);
    Ok((
        refused_at.saturating_duration_since(accepted_at),
        cut_at.saturating_duration_since(accepted_at),
    ))
}

async fn first_refusal(doors: Doors, caller: Caller, agent: Agent) -> Result<Instant, Failure> {
    let started = Instant::now();
    loop {
        match ask(&doors, &caller, &agent).await {
            Ok(reply) if reply.is_revoked() => return Ok(reply.arrived_at),
            Ok(reply) => drop(reply.expect(StatusCode::OK)?),
            // A response that was on its way when the revocation came breaks off. The next one says why.
            Err(_cut) => {}
        }
        if started.elapsed() > PATIENCE {
            return Err("a revoked agent is still admitted after 10 s".into());
        }
    }
}

/// Agents that nobody revokes, asking all the time.
struct Crowd {
    tasks: JoinSet<Result<(), Failure>>,
    leave: Arc<AtomicBool>,
    requests: Arc<AtomicU64>,
}

impl Crowd {
    async fn gather(doors: &Doors, caller: &Caller) -> Result<Self, Failure> {
        let mut crowd = Self {
            tasks: JoinSet::new(),
            leave: Arc::default(),
            requests: Arc::default(),
        };
        for _ in 0..CROWD {
            let agent = register(doors, caller).await?;
            let (doors, caller) = (doors.clone(), caller.clone());
            let (leave, requests) = (Arc::clone(&crowd.leave), Arc::clone(&crowd.requests));
            crowd.tasks.spawn(async move {
                while !leave.load(Ordering::Relaxed) {
                    ask(&doors, &caller, &agent).await?.expect(StatusCode::OK)?;
                    requests.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            });
        }
        Ok(crowd)
    }

    /// How many requests they made; an error if one was refused.
    async fn disperse(mut self) -> Result<u64, Failure> {
        self.leave.store(true, Ordering::Relaxed);
        while let Some(done) = self.tasks.join_next().await {
            done??;
        }
        Ok(self.requests.load(Ordering::Relaxed))
    }
}

async fn register(doors: &Doors, caller: &Caller) -> Result<Agent, Failure> {
    let register = url(&doors.registry, "/v1/agents")?;
    let reply = caller.call(Method::POST, register, None).await?;
    Ok(Agent::of(&reply.expect(StatusCode::CREATED)?))
}

async fn ask(doors: &Doors, caller: &Caller, agent: &Agent) -> Result<Reply, Failure> {
    caller
        .call(Method::GET, url(&doors.gateway, "/measure")?, Some(&agent.ait))
        .await
}

/// By the nearest rank, so that it is a value that was measured.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

/// In milliseconds, to the microsecond.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// As many as there are cores on a small machine.
const CROWD: usize = 2;

const PATIENCE: Duration = Duration::from_secs(10);
