//! The example `websocket`, by a real client.

#[allow(dead_code, unreachable_pub, reason = "its main function is for people")]
#[path = "../../examples/websocket.rs"]
mod example;

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

#[tokio::test]
async fn closes_with_a_code_and_a_reason_when_the_session_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, example::app()).await });
    let connect = async |session: &'static str| {
        let mut request = format!("ws://{address}/chat").into_client_request().unwrap();
        request.headers_mut().insert("session", session.parse().unwrap());
        connect_async(request).await.map(|(socket, _)| socket)
    };
    let mut mallory = connect("mallory").await.unwrap();
    let mut alice = connect("alice").await.unwrap();
    for socket in [&mut mallory, &mut alice] {
        socket.send("hello".into()).await.unwrap();
        assert_eq!(hear(socket).await, Message::text("hello"));
    }

    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
    let log_out = http::Request::post(format!("http://{address}/logout/mallory"));
    let reply = client.request(log_out.body(Empty::new()).unwrap()).await.unwrap();
    assert_eq!(reply.status(), 204);

    let Message::Close(Some(frame)) = hear(&mut mallory).await else {
        panic!("not closed");
    };
    assert_eq!(
        (frame.code, frame.reason.as_str()),
        (CloseCode::Policy, "session ended")
    );
    let Err(Error::Http(refused)) = connect("mallory").await else {
        panic!("not refused");
    };
    assert_eq!(refused.status(), 401);
    alice.send("still here".into()).await.unwrap();
    assert_eq!(hear(&mut alice).await, Message::text("still here"));
}
