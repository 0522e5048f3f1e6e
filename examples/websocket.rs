//! A chat over WebSockets that ends the moment its session is logged out, with code 4401 and a reason.
//!
//! ```text
//! cargo run --example websocket              # shows it, by a client of its own
//! cargo run --example websocket -- --serve   # and goes on serving
//! ```
//!
//! The response that switches protocols is over at once: what goes on behind it is for the handler to end. It finds a
//! [`RevocationGuard`] with its request, and ends wherever it waits, also for a client that does not read.
//!
//! The route is behind the layer, which refuses the next handshake. Beside it, each client that comes back by itself would be
//! accepted and closed without end.

use std::error::Error;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{any, post};
use axum::{Extension, Router};
use futures_util::{SinkExt, StreamExt};
use http::StatusCode;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tower_revocation::{
    Applied, Credential, DomainConfig, EventSink, GuardExtension, Key, ListPolicy, Revocation, RevocationGuard,
    RevocationLayer, identify,
};

/// The application: `GET /chat` with a header `session`, and `POST /logout/{session}`.
pub fn app() -> Router {
    let by_session = identify::extension_with(|session: &Session| Credential::from(Key::session(&session.0)));
    // Sessions live and end within this process: there is no list of those that ended elsewhere.
    let config = DomainConfig::new().with_lists(ListPolicy::NotUsed);
    let (revocation, sink) = RevocationLayer::pair_with(config, by_session);
    let revocation = revocation.with_guard_extension(GuardExtension::Insert);
    Router::new()
        .route("/chat", any(chat))
        .layer(revocation)
        // The last one added is the first to see a request.
        .layer(from_fn(authenticate))
        .route("/logout/{session}", post(log_out))
        .with_state(sink)
}

/// Whose request it is.
#[derive(Clone, Debug)]
struct Session(String);

/// Stands for whatever checks a cookie or a token.
async fn authenticate(mut request: Request, next: Next) -> Result<Response, StatusCode> {
    let session = request.headers().get("session").and_then(|it| it.to_str().ok());
    let session = Session(session.ok_or(StatusCode::UNAUTHORIZED)?.to_owned());
    request.extensions_mut().insert(session);
    Ok(next.run(request).await)
}

async fn log_out(State(sink): State<EventSink>, Path(session): Path<String>) -> StatusCode {
    match sink
        .apply(Revocation::block(Key::session(&session)))
        .and_then(Applied::wait)
    {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

async fn chat(Extension(guard): Extension<RevocationGuard>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|socket| talk(socket, guard))
}

async fn talk(mut socket: WebSocket, guard: RevocationGuard) {
    tokio::select! {
        // Not within the loop: it may wait for a client that does not read, and would not look at the guard meanwhile.
        _why = guard.revoked() => {}
        () = converse(&mut socket) => return,
    }
    // With 1000, which says that all is well, some clients come back at once and without end.
    let revoked = CloseFrame {
        code: REVOKED,
        reason: "revoked".into(),
    };
    let close = async {
        socket.send(Message::Close(Some(revoked))).await?;
        // What is in between is read: a connection that closes over unread data may lose what was sent last.
        while socket.recv().await.transpose()?.is_some() {}
        Ok::<_, axum::Error>(())
    };
    // If the client is gone already, or does not read, the connection closes without a word.
    let _ = timeout(FAREWELL, close).await;
}

async fn converse(socket: &mut WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Text(_)) && socket.send(message).await.is_err() {
            return;
        }
    }
}

/// Of the codes that are free to use (RFC 6455 §7.4.2), the one that stands for HTTP's 401.
const REVOKED: u16 = 4401;
const FAREWELL: Duration = Duration::from_secs(1);

#[tokio::main]
#[expect(clippy::print_stdout, reason = "it shows something")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move { axum::serve(listener, app()).await });

    let mut request = format!("ws://{address}/chat").into_client_request()?;
    request.headers_mut().insert("session", "s-1".parse()?);
    let (mut socket, _) = connect_async(request).await?;
    socket.send("hello".into()).await?;
    println!("the server says: {:?}", socket.next().await.ok_or("closed")??);

    let log_out = http::Request::post(format!("http://{address}/logout/s-1")).body(String::new())?;
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
    println!("logging out: {}", client.request(log_out).await?.status());
    println!("the server says: {:?}", socket.next().await.ok_or("closed")??);

    if std::env::args().any(|argument| argument == "--serve") {
        println!("still serving: ws://{address}/chat, and POST http://{address}/logout/SESSION");
        server.await??;
    }
    Ok(())
}
