//! What is answered before its request was read, as clients and proxies on real connections see it.

use std::convert::Infallible;
use std::future::pending;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt;
use http::header::{ALLOW, AUTHORIZATION, CONNECTION, CONTENT_LENGTH};
use http::{Method, Request, Response, StatusCode, Version};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_revocation::probe::{Healthz, Readyz};
use tower_revocation::{Key, Revocation, RevocationLayer, Running, identify};

use crate::support::list_of_now;

/// An application, mallory's token revoked, with a probe beside it and a webhook.
async fn serve() -> SocketAddr {
    let (layer, sink) = RevocationLayer::pair(identify::jwt(AUTHORIZATION, "Bearer"));
    sink.install(list_of_now()).unwrap();
    let revoked = sink.apply(Revocation::block(Key::subject("mallory"))).unwrap();
    revoked.wait().unwrap();
    let router = Router::new()
        .fallback(async |body: Bytes| body.len().to_string())
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(layer)
        .route_service("/healthz", Healthz::new())
        .route_service("/readyz", Readyz::new(sink.clone()));
    #[cfg(feature = "http-push")]
    let router = {
        use tower_revocation::push::{Push, Secret};
        let decode = |_: &[u8]| Ok(tower_revocation::Decoded::Ignored("not ours".into()));
        router.route_service("/push", Push::new(sink, decode, Secret::bearer("token")))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

const ALICE: &str = "Bearer e30.eyJzdWIiOiJhbGljZSJ9.x";
const MALLORY: &str = "Bearer e30.eyJzdWIiOiJtYWxsb3J5In0.x";

fn head(version: &str, path: &str, length: usize, token: &str) -> String {
    format!("POST {path} HTTP/{version}\r\nhost: h\r\nauthorization: {token}\r\ncontent-length: {length}\r\n\r\n")
}

/// Reads an answer with a length.
async fn answer(client: &mut TcpStream) -> std::io::Result<String> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|it| it == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&read).into_owned();
            let lines = text[..end].to_ascii_lowercase();
            let length = lines.lines().find_map(|line| line.strip_prefix("content-length: "));
            if read.len() >= end + 4 + length.map_or(0, |length| length.parse().unwrap()) {
                return Ok(text);
            }
        }
        if client.read_buf(&mut read).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Sends everything before it reads anything, as nginx does over HTTP/1.0, in pieces with pauses in which an answer that is early has
/// time to come.
async fn upload(client: &mut TcpStream, head: &str, length: usize) -> std::io::Result<String> {
    client.write_all(head.as_bytes()).await?;
    let piece = vec![b'x'; length.min(64 << 10)];
    for at in (0..length).step_by(piece.len()) {
        client.write_all(&piece[..piece.len().min(length - at)]).await?;
        if at == 0 {
            let _early = timeout(Duration::from_millis(20), client.peek(&mut [0])).await;
        }
    }
    answer(client).await
}

#[tokio::test]
async fn a_refused_upload_is_read_and_its_connection_goes_on() {
    let address = serve().await;
    let mut client = TcpStream::connect(address).await.unwrap();
    for (length, token, status) in [(1 << 20, MALLORY, "401"), (5, ALICE, "200"), (64 << 10, MALLORY, "401")] {
        let answer = upload(&mut client, &head("1.1", "/", length, token), length)
            .await
            .unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(!answer.to_ascii_lowercase().contains("connection:"), "{answer}");
    }
    for length in [64 << 10, 1 << 20] {
        let mut client = TcpStream::connect(address).await.unwrap();
        let answer = upload(&mut client, &head("1.0", "/", length, MALLORY), length)
            .await
            .unwrap();
        assert!(answer.starts_with("HTTP/1.0 401"), "{answer}");
    }
}

#[tokio::test]
async fn one_that_is_too_long_is_told_that_the_connection_ends_and_has_its_answer() {
    let address = serve().await;
    for (version, length) in [("1.1", (1 << 20) + 1), ("1.1", 8 << 20), ("1.0", 8 << 20)] {
        let mut client = TcpStream::connect(address).await.unwrap();
        let answer = upload(&mut client, &head(version, "/", length, MALLORY), length)
            .await
            .unwrap();
        assert!(answer.starts_with(&format!("HTTP/{version} 401")), "{answer}");
        assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    }
}

/// The same of a length that nobody announced.
#[tokio::test]
async fn one_in_chunks_is_read_up_to_the_same_limit() {
    let address = serve().await;
    for (chunks, is_too_long) in [(16, false), (17, true)] {
        let mut client = TcpStream::connect(address).await.unwrap();
        let head =
            format!("POST / HTTP/1.1\r\nhost: h\r\nauthorization: {MALLORY}\r\ntransfer-encoding: chunked\r\n\r\n");
        client.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..chunks {
            client.write_all(b"10000\r\n").await.unwrap();
            client.write_all(&[b'x'; 64 << 10]).await.unwrap();
            client.write_all(b"\r\n").await.unwrap();
        }
        client.write_all(b"0\r\n\r\n").await.unwrap();
        let answer = answer(&mut client).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
        assert_eq!(
            answer.contains("connection: close"),
            is_too_long,
            "{chunks} chunks: {answer}"
        );
    }
}

/// What it waits for is an answer, and it sends nothing if that is not `100 Continue`.
#[tokio::test]
async fn who_waits_for_100_continue_is_answered_at_once() {
    let mut client = TcpStream::connect(serve().await).await.unwrap();
    let head = head("1.1", "/", 5, MALLORY).replace("host: h", "host: h\r\nexpect: 100-Continue");
    client.write_all(head.as_bytes()).await.unwrap();
    let answer = answer(&mut client).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0, "and the connection ends");
}

#[tokio::test]
async fn probes_and_webhooks_read_what_they_answer_before() {
    let address = serve().await;
    let mut paths = vec![("/healthz", "405"), ("/readyz", "405")];
    #[cfg(feature = "http-push")]
    paths.push(("/push", "401"));
    let mut client = TcpStream::connect(address).await.unwrap();
    for (path, status) in paths {
        let answer = upload(&mut client, &head("1.1", path, 1 << 20, ALICE), 1 << 20)
            .await
            .unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
        let mut another = TcpStream::connect(address).await.unwrap();
        let answer = upload(&mut another, &head("1.0", path, 8 << 20, ALICE), 8 << 20)
            .await
            .unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.0 {status}")), "{path}: {answer}");
    }
}

/// A body that sends a piece and then nothing more.
fn endless(piece: Bytes) -> Body {
    let first = futures_util::stream::iter([Ok::<_, Infallible>(Frame::data(piece))]);
    Body::new(StreamBody::new(first.chain(futures_util::stream::pending())))
}

async fn refused(version: Version, body: Body) -> Response<()> {
    let (layer, sink) = RevocationLayer::pair(identify::jwt(AUTHORIZATION, "Bearer"));
    sink.install(list_of_now()).unwrap();
    let revoked = sink.apply(Revocation::block(Key::subject("mallory"))).unwrap();
    revoked.wait().unwrap();
    let never = service_fn(|_: Request<Body>| pending::<Result<Response<Full<Bytes>>, Infallible>>());
    let request = Request::post("/").version(version).header(AUTHORIZATION, MALLORY);
    let response = layer.layer(never).oneshot(request.body(body).unwrap()).await.unwrap();
    assert_eq!(response.status(), 401);
    response.map(drop)
}

#[tokio::test(start_paused = true)]
async fn one_that_is_slow_is_waited_for_a_second_and_one_that_is_still_for_less() {
    for version in [Version::HTTP_10, Version::HTTP_11] {
        let started = Instant::now();
        let response = refused(version, endless(Bytes::from_static(b"piece"))).await;
        // tokio's timers go by milliseconds.
        assert_eq!(started.elapsed().as_millis() / 10, 20);
        assert_eq!(response.headers()[CONNECTION], "close");
        let started = Instant::now();
        let pieces = tokio_stream::iter(std::iter::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(b"x"))));
        let slow = tokio_stream::StreamExt::throttle(pieces, Duration::from_millis(60));
        let response = refused(version, Body::from_stream(slow)).await;
        assert_eq!(started.elapsed().as_millis() / 10, 100);
        assert_eq!(response.headers()[CONNECTION], "close");
    }
}

/// Nobody knows where the next request begins.
#[tokio::test]
async fn one_that_breaks_off_ends_its_connection_in_words() {
    let broken = tokio_stream::iter([Ok(Bytes::from_static(b"x")), Err(std::io::Error::other("too long"))]);
    let response = refused(Version::HTTP_11, Body::from_stream(broken)).await;
    assert_eq!(response.headers()[CONNECTION], "close");
}

/// RFC 9110 §10.1.1: whoever speaks HTTP/1.0 waits for nothing.
#[tokio::test]
async fn over_http_1_0_nobody_waits_for_100_continue() {
    let mut client = TcpStream::connect(serve().await).await.unwrap();
    let length = 512 << 10;
    let head = head("1.0", "/", length, MALLORY).replace("host: h", "host: h\r\nexpect: 100-continue");
    let answer = upload(&mut client, &head, length).await.unwrap();
    assert!(answer.starts_with("HTTP/1.0 401"), "{answer}");
}

/// quic-go 0.65 loses an answer with that header over HTTP/3, aioquic 1.7 closes the whole connection.
#[tokio::test(start_paused = true)]
async fn over_http_2_and_3_nothing_is_waited_for_and_no_connection_ends() {
    for version in [Version::HTTP_2, Version::HTTP_3] {
        let started = Instant::now();
        let response = refused(version, endless(Bytes::from_static(b"piece"))).await;
        assert_eq!(started.elapsed(), Duration::ZERO);
        assert!(!response.headers().contains_key(CONNECTION));
    }
}

/// A stream that is reset while its client still sends costs it the answer: curl 7.88 lost all of those above 1 MiB, httpx 0.28 some.
#[tokio::test]
async fn over_http_2_what_still_comes_is_read_behind_the_answer() {
    let stream = hyper_util::rt::TokioIo::new(TcpStream::connect(serve().await).await.unwrap());
    let handshake = hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), stream);
    let (mut client, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    let (pieces, body) = tokio::sync::mpsc::channel(1);
    let body = tokio_stream::wrappers::ReceiverStream::new(body).map(|piece| Ok::<_, Infallible>(Frame::data(piece)));
    let request = Request::post("http://h/").header(AUTHORIZATION, MALLORY);
    let request = request.body(StreamBody::new(body)).unwrap();
    let response = client.send_request(request).await.unwrap();
    assert_eq!(response.status(), 401);
    // Far more than a window of flow control: nobody but a reader makes room for that.
    let rest = async {
        for _ in 0..128 {
            pieces
                .send(Bytes::from_static(&[b'x'; 64 << 10]))
                .await
                .expect("the stream goes on");
        }
    };
    timeout(Duration::from_secs(20), rest).await.expect("somebody reads");
    assert!(!response.into_body().collect().await.unwrap().to_bytes().is_empty());
}

#[test]
fn outside_a_tokio_runtime_nothing_is_waited_for() {
    let refused = refused(Version::HTTP_11, endless(Bytes::from_static(b"piece")));
    let response = futures_util::FutureExt::now_or_never(refused).unwrap();
    assert_eq!(response.headers()[CONNECTION], "close");
}

/// A handler takes the rest of its upload with it when it is dropped: hyper closes under the client.
#[tokio::test]
async fn a_dropped_handlers_upload_ends_its_connection_in_words() {
    for (body, closes) in [(endless(Bytes::new()), true), (Body::empty(), false)] {
        let (layer, sink) = RevocationLayer::pair(identify::jwt(AUTHORIZATION, "Bearer"));
        sink.install(list_of_now()).unwrap();
        let never = service_fn(|_: Request<Body>| pending::<Result<Response<Full<Bytes>>, Infallible>>());
        let request = Request::post("/").header(AUTHORIZATION, ALICE).body(body).unwrap();
        let call = layer.with_running(Running::Drop).layer(never).oneshot(request);
        let revoke = async {
            sink.apply(Revocation::block(Key::subject("alice")))
                .unwrap()
                .wait()
                .unwrap()
        };
        let (response, _) = tokio::join!(call, revoke);
        let response = response.unwrap();
        assert_eq!(response.status(), 403);
        assert_eq!(response.headers().contains_key(CONNECTION), closes);
    }
}

/// Over HTTP/2 hyper does not strip it: `curl --http2-prior-knowledge -I` ends in an error of the protocol.
#[tokio::test]
async fn the_answer_to_head_has_a_length_and_no_body() {
    let address = serve().await;
    let stream = hyper_util::rt::TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut client, connection) = hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut ask = async |method: Method, path: &str| {
        let request = Request::builder().method(method).uri(format!("http://{address}{path}"));
        let request = request
            .header(AUTHORIZATION, MALLORY)
            .body(Empty::<Bytes>::new())
            .unwrap();
        let (head, body) = client.send_request(request).await.unwrap().into_parts();
        (head, body.collect().await.unwrap().to_bytes().len())
    };
    let mut paths = vec![
        ("/", StatusCode::UNAUTHORIZED),
        ("/healthz", StatusCode::OK),
        ("/readyz", StatusCode::OK),
    ];
    #[cfg(feature = "http-push")]
    paths.push(("/push", StatusCode::METHOD_NOT_ALLOWED));
    for (path, status) in paths {
        let (head, length) = ask(Method::HEAD, path).await;
        assert_eq!((head.status, length), (status, 0), "{path}");
        if status == StatusCode::METHOD_NOT_ALLOWED {
            assert_eq!(head.headers[ALLOW], "POST");
            continue;
        }
        let (asked_by_get, length) = ask(Method::GET, path).await;
        assert_eq!(asked_by_get.status, status);
        assert_eq!(head.headers[CONTENT_LENGTH], length.to_string(), "{path}");
    }
}

/// Whoever refuses has to give back what `poll_ready` reserved: otherwise a revoked client that has one request refused on each of a
/// few routes holds all permits of a limit that they share, and nobody else is served.
#[tokio::test]
async fn who_is_refused_holds_no_permit() {
    let (layer, sink) = RevocationLayer::pair(identify::jwt(AUTHORIZATION, "Bearer"));
    sink.install(list_of_now()).unwrap();
    let revoked = sink.apply(Revocation::block(Key::subject("mallory"))).unwrap();
    revoked.wait().unwrap();
    let stack = ServiceBuilder::new()
        .layer(layer)
        .layer(GlobalConcurrencyLimitLayer::new(1))
        .service(service_fn(async |_: Request<String>| {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }));
    let ask = |token| {
        Request::get("/")
            .header(AUTHORIZATION, token)
            .body(String::new())
            .unwrap()
    };
    // As a buffer keeps it: a service that has seen its request, and waits for the next one.
    let mut kept = stack.clone();
    assert_eq!(
        kept.ready().await.unwrap().call(ask(MALLORY)).await.unwrap().status(),
        401
    );
    let others = timeout(Duration::from_secs(5), stack.clone().oneshot(ask(ALICE))).await;
    assert_eq!(others.expect("the permit is free").unwrap().status(), 200);
    assert_eq!(
        kept.ready().await.unwrap().call(ask(ALICE)).await.unwrap().status(),
        200
    );
}
