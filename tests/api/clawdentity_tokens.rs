//! Clawdentity's agent tokens before a layer that has its lists and events.

use std::collections::BTreeMap;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{Request, StatusCode};
use tower_revocation::crl::clawdentity::ClawdentityList;
use tower_revocation::crl::{KeySet, ListFormat, verify_jws};
use tower_revocation::format::clawdentity::ClawdentityEvents;
use tower_revocation::identify::{self, Jwt};
use tower_revocation::{Disposition, DomainConfig, EventSink, ListPolicy, RevocationLayer, Timestamp};

use crate::clawdentity_vectors::{Index, ask, read};

const WORLD: [&str; 2] = ["world/queue-revoked-agent-c.msg", "world/queue-revoked-agent-f.msg"];

fn pair() -> (RevocationLayer<Jwt>, EventSink) {
    // The lists' times are fixed, the machine's is not.
    let config = DomainConfig::new().with_leeway(Duration::from_secs(100 * 365 * 24 * 60 * 60));
    RevocationLayer::pair_with(config, identify::jwt(AUTHORIZATION, "Claw"))
}

fn format() -> ClawdentityList {
    ClawdentityList::new("https://registry.example.com")
}

fn keys() -> KeySet {
    format().read_keys(&read("keys/claw-keys.json")).unwrap()
}

fn install(sink: &EventSink, file: &str, at: u64) {
    let list = format()
        .read_list(&read(file), &keys(), Timestamp::from_unix_secs(at))
        .unwrap();
    sink.install(list).unwrap();
}

fn token(file: &str) -> String {
    String::from_utf8(read(file)).unwrap().trim().to_owned()
}

async fn is_refused(layer: &RevocationLayer<Jwt>, file: &str) -> bool {
    let request = Request::builder().header(AUTHORIZATION, format!("Claw {}", token(file)));
    match ask(layer, request.body(String::new()).unwrap()).await {
        StatusCode::OK => false,
        StatusCode::UNAUTHORIZED => true,
        other => panic!("{file}: {other}"),
    }
}

#[tokio::test]
async fn each_list_refuses_the_tokens_it_lists_and_admits_their_successors() {
    let index = Index::read();
    let mut asked = 0;
    for entry in index
        .of_kind("crl", 55)
        .into_iter()
        .filter(|entry| !entry.revoked.is_empty())
    {
        let (layer, sink) = pair();
        let read = format().read_list(&read(&entry.file), &keys(), Timestamp::from_unix_secs(1_795_406_460));
        let Ok(list) = read else {
            // The one list that Clawdentity accepts and we don't.
            assert_eq!(entry.file, "crl/odd-duplicate-json-keys.json");
            continue;
        };
        sink.install(list).unwrap();
        for (agent, revoked) in &entry.revoked {
            let refused = is_refused(&layer, &format!("ait/{agent}.jwt")).await;
            assert_eq!(refused, *revoked, "{agent} under {}", entry.file);
            asked += 1;
        }
    }
    assert_eq!(asked, 16 * 7);
}

#[tokio::test]
async fn each_token_is_refused_by_the_lists_that_list_it_and_by_events_about_its_agent() {
    let index = Index::read();
    let mut asked = 0;
    for entry in index
        .of_kind("ait", 23)
        .into_iter()
        .filter(|entry| !entry.on_crl.is_empty())
    {
        for (file, listed) in &entry.on_crl {
            let (layer, sink) = pair();
            install(&sink, file, 1_795_406_460);
            assert_eq!(
                is_refused(&layer, &entry.file).await,
                *listed,
                "{} under {file}",
                entry.file
            );
            asked += 1;
        }
        let (layer, sink) = pair();
        sink.configure(|config| config.with_lists(ListPolicy::NotUsed));
        for event in WORLD {
            assert_eq!(
                sink.ingest(&ClawdentityEvents::new(), &read(event)).wait(),
                Disposition::Applied
            );
        }
        assert_eq!(
            is_refused(&layer, &entry.file).await,
            entry.revoked_by_event,
            "{}",
            entry.file
        );
    }
    assert_eq!(asked, 7 * 6);
}

#[tokio::test]
async fn what_an_event_revoked_stays_so_under_a_newer_list_without_the_token() {
    let (layer, sink) = pair();
    install(&sink, "crl/crl-3.json", 1_795_406_460);
    assert!(is_refused(&layer, "ait/agent-c.jwt").await);
    install(&sink, "crl/crl-2-newer-drops-agent-c.json", 1_795_406_460);
    assert!(
        !is_refused(&layer, "ait/agent-c.jwt").await,
        "a newer signed list may un-revoke"
    );
    assert_eq!(
        sink.ingest(&ClawdentityEvents::new(), &read(WORLD[0])).wait(),
        Disposition::Applied
    );
    install(&sink, "crl/crl-2-newer-drops-agent-c.json", 1_795_406_460);
    assert!(is_refused(&layer, "ait/agent-c.jwt").await);
}

#[tokio::test]
async fn a_registrys_day_of_reissues_and_revocations() {
    let (layer, sink) = pair();
    let all = [
        "zeta-before-reissue",
        "zeta-after-reissue",
        "delta-revoked",
        "theta-revoked-no-session",
        "epsilon-valid-1day",
        "alpha-valid",
        "beta-valid",
    ];
    let refused = async || {
        let mut refused = Vec::new();
        for name in all {
            if is_refused(&layer, &format!("live/ait/{name}.jwt")).await {
                refused.push(name);
            }
        }
        refused
    };
    sink.install_none().unwrap();
    assert!(refused().await.is_empty());
    install(&sink, "live/crl/crl-1-reissued-only.json", 1_795_407_526);
    assert_eq!(refused().await, ["zeta-before-reissue"]);
    for entry in Index::read().of_kind("queue_message", 75) {
        if entry.file.starts_with("live/") {
            let disposition = sink.ingest(&ClawdentityEvents::new(), &read(&entry.file)).wait();
            assert!(
                matches!(disposition, Disposition::Applied | Disposition::Ignored(_)),
                "{}",
                entry.file
            );
        }
    }
    assert_eq!(refused().await, ["zeta-before-reissue", "delta-revoked"]);
    install(&sink, "live/crl/crl-3-live.json", 1_795_407_531);
    assert_eq!(
        refused().await,
        ["zeta-before-reissue", "delta-revoked", "theta-revoked-no-session"]
    );
}

/// Verifying tokens is the authentication layer's task; but the signature of each is one that [`verify_jws`] can judge,
/// and none of them, well-formed or not, may carry a revoked agent past the layer.
#[tokio::test]
async fn no_token_slips_by_however_odd() {
    let index = Index::read();
    let by_signature = BTreeMap::from([
        ("ait/bad-alg-none.jwt", "header.alg"),
        ("ait/bad-kid-mismatch.jwt", "signature"),
        ("ait/bad-typ-crl.jwt", "header.typ"),
        ("ait/bad-typ-jwt.jwt", "header.typ"),
    ]);
    // Refused by Clawdentity for their claims, which are not a JWS's concern.
    let by_claims = [
        "bad-expired",
        "bad-extra-claim",
        "bad-human-sub",
        "bad-jti-lowercase",
        "bad-no-jti",
    ];
    let keys = keys();
    for entry in index.of_kind("ait", 23) {
        let file = entry.file.as_str();
        match verify_jws(&token(file), "AIT", &keys) {
            Ok(payload) => {
                let refused = by_claims.iter().any(|name| file == format!("ait/{name}.jwt"));
                assert!(entry.class != "must-reject" || refused, "{file}");
                let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
                let is_odd = ["ait/bad-jti-lowercase.jwt", "ait/bad-no-jti.jwt"].contains(&file);
                assert!(is_odd || claims["jti"] == entry.jti, "{file}");
            }
            Err(error) => assert_eq!(Some(&error.field()), by_signature.get(file), "{file}: {error}"),
        }

        let (layer, sink) = pair();
        sink.configure(|config| config.with_lists(ListPolicy::NotUsed));
        assert!(!is_refused(&layer, file).await, "{file}");
        let event = format!(
            r#"{{"type":"agent.auth.revoked","data":{{"agentId":"{}"}}}}"#,
            entry.agent_did
        );
        assert_eq!(
            sink.ingest(&ClawdentityEvents::new(), event.as_bytes()).wait(),
            Disposition::Applied
        );
        assert_eq!(
            is_refused(&layer, file).await,
            file != "ait/bad-human-sub.jwt",
            "{file}"
        );
    }
}
