//! The layer over HTTP/3: `axum-h3` on quinn, and h3's own client. Which adapters make a reset of a cut is told in `docs/LIMITS.md`.

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::{Buf, Bytes};
use futures_util::stream;
use h3::error::{Code, StreamError};
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::time::timeout;
use tower_revocation::{Cut, EventSink, Key, LastWords, Revocation, RevocationLayer, identify};

use crate::support::list_of_now;

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

/// A body of one piece, or of none. Mallory is revoked while the next one is waited for, at once.
fn cut_behind(piece: Option<&'static str>, sink: EventSink) -> Body {
    let mut pieces = piece.into_iter();
    Body::from_stream(stream::poll_fn(move |_| match pieces.next() {
        Some(piece) => Poll::Ready(Some(Ok::<_, std::io::Error>(Bytes::from(piece)))),
        None => {
            revoke(&sink);
            Poll::Pending
        }
    }))
}

struct Server {
    address: SocketAddr,
    certificate: CertificateDer<'static>,
    sink: EventSink,
}

fn serve() -> Server {
    let (layer, sink) = RevocationLayer::pair(identify::jwt(AUTHORIZATION, "Bearer"));
    sink.install(list_of_now()).unwrap();
    let [no_piece, a_piece, events] = [(); 3].map(|()| sink.clone());
    let router = Router::new()
        .route("/no-piece", get(async move || cut_behind(None, no_piece)))
        .route("/a-piece", get(async move || cut_behind(Some("half"), a_piece)))
        .route(
            "/events",
            get(async move || {
                (
                    [(CONTENT_TYPE, "text/event-stream")],
                    cut_behind(Some("data: 1\n\n"), events),
                )
            }),
        )
        .layer(layer.with_cut(Cut::With(&[LastWords::EVENT_STREAM])));
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).unwrap();
    let certificate = certificate.cert.der().clone();
    let mut tls = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    let config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).unwrap()));
    let endpoint = quinn::Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = endpoint.local_addr().unwrap();
    let acceptor = h3_util::quinn::H3QuinnAcceptor::new(endpoint);
    tokio::spawn(async move { axum_h3::H3Router::new(router).serve(acceptor).await });
    Server {
        address,
        certificate,
        sink,
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A status, the bytes that came, and how the stream ended.
type Seen = (u16, String, Result<(), Code>);

impl Server {
    /// What mallory sees; or how the stream ended without a head.
    async fn ask(&self, path: &str) -> Result<Seen, Code> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let mut tls = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"h3".to_vec()];
        let mut endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        endpoint.set_default_client_config(config);
        let connection = endpoint.connect(self.address, "localhost").unwrap().await.unwrap();
        let (mut driver, mut client) = h3::client::new(h3_quinn::Connection::new(connection)).await.unwrap();
        tokio::spawn(async move { poll_fn(|context| driver.poll_close(context)).await });
        let request = Request::get(format!("https://localhost{path}")).header(AUTHORIZATION, MALLORY);
        let mut stream = client.send_request(request.body(()).unwrap()).await.unwrap();
        stream.finish().await.unwrap();
        let head = timeout(PATIENCE, stream.recv_response()).await.unwrap().map_err(code)?;
        let mut body = Vec::new();
        let end = loop {
            match timeout(PATIENCE, stream.recv_data()).await.unwrap() {
                Ok(Some(mut piece)) => body.extend_from_slice(&piece.copy_to_bytes(piece.remaining())),
                Ok(None) => break Ok(()),
                Err(error) => break Err(code(error)),
            }
        };
        Ok((head.status().as_u16(), String::from_utf8(body).unwrap(), end))
    }
}

fn code(error: StreamError) -> Code {
    match error {
        StreamError::RemoteTerminate { code, .. } => code,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_cut_is_a_reset_behind_the_head() {
    let seen = serve().ask("/no-piece").await;
    assert_eq!(seen, Ok((200, String::new(), Err(Code::H3_INTERNAL_ERROR))));
}

#[tokio::test]
async fn a_cut_is_a_reset_behind_the_last_piece() {
    let seen = serve().ask("/a-piece").await;
    assert_eq!(seen, Ok((200, "half".to_owned(), Err(Code::H3_INTERNAL_ERROR))));
}

#[tokio::test]
async fn last_words_are_an_end() {
    let seen = serve().ask("/events").await;
    assert_eq!(seen, Ok((200, "data: 1\n\nretry: 10000\n\n".to_owned(), Ok(()))));
}

#[tokio::test]
async fn a_refusal_is_an_answer() {
    let server = serve();
    revoke(&server.sink);
    let (status, body, end) = server.ask("/no-piece").await.unwrap();
    assert_eq!((status, end), (401, Ok(())));
    assert!(body.contains("the credential was revoked"), "{body}");
}
