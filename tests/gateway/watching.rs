//! What operators see: metrics, probes, the canary.

use http::Method;

use crate::process::{Gateway, eventually, run};
use crate::registry::closed;
use crate::web::call;

async fn metrics(gateway: &Gateway) -> String {
    let reply = call(Method::GET, &format!("{}/metrics", gateway.admin), &[], "").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    String::from_utf8(reply.body.to_vec()).unwrap()
}

/// The value of a series, as it is written.
fn value(metrics: &str, series: &str) -> Option<f64> {
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    Some(line.parse().unwrap())
}

#[tokio::test]
async fn metrics_tell_what_happened_as_of_now() {
    let gateway = Gateway::start(&[]).await.ready().await;
    let agent = gateway.register().await;
    assert_eq!(gateway.ask(&agent.ait).await.status, 200);
    gateway.revoke(&agent.id, "").await;
    eventually(async || (gateway.ask(&agent.ait).await.status == 401).then_some(())).await;
    // That one may have been admitted, and its response withheld: it counts as cut. This one is refused.
    assert_eq!(gateway.ask(&agent.ait).await.status, 401);
    let metrics = metrics(&gateway).await;
    let decisions = |verdict, source| {
        let series = format!(r#"revocation_decisions_total{{verdict="{verdict}",source="{source}"}}"#);
        value(&metrics, &series).unwrap()
    };
    assert!(decisions("admit", "none") >= 1.0);
    // By the event, or by a list that was fetched meanwhile.
    let refused = decisions("revoked", "event") + decisions("revoked", "list");
    let cut = value(&metrics, "revocation_streams_cut_total").unwrap();
    assert!((1.0..=2.0).contains(&refused) && refused + cut >= 2.0, "{metrics}");
    assert_eq!(value(&metrics, "revocation_ready"), Some(1.0));
    let delays = r#"revocation_enforcement_delay_seconds_count{phase="live"}"#;
    assert_eq!(value(&metrics, delays), Some(1.0));
    assert!(
        metrics.contains(r#"revocation_enforcement_delay_seconds_bucket{phase="live",le="1"} 1"#),
        "{metrics}"
    );
    assert!(!metrics.contains(&agent.id) && !metrics.contains("did:"), "{metrics}");
}

#[tokio::test]
async fn a_canary_proves_the_way_from_the_registry_and_readiness_may_depend_on_it() {
    let gateway = Gateway::start(&["--canary", "100ms", "--ready-needs", "canary,feed"]).await;
    let readyz = format!("{}/readyz", gateway.admin);
    eventually(async || (call(Method::GET, &readyz, &[], "").await.status == 200).then_some(())).await;
    let first = gateway.status().await["overlay"]["applied"].as_u64().unwrap();
    let status = gateway
        .until(|status| status["overlay"]["applied"].as_u64().unwrap() > first + 2)
        .await;
    assert_eq!(status["canary"]["is_overdue"], false, "{status}");
    assert_eq!(status["overlay"]["entries"], 1, "{status}");
    assert_eq!(value(&metrics(&gateway).await, "revocation_canary_overdue"), Some(0.0));

    // This one's registry knows nothing of canaries: it is away.
    let registry = closed().await;
    let deaf = Gateway::start(&["--registry", &registry, "--canary", "1s", "--stale", "fail-open"]).await;
    let status = deaf.until(|status| status["poll"]["failures"] != 0).await;
    let codes: Vec<_> = status["concerns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["code"].clone())
        .collect();
    assert_eq!(codes, ["no-list", "no-signing-keys", "canary-overdue"], "{status}");
}

#[tokio::test]
async fn what_readiness_cannot_have_is_refused_at_the_start() {
    for (arguments, complaint) in [
        (&["--ready-needs", "canary"][..], "--canary"),
        (
            &["--ready-needs", "feed", "--registry", "http://127.0.0.1:9"][..],
            "--queue",
        ),
        (&["--ready-needs", "luck"][..], "possible values: canary, feed"),
    ] {
        let output = run(arguments).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains(complaint), "{stderr}");
    }
}
