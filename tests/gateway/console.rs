//! The console's door, without a browser: who gets in, and what the page may do.

use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::process::{Gateway, PATIENCE, answered, eventually, run};
use crate::web::{Reply, call, request, send};

/// The address and the token in what is printed at the start.
fn parts(gateway: &Gateway) -> (String, String) {
    let (address, token) = gateway.console.split_once("/#token=").expect("a token is printed");
    assert_eq!(address, gateway.admin);
    (address.to_owned(), token.to_owned())
}

/// Asks the console for something with its token and these headers.
async fn with(gateway: &Gateway, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let (address, token) = parts(gateway);
    let bearer = format!("Bearer {token}");
    let headers = [
        &[("authorization", &*bearer), ("content-type", "application/json")],
        headers,
    ]
    .concat();
    call(method, &format!("{address}{path}"), &headers, body).await
}

/// An agent that was registered by the console.
async fn registered(gateway: &Gateway) -> String {
    let reply = with(gateway, Method::POST, "/console/agents", &[], r#"{"name":"one"}"#).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["id"].as_str().unwrap().to_owned()
}

/// What it is answered when it calls.
async fn called(gateway: &Gateway, id: &str) -> u64 {
    let reply = with(gateway, Method::POST, &format!("/console/agents/{id}/call"), &[], "").await;
    reply.json()["story"][0]["status"].as_u64().unwrap()
}

#[tokio::test]
async fn registers_calls_and_revokes_for_whoever_has_the_token() {
    let gateway = Gateway::start(&[]).await.ready().await;
    let id = registered(&gateway).await;
    assert_eq!(called(&gateway, &id).await, 200);
    let reply = with(
        &gateway,
        Method::POST,
        &format!("/console/agents/{id}/reissue"),
        &[],
        "",
    )
    .await;
    let story = reply.json()["story"].clone();
    assert_eq!(
        (&story[1]["status"], &story[2]["status"]),
        (&401.into(), &200.into()),
        "{story}"
    );
    let reply = with(&gateway, Method::POST, &format!("/console/agents/{id}/revoke"), &[], "").await;
    assert_eq!(reply.json()["revoked"], true, "{reply:?}");
    assert_eq!(called(&gateway, &id).await, 401);
    let unknown = with(&gateway, Method::POST, "/console/agents/none/call", &[], "").await;
    assert_eq!(unknown.status, 404);
    let bad = with(&gateway, Method::POST, "/console/agents", &[], r#"{"name":"<b>"}"#).await;
    assert!(
        bad.json()["error"]
            .as_str()
            .unwrap()
            .contains("does not take this name"),
        "{bad:?}"
    );
}

#[tokio::test]
async fn lets_nobody_in_without_the_token() {
    let gateway = Gateway::start(&[]).await.ready().await;
    let (address, token) = parts(&gateway);
    let id = registered(&gateway).await;
    let almost = format!("Bearer {}", &token[1..]);
    let basic = format!("Basic {token}");
    let (right, wrong) = (format!("Bearer {token}"), "Bearer 0123456789abcdef0123456789abcdef");
    let attempts: [&[(&str, &str)]; 6] = [
        &[],
        &[("authorization", wrong)],
        &[("authorization", &almost)],
        &[("authorization", &basic)],
        &[("authorization", &token)],
        &[("authorization", &right), ("authorization", wrong)],
    ];
    for headers in attempts {
        for (method, path) in [
            (Method::POST, "/console/agents".to_owned()),
            (Method::POST, format!("/console/agents/{id}/revoke")),
            (Method::GET, "/console/feed".to_owned()),
        ] {
            let reply = call(method, &format!("{address}{path}"), headers, "").await;
            assert_eq!(reply.status, 401, "{path} {headers:?}");
            assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"console\"");
            assert!(
                reply.body.starts_with(b"the token that the gateway printed"),
                "{reply:?}"
            );
        }
    }
    assert_eq!(called(&gateway, &id).await, 200);
}

#[tokio::test]
async fn refuses_requests_of_other_sites_with_the_token_too() {
    let gateway = Gateway::start(&[]).await.ready().await;
    let (address, _) = parts(&gateway);
    let id = registered(&gateway).await;
    let revoke = format!("/console/agents/{id}/revoke");
    let (host, port) = address.strip_prefix("http://").unwrap().split_once(':').unwrap();
    let other_port = format!("http://{host}:1");
    let secure = format!("https://{host}:{port}");
    let rebound = format!("evil.example:{port}");
    let rebound_origin = format!("http://{rebound}");
    let disguised = format!("127.0.0.1.evil.example:{port}");
    let foreign: [&[(&str, &str)]; 11] = [
        &[("origin", "http://evil.example")],
        &[("origin", "null")],
        &[("origin", &other_port)],
        &[("origin", &secure)],
        &[("origin", &address), ("origin", "http://evil.example")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("host", "evil.example")],
        &[
            ("host", &rebound),
            ("origin", &rebound_origin),
            ("sec-fetch-site", "same-origin"),
        ],
        &[("host", &disguised)],
        &[("host", "localhost.evil.example")],
    ];
    for headers in foreign {
        for (method, path) in [
            (Method::GET, "/"),
            (Method::GET, "/console/feed"),
            (Method::POST, &*revoke),
        ] {
            let reply = with(&gateway, method, path, headers, "").await;
            assert_eq!(reply.status, 403, "{path} {headers:?}");
        }
    }
    assert_eq!(called(&gateway, &id).await, 200);
    // The page itself, by address and by name; and whoever is no browser.
    let by_name = format!("http://localhost:{port}");
    let localhost = format!("localhost:{port}");
    let own: [&[(&str, &str)]; 4] = [
        &[],
        &[("origin", &address), ("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
        &[("host", &localhost), ("origin", &by_name)],
    ];
    for headers in own {
        assert_eq!(
            with(&gateway, Method::GET, "/", headers, "").await.status,
            200,
            "{headers:?}"
        );
    }
    // The old routes are for no browser at all, this page's included.
    let status = call(Method::GET, &format!("{address}/status"), &[("origin", &address)], "").await;
    assert_eq!(status.status, 403);
}

#[tokio::test]
async fn takes_a_token_and_a_name_that_it_is_given() {
    let token = "a-token.of_16~ch";
    let gateway = Gateway::start(&["--console-token", token, "--console-host", "Gate.internal"]).await;
    // What is given is not printed.
    assert_eq!(gateway.console, format!("{}/", gateway.admin));
    let url = format!("{}/console/agents/none/call", gateway.admin);
    let bearer = format!("Bearer {token}");
    for (host, status) in [
        ("gate.internal", 404),
        ("gate.internal:80", 404),
        ("other.internal", 403),
    ] {
        let reply = call(Method::POST, &url, &[("authorization", &bearer), ("host", host)], "").await;
        assert_eq!(reply.status, status, "{host}");
    }
    for (bad, says) in [
        ("short", "16 characters or more"),
        ("sixteen & spaces", "only letters, digits"),
    ] {
        let output = run(&["--console-token", bad]).await;
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains(says));
    }
}

#[tokio::test]
async fn serves_one_page_that_can_load_and_run_nothing_else() {
    let gateway = Gateway::start(&[]).await;
    let reply = call(Method::GET, &format!("{}/", gateway.admin), &[], "").await;
    let policy = reply.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    for directive in [
        "style-src 'sha256-",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(directive), "{policy}");
    }
    assert!(
        !policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"),
        "{policy}"
    );
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(reply.header(name), value);
    }
    let document = String::from_utf8(reply.body.to_vec()).unwrap();
    // No address but the name of a vocabulary, and the start of the line that the reader is to look for.
    let addresses = document
        .replace("http://www.w3.org/2000/svg", "")
        .replace("<code>console http://</code>", "");
    assert!(!addresses.contains("http://") && !addresses.contains("https://") && !addresses.contains(" url("));
    for forbidden in [
        " src=",
        " style=",
        " onclick=",
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
    ] {
        assert!(!document.contains(forbidden), "{forbidden}");
    }
    assert_eq!(document.matches("<script").count(), 1);
    // Nobody learns anything from it alone.
    let (_, token) = parts(&gateway);
    assert!(!document.contains(&token));
}

/// Follows what a page is told, until one of the lines is as wanted.
async fn line(gateway: &Gateway, wanted: impl Fn(&Value) -> bool) -> Value {
    let (address, token) = parts(gateway);
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", &*bearer), ("sec-fetch-site", "same-origin")];
    let request = request(Method::GET, &format!("{address}/console/feed"), &headers);
    let mut body = send(request.body(Full::<Bytes>::default()).unwrap()).await.into_body();
    let mut rest = Vec::new();
    let reading = async {
        loop {
            let frame = body.frame().await.expect("the feed has no end").unwrap();
            rest.extend_from_slice(&frame.into_data().unwrap());
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                let line: Value = serde_json::from_slice(&line).unwrap();
                if wanted(&line) {
                    return line;
                }
            }
        }
    };
    timeout(PATIENCE, reading).await.expect("such a line comes in time")
}

#[tokio::test]
async fn counts_what_comes_faster_than_anybody_reads_and_keeps_what_was_before() {
    let gateway = Gateway::start(&[]).await.ready().await;
    let agent = gateway.register().await;
    gateway.revoke(&agent.id, "").await;
    eventually(async || (gateway.ask(&agent.ait).await.status == 401).then_some(())).await;
    for _ in 0..200 {
        assert_eq!(gateway.ask(&agent.ait).await.status, 401);
    }
    let said = |line: &Value, words: &str| {
        let log = line["log"].as_array().cloned().unwrap_or_default();
        let entries = log.iter().chain([&line["entry"]]);
        entries
            .filter(|entry| entry["words"].as_str().is_some_and(|it| it.contains(words)))
            .count()
    };
    // Written in the second after.
    line(&gateway, |line| said(line, " more refusals") > 0).await;
    let picture = line(&gateway, |line| line["type"] == "picture").await;
    assert!((1..=100).contains(&said(&picture, "refused: revoked")), "{picture}");
    assert_eq!(
        said(&picture, "revoked by an event: privilege-withdrawn"),
        1,
        "{picture}"
    );
    let points = picture["points"].as_array().unwrap();
    assert_eq!((points.len(), &points[0]["agent"]), (1, &agent.did.into()));
    let took = |name: &str| points[0][name].as_f64().unwrap();
    assert!(
        0.0 < took("in_force_ms") && took("in_force_ms") <= took("refused_ms"),
        "{points:?}"
    );
}

#[tokio::test]
async fn shows_tunnels_and_that_a_revocation_cut_them() {
    let gateway = Gateway::start(&[]).await.ready().await;
    let agent = gateway.register().await;
    let url = format!("{}/ws", gateway.gateway.replace("http://", "ws://"));
    let mut handshake = url.into_client_request().unwrap();
    let claw = format!("Claw {}", agent.ait).parse().unwrap();
    handshake.headers_mut().insert("authorization", claw);
    let (_socket, _) = answered(tokio_tungstenite::connect_async(handshake)).await.unwrap();
    let open = line(&gateway, |line| line["streams"]["open"][0]["what"] == "GET /ws").await;
    assert_eq!(open["streams"]["open"][0]["agent"], agent.did);
    gateway.revoke(&agent.id, "").await;
    let cut = line(&gateway, |line| line["streams"]["ended"][0]["end"] == "cut").await;
    assert!(
        cut["streams"]["ended"][0]["after_ms"].as_f64().unwrap() < 1000.0,
        "{cut}"
    );
    assert!(cut["streams"]["open"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn keeps_fifty_agents_and_lets_the_oldest_go_with_its_stream() {
    let gateway = Gateway::start(&[]).await.ready().await;
    let oldest = registered(&gateway).await;
    let stream = format!("/console/agents/{oldest}/stream");
    let reply = with(&gateway, Method::POST, &stream, &[], "").await;
    assert_eq!(reply.json()["stream"]["state"], "open", "{reply:?}");
    line(&gateway, |line| {
        line["streams"]["open"].as_array().is_some_and(|open| open.len() == 1)
    })
    .await;
    for _ in 0..50 {
        registered(&gateway).await;
    }
    let now = line(&gateway, |line| {
        line["agents"].as_array().is_some_and(|agents| agents.len() == 50)
    })
    .await;
    let agents = now["agents"].as_array().unwrap();
    assert!(agents.iter().all(|agent| agent["id"] != *oldest));
    assert_eq!(with(&gateway, Method::POST, &stream, &[], "").await.status, 404);
    line(&gateway, |line| {
        line["streams"]["open"].as_array().is_some_and(Vec::is_empty)
    })
    .await;
}

#[tokio::test]
async fn has_no_agents_to_try_with_a_registry_elsewhere() {
    let gateway = Gateway::start(&["--registry", "http://127.0.0.1:9"]).await;
    let reply = with(&gateway, Method::POST, "/console/agents", &[], r#"{"name":"one"}"#).await;
    assert_eq!(reply.status, 409);
    assert!(
        reply.json()["error"]
            .as_str()
            .unwrap()
            .contains("registry is elsewhere")
    );
}
