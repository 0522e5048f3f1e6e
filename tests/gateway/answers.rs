//! Authentication, and answers in the upstream system's words.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::routing::get;
use http::{HeaderName, HeaderValue, Method, Request};
use http_body_util::Full;
use serde_json::json;

use crate::process::{Gateway, eventually};
use crate::registry::{ISSUER, closed, serve, serving, vector};
use crate::web::{call, send};

#[tokio::test]
async fn takes_the_authorization_forms_that_upstream_takes() {
    let gateway = Gateway::start(&[]).await.ready().await;
    let ait = gateway.register().await.ait;
    let url = format!("{}/", gateway.gateway);
    for form in ["Claw AIT", "Claw  AIT", "Claw\tAIT", "Claw AIT "] {
        let value = form.replace("AIT", &ait);
        let reply = call(Method::GET, &url, &[("authorization", &value)], "").await;
        assert_eq!(reply.status, 200, "{form:?}");
    }
    for form in ["claw AIT", "CLAW AIT", "Bearer AIT", "AIT", "Claw", "Claw AIT extra"] {
        let value = form.replace("AIT", &ait);
        let reply = call(Method::GET, &url, &[("authorization", &value)], "").await;
        assert_eq!(reply.error(), (401, "PROXY_AUTH_INVALID_SCHEME".to_owned()), "{form:?}");
    }
    let twice = format!("Claw {ait}");
    let reply = call(
        Method::GET,
        &url,
        &[("authorization", &twice), ("authorization", &twice)],
        "",
    )
    .await;
    reply.assert_error(
        401,
        "PROXY_AUTH_INVALID_SCHEME",
        "Authorization must be in the format 'Claw <ait>'",
    );
    let reply = call(Method::GET, &url, &[], "").await;
    reply.assert_error(401, "PROXY_AUTH_MISSING_TOKEN", "Authorization header is required");
    let reply = call(Method::GET, &url, &[("authorization", "Claw no.such.token")], "").await;
    reply.assert_error(401, "PROXY_AUTH_INVALID_AIT", "AIT verification failed");
}

#[tokio::test]
async fn names_each_request_by_the_clients_id_if_it_is_presentable() {
    let gateway = Gateway::start(&[]).await.ready().await;
    let ait = gateway.register().await.ait;
    let authorization = format!("Claw {ait}");
    let url = format!("{}/", gateway.gateway);
    for (theirs, kept) in [
        ("trace:1.2_3-4", true),
        ("12345678", true),
        ("1234567", false),
        ("no spaces here", false),
        (&"x".repeat(128), true),
        (&"x".repeat(129), false),
    ] {
        let refused = call(Method::GET, &url, &[("x-request-id", theirs)], "").await;
        let admitted = [("x-request-id", theirs), ("authorization", &authorization)];
        let admitted = call(Method::GET, &url, &admitted, "").await;
        // The upstream is told the same id.
        assert_eq!(
            admitted.json()["headers"]["x-request-id"],
            admitted.header("x-request-id")
        );
        assert_eq!(refused.json()["error"]["requestId"], refused.header("x-request-id"));
        for reply in [refused, admitted] {
            let ours = reply.header("x-request-id");
            assert_eq!(ours == theirs, kept, "{theirs}");
            assert!(kept || ours.len() == 36, "{ours}");
        }
    }
}

#[tokio::test]
async fn judges_upstreams_tokens_as_upstream_does() {
    let registry = serving("keys/claw-keys.json", "crl/crl-3.json").await;
    let gateway = Gateway::start(&["--registry", &registry, "--issuer", ISSUER])
        .await
        .ready()
        .await;
    for admitted in ["agent-a", "agent-b", "agent-d-new", "agent-f"] {
        let reply = gateway.ask(vector(&format!("ait/{admitted}.jwt")).trim()).await;
        assert_eq!(reply.status, 200, "{admitted}: {reply:?}");
    }
    for revoked in ["agent-c", "agent-d-old", "agent-e"] {
        let reply = gateway.ask(vector(&format!("ait/{revoked}.jwt")).trim()).await;
        reply.assert_error(401, "PROXY_AUTH_REVOKED", "AIT has been revoked");
    }
    for invalid in [
        "alg-none",
        "expired",
        "extra-claim",
        "human-sub",
        "jti-lowercase",
        "kid-mismatch",
        "no-jti",
        "typ-crl",
        "typ-jwt",
    ] {
        let reply = gateway.ask(vector(&format!("ait/bad-{invalid}.jwt")).trim()).await;
        assert_eq!(reply.error(), (401, "PROXY_AUTH_INVALID_AIT".to_owned()), "{invalid}");
    }
    let applied = gateway.event(&vector("world/queue-revoked-agent-f.msg")).await;
    assert_eq!(
        (applied.status.as_u16(), applied.json()),
        (200, json!({ "disposition": "applied" }))
    );
    let reply = gateway.ask(vector("ait/agent-f.jwt").trim()).await;
    reply.assert_error(401, "PROXY_AUTH_REVOKED", "Agent has been revoked");
}

#[tokio::test]
async fn believes_tokens_of_its_issuer_alone() {
    let registry = serving("keys/claw-keys.json", "crl/crl-3.json").await;
    let elsewhere = "https://elsewhere.example.com";
    let gateway = Gateway::start(&["--registry", &registry, "--issuer", elsewhere]).await;
    let status = gateway.refresh().await;
    assert!(
        status["poll"]["last_error"].as_str().unwrap().contains("iss"),
        "{status}"
    );
    let reply = gateway.ask(vector("ait/agent-a.jwt").trim()).await;
    assert_eq!(reply.error(), (401, "PROXY_AUTH_INVALID_AIT".to_owned()));
}

#[tokio::test]
async fn has_keys_fetched_for_an_unknown_kid_and_does_not_wait_for_them() {
    let rotated = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&rotated);
    let keys = async move || {
        let keys = vector("keys/claw-keys.json");
        if flag.load(Ordering::Relaxed) {
            keys
        } else {
            keys.replace("reg-key-2026-01", "reg-key-2025-01")
        }
    };
    let list = async || {
        (
            http::StatusCode::NOT_FOUND,
            r#"{"error":{"code":"CRL_NOT_FOUND","message":"none"}}"#,
        )
    };
    let app = Router::new()
        .route("/.well-known/claw-keys.json", get(keys))
        .route("/v1/crl", get(list));
    let registry = serve(app).await;
    let gateway = Gateway::start(&["--registry", &registry, "--issuer", ISSUER])
        .await
        .ready()
        .await;
    let token = vector("ait/agent-a.jwt");
    let reply = gateway.ask(token.trim()).await;
    assert_eq!(reply.error(), (401, "PROXY_AUTH_INVALID_AIT".to_owned()));
    // Each token with an unknown `kid` asks for the keys; they are fetched at most every ten seconds.
    rotated.store(true, Ordering::Relaxed);
    eventually(async || (gateway.ask(token.trim()).await.status == 200).then_some(())).await;
}

#[tokio::test]
async fn says_that_the_upstream_is_away() {
    let gateway = Gateway::start(&["--upstream", &closed().await]).await.ready().await;
    let agent = gateway.register().await;
    let reply = gateway.ask(&agent.ait).await;
    reply.assert_error(502, "PROXY_UPSTREAM_UNAVAILABLE", "Upstream does not answer");
}

#[tokio::test]
async fn refuses_credentials_that_are_no_text() {
    let gateway = Gateway::start(&[]).await.ready().await;
    let mut request = Request::new(Full::<bytes::Bytes>::default());
    *request.uri_mut() = gateway.gateway.parse().unwrap();
    let value = HeaderValue::from_bytes(b"Claw \xff\xfe").unwrap();
    request
        .headers_mut()
        .insert(HeaderName::from_static("authorization"), value);
    assert_eq!(send(request).await.status(), 401);
}

#[tokio::test]
async fn admin_takes_nothing_from_a_page_in_a_browser() {
    let gateway = Gateway::start(&[]).await;
    let from_a_page = [("origin", "https://elsewhere.example"), ("content-type", "text/plain")];
    for path in ["/events", "/refresh"] {
        let reply = call(Method::POST, &format!("{}{path}", gateway.admin), &from_a_page, "{}").await;
        assert_eq!(reply.status, 403, "{reply:?}");
    }
}
