//! What a registry answers over time, or whoever stands in between.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{Empty, Full};
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tower::Service;
use tower_revocation::crl::{ListFormat, Poller};
use tower_revocation::{EventSink, Key, Timestamp};

use super::registry::{self, format};
use super::world;

/// Whatever is answered, nobody who is blocked is let in; nothing counts as a list that is none; what was listed stays so; and the
/// poller goes on, and takes the next good list.
pub(crate) fn check(input: &[u8]) {
    RUNTIME.with_borrow_mut(|runtime| {
        let runtime = runtime.get_or_insert_with(world::runtime);
        runtime.block_on(poll(input));
    });
}

async fn poll(input: &[u8]) {
    let now = Timestamp::now();
    let sink = world::without_list();
    let server = Server::default();
    let uri = |path| Uri::from_static(path);
    let (list, keys) = (uri("http://registry/list"), uri("http://registry/keys"));
    let running = tokio::spawn(Poller::new(server.clone(), format(), list, keys, sink.clone()).run());
    let mut is_believed = false;
    for part in world::parts(input).take(4) {
        let answer = Answer::read(part);
        let is_list = answer.status == 200 && format().read_list(&answer.body, registry::keys(), now).is_ok();
        let is_none = format().is_none_yet(status(answer.status), &answer.body);
        server.will(answer);
        fetched(&sink).await;
        is_believed |= is_list || is_none;
        assert!(is_believed || !sink.is_ready(), "a list that is none");
        world::assert_still_blocked(&sink);
    }
    // As new as any that was taken: two of one second are joined.
    let newest = sink.status().snapshot.and_then(|list| list.iat).unwrap_or_default();
    let issued_at = newest.max(now.as_unix_secs());
    let good = registry::document(&registry::payload(issued_at, u64::MAX, &[registry::A]));
    server.will(Answer {
        body: good,
        ..Answer::read(b"")
    });
    // It may have been told to wait for a while.
    fetched(&sink).await;
    assert_eq!(sink.status().poll.last_error, None);
    assert!(world::is_blocked(&sink, Key::token(registry::A)));
    for part in world::parts(input).take(2) {
        server.will(Answer::read(part));
        fetched(&sink).await;
        let is_listed = world::is_blocked(&sink, Key::token(registry::A));
        let is_newer = sink.status().snapshot.and_then(|list| list.iat) > Some(issued_at);
        assert!(is_listed || is_newer, "only a newer list lets go of it");
    }
    world::assert_still_blocked(&sink);
    running.abort();
}

async fn fetched(sink: &EventSink) {
    timeout(Duration::from_secs(60 * 60), sink.refreshed())
        .await
        .expect("it goes on");
}

/// What the server says to whoever asks for the list.
#[derive(Clone)]
struct Answer {
    status: u16,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
}

impl Answer {
    /// A first line with the status and lines with headers, an empty line, and the body.
    fn read(part: &[u8]) -> Self {
        let end = part.windows(2).position(|pair| pair == b"\n\n");
        let (head, body) = end.map_or((&b""[..], part), |end| (&part[..end], &part[end + 2..]));
        let mut lines = head.split(|byte| *byte == b'\n');
        let status = lines
            .next()
            .and_then(|line| std::str::from_utf8(line).ok()?.parse().ok());
        let header = |line: &[u8]| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = HeaderName::from_bytes(&line[..colon]).ok()?;
            Some((name, HeaderValue::from_bytes(&line[colon + 1..]).ok()?))
        };
        Self {
            status: status
                .filter(|status| StatusCode::from_u16(*status).is_ok())
                .unwrap_or(200),
            headers: lines.filter_map(header).collect(),
            body: body.to_vec(),
        }
    }
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).expect("it is one")
}

/// Answers with what it was told last; its keys are always there.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<Option<Answer>>>);

impl Server {
    fn will(&self, answer: Answer) {
        *self.0.lock().expect("nobody panics with it") = Some(answer);
    }
}

impl Service<Request<Empty<Bytes>>> for Server {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Empty<Bytes>>) -> Self::Future {
        let told = self.0.lock().expect("nobody panics with it").clone();
        let answer = match told {
            Some(answer) if request.uri().path() == "/list" => answer,
            _ => Answer {
                body: registry::keys_document(),
                ..Answer::read(b"")
            },
        };
        let mut response = Response::new(Full::from(answer.body));
        *response.status_mut() = status(answer.status);
        for (name, value) in answer.headers {
            response.headers_mut().append(name, value);
        }
        ready(Ok(response))
    }
}

thread_local! {
    static RUNTIME: RefCell<Option<Runtime>> = const { RefCell::new(None) };
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let good = registry::document(&registry::payload(1, 4_000_000_000, &[registry::A, registry::B]));
    let none = br#"{"error":{"code":"CRL_NOT_FOUND"}}"#;
    vec![
        good.clone(),
        [b"200\netag:\"1\"\n\n", &good[..]].concat(),
        world::join([
            &[b"200\nlast-modified:Sun, 06 Nov 1994 08:49:37 GMT\n\n", &good[..]].concat()[..],
            b"304\n\n",
        ]),
        world::join([
            &[b"404\n\n", &none[..]].concat()[..],
            &good,
            &[b"404\n\n", &none[..]].concat(),
        ]),
        b"429\nretry-after:18446744073709551615\n\n".to_vec(),
        b"503\nretry-after:Sun, 06 Nov 9994 08:49:37 GMT\n\n\x1e304\n\n\x1e301\nlocation:x\n\n<html>".to_vec(),
        [b"200\ncontent-encoding:gzip\n\n", &good[..]].concat(),
    ]
}
