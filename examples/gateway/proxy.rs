//! The reverse proxy: passes admitted requests on, bodies as they come, in both directions.
//!
//! The layer ends a response on its way when its agent is revoked. A connection that was upgraded (a WebSocket) becomes a
//! tunnel of bytes that nobody looks into any more: closing that is the proxy's to do, told by the request's guard.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode, Version};
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tower_revocation::RevocationGuard;

use crate::base::Base;
use crate::console::{Record, Stream};
use crate::envelope::ErrorReply;
use crate::hop;

/// Passes requests on to one upstream: over HTTP/1.1 and pooled connections; gRPC over HTTP/2, without negotiation.
#[derive(Clone)]
pub(crate) struct Proxy {
    http1: Client<HttpConnector, Body>,
    http2: Client<HttpConnector, Body>,
    upstream: Base,
    /// Of what streams there are.
    record: Record,
}

impl Proxy {
    pub(crate) fn new(upstream: Base, record: Record) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        Self {
            http1: Client::builder(TokioExecutor::new()).build(connector.clone()),
            // All calls share a connection: those that nobody reads must leave room in it for the others, and one that is dead must
            // not hold them all.
            http2: Client::builder(TokioExecutor::new())
                .http2_only(true)
                .http2_initial_stream_window_size(STREAM_WINDOW)
                .http2_initial_connection_window_size(STREAM_WINDOW * 256)
                .http2_keep_alive_interval(KEEP_ALIVE)
                .timer(TokioTimer::new())
                .build(connector),
            upstream,
            record,
        }
    }

    /// The request as it goes to the upstream. `None` if it is none that can be passed on (`CONNECT`, `OPTIONS *`).
    fn outgoing(&self, request: Request, peer: SocketAddr) -> Option<Request> {
        let target = request.uri().path_and_query()?;
        let uri = self.upstream.join(target.as_str())?;
        let version = upstream_version(&request);
        let (mut parts, body) = request.into_parts();
        hop::prepare_request(&mut parts, peer, version);
        let mut outgoing = Request::new(body);
        *outgoing.version_mut() = version;
        *outgoing.method_mut() = parts.method;
        *outgoing.uri_mut() = uri;
        *outgoing.headers_mut() = parts.headers;
        Some(outgoing)
    }

    async fn send(&self, outgoing: Request) -> Result<http::Response<Incoming>, Error> {
        match outgoing.version() {
            Version::HTTP_2 => self.http2.request(outgoing).await,
            _ => self.http1.request(outgoing).await,
        }
    }
}

/// `UNAVAILABLE`. In headers alone, which is what clients call again after, only if nothing has reached the upstream; otherwise behind
/// headers: it may have done what it was asked.
fn grpc_upstream_away(is_untouched: bool) -> Response {
    let status = [("grpc-status", "14"), ("grpc-message", "the upstream does not answer")];
    let status = status.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    let mut response = Response::default();
    match is_untouched {
        true => response.headers_mut().extend(status),
        false => {
            let trailers = tokio_stream::iter([Ok::<Frame<Bytes>, Infallible>(Frame::trailers(
                status.into_iter().collect(),
            ))]);
            *response.body_mut() = Body::new(StreamBody::new(trailers));
        }
    }
    let content_type = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// gRPC is HTTP/2 from end to end: only there are its trailers certain to arrive. gRPC-Web is for those who have none.
fn upstream_version(request: &Request) -> Version {
    let content_type = request
        .headers()
        .get(CONTENT_TYPE)
        .map_or(&b""[..], HeaderValue::as_bytes);
    let family = content_type
        .split(|byte| b"+; ".contains(byte))
        .next()
        .unwrap_or_default();
    match request.version() == Version::HTTP_2 && family.eq_ignore_ascii_case(b"application/grpc") {
        true => Version::HTTP_2,
        false => Version::HTTP_11,
    }
}

/// Handles one request.
pub(crate) async fn forward(
    State(proxy): State<Proxy>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Response {
    // What an error names the request by.
    let extensions = request.extensions().clone();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let client_side = hop::upgrade(request.headers(), request.version()).map(|_| hyper::upgrade::on(&mut request));
    let Some(outgoing) = proxy.outgoing(request, peer) else {
        return NOT_FORWARDABLE.into_response(&extensions);
    };
    let is_grpc = outgoing.version() == Version::HTTP_2;
    let response = match proxy.send(outgoing).await {
        Ok(response) => response,
        Err(error) => {
            tracing::debug!(error = &error as &dyn std::error::Error, "upstream does not answer");
            return match is_grpc {
                true => grpc_upstream_away(error.is_connect()),
                false => UPSTREAM_AWAY.into_response(&extensions),
            };
        }
    };
    let stream = Stream::new(proxy.record, method, uri, &extensions);
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return incoming(response).map(|body| Body::new(stream.beside(body)));
    }
    // No tunnel that nobody could close.
    let guard = extensions.get::<RevocationGuard>().cloned();
    match (client_side, hop::upgrade(response.headers(), response.version()), guard) {
        (Some(client_side), Some(protocol), Some(guard)) => switch(response, client_side, protocol, guard, stream),
        _ => UPSTREAM_AWAY.into_response(&extensions),
    }
}

/// Answers that protocols are switched, and connects the two sides once both have done so, until the agent is revoked.
fn switch<B>(
    mut response: http::Response<B>,
    client_side: OnUpgrade,
    protocol: HeaderValue,
    guard: RevocationGuard,
    mut stream: Stream,
) -> Response {
    let upstream_side = hyper::upgrade::on(&mut response);
    tokio::spawn(async move {
        stream.show();
        // When this is dropped, the tunnel is closed.
        let _stream = stream;
        tokio::select! {
            ended = tunnel(client_side, upstream_side) => {
                if let Err(error) = ended {
                    tracing::debug!(error = &*error, "tunnel broke");
                }
            }
            // Both connections close where they are: there is no telling what a last word would be in there.
            _why = guard.revoked() => tracing::debug!("tunnel closed: its agent was revoked"),
        }
    });
    let mut response = incoming(response).map(|_| Body::empty());
    hop::set_upgrade(response.headers_mut(), protocol);
    response
}

async fn tunnel(client: OnUpgrade, upstream: OnUpgrade) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (client, upstream) = tokio::try_join!(client, upstream)?;
    tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(upstream)).await?;
    Ok(())
}

/// The response as it goes to the client.
fn incoming<B>(response: http::Response<B>) -> http::Response<B> {
    let (mut parts, body) = response.into_parts();
    hop::prepare_response(&mut parts.headers, parts.version);
    let mut response = http::Response::new(body);
    *response.status_mut() = parts.status;
    *response.headers_mut() = parts.headers;
    response
}

const UPSTREAM_AWAY: ErrorReply = ErrorReply::new(
    StatusCode::BAD_GATEWAY,
    "PROXY_UPSTREAM_UNAVAILABLE",
    "Upstream does not answer",
);

const NOT_FORWARDABLE: ErrorReply = ErrorReply::new(
    StatusCode::NOT_IMPLEMENTED,
    "PROXY_REQUEST_NOT_FORWARDABLE",
    "Requests of this form are not forwarded",
);

/// How long a connection to the upstream may take to come about. Its answer may take as long as it likes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// In bytes.
const STREAM_WINDOW: u32 = 256 << 10;
const KEEP_ALIVE: Duration = Duration::from_secs(10);
