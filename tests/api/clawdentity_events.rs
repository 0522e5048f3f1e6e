//! Clawdentity's queue messages, each taken in by a sink, and what the layer does afterwards.

use std::collections::BTreeMap;

use http::{Request, StatusCode};
use serde_json::Value;
use tower_revocation::format::clawdentity::ClawdentityEvents;
use tower_revocation::{Disposition, DomainConfig, EventSink, Identity, Key, ListPolicy, RevocationLayer};

use crate::clawdentity_vectors::{Index, ask, read};

/// The field that a dead letter has to name.
const FIELDS: [(&str, &str); 25] = [
    ("queue/body-double-encoded.msg", "body"),
    ("queue/body-empty.msg", "body"),
    ("queue/body-json-array.msg", "body"),
    ("queue/body-json-null.msg", "body"),
    ("queue/body-json-string.msg", "body"),
    ("queue/body-not-json.msg", "body"),
    ("queue/revoked-data-missing.msg", "data"),
    ("queue/revoked-data-string.msg", "data"),
    ("queue/revoked-did-bare-ulid.msg", "data.metadata.agentDid"),
    ("queue/revoked-did-blank.msg", "data.metadata.agentDid"),
    ("queue/revoked-did-didweb.msg", "data.metadata.agentDid"),
    ("queue/revoked-did-empty.msg", "data.metadata.agentDid"),
    ("queue/revoked-did-human.msg", "data.metadata.agentDid"),
    ("queue/revoked-did-port-authority.msg", "data.metadata.agentDid"),
    ("queue/revoked-did-single-label-authority.msg", "data.metadata.agentDid"),
    (
        "queue/revoked-did-ulid-crockford-ambiguous.msg",
        "data.metadata.agentDid",
    ),
    ("queue/revoked-did-ulid-overflow.msg", "data.metadata.agentDid"),
    ("queue/revoked-did-ulid-short.msg", "data.metadata.agentDid"),
    ("queue/revoked-metadata-array.msg", "data.metadata"),
    ("queue/revoked-metadata-missing.msg", "data.metadata"),
    ("queue/revoked-metadata-null.msg", "data.metadata"),
    ("queue/revoked-metadata-string.msg", "data.metadata"),
    ("queue/type-blank.msg", "type"),
    ("queue/type-missing.msg", "type"),
    ("queue/type-padded.msg", "type"),
];

/// Malformed to Clawdentity's proxy, which handles these types. They are none of ours.
const NOT_OURS: [&str; 2] = [
    "queue/delivery-receipt-bad-status.msg",
    "queue/group-member-joined-bad-role.msg",
];

fn by_agent(request: &Request<String>) -> Identity {
    let agent = request.headers()["agent"].to_str().unwrap();
    Identity::Presented(Key::subject(agent).into())
}

type Layer = RevocationLayer<fn(&Request<String>) -> Identity>;

fn pair() -> (Layer, EventSink) {
    let config = DomainConfig::new().with_lists(ListPolicy::NotUsed);
    RevocationLayer::pair_with(config, by_agent as fn(&Request<String>) -> Identity)
}

async fn is_refused(layer: &Layer, agent: &str) -> bool {
    let request = Request::builder().header("agent", agent).body(String::new()).unwrap();
    match ask(layer, request).await {
        StatusCode::OK => false,
        StatusCode::UNAUTHORIZED => true,
        other => panic!("{agent}: {other}"),
    }
}

#[tokio::test]
async fn disposes_of_every_message_as_clawdentity_does() {
    let index = Index::read();
    let fields = BTreeMap::from(FIELDS);
    let mut seen = BTreeMap::<&str, usize>::new();
    for entry in index.of_kind("queue_message", 75) {
        let (layer, sink) = pair();
        let file = entry.file.as_str();
        let disposition = sink.ingest(&ClawdentityEvents::new(), &read(file)).wait();

        // What binds nobody but Clawdentity's own transport: a fault that was injected into its storage, and bodies
        // that a Cloudflare queue carried as something else than text. Here they are revocations like any other.
        if entry.injected_fault.is_some() || entry.body_kind != "string" {
            assert_eq!(entry.effect, "drop-malformed", "{file}");
            assert_eq!(disposition, Disposition::Applied, "{file}");
            let message: Value = serde_json::from_slice(&read(file)).unwrap();
            let did = message["data"]["metadata"]["agentDid"].as_str().unwrap();
            assert!(is_refused(&layer, did).await, "{file}");
            *seen.entry("does not bind").or_default() += 1;
            continue;
        }
        match (entry.effect.as_str(), &disposition) {
            ("revoke", Disposition::Applied) => {
                assert_eq!(entry.revoked_dids.len(), 1, "{file}");
                assert!(is_refused(&layer, &entry.revoked_dids[0]).await, "{file}");
            }
            ("drop-malformed", Disposition::DeadLetter(reason)) => {
                let field = fields.get(file).unwrap_or_else(|| panic!("{file}: {reason}"));
                assert!(reason.starts_with(&format!("{field} ")), "{file}: {reason}");
                assert_eq!(sink.status().last_dead_letter.unwrap().reason, *reason, "{file}");
            }
            ("drop-malformed", Disposition::Ignored(_)) => assert!(NOT_OURS.contains(&file), "{file}"),
            ("ignore" | "other-event-handled", Disposition::Ignored(_)) => {}
            (expected, disposition) => panic!("{file}: {expected}, not {disposition:?}"),
        }
        assert_eq!(sink.status().overlay.entries, entry.revoked_dids.len(), "{file}");
        assert!(!is_refused(&layer, "did:cdi:registry.example.com:agent:01KDVDNA016ZT6XTG3EZ0BVQS0").await);
        *seen.entry(disposition.as_str()).or_default() += 1;
    }
    let expected = [
        ("applied", 15),
        ("dead-letter", 25),
        ("does not bind", 3),
        ("ignored", 32),
    ];
    assert_eq!(seen, BTreeMap::from(expected));
}

#[tokio::test]
async fn revokes_by_did_and_nothing_else() {
    let (layer, sink) = pair();
    let disposition = sink
        .ingest(&ClawdentityEvents::new(), &read("world/queue-revoked-agent-c.msg"))
        .wait();
    assert_eq!(disposition, Disposition::Applied);
    assert!(is_refused(&layer, "did:cdi:registry.example.com:agent:01KDVDNA03XJ61A46WBY7B0EGN").await);
    for other in [
        "01KDVDNA03XJ61A46WBY7B0EGN",
        "01KDVDVFBYD9J3H3QMJX447TN5",
        "did:cdi:registry.example.com:agent:01kdvdna03xj61a46wby7b0egn",
        "did:cdi:registry.example.com:human:01KDVDNA003M7Y95MEA8EVE3M9",
    ] {
        assert!(!is_refused(&layer, other).await, "{other}");
    }
}

/// Clawdentity's proxy trims the DID before it marks the agent as revoked.
#[tokio::test]
async fn revokes_an_agent_whose_did_came_amid_blanks() {
    let (layer, sink) = pair();
    let message = String::from_utf8(read("queue/revoked-valid.msg")).unwrap();
    let did = "did:cdi:registry.example.com:agent:01KFZT6N3Y8Q2H7V5W9X4B1001";
    let padded = message.replace(did, &format!(r" {did}\n\ufeff"));
    assert_ne!(padded, message);
    assert_eq!(
        sink.ingest(&ClawdentityEvents::new(), padded.as_bytes()).wait(),
        Disposition::Applied
    );
    assert!(is_refused(&layer, did).await);
}
