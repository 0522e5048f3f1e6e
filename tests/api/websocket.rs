//! The example `websocket`, by a real client.

#[allow(dead_code, unreachable_pub, reason = "its main function is for people")]
#[path = "../../examples/websocket.rs"]
mod example;

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

async fn hear(socket: &mut Socket) -> Message {
    let heard = timeout(Duration::from_secs(20), socket.next())
        .await
        .expect("something comes");
    heard.unwrap().unwrap()
}

async fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, example::app()).await });
    address
}

async fn connect(address: SocketAddr, session: &str) -> Result<Socket, Error> {
    let mut request = format!("ws://{address}/chat").into_client_request().unwrap();
    request.headers_mut().insert("session", session.parse().unwrap());
    connect_async(request).await.map(|(socket, _)| socket)
}

async fn log_out(address: SocketAddr, session: &str) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
    let log_out = http::Request::post(format!("http://{address}/logout/{session}"));
    let reply = client.request(log_out.body(Empty::new()).unwrap()).await.unwrap();
    assert_eq!(reply.status(), 204);
}

#[tokio::test]
async fn closes_with_a_code_and_a_reason_when_the_session_ends() {
    let address = serve().await;
    let mut mallory = connect(address, "mallory").await.unwrap();
    let mut alice = connect(address, "alice").await.unwrap();
    for socket in [&mut mallory, &mut alice] {
        socket.send("hello".into()).await.unwrap();
        assert_eq!(hear(socket).await, Message::text("hello"));
    }

    log_out(address, "mallory").await;
    let Message::Close(Some(frame)) = hear(&mut mallory).await else {
        panic!("not closed");
    };
    assert_eq!(
        (frame.code, frame.reason.as_str()),
        (CloseCode::Library(4401), "revoked")
    );
    let Err(Error::Http(refused)) = connect(address, "mallory").await else {
        panic!("not refused");
    };
    assert_eq!(refused.status(), 401);
    alice.send("still here".into()).await.unwrap();
    assert_eq!(hear(&mut alice).await, Message::text("still here"));
}

/// A loop that looks at its guard only between two messages waits in `send`, and would serve whoever does not read for ever.
#[tokio::test]
async fn closes_also_for_a_client_that_does_not_read() {
    let address = serve().await;
    let mut mallory = connect(address, "mallory").await.unwrap();
    // Each is answered by its echo, which nobody reads: once all buffers are full, both sides wait for each other.
    let message = Message::text("x".repeat(256 << 10));
    while timeout(Duration::from_millis(500), mallory.send(message.clone()))
        .await
        .is_ok_and(|sent| sent.is_ok())
    {}
    log_out(address, "mallory").await;
    // Also now nobody reads: that the connection ended shows in that nothing can be written to it.
    let ended = async { while mallory.send(message.clone()).await.is_ok() {} };
    timeout(Duration::from_secs(20), ended)
        .await
        .expect("the connection ends");
}
