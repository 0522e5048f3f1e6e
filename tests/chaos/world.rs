//! Registry, origin, broker, link and gateway, and the agents that live with them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Mutex as Turns;

use crate::broker::Broker;
use crate::client::{Client, request};
use crate::gate::{Gate, Start};
use crate::gateway::Gateway;
use crate::link::Link;
use crate::origin::Origin;
use crate::passes::{Pass, Passes};
use crate::process::Agent;
use crate::queue::Publisher;
use crate::registry::Registry;
use crate::server::free_port;
use crate::tally::{Tally, add};
use crate::wall_clock;

/// All that takes part in a round.
pub(crate) struct World {
    pub(crate) tally: Arc<Tally>,
    pub(crate) gate: Gate,
    pub(crate) origin: Origin,
    pub(crate) registry: Registry,
    pub(crate) link: Link,
    pub(crate) broker: Turns<Broker>,
    /// To the broker, past the link.
    pub(crate) publisher: Publisher,
    pub(crate) client: Client,
    pub(crate) passes: Passes,
    /// Who is to be revoked, in this order.
    waiting: Mutex<VecDeque<Arc<Pass>>>,
    /// Whose tokens are replaced by newer ones.
    rotating: Mutex<VecDeque<Arc<Pass>>>,
    max_age: Mutex<Duration>,
    /// What the gateway last said of itself, which of its processes, and when that was asked.
    said: Mutex<Option<(u32, Instant, Value)>>,
}

/// How a revocation is made known.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Word {
    /// The registry publishes it and lists it.
    Published,
    /// The registry lists it, and its event gets lost.
    Listed,
    /// So, and the gateway is told by webhook.
    Told,
}

impl World {
    /// Starts everything but the faults. `revocable` agents are there to be revoked.
    pub(crate) async fn start(broker: Broker, revocable: usize, tally: Arc<Tally>) -> Arc<Self> {
        let link = Link::to(broker.port()).await;
        let queue = broker.queue(broker.port());
        // Tokens from two days ago are good whichever way the gateway's clock is stepped.
        let registry = Registry::start(&queue, TWO_DAYS_AGO).await;
        let passes = Passes::default();
        let mut waiting = VecDeque::new();
        let mut rotating = VecDeque::new();
        for at in 0..STEADY + ROTATING + revocable {
            let pass = passes.add(Pass::new(registry.register().await));
            match at {
                ..STEADY => {}
                STEADY..ROTATED => rotating.push_back(pass),
                _ => waiting.push_back(pass),
            }
        }
        registry.clock.step(0);
        let origin = Origin::before(&registry.url, free_port());
        let world = Arc::new(Self {
            tally,
            gate: Gate::new(origin.url(), broker.queue(link.port)),
            origin,
            registry,
            link,
            publisher: Publisher::new(queue.parse().expect("it is a queue's URL"), None),
            broker: Turns::new(broker),
            client: Client::new(),
            passes,
            waiting: Mutex::new(waiting),
            rotating: Mutex::new(rotating),
            max_age: Mutex::new(LONG),
            said: Mutex::default(),
        });
        // So that there is a signed list from the first.
        let first = world.next_to_go().expect("some are there to be revoked");
        world.revoke(first, Word::Listed).await;
        world.start_gateway(Start::Empty).await;
        world
    }

    /// Starts a gateway after one that was killed.
    pub(crate) async fn start_gateway(&self, start: Start) -> Arc<Gateway> {
        let max_age = self.max_age();
        // Of two different lists of a second a journal keeps one, and knows that something is missing.
        let is_certain = max_age == LONG && !self.origin.is_ambiguous();
        let start = if start == Start::Restored && !is_certain {
            Start::Empty
        } else {
            start
        };
        add(&self.tally.processes);
        self.gate.start(max_age, start).await
    }

    pub(crate) fn max_age(&self) -> Duration {
        *self.max_age.lock().unwrap()
    }

    /// For gateways that are started from now on.
    pub(crate) fn set_max_age(&self, max_age: Duration) {
        *self.max_age.lock().unwrap() = max_age;
    }

    /// What the present process said of itself to one who asked after that.
    pub(crate) fn said_since(&self, since: Instant) -> Option<Value> {
        let current = self.gate.current()?.number;
        let said = self.said.lock().unwrap();
        let (number, asked, status) = said.as_ref()?;
        (*number == current && *asked >= since).then(|| status.clone())
    }

    pub(crate) fn note_said(&self, number: u32, asked: Instant, status: Value) {
        *self.said.lock().unwrap() = Some((number, asked, status));
    }

    /// Who is revoked next.
    pub(crate) fn next_to_go(&self) -> Option<Arc<Pass>> {
        self.waiting.lock().unwrap().pop_front()
    }

    /// One who will be revoked soon.
    pub(crate) fn soon_to_go(&self, random: &mut fastrand::Rng) -> Option<Arc<Pass>> {
        let waiting = self.waiting.lock().unwrap();
        let soon = waiting.len().min(SOON);
        (soon > 0).then(|| Arc::clone(&waiting[random.usize(..soon)]))
    }

    /// Has the registry revoke an agent. Returns when it says that it has, which takes as long as the broker is away.
    pub(crate) async fn revoke(&self, pass: Arc<Pass>, word: Word) {
        self.passes.withdraw(&pass);
        add(&self.tally.withdrawn);
        let how = match word {
            Word::Published => "",
            Word::Listed | Word::Told => "?event=lost",
        };
        let url = format!("{}/v1/agents/{}{how}", self.registry.url, pass.agent.id);
        let reply = self
            .client
            .call(request(Method::DELETE, &url, Bytes::new()), PATIENCE)
            .await;
        let is_revoked = reply.is_some_and(|reply| reply.status == StatusCode::NO_CONTENT);
        assert!(is_revoked, "the registry does not revoke {}", pass.agent.did);
        if let (Word::Told, Some(gateway)) = (word, self.gate.current()) {
            let event = json!({ "type": "agent.auth.revoked", "data": { "agentId": pass.agent.did } }).to_string();
            let told = request(Method::POST, &format!("{}/events", gateway.admin), event);
            let answer = self.client.call(told, Duration::from_secs(5)).await;
            if answer.is_some_and(|answer| answer.status == StatusCode::OK && answer.json()["disposition"] == "applied")
            {
                pass.durable();
            }
        }
    }

    /// Has the registry replace an agent's token: the agent goes on with the new one.
    pub(crate) async fn rotate(&self) {
        let Some(old) = self.rotating.lock().unwrap().pop_front() else {
            return;
        };
        self.passes.withdraw(&old);
        add(&self.tally.withdrawn);
        let url = format!("{}/v1/agents/{}/reissue", self.registry.url, old.agent.id);
        let reply = self
            .client
            .call(request(Method::POST, &url, Bytes::new()), PATIENCE)
            .await;
        let reply = reply.expect("the registry answers").json();
        let text = |name: &str| reply[name].as_str().expect("the registry reissues").to_owned();
        let new = Pass::new(Agent {
            id: old.agent.id.clone(),
            did: text("did"),
            ait: text("ait"),
        });
        // A registry whose clock is ahead hands out tokens that nobody can use for a while.
        if new.issued_at <= wall_clock::now() + 30 {
            let new = self.passes.add(new);
            self.rotating.lock().unwrap().push_back(new);
        }
    }
}

/// How old a list may be for most of the time: by no fault does one become so old.
pub(crate) const LONG: Duration = Duration::from_secs(6 * 60 * 60);

const TWO_DAYS_AGO: i64 = -2 * 24 * 60 * 60;

/// How many agents are left alone.
const STEADY: usize = 40;

/// How many agents get new tokens.
const ROTATING: usize = 15;
const ROTATED: usize = STEADY + ROTATING;

/// Among how many streams are opened, so that most of them see a revocation.
const SOON: usize = 30;

/// Longer than the registry waits for a broker, and frozen itself.
const PATIENCE: Duration = Duration::from_secs(90);
