//! What operators see of a broker that dies, and that it is over by itself when the broker is back.

use std::time::{Duration, Instant};

use http::Method;

use crate::process::{Gateway, eventually};
use crate::server::{Program, Running};
use crate::web::{Reply, call};

/// Two gateways over one broker: readiness of one depends on its feed and on a canary, that of the other does not.
pub(crate) async fn a_killed_broker_shows_within_2_s_by_policy_and_heals(
    server: &mut Running<impl Program>,
    queue: &str,
) {
    let needs = ["--queue", queue, "--canary", "500ms", "--ready-needs", "feed,canary"];
    let (needy, lenient) = (Gateway::start(&needs).await, Gateway::start(&needs[..2]).await);
    is_ready(&needy).await;
    is_ready(&lenient).await;
    let status = needy.status().await;
    assert_eq!(status["concerns"].as_array().unwrap().len(), 0, "{status}");

    server.kill().await;
    let killed = Instant::now();
    let reply = eventually(async || Some(readyz(&needy).await).filter(|reply| reply.status == 503)).await;
    let noticed = killed.elapsed();
    assert!(noticed < Duration::from_secs(2), "{noticed:?}");
    println!("killed: noticed after {noticed:.2?}");
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    assert!(text.starts_with("not ready\n- feed-"), "{text}");
    let concerns = lenient.until(|status| status["feed"]["state"] == "down").await["concerns"].take();
    assert_eq!(concerns[0]["code"], "feed-down", "{concerns}");
    assert!(
        concerns[0]["words"].as_str().unwrap().starts_with("The feed "),
        "{concerns}"
    );
    let reply = readyz(&lenient).await;
    assert_eq!(
        reply.status, 200,
        "it refuses whom it knows, and the list comes more often"
    );
    assert!(String::from_utf8_lossy(&reply.body).contains("- feed-down: "));

    server.restart().await;
    is_ready(&needy).await;
    lenient
        .until(|status| status["feed"]["state"] == "live" && status["concerns"].as_array().unwrap().is_empty())
        .await;
}

async fn is_ready(gateway: &Gateway) {
    eventually(async || (readyz(gateway).await.status == 200).then_some(())).await;
}

async fn readyz(gateway: &Gateway) -> Reply {
    call(Method::GET, &format!("{}/readyz", gateway.admin), &[], "").await
}
