//! Agents to try the gateway with: what a client would do, done by the gateway's own process over real connections.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep, timeout};
use tower_revocation::{EventSink, Timestamp};

use super::player::{Followed, Player, Step};
use super::record::{Record, between, duration};
use crate::Failure;
use crate::caller::{Agent, Caller, Doors, EventStream, url};

/// The agents that were registered from the page. A cheap clone.
#[derive(Clone)]
pub(crate) struct Playground {
    shared: Arc<Shared>,
}

struct Shared {
    doors: Doors,
    caller: Caller,
    record: Record,
    sink: EventSink,
    players: Mutex<VecDeque<Player>>,
}

/// What can be done with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Call,
    Reissue,
    Revoke,
    Stream,
}

/// Why it was not done.
pub(crate) enum Problem {
    Failed(Failure),
    Unknown,
}

impl<E: Into<Failure>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Playground {
    pub(crate) fn new(doors: Doors, record: Record, sink: EventSink) -> Self {
        Self {
            shared: Arc::new(Shared {
                doors,
                caller: Caller::new(),
                record,
                sink,
                players: Mutex::default(),
            }),
        }
    }

    /// All of them, the latest first.
    pub(crate) fn agents(&self) -> Value {
        json!(self.players().iter().rev().collect::<Vec<_>>())
    }

    /// Registers one.
    pub(crate) async fn register(&self, name: &str) -> Result<Value, Problem> {
        let Shared { doors, caller, .. } = &*self.shared;
        let register = url(&doors.registry, "/v1/agents")?;
        let body = json!({ "name": name }).to_string();
        let reply = caller.call_with(Method::POST, register, None, body).await?;
        if reply.status == StatusCode::BAD_REQUEST {
            return Err("the registry does not take this name: letters, digits, spaces, . _ - and 64 at most".into());
        }
        let reply = reply.expect(StatusCode::CREATED)?;
        let registered = Step::of("registered", &reply, String::new());
        let player = Player::new(Agent::of(&reply), name, registered, doors);
        let shown = json!(player);
        let mut players = self.players();
        if players.len() == AGENTS
            && let Some(oldest) = players.pop_front()
        {
            oldest.leave();
        }
        players.push_back(player);
        drop(players);
        self.shared.record.stir();
        Ok(shown)
    }

    /// Does something with one, and shows it afterwards.
    pub(crate) async fn act(&self, id: &str, action: Action) -> Result<Value, Problem> {
        let ait = self.with(id, |player| player.ait.clone())?;
        match action {
            Action::Call => {
                let step = self.call("called", &ait).await?;
                self.with(id, |player| player.story = vec![step])?;
            }
            Action::Reissue => self.reissue(id, &ait).await?,
            Action::Revoke => self.revoke(id, &ait).await?,
            Action::Stream => self.open(id, &ait).await?,
        }
        self.shared.record.stir();
        self.with(id, |player| json!(player))
    }

    async fn call(&self, what: &'static str, ait: &str) -> Result<Step, Problem> {
        let Shared { doors, caller, .. } = &*self.shared;
        let reply = caller
            .call(Method::GET, url(&doors.gateway, "/hello")?, Some(ait))
            .await?;
        let note = reply.text("/error/message");
        Ok(Step::of(what, &reply, note))
    }

    /// Revokes one while it keeps calling, so that its first refusal is seen as early as it comes.
    async fn revoke(&self, id: &str, ait: &str) -> Result<(), Problem> {
        let Shared { doors, caller, .. } = &*self.shared;
        let revoke = doors.agent(id, "")?;
        let refused = async {
            let began = Instant::now();
            loop {
                // One that is under way when the revocation comes may break off.
                if let Ok(step) = self.call("refused", ait).await
                    && step.status != Some(200)
                {
                    return (step, Instant::now());
                }
                if began.elapsed() > EAGER {
                    sleep(PAUSE).await;
                }
            }
        };
        let (revoked, refused) = tokio::join!(
            caller.call(Method::DELETE, revoke, None),
            timeout(REFUSAL_PATIENCE, refused)
        );
        let revoked = revoked?.expect(StatusCode::NO_CONTENT)?;
        let mut story = vec![Step::of("revoked", &revoked, String::new())];
        match (refused, doors.registry_inside.revoked_at(id)) {
            (Ok((mut step, seen)), Some(at)) => {
                step.note = format!("{}, {} after the revocation", step.note, duration(between(at, seen)));
                story.push(step);
            }
            _ => story.push(Step::said(
                "refused",
                "not yet: the event has not come; the list will say it".into(),
            )),
        }
        self.with(id, |player| {
            player.revoked = true;
            player.story = story;
        })
    }

    /// Replaces one's token. The registry publishes no event for that: its list says so, and is fetched at once.
    async fn reissue(&self, id: &str, old: &str) -> Result<(), Problem> {
        let Shared {
            doors, caller, sink, ..
        } = &*self.shared;
        let reissue = doors.agent(id, "/reissue")?;
        let reply = caller.call(Method::POST, reissue, None).await?.expect(StatusCode::OK)?;
        let new = Agent::of(&reply).ait;
        let began = Instant::now();
        let fetched = timeout(REFUSAL_PATIENCE, sink.refreshed()).await;
        let fetched = match fetched {
            Ok(()) => format!(
                "{} for the gateway to fetch the list",
                duration(between(began, Instant::now()))
            ),
            Err(_) => "the list is still being fetched".to_owned(),
        };
        let story = vec![
            Step::of("reissued", &reply, fetched),
            self.call("old token", old).await?,
            self.call("new token", &new).await?,
        ];
        self.with(id, |player| {
            player.arm(new, doors);
            player.story = story;
        })
    }

    /// Opens a stream, unless one is open, and follows it.
    async fn open(&self, id: &str, ait: &str) -> Result<(), Problem> {
        if self.with(id, |player| {
            player.stream.as_ref().is_some_and(|stream| stream.state == "open")
        })? {
            return Ok(());
        }
        let Shared { doors, caller, .. } = &*self.shared;
        match caller.open(url(&doors.gateway, "/events")?, ait).await {
            Ok(stream) => {
                let (playground, agent) = (self.clone(), id.to_owned());
                let following = tokio::spawn(async move { playground.follow(&agent, stream).await }).abort_handle();
                self.with(id, |player| {
                    player.stream = Some(Followed {
                        state: "open",
                        ticks: 1,
                        since_ms: Timestamp::now().as_unix_millis(),
                        after_ms: None,
                    });
                    player.following = Some(following);
                    player.story.clear();
                })
            }
            Err(_) => {
                let step = self.call("stream refused", ait).await?;
                self.with(id, |player| player.story = vec![step])
            }
        }
    }

    async fn follow(&self, id: &str, mut stream: EventStream) {
        let state = loop {
            match stream.next().await {
                Some(Ok(())) => {}
                Some(Err(_)) => break "cut",
                None => break "ended",
            }
            let counted = self.with(id, |player| {
                if let Some(stream) = &mut player.stream {
                    stream.ticks += 1;
                }
            });
            if counted.is_err() {
                return;
            }
        };
        let at = Instant::now();
        let revoked_at = self.shared.doors.registry_inside.revoked_at(id);
        let _ = self.with(id, |player| {
            if let Some(stream) = &mut player.stream {
                // One that breaks off with nobody revoked was cut by something else.
                stream.state = if revoked_at.is_none() && state == "cut" {
                    "broken"
                } else {
                    state
                };
                stream.after_ms = revoked_at.map(|revoked| between(revoked, at));
            }
        });
        self.shared.record.stir();
    }

    fn with<T>(&self, id: &str, look: impl FnOnce(&mut Player) -> T) -> Result<T, Problem> {
        let mut players = self.players();
        let player = players.iter_mut().find(|player| player.id == id);
        player.map(look).ok_or(Problem::Unknown)
    }

    fn players(&self) -> MutexGuard<'_, VecDeque<Player>> {
        self.shared.players.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of those registered from the page; with one more the oldest goes, and its stream with it.
const AGENTS: usize = 50;

/// For how long a revoked agent calls without a pause.
const EAGER: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_millis(20);
const REFUSAL_PATIENCE: Duration = Duration::from_secs(3);
