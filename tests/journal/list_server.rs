//! A list in the open format, as a server of lists signed it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::Empty;
use tower::{Service, ServiceExt, service_fn};
use tower_revocation::crl::Poller;
use tower_revocation::crl::open::OpenList;
use tower_revocation::list_server::{ListPayload, ListServer, Signer};
use tower_revocation::{EventSink, InForce, Key, Statement, Subject, Verdict};

use crate::support::{Process, ago, new_directory, until_closed};

const ISSUER: &str = "https://auth.example.com";

async fn in_force() -> Result<InForce, std::io::Error> {
    Ok(InForce {
        statements: vec![Statement::block(Subject::session("s-1")).at(ago(3600))],
        covers: Vec::new(),
    })
}

/// A poller of a server that signs with this key, and that may be away.
fn poller(
    sink: &EventSink,
    pem: &str,
    is_away: &Arc<AtomicBool>,
) -> Poller<
    impl Service<Request<Empty<Bytes>>, Response = Response<ListPayload>, Error = Infallible, Future: Send> + Send + use<>,
    OpenList,
> {
    let server = ListServer::new(ISSUER, Signer::from_pem(pem).unwrap(), in_force);
    let is_away = Arc::clone(is_away);
    let client = service_fn(move |request: Request<Empty<Bytes>>| {
        let (server, is_away) = (server.clone(), is_away.load(Ordering::Relaxed));
        async move {
            let mut response = server.oneshot(request).await?;
            if is_away {
                *response.status_mut() = StatusCode::BAD_GATEWAY;
            }
            Ok(response)
        }
    });
    let [list, keys] = ["/", "/jwks.json"].map(Uri::from_static);
    Poller::new(client, OpenList::new(ISSUER), list, keys, sink.clone())
}

#[tokio::test]
async fn is_in_force_after_a_restart_while_its_issuer_is_away() {
    let (directory, is_away) = (new_directory(), Arc::new(AtomicBool::new(false)));
    // No test here makes a key before a journal is open.
    let process = Process::start(directory.path());
    let pem = Signer::generate().unwrap().to_pem();
    let running = tokio::spawn(poller(&process.sink, &pem, &is_away).run());
    process.sink.refreshed().await;
    assert_eq!(process.sink.status().poll.last_error, None);
    let iat = process.sink.status().snapshot.unwrap().iat;
    running.abort();
    let _ = running.await;
    drop(process);
    until_closed(directory.path());

    is_away.store(true, Ordering::Relaxed);
    let process = Process::start(directory.path());
    let running = tokio::spawn(poller(&process.sink, &pem, &is_away).run());
    process.sink.refreshed().await;
    assert!(process.sink.is_ready() && process.is_revoked(Key::session("s-1")));
    assert_eq!(process.decide(Key::session("s-2")), Verdict::Admit);
    let status = process.sink.status();
    assert_eq!(status.snapshot.unwrap().iat, iat);
    assert!(status.poll.last_error.unwrap().contains("status 502"));
    // Back, by another key, after a restart of its own.
    is_away.store(false, Ordering::Relaxed);
    running.abort();
    let _ = running.await;
    let pem = Signer::generate().unwrap().to_pem();
    let running = tokio::spawn(poller(&process.sink, &pem, &is_away).run());
    process.sink.refreshed().await;
    let status = process.sink.status();
    assert_eq!(status.poll.last_error, None);
    assert!(status.snapshot.unwrap().iat >= iat && process.is_revoked(Key::session("s-1")));
    running.abort();
}
