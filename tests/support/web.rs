//! A plain HTTP client.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::time::timeout;

use crate::process::PATIENCE;

/// A whole response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}"));
        value.to_str().unwrap()
    }

    /// Status and code of an error.
    pub(crate) fn error(&self) -> (u16, String) {
        let code = self.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
        (self.status.as_u16(), code)
    }

    /// Asserts that this is exactly such an error, with nothing beside it, naming the request as the header does.
    #[track_caller]
    pub(crate) fn assert_error(&self, status: u16, code: &str, message: &str) {
        let id = self.header("x-request-id");
        let envelope = serde_json::json!({ "error": { "code": code, "message": message, "requestId": id } });
        assert_eq!((self.status.as_u16(), self.json()), (status, envelope));
        assert_eq!(self.header("content-type"), "application/json");
    }
}

/// Sends a request, and reads the response to its end.
pub(crate) async fn call(method: Method, url: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let request = request(method, url, headers).body(Full::from(body.to_owned())).unwrap();
    let exchange = async {
        let (parts, body) = send(request).await.into_parts();
        Reply {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.expect("the body comes whole").to_bytes(),
        }
    };
    timeout(PATIENCE, exchange).await.expect("an answer comes in time")
}

/// Sends a request over a connection of its own, and returns the response as soon as its head is there.
pub(crate) async fn send<B>(request: Request<B>) -> Response<Incoming>
where
    B: http_body::Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + Unpin + 'static,
{
    let client = Client::builder(TokioExecutor::new()).build_http();
    timeout(PATIENCE, client.request(request))
        .await
        .expect("an answer comes in time")
        .expect("there is an answer")
}

pub(crate) fn request(method: Method, url: &str, headers: &[(&str, &str)]) -> http::request::Builder {
    let request = Request::builder().method(method).uri(url);
    headers
        .iter()
        .fold(request, |request, (name, value)| request.header(*name, *value))
}
