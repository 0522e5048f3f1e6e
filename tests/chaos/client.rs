//! A client that takes no answer for an answer.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::time::timeout;

/// Keeps its connections. A cheap clone.
#[derive(Clone)]
pub(crate) struct Client(Pool<HttpConnector, Full<Bytes>>);

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

impl Client {
    pub(crate) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self(Pool::builder(TokioExecutor::new()).build(connector))
    }

    /// `None` if no whole answer comes within this time.
    pub(crate) async fn call(&self, request: Request<Full<Bytes>>, within: Duration) -> Option<Answer> {
        let exchange = async {
            let response = self.0.request(request).await.ok()?;
            let status = response.status();
            let body = response.into_body().collect().await.ok()?.to_bytes();
            Some(Answer { status, body })
        };
        timeout(within, exchange).await.ok()?
    }

    /// The head of an answer, and what is to come of it.
    pub(crate) async fn open(
        &self,
        request: Request<Full<Bytes>>,
        within: Duration,
    ) -> Option<http::Response<Incoming>> {
        timeout(within, self.0.request(request)).await.ok()?.ok()
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

pub(crate) fn request(method: Method, url: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(url);
    request.body(Full::new(body.into())).expect("a URL makes a request")
}

/// A request that presents a token.
pub(crate) fn presenting(ait: &str, url: &str) -> Request<Full<Bytes>> {
    let mut request = request(Method::GET, url, Bytes::new());
    let claw = format!("Claw {ait}").parse().expect("a token makes a header");
    request.headers_mut().insert(http::header::AUTHORIZATION, claw);
    request
}
