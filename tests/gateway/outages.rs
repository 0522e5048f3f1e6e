//! What becomes of requests while the registry is away: before the first list, and later.

use std::time::{Duration, Instant};

use http::Method;

use crate::process::{Agent, Gateway};
use crate::registry::{ISSUER, closed, hanging, serving, vector};
use crate::web::{Reply, call};

#[tokio::test]
async fn refuses_with_retry_after_if_the_registry_is_down_at_the_start() {
    let registry = closed().await;
    let gateway = Gateway::start(&["--registry", &registry, "--issuer", ISSUER]).await;
    let reply = gateway.ask(vector("ait/agent-a.jwt").trim()).await;
    let code = "PROXY_AUTH_DEPENDENCY_UNAVAILABLE";
    reply.assert_error(503, code, "Registry signing keys are unavailable");
    assert!(reply.header("retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(probe(&gateway, "readyz").await.status, 503);
    assert_eq!(probe(&gateway, "healthz").await.status, 200);
    let status = gateway.until(|status| status["poll"]["last_error"].is_string()).await;
    assert_eq!(
        (status["ready"].as_bool(), status["snapshot"].is_null()),
        (Some(false), true)
    );
}

/// It used to call itself ready, since the policy would have admitted whoever had been authenticated.
#[tokio::test]
async fn is_not_ready_without_keys_under_either_policy() {
    let registry = closed().await;
    let gateway = Gateway::start(&["--registry", &registry, "--issuer", ISSUER, "--stale", "fail-open"]).await;
    let reply = gateway.ask(vector("ait/agent-a.jwt").trim()).await;
    assert_eq!(reply.status, 503);
    assert_eq!(probe(&gateway, "readyz").await.status, 503);
}

#[tokio::test]
async fn answers_at_once_while_the_registry_hangs() {
    let registry = hanging().await;
    let gateway = Gateway::start(&["--registry", &registry, "--issuer", ISSUER]).await;
    let token = vector("ait/agent-a.jwt");
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let started = Instant::now();
        assert_eq!(gateway.ask(token.trim()).await.status, 503);
        slowest = slowest.max(started.elapsed());
    }
    // Generous for a busy machine, and yet far below any time-out of a fetch.
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}

#[tokio::test]
async fn refuses_with_retry_after_while_there_are_keys_but_no_acceptable_list() {
    let registry = serving("keys/claw-keys.json", "crl/bad-tampered-payload.json").await;
    let gateway = Gateway::start(&["--registry", &registry, "--issuer", ISSUER]).await;
    gateway.refresh().await;
    let token = vector("ait/agent-a.jwt");
    assert_stale(&gateway.ask(token.trim()).await);
    let status = gateway.status().await;
    assert!(
        status["poll"]["last_error"].as_str().unwrap().contains("signature"),
        "{status}"
    );

    let open = Gateway::start(&["--registry", &registry, "--issuer", ISSUER, "--stale", "fail-open"]).await;
    open.refresh().await;
    assert_eq!(open.ask(token.trim()).await.status, 200);
    assert_eq!(probe(&open, "readyz").await.status, 200);
}

#[tokio::test]
async fn keeps_what_it_knows_when_the_registry_goes_down_later() {
    let (registry, revoked, healthy) = registry_with_a_revoked_agent().await;
    let gateway = Gateway::start(&["--registry", &registry.registry, "--issuer", ISSUER])
        .await
        .ready()
        .await;
    registry.kill().await;
    let status = gateway.refresh().await;
    assert!(status["poll"]["last_error"].is_string(), "{status}");
    let reply = gateway.ask(&revoked.ait).await;
    reply.assert_error(401, "PROXY_AUTH_REVOKED", "AIT has been revoked");
    assert_eq!(gateway.ask(&healthy.ait).await.status, 200);
    assert_eq!(probe(&gateway, "readyz").await.status, 200);
}

#[tokio::test]
async fn lets_the_policy_decide_once_the_list_is_too_old() {
    let (registry, revoked, healthy) = registry_with_a_revoked_agent().await;
    let arguments = [
        "--registry",
        &registry.registry,
        "--issuer",
        ISSUER,
        "--max-age",
        "500ms",
        "--stale",
    ];
    let closed = Gateway::start(&[&arguments[..], &["fail-closed"]].concat())
        .await
        .ready()
        .await;
    let open = Gateway::start(&[&arguments[..], &["fail-open"]].concat()).await;
    open.until(|status| status["snapshot"].is_object()).await;
    registry.kill().await;
    closed.until(|status| status["freshness"] == "stale").await;
    open.until(|status| status["freshness"] == "stale").await;
    assert_stale(&closed.ask(&healthy.ait).await);
    assert_eq!(probe(&closed, "readyz").await.status, 503);
    assert_eq!(open.ask(&healthy.ait).await.status, 200);
    assert_eq!(probe(&open, "readyz").await.status, 200);
    for gateway in [closed, open] {
        let reply = gateway.ask(&revoked.ait).await;
        reply.assert_error(401, "PROXY_AUTH_REVOKED", "AIT has been revoked");
    }
}

/// Another gateway, for the sake of its registry.
async fn registry_with_a_revoked_agent() -> (Gateway, Agent, Agent) {
    let registry = Gateway::start(&[]).await;
    let (revoked, healthy) = (registry.register().await, registry.register().await);
    assert_eq!(registry.revoke(&revoked.id, "").await.status, 204);
    (registry, revoked, healthy)
}

#[track_caller]
fn assert_stale(reply: &Reply) {
    let body = reply.json();
    assert_eq!(reply.error(), (503, "PROXY_AUTH_DEPENDENCY_UNAVAILABLE".to_owned()));
    assert_eq!(body["error"]["message"], "Registry CRL is unavailable");
    assert_eq!(
        body["error"]["details"]["reason"],
        "CRL cache is stale and cannot be refreshed"
    );
    assert!(reply.header("retry-after").parse::<u64>().unwrap() > 0);
}

async fn probe(gateway: &Gateway, name: &str) -> Reply {
    call(Method::GET, &format!("{}/{name}", gateway.admin), &[], "").await
}

/// Whoever reads its log may hang, and then every request used to.
#[cfg(unix)]
#[tokio::test]
async fn goes_on_though_its_log_cannot_be_written() {
    let arguments = ["--ready-needs", "feed"];
    for gateway in [
        Gateway::start_unheard(&arguments).await,
        Gateway::start_without_stderr(&arguments).await,
    ] {
        let gateway = gateway.ready().await;
        let (revoked, healthy) = (gateway.register().await, gateway.register().await);
        gateway.revoke(&revoked.id, "").await;
        // Many times what a pipe takes: some 100 bytes a line, a few lines a request.
        for _ in 0..1_000 {
            assert_eq!(gateway.ask(&healthy.ait).await.status, 200);
        }
        assert_eq!(gateway.ask(&revoked.ait).await.status, 401);
        assert!(gateway.terminate().await.success(), "nor does its end wait for it");
    }
}
