//! Cloudflare's API for queues as it is documented, in memory and on tokio's clock.
//!
//! - <https://developers.cloudflare.com/queues/configuration/pull-consumers/>
//! - <https://developers.cloudflare.com/api/resources/queues/subresources/messages/>

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;
use tower_revocation::Timestamp;

pub(crate) const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";
pub(crate) const TOKEN: &str = "v1.0-token-of-the-tests";

/// Some queues of one account. A cheap clone.
#[derive(Clone, Default)]
pub(crate) struct CloudflareApi(Arc<Mutex<Account>>);

#[derive(Default)]
struct Account {
    queues: BTreeMap<String, Queue>,
    leases: u64,
    /// What the next requests get, by the end of their path, in place of an answer.
    trouble: VecDeque<(&'static str, Trouble)>,
    log: Vec<Call>,
}

#[derive(Clone, Copy)]
pub(crate) enum Trouble {
    Hang,
    Status(u16, Option<u64>),
}

/// A request that was made.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) at: Instant,
    /// `pull`, `ack` or `messages`.
    pub(crate) what: String,
    pub(crate) body: Value,
}

struct Queue {
    consumer: Consumer,
    messages: Vec<Message>,
    thrown_away: usize,
}

/// The settings of a queue's consumer.
#[derive(Clone)]
pub(crate) struct Consumer {
    pub(crate) max_retries: u32,
    pub(crate) dead_letter_queue: Option<&'static str>,
}

impl Default for Consumer {
    fn default() -> Self {
        Self {
            max_retries: 3,
            dead_letter_queue: None,
        }
    }
}

#[derive(Clone)]
struct Message {
    id: u64,
    body: Vec<u8>,
    content_type: &'static str,
    published: Timestamp,
    attempts: u32,
    visible_at: Instant,
    /// All under which it was ever leased.
    leases: Vec<String>,
}

impl CloudflareApi {
    pub(crate) fn with_queue(self, id: &str, consumer: Consumer) -> Self {
        self.account().queues.entry(id.to_owned()).or_insert(Queue {
            consumer,
            messages: Vec::new(),
            thrown_away: 0,
        });
        self
    }

    /// What a producer does: a Worker, which may choose any content type.
    pub(crate) fn send(&self, queue: &str, content_type: &'static str, body: impl AsRef<[u8]>) {
        self.account().send(queue, content_type, body.as_ref());
    }

    /// The API, which is a client of itself.
    pub(crate) fn app(&self) -> Router {
        Router::new()
            .route("/client/v4/accounts/{account}/queues/{queue}/messages", post(publish))
            .route("/client/v4/accounts/{account}/queues/{queue}/messages/pull", post(pull))
            .route("/client/v4/accounts/{account}/queues/{queue}/messages/ack", post(ack))
            .with_state(self.clone())
    }

    /// The next request to `what` is not answered as it should be.
    pub(crate) fn trouble(&self, what: &'static str, trouble: Trouble) {
        self.account().trouble.push_back((what, trouble));
    }

    /// How many messages are not acknowledged.
    pub(crate) fn backlog(&self, queue: &str) -> usize {
        let mut account = self.account();
        account.sweep();
        account.queues[queue].messages.len()
    }

    pub(crate) fn thrown_away(&self, queue: &str) -> usize {
        let mut account = self.account();
        account.sweep();
        account.queues[queue].thrown_away
    }

    /// The messages of a queue as JSON, for dead letters.
    pub(crate) fn contents(&self, queue: &str) -> Vec<Value> {
        let mut account = self.account();
        account.sweep();
        let Some(queue) = account.queues.get(queue) else {
            return Vec::new();
        };
        let bodies = queue.messages.iter();
        bodies
            .map(|message| serde_json::from_slice(&message.body).unwrap())
            .collect()
    }

    pub(crate) fn calls(&self, what: &str) -> Vec<Call> {
        let account = self.account();
        account.log.iter().filter(|call| call.what == what).cloned().collect()
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.0.lock().unwrap()
    }

    /// Notes the request, and refuses it if it has no right or there is trouble.
    async fn admit(
        &self,
        (account, queue): &(String, String),
        what: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Value, Response> {
        let trouble = {
            let mut state = self.account();
            state.log.push(Call {
                at: Instant::now(),
                what: what.to_owned(),
                body: serde_json::from_slice(body).unwrap_or_default(),
            });
            let at = state.trouble.iter().position(|(path, _)| *path == what);
            at.and_then(|at| state.trouble.remove(at))
        };
        match trouble {
            Some((_, Trouble::Hang)) => return Err(pending().await),
            Some((_, Trouble::Status(429, after))) => return Err(refusal(429, 10250, "Queue is overloaded", after)),
            Some((_, Trouble::Status(status, after))) => return Err(refusal(status, 15000, "Unknown error", after)),
            None => {}
        }
        match headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
        {
            Some(TOKEN) => {}
            Some("of somebody who may only read") => return Err(refusal(403, 10106, "Unauthorized request", None)),
            _ => return Err(refusal(401, 10000, "Authentication error", None)),
        }
        if headers
            .get("content-type")
            .is_none_or(|value| value != "application/json")
        {
            return Err(refusal(415, 10208, "API Gateway request body is not valid JSON", None));
        }
        if account != ACCOUNT || !self.account().queues.contains_key(queue) {
            return Err(refusal(404, 10104, "Queue does not exist", None));
        }
        self.account().sweep();
        serde_json::from_slice(body)
            .map_err(|_| refusal(400, 10208, "API Gateway request body is not valid JSON", None))
    }
}

impl Account {
    fn send(&mut self, queue: &str, content_type: &'static str, body: &[u8]) {
        self.leases += 1;
        let message = Message {
            id: self.leases,
            body: body.to_vec(),
            content_type,
            published: Timestamp::now(),
            attempts: 0,
            visible_at: Instant::now(),
            leases: Vec::new(),
        };
        self.queues
            .get_mut(queue)
            .expect("the queue exists")
            .messages
            .push(message);
    }

    /// Takes out what was delivered as often as it may be, and is not leased any more.
    fn sweep(&mut self) {
        let now = Instant::now();
        let mut dead = Vec::new();
        for queue in self.queues.values_mut() {
            let Consumer {
                max_retries,
                dead_letter_queue,
            } = queue.consumer.clone();
            let is_over = |message: &Message| {
                let is_done = message.attempts > 0 && message.attempts >= max_retries;
                is_done && message.visible_at <= now
            };
            for message in queue.messages.extract_if(.., |message| is_over(message)) {
                match dead_letter_queue {
                    Some(dead_letters) => dead.push((dead_letters, message)),
                    None => queue.thrown_away += 1,
                }
            }
        }
        for (queue, message) in dead {
            // Created if it is missing.
            let queue = self.queues.entry(queue.to_owned()).or_insert_with(|| Queue {
                consumer: Consumer::default(),
                messages: Vec::new(),
                thrown_away: 0,
            });
            queue.messages.push(Message {
                attempts: 0,
                leases: Vec::new(),
                ..message
            });
        }
    }
}

async fn pull(
    State(api): State<CloudflareApi>,
    Path(path): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = match api.admit(&path, "pull", &headers, &body).await {
        Ok(request) => request,
        Err(refusal) => return refusal,
    };
    let number = |name: &str, default: u64| match &request[name] {
        Value::Null => Some(default),
        value => value.as_u64(),
    };
    let is_known = request.as_object().is_some_and(|members| {
        members
            .keys()
            .all(|name| ["batch_size", "visibility_timeout_ms"].contains(&name.as_str()))
    });
    let (Some(size @ 1..=100), Some(visible_ms @ 0..=43_200_000), true) = (
        number("batch_size", 5),
        number("visibility_timeout_ms", 30_000),
        is_known,
    ) else {
        return refusal(
            400,
            10207,
            "API Gateway request JSON body does not match expected schema",
            None,
        );
    };
    let now = Instant::now();
    let mut account = api.account();
    let Account { queues, leases, .. } = &mut *account;
    let queue = queues.get_mut(&path.1).unwrap();
    let due = queue.messages.iter_mut().filter(|message| message.visible_at <= now);
    let messages: Vec<_> = due
        .take(size as usize)
        .map(|message| {
            *leases += 1;
            let lease = format!("lease-{leases}");
            message.attempts += 1;
            message.visible_at = now + Duration::from_millis(visible_ms);
            message.leases.push(lease.clone());
            json!({
                "body": match message.content_type {
                    "text" => String::from_utf8(message.body.clone()).unwrap(),
                    _ => STANDARD.encode(&message.body),
                },
                "id": format!("{:032x}", message.id),
                "timestamp_ms": message.published.as_unix_millis(),
                "attempts": message.attempts,
                "metadata": {"CF-sourceMessageSource": "worker", "CF-Content-Type": message.content_type},
                "lease_id": lease,
            })
        })
        .collect();
    accepted(&json!({"message_backlog_count": queue.messages.len(), "messages": messages}))
}

async fn ack(
    State(api): State<CloudflareApi>,
    Path(path): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = match api.admit(&path, "ack", &headers, &body).await {
        Ok(request) => request,
        Err(refusal) => return refusal,
    };
    let (Some(acks), Some(retries)) = (request["acks"].as_array(), request["retries"].as_array()) else {
        return refusal(
            400,
            10207,
            "API Gateway request JSON body does not match expected schema",
            None,
        );
    };
    let mut account = api.account();
    let queue = account.queues.get_mut(&path.1).unwrap();
    let mut warnings = Vec::new();
    let mut find = |queue: &Queue, settled: &Value| {
        let lease = settled["lease_id"].as_str().expect("a lease").to_owned();
        // Also one that is over: a late acknowledgement is accepted.
        let found = queue
            .messages
            .iter()
            .position(|message| message.leases.contains(&lease));
        if found.is_none() {
            warnings.push(format!("{lease} is unknown"));
        }
        found
    };
    let (mut ack_count, mut retry_count) = (0, 0);
    for settled in acks {
        if let Some(at) = find(queue, settled) {
            queue.messages.remove(at);
            ack_count += 1;
        }
    }
    for settled in retries {
        if let Some(at) = find(queue, settled) {
            let delay = settled["delay_seconds"].as_u64().unwrap_or_default();
            assert!(delay <= 43_200);
            queue.messages[at].visible_at = Instant::now() + Duration::from_secs(delay);
            retry_count += 1;
        }
    }
    accepted(&json!({"ackCount": ack_count, "retryCount": retry_count, "warnings": warnings}))
}

async fn publish(
    State(api): State<CloudflareApi>,
    Path(path): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = match api.admit(&path, "messages", &headers, &body).await {
        Ok(request) => request,
        Err(refusal) => return refusal,
    };
    let (content_type, body) = match (&request["content_type"], &request["body"]) {
        (Value::String(kind), Value::String(text)) if kind == "text" => ("text", text.clone().into_bytes()),
        (Value::String(kind), body) if kind == "json" => ("json", body.to_string().into_bytes()),
        _ => return refusal(400, 10203, "Invalid message metadata", None),
    };
    if body.len() > 128_000 {
        return refusal(413, 10204, "Message size out of bounds", None);
    }
    api.account().send(&path.1, content_type, &body);
    accepted(&Value::Null)
}

fn accepted(result: &Value) -> Response {
    axum::Json(json!({"success": true, "errors": [], "messages": [], "result": result})).into_response()
}

fn refusal(status: u16, code: u32, message: &str, retry_after: Option<u64>) -> Response {
    let envelope = json!({
        "success": false,
        "errors": [{"code": code, "message": message}],
        "messages": [],
        "result": null,
    });
    let mut response = (StatusCode::from_u16(status).unwrap(), axum::Json(envelope)).into_response();
    if let Some(after) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, after.into());
    }
    response
}
