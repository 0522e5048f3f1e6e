//! A client for the gateway's own doors, as the story and the measurement use it: over real connections.

use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::time::Instant;

use crate::Failure;
use crate::base::Base;
use crate::registry::Registry;

/// The doors.
#[derive(Clone)]
pub(crate) struct Doors {
    pub(crate) gateway: Base,
    pub(crate) admin: Base,
    pub(crate) registry: Base,
    /// The registry from within, to see when it accepts what came by the door.
    pub(crate) registry_inside: Registry,
}

/// Calls them.
#[derive(Clone)]
pub(crate) struct Caller {
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Caller {
    pub(crate) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
        }
    }

    /// Sends a request without a body, with a token if there is one.
    pub(crate) async fn call(&self, method: Method, url: Uri, ait: Option<&str>) -> Result<Reply, Failure> {
        self.call_with(method, url, ait, String::new()).await
    }

    /// Sends a request with a body.
    pub(crate) async fn call_with(
        &self,
        method: Method,
        url: Uri,
        ait: Option<&str>,
        body: String,
    ) -> Result<Reply, Failure> {
        let sent_at = Instant::now();
        let exchange = async {
            let response = self.send(method, url, ait, body).await?;
            let (arrived_at, status) = (Instant::now(), response.status());
            let body = response.into_body().collect().await?.to_bytes();
            Ok::<_, Failure>(Reply {
                status,
                body,
                sent_at,
                arrived_at,
            })
        };
        tokio::time::timeout(TIMEOUT, exchange).await?
    }

    /// Opens a stream that has no end of its own, and waits for the first that comes of it.
    pub(crate) async fn open(&self, url: Uri, ait: &str) -> Result<EventStream, Failure> {
        let opening = async {
            let mut response = self.send(Method::GET, url, Some(ait), String::new()).await?;
            if response.status() != StatusCode::OK {
                return Err(format!("expected a stream, got {}", response.status()).into());
            }
            response.frame().await.ok_or("the stream is empty")??;
            Ok(EventStream(response.into_body()))
        };
        tokio::time::timeout(TIMEOUT, opening).await?
    }

    async fn send(
        &self,
        method: Method,
        url: Uri,
        ait: Option<&str>,
        body: String,
    ) -> Result<Response<Incoming>, Failure> {
        let mut request = Request::builder().method(method).uri(url);
        if let Some(ait) = ait {
            request = request.header(AUTHORIZATION, format!("Claw {ait}"));
        }
        Ok(self.client.request(request.body(Full::from(body))?).await?)
    }
}

/// A response that goes on.
pub(crate) struct EventStream(Incoming);

impl EventStream {
    /// What comes next: an event, or that it broke off; `None` if it came to an end that looks like one.
    pub(crate) async fn next(&mut self) -> Option<Result<(), Failure>> {
        Some(self.0.frame().await?.map(drop).map_err(Into::into))
    }

    /// When it was cut. An error if it came to an end that looks like one.
    pub(crate) async fn cut(mut self) -> Result<Instant, Failure> {
        let cut = async {
            loop {
                match self.0.frame().await {
                    Some(Ok(_event)) => {}
                    Some(Err(_cut)) => return Ok(Instant::now()),
                    None => return Err("the stream ended as if it were whole".into()),
                }
            }
        };
        tokio::time::timeout(TIMEOUT, cut).await?
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    pub(crate) sent_at: Instant,
    /// When the head of the response was there.
    pub(crate) arrived_at: Instant,
}

impl Reply {
    pub(crate) fn took(&self) -> Duration {
        self.arrived_at - self.sent_at
    }

    /// A string in the JSON that came, by its JSON pointer; empty if there is none.
    pub(crate) fn text(&self, pointer: &str) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    }

    /// Whether it is the refusal of a revoked agent.
    pub(crate) fn is_revoked(&self) -> bool {
        // Forbidden: it was revoked while it was handled.
        let is_refused = matches!(self.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        is_refused && self.text("/error/code") == "PROXY_AUTH_REVOKED"
    }

    /// This reply, if its status is the expected one.
    pub(crate) fn expect(self, status: StatusCode) -> Result<Self, Failure> {
        if self.status == status {
            return Ok(self);
        }
        let body = String::from_utf8_lossy(&self.body);
        Err(format!("expected {status}, got {}: {body}", self.status).into())
    }
}

/// An agent, as its owner knows it.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    /// The ULID at the end of its DID.
    pub(crate) id: String,
    pub(crate) did: String,
    pub(crate) ait: String,
}

impl Agent {
    /// The agent that a registration or reissue answered.
    pub(crate) fn of(reply: &Reply) -> Self {
        let did = reply.text("/did");
        let id = did.rsplit(':').next().unwrap_or_default().to_owned();
        Self {
            id,
            did,
            ait: reply.text("/ait"),
        }
    }
}

impl Doors {
    /// The URL of an agent at the registry, or of what is below it.
    pub(crate) fn agent(&self, id: &str, below: &str) -> Result<Uri, Failure> {
        url(&self.registry, &format!("/v1/agents/{id}{below}"))
    }
}

/// The URL of `path` at a door.
pub(crate) fn url(door: &Base, path: &str) -> Result<Uri, Failure> {
    Ok(door.join(path).ok_or("no URL can be made of this path")?)
}

/// Everything is on this machine.
const TIMEOUT: Duration = Duration::from_secs(20);
