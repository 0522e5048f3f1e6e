//! What the registry keeps: its agents, and what it revoked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use tower_revocation::Timestamp;
use ulid::Ulid;

use crate::ait::{AitClaims, Confirmation, Jwk};
use crate::queue::Publisher;
use crate::registry::message::agent_revoked;
use crate::registry::signing::{SigningKeys, agent_key};

/// A registry. A cheap clone.
#[derive(Clone)]
pub(crate) struct Registry {
    shared: Arc<Shared>,
}

struct Shared {
    issuer: String,
    /// The host part of the issuer, which DIDs name.
    authority: String,
    keys: SigningKeys,
    queue: Publisher,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    /// By the ULID at the end of their DID.
    agents: HashMap<String, Agent>,
    revocations: Vec<Entry>,
}

struct Agent {
    claims: AitClaims,
    /// Which signing key its tokens are signed with.
    turn: usize,
    revoked_at: Option<Instant>,
}

/// What an agent gets.
#[derive(Debug, Serialize)]
pub(crate) struct Issued {
    pub(crate) did: String,
    pub(crate) ait: String,
}

/// An entry of the revocation list.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    jti: String,
    agent_did: String,
    reason: &'static str,
    revoked_at: u64,
}

/// Why nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    Revoked,
    Unknown,
}

/// Whether a revocation is published. Upstream's events do get lost: it publishes none for an agent without a session, and
/// does not try again when publishing fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Publication {
    Lost,
    Sent,
}

impl Registry {
    pub(crate) fn new(issuer: String, authority: String, queue: Publisher) -> Self {
        Self {
            shared: Arc::new(Shared {
                issuer,
                authority,
                keys: SigningKeys::generate(),
                queue,
                book: Mutex::default(),
            }),
        }
    }

    /// Registers an agent, and issues its first token.
    pub(crate) fn register(&self, name: String, ttl_days: u32) -> Issued {
        let id = new_ulid();
        let now = Timestamp::now().as_unix_secs();
        let authority = &self.shared.authority;
        let claims = AitClaims {
            iss: self.shared.issuer.clone(),
            sub: format!("did:cdi:{authority}:agent:{id}"),
            owner_did: format!("did:cdi:{authority}:human:{OWNER}"),
            name,
            framework: "generic".to_owned(),
            description: None,
            cnf: Confirmation {
                jwk: Jwk {
                    kty: "OKP".to_owned(),
                    crv: "Ed25519".to_owned(),
                    x: agent_key(),
                },
            },
            iat: now,
            nbf: now,
            exp: now + u64::from(ttl_days) * SECS_PER_DAY,
            jti: new_ulid(),
        };
        let mut book = self.book();
        let turn = book.agents.len();
        let issued = self.issue(&claims, turn);
        let agent = Agent {
            claims,
            turn,
            revoked_at: None,
        };
        book.agents.insert(id, agent);
        issued
    }

    /// Replaces an agent's token: the agent goes on, its old token is revoked. Upstream publishes no event for this.
    pub(crate) fn reissue(&self, id: &str) -> Result<Issued, Problem> {
        let mut book = self.book();
        let agent = book.agents.get_mut(id).ok_or(Problem::Unknown)?;
        if agent.revoked_at.is_some() {
            return Err(Problem::Revoked);
        }
        let entry = Entry::of(&agent.claims, "reissued");
        let now = Timestamp::now().as_unix_secs();
        agent.claims.jti = new_ulid();
        // As upstream: a reissued token expires when the first one would have.
        (agent.claims.iat, agent.claims.nbf) = (now, now);
        let issued = self.issue(&agent.claims, agent.turn);
        book.revocations.push(entry);
        Ok(issued)
    }

    /// Revokes an agent: first in the book, then on the queue, and returns when the broker has confirmed it. Revoking it again
    /// changes nothing.
    pub(crate) async fn revoke(&self, id: &str, publication: Publication) -> Result<(), Problem> {
        let claims = {
            let mut book = self.book();
            let agent = book.agents.get_mut(id).ok_or(Problem::Unknown)?;
            if agent.revoked_at.is_some() {
                return Ok(());
            }
            agent.revoked_at = Some(Instant::now());
            let claims = agent.claims.clone();
            book.revocations.push(Entry::of(&claims, "agent_revoked"));
            claims
        };
        if publication == Publication::Sent {
            let message = agent_revoked(id, &claims.sub, &claims.owner_did);
            if let Err(error) = self.shared.queue.publish(&message).await {
                // Upstream goes on as well. The list will say it.
                tracing::error!(%error, "revocation was not published");
            }
        }
        Ok(())
    }

    /// When the agent's revocation was accepted: in the book, and not yet on the queue.
    pub(crate) fn revoked_at(&self, id: &str) -> Option<Instant> {
        self.book().agents.get(id)?.revoked_at
    }

    /// The revocation list, signed now. `None` while nothing was ever revoked.
    pub(crate) fn list(&self) -> Option<String> {
        let revocations = self.book().revocations.clone();
        if revocations.is_empty() {
            return None;
        }
        let now = Timestamp::now().as_unix_secs();
        let claims = json!({
            "iss": self.shared.issuer,
            "jti": new_ulid(),
            "iat": now,
            "exp": now + LIST_TTL_SECS,
            "revocations": revocations,
        });
        Some(self.shared.keys.sign("CRL", &claims, 0))
    }

    /// The public keys, as they are published.
    pub(crate) fn keys(&self) -> Value {
        self.shared.keys.publish()
    }

    fn issue(&self, claims: &AitClaims, turn: usize) -> Issued {
        Issued {
            did: claims.sub.clone(),
            ait: self.shared.keys.sign("AIT", claims, turn),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.shared.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn of(claims: &AitClaims, reason: &'static str) -> Self {
        Self {
            jti: claims.jti.clone(),
            agent_did: claims.sub.clone(),
            reason,
            revoked_at: Timestamp::now().as_unix_secs(),
        }
    }
}

pub(crate) fn new_ulid() -> String {
    Ulid::generate().to_string()
}

/// All agents belong to one human.
const OWNER: &str = "00000000000000000000000000";

const SECS_PER_DAY: u64 = 24 * 60 * 60;

/// As upstream: a cache of 300 s, 60 s in which it may be served stale, and 30 s of leeway.
const LIST_TTL_SECS: u64 = 390;
