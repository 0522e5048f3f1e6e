//! What arrives of a response that is cut: its head, its last piece, the host's last words. Over real sockets, HTTP/1 and HTTP/2;
//! `http3` has the rest.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};
use tokio_test::{assert_pending, task};
use tower::{Service, service_fn};
use tower_layer::Layer;
use tower_revocation::{
    BodyError, Cut, EventSink, Key, LastWords, ResponseBody, Revocation, RevocationLayer, identify,
};

use crate::support::{fresh_pair, list_of_now, once, presenting};

/// `{"alg":"none"}.{"sub":"mallory"}`.
const MALLORY: &str = "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJtYWxsb3J5In0.x";

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn revoke(sink: &EventSink) {
    sink.apply(Revocation::block(Key::subject("mallory")))
        .unwrap()
        .wait()
        .unwrap();
}

/// What a handler answers: some pieces. Its caller is revoked while the next one is waited for, at once.
#[derive(Clone, Copy)]
struct Story {
    headers: &'static [(&'static str, &'static str)],
    pieces: &'static [&'static str],
    /// What its body says of its length.
    exact: Option<u64>,
}

const SILENT: Story = Story {
    headers: &[],
    pieces: &[],
    exact: None,
};

impl Story {
    fn response(self, sink: EventSink) -> Response<impl Body<Data = Bytes, Error = Infallible>> {
        let mut pieces = self.pieces.iter();
        let stream = futures_util::stream::poll_fn(move |_| match pieces.next() {
            Some(piece) => Poll::Ready(Some(Ok::<_, Infallible>(Frame::data(Bytes::from_static(
                piece.as_bytes(),
            ))))),
            None => {
                revoke(&sink);
                Poll::Pending
            }
        });
        let mut response = Response::builder();
        for (name, value) in self.headers {
            response = response.header(*name, *value);
        }
        let exact = self.exact;
        response
            .body(Sized {
                body: StreamBody::new(stream),
                exact,
            })
            .unwrap()
    }
}

/// A body that may know its length.
struct Sized<B> {
    body: B,
    exact: Option<u64>,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Sized<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        std::pin::Pin::new(&mut self.body).poll_frame(context)
    }

    fn size_hint(&self) -> SizeHint {
        self.exact.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// A server of HTTP/1 and HTTP/2 that tells the story once: afterwards the caller is refused.
async fn serve(cut: Cut, story: Story) -> SocketAddr {
    let (layer, sink) = RevocationLayer::pair(identify::jwt(AUTHORIZATION, "Bearer"));
    sink.install(list_of_now()).unwrap();
    let service = layer.with_cut(cut).layer(service_fn(move |_: Request<Incoming>| {
        let response = story.response(sink.clone());
        async { Ok::<_, Infallible>(response) }
    }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let server = auto::Builder::new(TokioExecutor::new());
        let _ = server
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
            .await;
    });
    address
}

/// All that comes over a plain socket until it is closed.
async fn over_http1(cut: Cut, story: Story, version: &str) -> String {
    let mut socket = TcpStream::connect(serve(cut, story).await).await.unwrap();
    let request = format!("GET / {version}\r\nhost: h\r\nconnection: close\r\nauthorization: {MALLORY}\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    timeout(PATIENCE, socket.read_to_end(&mut all)).await.unwrap().unwrap();
    String::from_utf8(all).unwrap()
}

/// The status, the bytes, and whether the end was an error.
async fn over_http2(cut: Cut, story: Story) -> (u16, String, bool) {
    let (status, body, _trailers, is_error) = ask_over_http2(cut, story, "GET").await;
    (status, body, is_error)
}

async fn ask_over_http2(cut: Cut, story: Story, method: &str) -> (u16, String, HeaderMap, bool) {
    let stream = TokioIo::new(TcpStream::connect(serve(cut, story).await).await.unwrap());
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream);
    let (mut client, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri("http://h/")
        .header(AUTHORIZATION, MALLORY);
    let asked = client.send_request(request.body(Empty::<Bytes>::new()).unwrap());
    let response = timeout(PATIENCE, asked).await.unwrap().expect("a head");
    let (status, mut body) = (response.status().as_u16(), response.into_body());
    let (mut all, mut trailers, mut is_error) = (Vec::new(), HeaderMap::new(), false);
    while !is_error && let Some(frame) = timeout(PATIENCE, body.frame()).await.unwrap() {
        match frame.map(Frame::into_data) {
            Ok(Ok(piece)) => all.extend_from_slice(&piece),
            Ok(Err(last)) => trailers = last.into_trailers().unwrap(),
            // It would go on saying so.
            Err(_) => is_error = true,
        }
    }
    (status, String::from_utf8(all).unwrap(), trailers, is_error)
}

/// A connection that closes without a byte, or a stream that is reset without a head, makes clients send the request again, and
/// proxies take the server for broken.
#[tokio::test]
async fn a_response_that_is_cut_before_its_first_piece_has_a_head() {
    let seen = over_http1(Cut::Abort, SILENT, "HTTP/1.1").await;
    assert!(seen.starts_with("HTTP/1.1 200"), "{seen:?}");
    assert!(!seen.contains("\r\n0\r\n"), "{seen:?}");
    assert_eq!(over_http2(Cut::Abort, SILENT).await, (200, String::new(), true));
}

/// Here the head is written by another thread than the one that cuts.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_head_comes_from_a_runtime_of_several_threads_too() {
    for _ in 0..50 {
        assert_eq!(over_http2(Cut::Abort, SILENT).await, (200, String::new(), true));
    }
}

#[tokio::test]
async fn the_last_piece_before_a_cut_arrives() {
    let story = Story {
        pieces: &["one ", "two"],
        ..SILENT
    };
    let seen = over_http1(Cut::Abort, story, "HTTP/1.1").await;
    assert!(
        seen.contains("one ") && seen.contains("two") && !seen.contains("\r\n0\r\n"),
        "{seen:?}"
    );
    assert_eq!(over_http2(Cut::Abort, story).await, (200, "one two".to_owned(), true));
}

/// They are no error, so that a server sends them behind all that it has: nothing is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn trailers_arrive_right_behind_a_piece() {
    let story = Story {
        headers: &[("content-type", "application/grpc")],
        pieces: &["one ", "two"],
        ..SILENT
    };
    for _ in 0..50 {
        let (status, body, trailers, is_error) = ask_over_http2(Cut::Abort, story, "POST").await;
        assert_eq!((status, body.as_str(), is_error), (200, "one two", false));
        assert_eq!(trailers["grpc-status"], "7");
    }
}

type Polled = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

/// A body that went through the layer, and what feeds it.
struct Open {
    sink: EventSink,
    feeder: tokio::sync::mpsc::UnboundedSender<&'static str>,
    body: task::Spawn<ResponseBody<StreamBody<Pieces>>>,
}

type Pieces = futures_util::stream::BoxStream<'static, Result<Frame<Bytes>, Infallible>>;

fn open() -> Open {
    let (layer, sink) = fresh_pair();
    let (feeder, mut pieces) = tokio::sync::mpsc::unbounded_channel::<&'static str>();
    let stream = futures_util::stream::poll_fn(move |context| {
        let piece = pieces.poll_recv(context);
        piece.map(|piece| Some(Ok::<_, Infallible>(Frame::data(Bytes::from_static(piece?.as_bytes())))))
    });
    let mut body = once(StreamBody::new(Box::pin(stream) as Pieces));
    let mut service = layer.layer(service_fn(move |_: Request<String>| {
        std::future::ready(Ok::<_, Infallible>(Response::new(body())))
    }));
    let mut call = task::spawn(service.call(presenting("mallory")));
    let Poll::Ready(Ok(response)) = call.poll() else {
        panic!("it is admitted at once");
    };
    Open {
        sink,
        feeder,
        body: task::spawn(response.into_body()),
    }
}

impl Open {
    fn poll(&mut self) -> Polled {
        self.body.enter(|context, body| body.poll_frame(context))
    }

    /// Returns how long the body takes to break off, by the paused clock.
    async fn breaks_off_after(&mut self) -> Duration {
        let start = Instant::now();
        let last = std::future::poll_fn(|context| std::pin::Pin::new(&mut *self.body).poll_frame(context)).await;
        assert!(last.unwrap().unwrap_err().cut().is_some());
        start.elapsed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_waits_only_if_it_gave_something_just_now_and_gives_nothing_meanwhile() {
    // It was never looked at.
    let mut never = open();
    revoke(&never.sink);
    never.feeder.send("late").unwrap();
    assert_pending!(never.poll());
    assert!(never.feeder.is_closed(), "whoever feeds it learns of it at once");
    assert!(!never.body.is_end_stream());
    assert_eq!(never.breaks_off_after().await, FLUSH);
    assert!(never.body.is_end_stream() && matches!(never.poll(), Poll::Ready(None)));

    // It has waited for a while.
    let mut idle = open();
    assert_pending!(idle.poll());
    tokio::time::advance(FLUSH).await;
    revoke(&idle.sink);
    assert_eq!(idle.breaks_off_after().await, Duration::ZERO);

    // It has waited for less than that, and is looked at again: what counts is the first time.
    let mut short = open();
    assert_pending!(short.poll());
    tokio::time::advance(FLUSH - Duration::from_millis(2)).await;
    assert_pending!(short.poll());
    revoke(&short.sink);
    assert_eq!(short.breaks_off_after().await, Duration::from_millis(2));

    // It has waited, and then gave something.
    let mut busy = open();
    assert_pending!(busy.poll());
    tokio::time::advance(FLUSH * 10).await;
    busy.feeder.send("piece").unwrap();
    assert!(matches!(busy.poll(), Poll::Ready(Some(Ok(_)))));
    revoke(&busy.sink);
    assert_eq!(busy.breaks_off_after().await, FLUSH);
}

/// As the crate has it.
const FLUSH: Duration = Duration::from_millis(10);

/// Other tasks get their turn, and nothing panics.
#[test]
fn without_a_timer_a_body_waits_for_one_turn() {
    let in_turn = || {
        let mut open = open();
        revoke(&open.sink);
        assert_pending!(open.poll());
        assert!(open.body.is_woken() && open.feeder.is_closed());
        assert!(matches!(open.poll(), Poll::Ready(Some(Err(_)))));
        assert!(matches!(open.poll(), Poll::Ready(None)));
    };
    in_turn();
    let without_timers = tokio::runtime::Builder::new_current_thread().build().unwrap();
    without_timers.block_on(async { in_turn() });
}

// Last words.

const EVENTS: &[(&str, &str)] = &[("content-type", "Text/Event-Stream; charset=utf-8")];
const WORDS: Cut = Cut::With(&[
    LastWords::NDJSON,
    LastWords::new("text/event-stream", "retry: 10000\nevent: revoked\ndata: bye\n\n"),
]);

/// What a client makes of an event stream, by the rules of
/// [the standard](https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation): the events as their
/// names and data, and the time to wait before it comes back.
fn heard(stream: &str) -> (Vec<(String, String)>, Option<u64>) {
    let (mut events, mut retry) = (Vec::new(), None);
    let (mut name, mut data) = (String::new(), String::new());
    // What is left behind the last end of a line is no line.
    let text = stream.replace("\r\n", "\n").replace('\r', "\n");
    let lines = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
    for line in lines.split('\n') {
        if line.is_empty() {
            if !data.is_empty() {
                data.pop();
                events.push((std::mem::take(&mut name), std::mem::take(&mut data)));
            }
            name.clear();
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => name = value.to_owned(),
            "data" => {
                data.push_str(value);
                data.push('\n');
            }
            "retry" => retry = value.parse().ok().or(retry),
            _ => {}
        }
    }
    (events, retry)
}

fn event(name: &str, data: &str) -> (String, String) {
    (name.to_owned(), data.to_owned())
}

/// The pieces in chunks, and whether there was a last one.
fn unchunked(response: &str) -> (String, bool) {
    let (head, mut rest) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    let mut body = String::new();
    while let Some((len, more)) = rest.split_once("\r\n") {
        let len = usize::from_str_radix(len, 16).unwrap();
        if len == 0 {
            return (body, true);
        }
        body.push_str(&more[..len]);
        rest = &more[len + 2..];
    }
    (body, false)
}

#[tokio::test]
async fn last_words_arrive_and_the_stream_ends_well() {
    let story = Story {
        headers: EVENTS,
        pieces: &["data: 1\n\n", "data: 2", "\r", "\n\r\n"],
        ..SILENT
    };
    let expected = (
        vec![event("", "1"), event("", "2"), event("revoked", "bye")],
        Some(10_000),
    );
    let (body, is_whole) = unchunked(&over_http1(WORDS, story, "HTTP/1.1").await);
    assert!(is_whole);
    assert_eq!(heard(&body), expected);
    let (status, body, is_error) = over_http2(WORDS, story).await;
    assert_eq!((status, heard(&body), is_error), (200, expected.clone(), false));
    // Where the end of the connection is that of the body.
    let over_http10 = over_http1(WORDS, story, "HTTP/1.0").await;
    assert_eq!(heard(over_http10.split_once("\r\n\r\n").unwrap().1), expected);
}

#[tokio::test]
async fn ready_made_last_words_space_the_return_of_all_clients_and_no_page_notices() {
    let cut = Cut::With(&[LastWords::EVENT_STREAM]);
    let story = Story {
        headers: EVENTS,
        pieces: &["data: 1\n\n"],
        ..SILENT
    };
    let (_, body, is_error) = over_http2(cut, story).await;
    assert_eq!((heard(&body), is_error), ((vec![event("", "1")], Some(10_000)), false));
}

#[tokio::test]
async fn a_stream_of_lines_ends_with_a_line() {
    let story = Story {
        headers: &[("content-type", "application/x-ndjson")],
        pieces: &["{\"n\":1}\n"],
        ..SILENT
    };
    let (_, body, is_error) = over_http2(WORDS, story).await;
    assert!(!is_error);
    let lines = body
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let expected = [
        serde_json::json!({"n": 1}),
        serde_json::json!({"error": "the credential was revoked"}),
    ];
    assert!(lines.eq(expected), "{body}");
}

#[tokio::test]
async fn nothing_is_said_where_it_could_not_be_read() {
    let cases = [
        ("half an event", EVENTS, "data: 1\n\ndata: 2\n", None),
        ("half a line", EVENTS, "data: 1\n\nda", None),
        (
            "half a line of JSON",
            &[("content-type", "application/x-ndjson")],
            "{",
            None,
        ),
        ("another type", &[("content-type", "text/plain")], "a\n\n", None),
        ("no type", &[], "a\n\n", None),
        (
            "encoded",
            &[("content-type", "text/event-stream"), ("content-encoding", "gzip")],
            "a\n\n",
            None,
        ),
        (
            "a length in the headers",
            &[("content-type", "text/event-stream"), ("content-length", "100")],
            "a\n\n",
            None,
        ),
        ("a length known to the body", EVENTS, "a\n\n", Some(100)),
    ];
    for (what, headers, piece, exact) in cases {
        let pieces: &'static [&'static str] = Box::leak(Box::new([piece]));
        let story = Story { headers, pieces, exact };
        let seen = over_http1(WORDS, story, "HTTP/1.1").await;
        assert!(
            seen.ends_with(piece) || seen.ends_with(&format!("{piece}\r\n")),
            "{what}: {seen}"
        );
        assert_eq!(over_http2(WORDS, story).await, (200, piece.to_owned(), true), "{what}");
    }
}

// HTTP/1.0, which has no chunks.

#[tokio::test]
async fn over_http10_only_a_length_tells_half_from_whole() {
    let with_header = &[("content-length", "100")];
    for (headers, exact) in [(&[][..], Some(100)), (with_header, None)] {
        let story = Story {
            headers,
            pieces: &["half"],
            exact,
        };
        let seen = over_http1(Cut::Abort, story, "HTTP/1.0").await;
        assert!(
            seen.contains("content-length: 100\r\n") && seen.ends_with("\r\n\r\nhalf"),
            "{seen}"
        );
    }
    let story = Story {
        pieces: &["half"],
        ..SILENT
    };
    let seen = over_http1(Cut::Abort, story, "HTTP/1.0").await;
    assert!(
        !seen.contains("content-length") && seen.ends_with("\r\n\r\nhalf"),
        "{seen}"
    );
}
