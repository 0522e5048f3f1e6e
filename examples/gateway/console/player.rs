//! One of the agents to try the gateway with, as the page shows it.

use serde::Serialize;
use tokio::task::AbortHandle;
use tower_revocation::Timestamp;

use super::record::between;
use crate::caller::{Agent, Doors, Reply};

/// An agent, and what last came of it.
#[derive(Serialize)]
pub(crate) struct Player {
    pub(crate) id: String,
    pub(crate) did: String,
    pub(crate) name: String,
    /// A request that would be made with its token, to be pasted into a shell.
    pub(crate) curl: String,
    pub(crate) revoked: bool,
    /// What last happened, in order.
    pub(crate) story: Vec<Step>,
    pub(crate) stream: Option<Followed>,
    #[serde(skip)]
    pub(crate) ait: String,
    #[serde(skip)]
    pub(crate) following: Option<AbortHandle>,
}

/// One thing that a client saw.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Step {
    pub(crate) what: &'static str,
    /// The response's, if it was one.
    pub(crate) status: Option<u16>,
    pub(crate) ms: Option<f64>,
    pub(crate) note: String,
    pub(crate) at_ms: u64,
}

/// A stream, as its client sees it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Followed {
    pub(crate) state: &'static str,
    pub(crate) ticks: u64,
    pub(crate) since_ms: u64,
    /// How long after the revocation it broke off.
    pub(crate) after_ms: Option<f64>,
}

impl Player {
    pub(crate) fn new(agent: Agent, name: &str, registered: Step, doors: &Doors) -> Self {
        let mut player = Self {
            id: agent.id,
            did: agent.did,
            name: name.to_owned(),
            curl: String::new(),
            revoked: false,
            story: vec![registered],
            stream: None,
            ait: String::new(),
            following: None,
        };
        player.arm(agent.ait, doors);
        player
    }

    /// Gives it a token.
    pub(crate) fn arm(&mut self, ait: String, doors: &Doors) {
        let gateway = doors.gateway.origin();
        self.curl = format!("curl -i -H 'Authorization: Claw {ait}' {gateway}/hello");
        self.ait = ait;
    }

    pub(crate) fn leave(&self) {
        if let Some(following) = &self.following {
            following.abort();
        }
    }
}

impl Step {
    pub(crate) fn of(what: &'static str, reply: &Reply, note: String) -> Self {
        Self {
            status: Some(reply.status.as_u16()),
            ms: Some(between(reply.sent_at, reply.arrived_at)),
            ..Self::said(what, note)
        }
    }

    pub(crate) fn said(what: &'static str, note: String) -> Self {
        Self {
            what,
            status: None,
            ms: None,
            note,
            at_ms: Timestamp::now().as_unix_millis(),
        }
    }
}
