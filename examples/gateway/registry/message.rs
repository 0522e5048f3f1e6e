//! What the registry publishes when it revokes an agent, byte for byte in the upstream system's form.

use serde::Serialize;

use crate::envelope::uuid;
use crate::registry::book::new_ulid;

/// `agent.auth.revoked`, reason `agent_revoked`. It names the agent, not its token.
pub(crate) fn agent_revoked(agent_id: &str, agent_did: &str, owner_did: &str) -> Vec<u8> {
    let message = Message {
        id: &uuid(),
        r#type: "agent.auth.revoked",
        version: "v1",
        timestamp_utc: &format!("{:.3}", jiff::Timestamp::now()),
        initiated_by_account_id: owner_did,
        data: Data {
            agent_id,
            session_id: &new_ulid(),
            reason: "agent_revoked",
            metadata: Metadata { agent_did },
        },
    };
    serde_json::to_vec(&message).expect("a message is strings alone")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    id: &'a str,
    r#type: &'a str,
    version: &'a str,
    timestamp_utc: &'a str,
    initiated_by_account_id: &'a str,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    agent_id: &'a str,
    session_id: &'a str,
    reason: &'a str,
    metadata: Metadata<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    agent_did: &'a str,
}
