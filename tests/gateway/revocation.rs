//! From a revocation at the registry to a refusal at the gateway.

use http::Method;
use serde_json::json;

use crate::process::{Agent, Gateway, eventually};
use crate::web::call;

#[tokio::test]
async fn refuses_an_agent_once_it_is_revoked() {
    let gateway = Gateway::start(&[]).await.ready().await;
    let agent = gateway.register().await;
    let bystander = gateway.register().await;
    assert_eq!(gateway.ask(&agent.ait).await.json()["path"], "/hello?to=you");
    assert_eq!(gateway.revoke(&agent.id, "").await.status, 204);
    let refused = eventually(async || Some(gateway.ask(&agent.ait).await).filter(|reply| reply.status != 200)).await;
    refused.assert_error(401, "PROXY_AUTH_REVOKED", "Agent has been revoked");
    assert_eq!(gateway.ask(&bystander.ait).await.status, 200);
    let status = gateway.status().await;
    assert_eq!(
        (&status["overlay"]["entries"], &status["dispositions"]["applied"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(status["feed"]["state"], "live");
    // Again, and by its DID: nothing more to do.
    assert_eq!(gateway.revoke(&agent.did, "").await.status, 204);
}

#[tokio::test]
async fn admits_a_reissued_agent_with_its_new_token_alone() {
    let gateway = Gateway::start(&[]).await.ready().await;
    let old = gateway.register().await;
    assert_eq!(gateway.ask(&old.ait).await.status, 200);
    let reply = gateway.reissue(&old.id).await;
    assert_eq!(reply.status, 200);
    let new = Agent::of(&reply);
    assert_eq!(new.did, old.did);
    gateway.refresh().await;
    gateway
        .ask(&old.ait)
        .await
        .assert_error(401, "PROXY_AUTH_REVOKED", "AIT has been revoked");
    assert_eq!(gateway.ask(&new.ait).await.status, 200);
    // The list matches tokens, not agents; the event matches agents, all tokens of them.
    assert_eq!(gateway.revoke(&new.id, "").await.status, 204);
    eventually(async || (gateway.ask(&new.ait).await.status == 401).then_some(())).await;
}

#[tokio::test]
async fn refuses_an_agent_whose_event_never_came_after_the_next_poll() {
    let gateway = Gateway::start(&[]).await.ready().await;
    let agent = gateway.register().await;
    assert_eq!(gateway.revoke(&agent.id, "?event=lost").await.status, 204);
    assert_eq!(gateway.ask(&agent.ait).await.status, 200);
    let status = gateway.refresh().await;
    assert_eq!(status["snapshot"]["entries"], 1);
    assert_eq!(status["dispositions"]["applied"], 0);
    gateway
        .ask(&agent.ait)
        .await
        .assert_error(401, "PROXY_AUTH_REVOKED", "AIT has been revoked");
}

#[tokio::test]
async fn polls_by_itself_at_the_pace_it_is_told() {
    let gateway = Gateway::start(&["--refresh", "1s"]).await.ready().await;
    let agent = gateway.register().await;
    gateway.revoke(&agent.id, "?event=lost").await;
    eventually(async || (gateway.ask(&agent.ait).await.status == 401).then_some(())).await;
}

#[tokio::test]
async fn says_what_became_of_each_message() {
    let gateway = Gateway::start(&[]).await;
    let agent = gateway.register().await;
    let message = json!({
        "type": "agent.auth.revoked",
        "data": { "reason": "agent_revoked", "metadata": { "agentDid": agent.did } },
    });
    let reply = gateway.event(&message.to_string()).await;
    assert_eq!(
        (reply.status.as_u16(), reply.json()),
        (200, json!({ "disposition": "applied" }))
    );

    let reply = gateway.event(r#"{"type":"agent.danced","data":{}}"#).await;
    assert_eq!(
        (reply.status.as_u16(), &reply.json()["disposition"]),
        (200, &json!("ignored"))
    );

    let malformed = r#"{"type":"agent.auth.revoked","data":{"reason":"agent_revoked","metadata":{"agentDid":"bob"}}}"#;
    let reply = gateway.event(malformed).await;
    assert_eq!(
        (reply.status.as_u16(), &reply.json()["disposition"]),
        (422, &json!("dead-letter"))
    );
    let reason = reply.json()["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("data.metadata.agentDid"), "{reason}");

    let reply = gateway.event("not JSON").await;
    assert_eq!(
        (reply.status.as_u16(), &reply.json()["disposition"]),
        (422, &json!("dead-letter"))
    );
    assert_eq!(gateway.event(&" ".repeat((1 << 20) + 1)).await.status, 413);

    let status = gateway.status().await;
    let counted = json!({ "applied": 1, "ignored": 1, "retry": 0, "dead-letter": 2 });
    assert_eq!(status["dispositions"], counted);
    assert!(status["last_dead_letter"]["reason"].is_string());
}

#[tokio::test]
async fn brings_a_registry_that_answers_as_upstreams() {
    let gateway = Gateway::start(&[]).await.ready().await;
    let get = async |path: &str| call(Method::GET, &format!("{}{path}", gateway.registry), &[], "").await;
    get("/v1/crl")
        .await
        .assert_error(404, "CRL_NOT_FOUND", "CRL snapshot is not available");
    let keys = get("/.well-known/claw-keys.json").await.json();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);

    let unknown = "01KDVDNA016ZT6XTG3EZ0BVQS0";
    let unprocessed = "Request could not be processed";
    gateway
        .revoke(unknown, "")
        .await
        .assert_error(404, "AGENT_NOT_FOUND", "Agent not found");
    gateway
        .reissue(unknown)
        .await
        .assert_error(404, "AGENT_NOT_FOUND", "Agent not found");
    let bad_path = gateway.revoke("not-a-ulid", "").await;
    bad_path.assert_error(400, "AGENT_REVOKE_INVALID_PATH", unprocessed);
    let agent = gateway.register().await;
    gateway.revoke(&agent.id, "").await;
    gateway
        .reissue(&agent.id)
        .await
        .assert_error(409, "AGENT_REISSUE_INVALID_STATE", unprocessed);
    let bad_body = call(
        Method::POST,
        &format!("{}/v1/agents", gateway.registry),
        &[],
        r#"{"ttlDays":91}"#,
    )
    .await;
    bad_body.assert_error(400, "AGENT_REGISTRATION_INVALID", unprocessed);
    assert!(get("/v1/crl").await.json()["crl"].is_string());
}
