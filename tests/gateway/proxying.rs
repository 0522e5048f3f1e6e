//! Passing requests on: headers, streams, upgrades.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Method, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::process::{Agent, Gateway, PATIENCE, answered};
use crate::registry::serve;
use crate::web::{call, request, send};

#[tokio::test]
async fn keeps_to_itself_what_concerns_one_hop() {
    let gateway = Gateway::start(&[]).await.ready().await;
    let authorization = format!("Claw {}", gateway.register().await.ait);
    let headers = [
        ("authorization", authorization.as_str()),
        ("connection", "keep-alive, X-Private"),
        ("x-private", "for the next hop alone"),
        ("keep-alive", "timeout=5"),
        ("proxy-authorization", "Basic eDp5"),
        ("te", "trailers"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-host", "forged.example.com"),
        ("x-kept", "yes"),
    ];
    let reply = call(Method::PUT, &format!("{}/a%20b?c=d", gateway.gateway), &headers, "body").await;
    let echo = reply.json();
    assert_eq!(
        (&echo["method"], &echo["path"], &echo["body"]),
        (&"PUT".into(), &"/a%20b?c=d".into(), &"body".into())
    );
    let seen = &echo["headers"];
    for gone in [
        "authorization",
        "connection",
        "x-private",
        "keep-alive",
        "proxy-authorization",
        "te",
    ] {
        assert!(seen[gone].is_null(), "{gone}: {seen}");
    }
    let host = |url: &str| url.trim_start_matches("http://").to_owned();
    assert_eq!(seen["host"], host(&gateway.upstream));
    assert_eq!(seen["x-forwarded-host"], host(&gateway.gateway));
    assert_eq!(seen["x-forwarded-for"], "192.0.2.1, 127.0.0.1");
    assert_eq!((&seen["x-kept"], &seen["via"]), (&"yes".into(), &"1.1 gateway".into()));
    assert_eq!(reply.header("via"), "1.1 gateway");
}

#[tokio::test]
async fn streams_both_ways_at_once() {
    let upstream = serve(Router::new().route("/", post(async |body: Body| Response::new(body)))).await;
    let gateway = Gateway::start(&["--upstream", &upstream]).await.ready().await;
    let authorization = format!("Claw {}", gateway.register().await.ait);
    let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
    let body = StreamBody::new(ReceiverStream::new(receiver).map(|bytes| Ok::<_, Infallible>(Frame::data(bytes))));
    let request = request(Method::POST, &gateway.gateway, &[("authorization", &authorization)])
        .body(body)
        .unwrap();
    sender.send("first".into()).await.unwrap();
    let mut echo = send(request).await.into_body();
    let mut next = async || timeout(PATIENCE, echo.frame()).await.expect("it is not held back");
    assert_eq!(next().await.unwrap().unwrap().into_data().unwrap(), "first");
    // Only now does the rest of the request's body come about.
    sender.send("second".into()).await.unwrap();
    assert_eq!(next().await.unwrap().unwrap().into_data().unwrap(), "second");
    drop(sender);
    assert!(next().await.is_none());
}

#[tokio::test]
async fn passes_server_sent_events_on_as_they_come() {
    let gateway = Gateway::start(&[]).await.ready().await;
    let authorization = format!("Claw {}", gateway.register().await.ait);
    let url = format!("{}/events", gateway.gateway);
    let request = request(Method::GET, &url, &[("authorization", &authorization)]);
    let mut response = send(request.body(Full::<Bytes>::default()).unwrap()).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut seen = String::new();
    // The stream never ends.
    while !seen.contains(r#"data: {"tick":2}"#) {
        let frame = timeout(PATIENCE, response.frame())
            .await
            .expect("events come")
            .unwrap()
            .unwrap();
        seen.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
    }
}

#[tokio::test]
async fn tunnels_websockets() {
    let gateway = Gateway::start(&[]).await.ready().await;
    let authorization = format!("Claw {}", gateway.register().await.ait);
    let (mut socket, response) = answered(connect_async(handshake(&gateway, Some(&authorization))))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    for text in ["hello", "again"] {
        answered(socket.send(Message::text(text))).await.unwrap();
        let heard = timeout(PATIENCE, socket.next())
            .await
            .expect("the echo comes")
            .unwrap()
            .unwrap();
        assert_eq!(heard, Message::text(text));
    }
    let Err(Error::Http(refused)) = answered(connect_async(handshake(&gateway, None))).await else {
        panic!("not refused");
    };
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_revocation_ends_streams_and_tunnels_and_no_others() {
    let gateway = Gateway::start(&[]).await.ready().await;
    let (mallory, alice) = (gateway.register().await, gateway.register().await);
    let claw = |agent: &Agent| format!("Claw {}", agent.ait);
    let open = async |agent: &Agent| {
        let url = format!("{}/events", gateway.gateway);
        let request = request(Method::GET, &url, &[("authorization", &claw(agent))]);
        send(request.body(Full::<Bytes>::default()).unwrap()).await
    };
    let (mut to_mallory, mut to_alice) = (open(&mallory).await, open(&alice).await);
    let (mut tunnel, _) = answered(connect_async(handshake(&gateway, Some(&claw(&mallory)))))
        .await
        .unwrap();
    let (mut other_tunnel, _) = answered(connect_async(handshake(&gateway, Some(&claw(&alice)))))
        .await
        .unwrap();
    // Rotated: what is open stays open.
    let reissued = Agent::of(&gateway.reissue(&mallory.id).await);
    gateway.refresh().await;
    assert_eq!(gateway.ask(&mallory.ait).await.status, 401, "the old token");
    assert_eq!(gateway.ask(&reissued.ait).await.status, 200);
    answered(tunnel.send(Message::text("hello"))).await.unwrap();
    assert_eq!(answered(tunnel.next()).await.unwrap().unwrap(), Message::text("hello"));

    gateway.revoke(&mallory.id, "").await;
    let cut = async { while let Some(Ok(_)) = to_mallory.frame().await {} };
    timeout(PATIENCE, cut).await.expect("the stream ends");
    let closed = timeout(PATIENCE, tunnel.next()).await.expect("the tunnel ends");
    assert!(!matches!(closed, Some(Ok(Message::Text(_)))), "{closed:?}");
    assert!(answered(to_alice.frame()).await.unwrap().is_ok());
    answered(other_tunnel.send(Message::text("still here"))).await.unwrap();
    assert_eq!(
        answered(other_tunnel.next()).await.unwrap().unwrap(),
        Message::text("still here")
    );
    let status = gateway.until(|status| status["in_flight"]["cut"] == 2).await;
    assert_eq!(status["in_flight"]["would_cut"], 0);
}

#[tokio::test]
async fn opens_no_tunnel_for_more_requests() {
    let gateway = Gateway::start(&[]).await.ready().await;
    let authorization = format!("Claw {}", gateway.register().await.ait);
    let headers = [
        ("authorization", authorization.as_str()),
        ("connection", "Upgrade, HTTP2-Settings"),
        ("upgrade", "h2c"),
        ("http2-settings", "AAMAAABkAAQAAP__"),
    ];
    let reply = call(Method::GET, &gateway.gateway, &headers, "").await;
    assert_eq!(reply.status, 200);
    let seen = &reply.json()["headers"];
    assert!(seen["upgrade"].is_null() && seen["http2-settings"].is_null(), "{seen}");
}

fn handshake(gateway: &Gateway, authorization: Option<&str>) -> http::Request<()> {
    let address = gateway.gateway.trim_start_matches("http://");
    let headers = [
        ("host", address),
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let mut request = request(Method::GET, &format!("ws://{address}/ws"), &headers);
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    request.body(()).unwrap()
}
