//! What a gateway with a state directory knows when it starts again.

use std::path::Path;

use http::Method;
use tempfile::TempDir;

use crate::process::{Agent, Gateway, eventually, run};
use crate::registry::{ISSUER, closed};
use crate::web::{Reply, call};

/// A directory in which a gateway kept a list that revokes one agent, an event that revokes another, and nothing about a
/// third; and the registry, another gateway.
pub(crate) struct Kept {
    pub(crate) directory: TempDir,
    pub(crate) registry: Gateway,
    pub(crate) by_list: Agent,
    pub(crate) by_event: Agent,
    pub(crate) healthy: Agent,
}

impl Kept {
    pub(crate) async fn new() -> Self {
        let registry = Gateway::start(&[]).await;
        let [by_list, by_event, healthy] = [
            registry.register().await,
            registry.register().await,
            registry.register().await,
        ];
        assert_eq!(registry.revoke(&by_list.id, "").await.status, 204);
        let directory = tempfile::tempdir().unwrap();
        let kept = Self {
            directory,
            registry,
            by_list,
            by_event,
            healthy,
        };
        let gateway = kept.start(&kept.registry.registry, &[]).await;
        gateway.until(|status| status["journal"]["list_iat"].is_u64()).await;
        assert_eq!(gateway.event(&revocation(&kept.by_event.did)).await.status, 200);
        gateway.kill().await;
        kept
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Starts a gateway in the directory.
    pub(crate) async fn start(&self, registry: &str, more: &[&str]) -> Gateway {
        let directory = self.path().to_str().unwrap();
        let arguments = ["--registry", registry, "--issuer", ISSUER, "--state-dir", directory];
        Gateway::start(&[&arguments[..], more].concat()).await
    }

    /// What becomes of the three agents' requests.
    async fn statuses(&self, gateway: &Gateway) -> [u16; 3] {
        let mut statuses = [0; 3];
        for (status, agent) in statuses.iter_mut().zip([&self.by_list, &self.by_event, &self.healthy]) {
            *status = gateway.ask(&agent.ait).await.status.as_u16();
        }
        statuses
    }
}

/// The message that revokes an agent.
pub(crate) fn revocation(did: &str) -> String {
    format!(r#"{{"type":"agent.auth.revoked","data":{{"agentId":"{did}"}}}}"#)
}

async fn readyz(gateway: &Gateway) -> Reply {
    call(Method::GET, &format!("{}/readyz", gateway.admin), &[], "").await
}

async fn readyz_says(gateway: &Gateway, expected: &str) {
    let reply = readyz(gateway).await;
    // Between these it says what is amiss.
    let text = String::from_utf8_lossy(&reply.body);
    let (verdict, progress) = expected.split_once('\n').unwrap();
    assert!(text.starts_with(verdict) && text.ends_with(progress), "{text}");
}

#[tokio::test]
async fn decides_at_once_while_registry_and_queue_are_away_and_says_how_far_it_is() {
    let kept = Kept::new().await;
    let gateway = kept.start(&closed().await, &[]).await;
    assert_eq!(kept.statuses(&gateway).await, [401, 401, 200]);
    readyz_says(
        &gateway,
        "ready\nlist: restored\nfeed: unknown\njournal: restored, 1 entries\n",
    )
    .await;
    gateway.kill().await;

    // As if there had been no state directory at all.
    let registry = closed().await;
    let forgetful = Gateway::start(&["--registry", &registry, "--issuer", ISSUER]).await;
    assert_eq!(kept.statuses(&forgetful).await, [503, 503, 503]);
    readyz_says(&forgetful, "not ready\nlist: none\nfeed: unknown\njournal: none\n").await;

    let gateway = kept.start(&kept.registry.registry, &[]).await;
    gateway
        .until(|status| status["poll"]["last_success_ms_ago"].is_u64())
        .await;
    assert_eq!(kept.statuses(&gateway).await, [401, 401, 200]);
    readyz_says(
        &gateway,
        "ready\nlist: fetched\nfeed: unknown\njournal: restored, 1 entries\n",
    )
    .await;
}

#[tokio::test]
async fn a_list_that_is_too_old_by_the_clock_on_the_wall_is_stale_after_a_restart() {
    let kept = Kept::new().await;
    let gateway = kept.start(&closed().await, &["--max-age", "1ms"]).await;
    assert_eq!(kept.statuses(&gateway).await, [401, 401, 503]);
    assert_eq!(readyz(&gateway).await.status, 503);
}

#[tokio::test]
async fn a_second_gateway_in_the_directory_says_so_and_ends() {
    let kept = Kept::new().await;
    let first = kept.start(&kept.registry.registry, &[]).await;
    let directory = kept.path().to_str().unwrap();
    for policy in ["refuse", "start-empty"] {
        let second = run(&[
            "--state-dir",
            directory,
            "--state-damaged",
            policy,
            "--listen",
            "127.0.0.1:0",
        ])
        .await;
        assert_eq!(second.status.code(), Some(1));
        let words = String::from_utf8_lossy(&second.stderr);
        assert!(
            words.starts_with(&format!("gateway: {directory}: in use by process ")),
            "{words}"
        );
    }
    assert_eq!(kept.statuses(&first).await, [401, 401, 200]);
}

#[tokio::test]
async fn a_damaged_directory_is_named_or_makes_an_empty_start_that_admits_nobody() {
    for (name, length) in [("journal.redb", 5_000), ("list", 100)] {
        let kept = Kept::new().await;
        let directory = kept.path().to_str().unwrap();
        let path = kept.path().join(name);
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_len(length).unwrap();
        let registry = closed().await;
        let arguments = ["--registry", &registry, "--issuer", ISSUER, "--state-dir", directory];
        let refused = run(&[&arguments[..], &["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]].concat()).await;
        assert_eq!(refused.status.code(), Some(1));
        let words = String::from_utf8_lossy(&refused.stderr);
        assert!(words.contains(&format!("gateway: {}: ", path.display())), "{words}");

        let lenient = ["--state-damaged", "start-empty", "--stale", "fail-open"];
        let gateway = kept.start(&registry, &lenient).await;
        for status in kept.statuses(&gateway).await {
            assert!(status != 200, "{name}: {status}");
        }
        let reply = readyz(&gateway).await;
        assert!(
            String::from_utf8_lossy(&reply.body).contains("journal: lost\n"),
            "{name}: {reply:?}"
        );
        assert_eq!(reply.status, 503);
        gateway.kill().await;
        let gateway = kept.start(&kept.registry.registry, &lenient).await;
        gateway.until(|status| status["ready"] == true).await;
        assert_eq!(kept.statuses(&gateway).await[0], 401, "{name}");
    }
}

/// Nothing has made a key before; it used to be too late for a journal by the time that the directory could be used.
#[tokio::test]
async fn a_directory_that_can_be_used_later_is_used_then() {
    let registry = Gateway::start(&[]).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    std::fs::write(&path, "in the way").unwrap();
    let state = ["--state-dir", path.to_str().unwrap(), "--state-damaged", "start-empty"];
    let arguments = ["--registry", &registry.registry, "--issuer", ISSUER];
    let gateway = Gateway::start(&[&arguments[..], &state].concat()).await;
    let did = "did:cdi:registry.example.com:agent:01KDVDNA03XJ61A46WBY7B0EGN";
    let refused = gateway.event(&revocation(did)).await;
    assert_eq!(refused.status, 503);
    assert!(
        refused.json()["reason"]
            .as_str()
            .unwrap()
            .contains(path.to_str().unwrap()),
        "{refused:?}"
    );
    std::fs::remove_file(&path).unwrap();
    eventually(async || (gateway.event(&revocation(did)).await.status == 200).then_some(())).await;
    assert_eq!(gateway.status().await["journal"]["durable"], true);
    gateway.kill().await;
    let gateway = Gateway::start(&[&arguments[..], &state].concat()).await;
    assert_eq!(gateway.status().await["journal"]["restored_entries"], 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_full_disk_makes_events_wait_and_nobody_else() {
    let kept = Kept::new().await;
    let directory = kept.path().to_str().unwrap();
    let arguments = [
        "--registry",
        &kept.registry.registry,
        "--issuer",
        ISSUER,
        "--state-dir",
        directory,
    ];
    // As large as its database is: not a page more.
    let blocks = std::fs::metadata(kept.path().join("journal.redb")).unwrap().len() / 512;
    // And so is its log, on the same disk: it can write no line.
    let log = kept.path().join("log");
    std::fs::write(&log, vec![b'.'; usize::try_from(blocks).unwrap() * 512]).unwrap();
    let log = std::fs::File::options().append(true).open(log).unwrap();
    let gateway = Gateway::start_cramped(u32::try_from(blocks).unwrap(), log, &arguments).await;
    gateway.until(|status| status["ready"] == true).await;
    let mut taken = 0;
    let refused = loop {
        let agent = format!("did:cdi:registry.example.com:agent:01KDVDNA03XJ61A46WBY{taken:06}");
        let reply = gateway.event(&revocation(&agent)).await;
        if reply.status != 200 {
            break reply;
        }
        taken += 1;
        assert!(taken < 10_000, "it never fills up");
    };
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["disposition"]),
        (503, &"retry".into())
    );
    let reason = refused.json()["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("journal.redb"), "{reason}");
    let status = gateway.status().await;
    assert_eq!(status["journal"]["durable"], false, "{status}");
    assert!(
        status["journal"]["last_error"]
            .as_str()
            .unwrap()
            .contains("journal.redb"),
        "{status}"
    );
    let text = String::from_utf8_lossy(&readyz(&gateway).await.body).into_owned();
    assert!(
        text.ends_with(", cannot be written\n") && text.contains("- journal-not-durable: Events are in force"),
        "{text}"
    );

    // The service goes on, and what could not be kept is in force.
    assert_eq!(kept.statuses(&gateway).await, [401, 401, 200]);
    assert_eq!(gateway.event(&revocation(&kept.healthy.did)).await.status, 503);
    assert_eq!(kept.statuses(&gateway).await, [401, 401, 401]);
    gateway.kill().await;

    // What was answered for is there, on a disk with room again.
    let gateway = kept.start(&closed().await, &[]).await;
    assert!(gateway.status().await["journal"]["restored_entries"].as_u64().unwrap() > taken);
    assert_eq!(gateway.event(&revocation(&kept.healthy.did)).await.status, 200);
}
