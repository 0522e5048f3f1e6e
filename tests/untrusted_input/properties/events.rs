//! Clawdentity's queue messages.

use tower_revocation::format::clawdentity::ClawdentityEvents;
use tower_revocation::{Decode, Decoded, Disposition, Effect, Event, Key, KeyKind};

use super::tree::Tree;
use super::world;

/// Messages in a row. What is applied is refused, what is not changes nothing, and all is as another reader has it.
pub(crate) fn check(input: &[u8]) {
    let sink = world::domain();
    let format = ClawdentityEvents::new();
    for message in world::parts(input) {
        let before = sink.status().overlay.entries;
        let disposition = world::ingest(&sink, &format, message);
        match format.decode(message) {
            Ok(Decoded::Events(events)) => {
                assert_eq!(disposition, Disposition::Applied);
                let [Event::Revoke(revocation)] = events[..] else {
                    panic!("a message is one revocation: {events:?}");
                };
                assert_eq!(revocation.effect(), Effect::Block);
                assert_eq!(revocation.key().kind(), KeyKind::Subject);
                assert!(world::is_blocked(&sink, *revocation.key()));
            }
            Ok(Decoded::Ignored(_)) => assert!(matches!(disposition, Disposition::Ignored(_))),
            Ok(other) => panic!("no message is that: {other:?}"),
            Err(_) => assert!(matches!(disposition, Disposition::DeadLetter(_))),
        }
        if disposition != Disposition::Applied {
            assert_eq!(sink.status().overlay.entries, before, "nothing has changed");
        }
        // What this reader cannot read (it is deep, or holds half a character) may still be a revocation.
        if let Some(body) = Tree::read(message) {
            match (expected(&body), &disposition) {
                (Some(Said::Revoked(did)), Disposition::Applied) => {
                    assert!(world::is_blocked(&sink, Key::subject(&did)), "{did}");
                }
                (Some(Said::Nothing), Disposition::Ignored(_)) | (None, Disposition::DeadLetter(_)) => {}
                (expected, _) => panic!("{disposition:?}, not {expected:?}"),
            }
        }
        world::assert_still_blocked(&sink);
    }
}

#[derive(Debug)]
enum Said {
    Nothing,
    Revoked(String),
}

/// What a message says, the last of what is stated twice; `None` if it cannot be understood.
fn expected(body: &Tree) -> Option<Said> {
    let kind = body.get("type")?.text()?;
    match trim(kind) {
        "" => return None,
        _ if kind == "agent.auth.revoked" => {}
        "agent.auth.revoked" => return None,
        _ => return Some(Said::Nothing),
    }
    let data = body.get("data").filter(|data| matches!(data, Tree::Object(_)))?;
    let is_said = |name| data.get(name).filter(|value| **value != Tree::Null);
    let did = match is_said("reason") {
        Some(Tree::Text(reason)) if reason == "agent_revoked" => data.get("metadata")?.get("agentDid"),
        Some(Tree::Text(_)) => return Some(Said::Nothing),
        Some(_) => return None,
        None if is_said("metadata").is_some() => return None,
        None => data.get("agentId"),
    };
    let did = trim(did?.text()?);
    is_agent(did).then(|| Said::Revoked(did.to_owned()))
}

fn trim(text: &str) -> &str {
    text.trim_matches(|char: char| char.is_whitespace() || char == '\u{feff}')
}

/// Whether it is `did:cdi:<DNS name of two labels or more>:agent:<ULID>`.
pub(crate) fn is_agent(did: &str) -> bool {
    let parts: Vec<_> = did.split(':').collect();
    let ["did", "cdi", authority, "agent", id] = parts[..] else {
        return false;
    };
    let is_label = |label: &str| {
        let is_made_of = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
        !label.is_empty() && label.chars().all(is_made_of) && !label.starts_with('-') && !label.ends_with('-')
    };
    let labels: Vec<_> = authority.split('.').collect();
    authority.len() <= 253 && labels.len() >= 2 && labels.into_iter().all(is_label) && is_ulid(id)
}

pub(crate) fn is_ulid(id: &str) -> bool {
    let is_digit = |char: char| char.is_ascii_digit() || char.is_ascii_uppercase() && !"ILOU".contains(char);
    id.len() == 26 && id.chars().all(is_digit) && id.starts_with(|first| ('0'..='7').contains(&first))
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = world::vectors("queue", ".msg");
    seeds.extend(world::vectors("live/queue", ".msg"));
    seeds.push(world::join(&seeds[..3]));
    seeds.push(
        format!(
            r#"{{"type":"agent.auth.revoked","data":{{"agentId":"{}"}}}}"#,
            world::MALLORY
        )
        .into(),
    );
    seeds
}
