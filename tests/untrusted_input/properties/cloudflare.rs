//! What Cloudflare answers, or whoever stands in between.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::time::{Instant, timeout};
use tower::Service;
use tower_revocation::Timestamp;
use tower_revocation::source::cloudflare::CloudflareSource;
use tower_revocation::source::{Delivery, EventSource, Signal, Start};

use super::tree::Tree;
use super::world;

/// Whatever it answers, the source goes on, does not hang, and hands out nothing but what was there.
pub(crate) fn check(input: &[u8]) {
    let script = Script::read(input);
    // Where something is too deep for the other reader, it cannot tell.
    let is_readable = !script.answers.iter().any(Answer::is_deep);
    let there: Vec<Tree> = script.answers.iter().filter_map(Answer::messages).flatten().collect();
    let server = Server(Arc::new(Mutex::new(script)));
    let handed_out = RUNTIME.with_borrow_mut(|runtime| {
        let runtime = runtime.get_or_insert_with(world::runtime);
        runtime.block_on(pull(&server))
    });
    if !is_readable {
        return;
    }
    assert!(handed_out.len() <= there.len(), "{handed_out:?} are too many");
    for payload in handed_out {
        let is_there = there.iter().any(|message| may_be(message, &payload));
        assert!(is_there, "it was not there: {payload:?}");
    }
}

/// Reads until the server has nothing more to say.
async fn pull(server: &Server) -> Vec<Vec<u8>> {
    let mut source = CloudflareSource::new(server.clone(), "account", "queue", "token").with_dead_letters("dead");
    let start = Start::since(Timestamp::from_unix_secs(0));
    let started = Instant::now();
    let mut handed_out = Vec::new();
    while handed_out.len() < MOST && started.elapsed() < Duration::from_secs(12 * 60 * 60) {
        if source.open(&start).await.is_err() {
            if server.is_done() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
            continue;
        }
        let mut idle = 0;
        while handed_out.len() < MOST && idle < 2 {
            match timeout(Duration::from_secs(60), source.next())
                .await
                .expect("it gives a sign of life")
            {
                Ok(Signal::Message(mut delivery)) => {
                    handed_out.push(delivery.payload().to_vec());
                    let settled = match delivery.attempts() % 2 {
                        0 => delivery.ack().await.is_ok(),
                        _ => delivery
                            .retry(Duration::from_secs(u64::from(delivery.attempts())))
                            .await
                            .is_ok(),
                    };
                    assert!(settled, "that is only noted");
                }
                Ok(_) => idle += usize::from(server.is_done()),
                Err(_) => break,
            }
        }
        if server.is_done() && idle > 0 {
            break;
        }
    }
    timeout(Duration::from_secs(60 * 60), source.close())
        .await
        .expect("it comes to an end");
    handed_out
}

/// Answers to pulls, one after the other.
struct Script {
    answers: Vec<Answer>,
}

impl Script {
    /// Each part of the input is one: a digit for the status, perhaps `@` and a value for `Retry-After`, a line end, and the body.
    fn read(input: &[u8]) -> Self {
        let mut answers: Vec<_> = world::parts(input).take(8).map(Answer::read).collect();
        answers.reverse();
        Self { answers }
    }
}

struct Answer {
    status: u16,
    retry_after: Option<HeaderValue>,
    body: Vec<u8>,
}

impl Answer {
    fn read(part: &[u8]) -> Self {
        let (head, body) = match part.iter().position(|byte| *byte == b'\n') {
            Some(end) => (&part[..end], &part[end + 1..]),
            None => (&b""[..], part),
        };
        let status = match head.first() {
            Some(b'3') => 302,
            Some(b'4') => 429,
            Some(b'5') => 500,
            Some(b'6') => 403,
            _ => 200,
        };
        let at = head.iter().position(|byte| *byte == b'@');
        Self {
            status,
            retry_after: at.and_then(|at| HeaderValue::from_bytes(&head[at + 1..]).ok()),
            body: body.to_vec(),
        }
    }

    fn is_deep(&self) -> bool {
        Tree::read(&self.body).is_none() && serde_json::from_slice::<IgnoredAny>(&self.body).is_ok()
    }

    /// What is in it, as another reader has it.
    fn messages(&self) -> Option<Vec<Tree>> {
        let envelope = Tree::read(&self.body).filter(|_| self.status == 200)?;
        // A struct may be stated as the array of its members.
        let result = match &envelope {
            Tree::List(members) => members.get(2)?,
            _ => envelope.get("result")?,
        };
        let messages = match result {
            Tree::List(members) => members.first()?,
            _ => result.get("messages")?,
        };
        match messages {
            Tree::List(messages) => Some(messages.clone()),
            _ => None,
        }
    }
}

/// Whether a payload may be that of a message: its text, or what that stands for. One that is no text comes as it is.
fn may_be(message: &Tree, payload: &[u8]) -> bool {
    let body = match message {
        Tree::List(members) => members.get(1),
        _ => message.get("body"),
    };
    match body {
        Some(Tree::Text(body)) => {
            body.as_bytes() == payload || STANDARD.decode(body).is_ok_and(|decoded| decoded == payload)
        }
        _ => Tree::read(payload).is_some(),
    }
}

/// Answers as the script says, and then that there is nothing.
#[derive(Clone)]
struct Server(Arc<Mutex<Script>>);

impl Server {
    fn is_done(&self) -> bool {
        self.0.lock().expect("nobody panics with it").answers.is_empty()
    }
}

impl Service<Request<Full<Bytes>>> for Server {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let is_pull = request.uri().path().ends_with("/pull");
        let next = is_pull.then(|| self.0.lock().expect("nobody panics with it").answers.pop());
        let answer = next
            .flatten()
            .unwrap_or_else(|| Answer::read(br#"{"success":true,"result":{"messages":[]}}"#));
        let mut response = Response::new(Full::from(answer.body));
        *response.status_mut() = http::StatusCode::from_u16(answer.status).expect("it is one");
        if let Some(retry_after) = answer.retry_after {
            response.headers_mut().insert(RETRY_AFTER, retry_after);
        }
        ready(Ok(response))
    }
}

thread_local! {
    static RUNTIME: RefCell<Option<Runtime>> = const { RefCell::new(None) };
}

/// How many messages are taken at most.
const MOST: usize = 10_000;

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let message = |body: &str, content_type: &str, attempts: f64| {
        json!({"lease_id": "l", "body": body, "attempts": attempts, "id": "i", "timestamp_ms": 1_710_950_954_154_u64,
            "metadata": {"CF-sourceMessageSource": "dash", "CF-Content-Type": content_type}})
    };
    let pulled = |messages: &[Value], backlog: f64| {
        json!({"success": true, "errors": [], "messages": [],
            "result": {"message_backlog_count": backlog, "messages": messages}})
        .to_string()
    };
    let some = [
        message("eyJhIjoxfQ==", "json", 1.0),
        message("x", "text", 2.0),
        message("/wA=", "bytes", 3e9),
    ];
    vec![
        pulled(&[], 0.0).into_bytes(),
        world::join([pulled(&some, 5.0), "4@120\n{}".to_owned(), pulled(&some[..1], 1e3)]),
        b"4@1e3\n{\"success\":false,\"errors\":[{\"code\":10001,\"message\":\"slow down\"}]}".to_vec(),
        b"6\n{\"success\":false,\"errors\":[{\"code\":10000,\"message\":\"no\"}]}\x1e5\nx".to_vec(),
        br#"{"success":true,"result":{"messages":[{"lease_id":"l"}],"message_backlog_count":null}}"#.to_vec(),
        br#"{"success":true,"result":null}"#.to_vec(),
    ]
}
