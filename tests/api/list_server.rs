//! Serving lists, and gateways that take them.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::time::sleep;
use tower::{Service, ServiceExt, service_fn};
use tower_revocation::crl::open::{ListContents, OpenList};
use tower_revocation::crl::{DEFAULT_FAST_PACE, KEYS_MAX_AGE, ListFormat, ListSource, Poller};
use tower_revocation::list_server::{DEFAULT_KEY_OVERLAP, DEFAULT_LIFETIME, ListPayload, ListServer, Signer};
use tower_revocation::{EventSink, InForce, RevocationLayer, Statement, Subject, Timestamp};

use crate::support::{ByHeader, by_header, status_of};

const ISSUER: &str = "https://auth.example.com";

/// Blocked subjects, and how the next questions fail.
#[derive(Clone, Default)]
struct Issuer {
    blocked: Arc<Mutex<Vec<&'static str>>>,
    failures: Arc<Mutex<VecDeque<&'static str>>>,
    asked: Arc<AtomicUsize>,
}

impl Issuer {
    fn of(blocked: &[&'static str]) -> Self {
        let issuer = Self::default();
        issuer.block(blocked);
        issuer
    }

    fn block(&self, blocked: &[&'static str]) {
        *self.blocked.lock().unwrap() = blocked.to_vec();
    }

    fn will(&self, how: &'static str) {
        self.failures.lock().unwrap().push_back(how);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl ListSource for Issuer {
    type Error = std::io::Error;

    async fn in_force(&self) -> Result<InForce, Self::Error> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let failure = self.failures.lock().unwrap().pop_front();
        match failure {
            None => {}
            Some("hang") => pending().await,
            Some("wait") => sleep(Duration::from_millis(300)).await,
            Some("panic") => panic!("no column of this name"),
            Some(error) => return Err(std::io::Error::other(error)),
        }
        let at = Timestamp::from_unix_secs(1_700_000_000);
        let block = |id: &&str| Statement::block(Subject::subject(id)).at(at);
        Ok(InForce {
            statements: self.blocked.lock().unwrap().iter().map(block).collect(),
            covers: Vec::new(),
        })
    }
}

fn server(issuer: &Issuer) -> ListServer<Issuer> {
    server_with(issuer, Signer::generate().unwrap())
}

fn server_with(issuer: &Issuer, signer: Signer) -> ListServer<Issuer> {
    ListServer::new(ISSUER, signer, issuer.clone())
}

async fn ask(server: &ListServer<Issuer>, request: http::request::Builder) -> (Response<()>, Bytes) {
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let response = server.clone().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    (Response::from_parts(head, ()), body.collect().await.unwrap().to_bytes())
}

async fn get(server: &ListServer<Issuer>) -> (Response<()>, Bytes) {
    ask(server, Request::get("/")).await
}

fn header<'r>(response: &'r Response<()>, name: &str) -> Option<&'r str> {
    Some(response.headers().get(name)?.to_str().unwrap())
}

/// What a list says, which the keys of this server have to verify.
async fn read(server: &ListServer<Issuer>, file: &[u8]) -> ListContents {
    let (response, keys) = ask(server, Request::get("/jwks.json")).await;
    assert_eq!(response.status(), 200);
    let format = OpenList::new(ISSUER);
    let keys = format.read_keys(&keys).unwrap();
    format.read_contents(file, &keys, Timestamp::now()).unwrap()
}

fn subjects(contents: &ListContents) -> Vec<&str> {
    contents
        .in_force
        .statements
        .iter()
        .map(|said| said.subjects()[0].id())
        .collect()
}

/// A gateway that takes its list from this client.
fn gateway<C, B>(client: C) -> (RevocationLayer<ByHeader>, EventSink)
where
    C: Service<Request<Empty<Bytes>>, Response = Response<B>, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + 'static,
    C::Future: Send,
    B: http_body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let (layer, sink) = RevocationLayer::pair(by_header as ByHeader);
    poll(client, &sink);
    (layer, sink)
}

fn poll<C, B>(client: C, sink: &EventSink) -> tokio::task::JoinHandle<Infallible>
where
    C: Service<Request<Empty<Bytes>>, Response = Response<B>, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + 'static,
    C::Future: Send,
    B: http_body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let uris = ["/", "/jwks.json"].map(Uri::from_static);
    let [list, keys] = uris;
    tokio::spawn(Poller::new(client, OpenList::new(ISSUER), list, keys, sink.clone()).run())
}

/// What is answered for the list.
type Answers = Arc<Mutex<Vec<StatusCode>>>;

/// A client of a server that notes what is answered for the list.
fn noted(
    server: &ListServer<Issuer>,
    answers: &Answers,
) -> impl Service<Request<Empty<Bytes>>, Response = Response<ListPayload>, Error = Infallible, Future: Send> + Send + use<>
{
    let (server, known) = (server.clone(), Arc::clone(answers));
    service_fn(move |request: Request<Empty<Bytes>>| {
        let (server, answers, is_list) = (server.clone(), Arc::clone(&known), request.uri().path() == "/");
        async move {
            let response = server.oneshot(request).await?;
            if is_list {
                answers.lock().unwrap().push(response.status());
            }
            Ok(response)
        }
    })
}

/// Over real sockets, with axum, as a newcomer would.
#[tokio::test]
async fn gateways_take_what_the_issuer_says() {
    let issuer = Issuer::of(&["mallory"]);
    let server = server(&issuer).with_look_gap(Duration::ZERO);
    let answers = Answers::default();
    let known = Arc::clone(&answers);
    let note = move |request: axum::extract::Request, next: axum::middleware::Next| {
        let known = Arc::clone(&known);
        async move {
            let is_list = request.uri().path() == "/revocations";
            let response = next.run(request).await;
            if is_list {
                known.lock().unwrap().push(response.status());
            }
            response
        }
    };
    let app = axum::Router::new()
        .nest_service("/revocations", server)
        .layer(axum::middleware::from_fn(note));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });

    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let uri = |path| format!("http://{address}/revocations{path}").parse().unwrap();
    let (layer, sink) = RevocationLayer::pair(by_header as ByHeader);
    let poller = Poller::new(client, OpenList::new(ISSUER), uri(""), uri("/jwks.json"), sink.clone());
    tokio::spawn(poller.run());
    sink.refreshed().await;
    assert_eq!(sink.status().poll.last_error, None);
    assert_eq!(status_of(&layer, "mallory").await, 401);
    assert_eq!(status_of(&layer, "alice").await, 200);
    sink.refreshed().await;
    assert_eq!(*answers.lock().unwrap(), [200, 304]);
    issuer.block(&["alice"]);
    sink.refreshed().await;
    assert_eq!(*answers.lock().unwrap(), [200, 304, 200]);
    assert_eq!(sink.status().poll.last_error, None);
    assert_eq!(status_of(&layer, "mallory").await, 200);
    assert_eq!(status_of(&layer, "alice").await, 401);
}

#[tokio::test]
async fn answers_as_http_wants_it() {
    let issuer = Issuer::of(&["mallory"]);
    let server = server(&issuer);
    let (response, list) = get(&server).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "content-type"), Some("application/octet-stream"));
    assert_eq!(header(&response, "cache-control"), Some("no-cache"));
    let etag = header(&response, "etag").unwrap().to_owned();
    assert!(etag.starts_with("W/\"") && etag.ends_with('"'), "{etag}");
    assert_eq!(subjects(&read(&server, &list).await), ["mallory"]);

    let (head, body) = ask(&server, Request::head("/")).await;
    assert_eq!((head.status(), body.len()), (StatusCode::OK, 0));
    assert_eq!(header(&head, "content-length"), Some(&*list.len().to_string()));
    assert_eq!(header(&head, "etag"), Some(&*etag));

    let strong = etag.trim_start_matches("W/");
    for (stated, expected) in [
        (etag.clone(), 304),
        (strong.to_owned(), 304),
        (format!("\"other\", {etag}"), 304),
        ("*".to_owned(), 304),
        ("\"other\"".to_owned(), 200),
        (String::new(), 200),
        (strong.trim_matches('"').to_owned(), 200),
    ] {
        let (response, body) = ask(&server, Request::get("/").header("if-none-match", &stated)).await;
        assert_eq!(response.status(), expected, "{stated}");
        assert_eq!(body.is_empty(), expected == 304);
        assert_eq!(header(&response, "etag"), Some(&*etag));
        assert_eq!(header(&response, "cache-control"), Some("no-cache"));
        let (response, body) = ask(&server, Request::head("/").header("if-none-match", &stated)).await;
        assert_eq!((response.status().as_u16(), body.len()), (expected, 0), "{stated}");
    }

    let (response, keys) = ask(&server, Request::get("/jwks.json")).await;
    assert_eq!(header(&response, "content-type"), Some("application/jwk-set+json"));
    let keys: serde_json::Value = serde_json::from_slice(&keys).unwrap();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
    for method in [Method::POST, Method::DELETE] {
        let (response, _) = ask(&server, Request::builder().method(method).uri("/")).await;
        assert_eq!(response.status(), 405);
        assert_eq!(header(&response, "allow"), Some("GET, HEAD"));
    }
    let (response, _) = ask(&server, Request::get("/other")).await;
    assert_eq!(response.status(), 404);
    let elsewhere = self::server(&issuer).with_paths("/v1/revocations", "/v1/keys");
    for (path, expected) in [
        ("/v1/revocations", 200),
        ("/v1/keys", 200),
        ("/", 404),
        ("/jwks.json", 404),
    ] {
        let (response, _) = ask(&elsewhere, Request::get(path)).await;
        assert_eq!(response.status(), expected, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_source_is_asked_once_for_all_who_come() {
    let issuer = Issuer::of(&["mallory"]);
    let server = server(&issuer);
    issuer.will("wait");
    let all: Vec<_> = (0..100)
        .map(|_| {
            let server = server.clone();
            tokio::spawn(async move { get(&server).await })
        })
        .collect();
    let mut lists = Vec::new();
    for one in all {
        lists.push(one.await.unwrap().1);
    }
    lists.dedup();
    assert_eq!((lists.len(), issuer.asked()), (1, 1));
    // Nine times as long as it took, since that is more than a second.
    sleep(Duration::from_millis(2600)).await;
    get(&server).await;
    assert_eq!(issuer.asked(), 1);
    sleep(Duration::from_millis(200)).await;
    get(&server).await;
    assert_eq!(issuer.asked(), 2);
    sleep(Duration::from_millis(900)).await;
    get(&server).await;
    assert_eq!(issuer.asked(), 2);
    sleep(Duration::from_millis(200)).await;
    get(&server).await;
    assert_eq!(issuer.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_waiting_has_it_asked_no_more_often() {
    let issuer = Issuer::of(&["mallory"]);
    let server = server(&issuer);
    issuer.will("wait");
    for _ in 0..10 {
        let _late = tokio::time::timeout(Duration::from_millis(10), get(&server))
            .await
            .unwrap_err();
    }
    assert_eq!(get(&server).await.0.status(), 200);
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_made_is_not_served() {
    let issuer = Issuer::of(&["mallory"]);
    let server = server(&issuer).with_timeout(Duration::from_secs(5));
    assert_eq!(get(&server).await.0.status(), 200);
    for failure in ["no connection", "hang", "panic"] {
        sleep(Duration::from_secs(60)).await;
        issuer.will(failure);
        let (response, _) = get(&server).await;
        assert_eq!(response.status(), 503, "{failure}");
        assert_eq!(header(&response, "retry-after"), Some("1"));
        assert_eq!(header(&response, "cache-control"), Some("no-store"));
        assert_eq!(header(&response, "etag"), None);
        let asked = issuer.asked();
        assert_eq!(get(&server).await.0.status(), 503);
        assert_eq!(issuer.asked(), asked, "not at once again");
        // Keys are served all the same.
        assert_eq!(ask(&server, Request::get("/jwks.json")).await.0.status(), 200);
        sleep(Duration::from_secs(60)).await;
        assert_eq!(get(&server).await.0.status(), 200, "after {failure}");
    }
    let small = self::server(&issuer).with_size_cap(28);
    assert_eq!(get(&small).await.0.status(), 503);
    assert_eq!(get(&self::server(&issuer).with_size_cap(29)).await.0.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn lists_grow_newer_and_a_restart_goes_on() {
    let issuer = Issuer::of(&["mallory"]);
    let pem = Signer::generate().unwrap().to_pem();
    let mut last = None;
    let mut etags = Vec::new();
    for _restart in 0..3 {
        let server = server_with(&issuer, Signer::from_pem(&pem).unwrap());
        for _look in 0..3 {
            let (response, list) = get(&server).await;
            etags.push(header(&response, "etag").unwrap().to_owned());
            let contents = read(&server, &list).await;
            assert!(last < Some(contents.issued_at), "{last:?}");
            last = Some(contents.issued_at);
            assert_eq!(
                contents.expires_at,
                Some(contents.issued_at.saturating_add(DEFAULT_LIFETIME))
            );
            sleep(Duration::from_secs(2)).await;
            // The clock that lists are dated by is not the one that is paused.
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    etags.dedup();
    assert_eq!(etags.len(), 1, "all of them say the same");
}

#[tokio::test(start_paused = true)]
async fn keys_are_changed_without_a_list_that_is_refused() {
    let issuer = Issuer::of(&["mallory"]);
    let server = server(&issuer);
    let answers = Answers::default();
    let (layer, sink) = gateway(noted(&server, &answers));
    sink.refreshed().await;
    let keys = |server: &ListServer<Issuer>| {
        let server = server.clone();
        async move {
            let (_, keys) = ask(&server, Request::get("/jwks.json")).await;
            let keys: serde_json::Value = serde_json::from_slice(&keys).unwrap();
            let keys = keys["keys"].as_array().unwrap().iter();
            keys.map(|key| key["kid"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        }
    };
    let first = keys(&server).await;
    let next = Signer::generate().unwrap();
    let second = next.kid().to_owned();
    server.rotate(next);
    assert_eq!(
        keys(&server).await,
        [first[0].clone(), second.clone()],
        "it is published before it signs"
    );
    let failures = async |how_long: Duration| {
        let until = tokio::time::Instant::now() + how_long;
        while tokio::time::Instant::now() < until {
            sleep(DEFAULT_FAST_PACE / 4).await;
            let status = sink.status();
            assert_eq!((status.poll.failures, status.poll.last_error), (0, None));
            assert_eq!(status_of(&layer, "mallory").await, 401);
        }
    };
    assert!(DEFAULT_KEY_OVERLAP > KEYS_MAX_AGE);
    failures(DEFAULT_KEY_OVERLAP - Duration::from_secs(60)).await;
    assert!(answers.lock().unwrap()[1..].iter().all(|status| *status == 304));
    failures(Duration::from_secs(180)).await;
    assert_eq!(
        keys(&server).await,
        [second.clone(), first[0].clone()],
        "the other one signs now"
    );
    let whole = answers.lock().unwrap().iter().filter(|status| **status == 200).count();
    assert_eq!(whole, 2, "one list by each key");
    failures(DEFAULT_LIFETIME).await;
    assert_eq!(
        keys(&server).await,
        [second],
        "nothing that the old one signed is good any more"
    );
}

#[tokio::test(start_paused = true)]
async fn keys_that_a_deployment_changes_are_published_by_it() {
    let issuer = Issuer::of(&["mallory"]);
    let (old, new) = (Signer::generate().unwrap(), Signer::generate().unwrap());
    let (old_key, new_key, new_pem) = (old.public_key(), new.public_key(), new.to_pem());
    let first = server_with(&issuer, old).with_published_key(new_key);
    let (_, by_old) = get(&first).await;
    let second = server_with(&issuer, Signer::from_pem(&new_pem).unwrap()).with_published_key(old_key);
    let (_, by_new) = get(&second).await;
    for server in [&first, &second] {
        for list in [&by_old, &by_new] {
            assert_eq!(subjects(&read(server, list).await), ["mallory"]);
        }
    }
    second.withdraw(Signer::generate().unwrap().kid());
    let format = OpenList::new(ISSUER);
    let keys = async || {
        format
            .read_keys(&ask(&second, Request::get("/jwks.json")).await.1)
            .unwrap()
    };
    assert_eq!(keys().await.len(), 2);
    let known: serde_json::Value = serde_json::from_slice(&ask(&second, Request::get("/jwks.json")).await.1).unwrap();
    second.withdraw(known["keys"][1]["kid"].as_str().unwrap());
    assert_eq!(keys().await.len(), 1);
}

/// A load balancer sends each request to another replica. With one list after the other that is older, gateways would refuse half of them.
#[tokio::test(start_paused = true)]
async fn several_replicas_of_an_issuer_are_one() {
    let issuer = Issuer::of(&[]);
    let pem = Signer::generate().unwrap().to_pem();
    let replicas = [(); 2].map(|()| server_with(&issuer, Signer::from_pem(&pem).unwrap()));
    let (turn, answers) = (Arc::new(AtomicUsize::new(0)), Answers::default());
    let known = Arc::clone(&answers);
    let client = service_fn(move |request: Request<Empty<Bytes>>| {
        let is_list = request.uri().path() == "/";
        let nth = turn.fetch_add(usize::from(is_list), Ordering::Relaxed) % 2;
        let (replica, answers) = (replicas[nth].clone(), Arc::clone(&known));
        async move {
            let response = replica.oneshot(request).await?;
            if is_list {
                answers.lock().unwrap().push(response.status());
            }
            Ok::<_, Infallible>(response)
        }
    });
    let (layer, sink) = RevocationLayer::pair(by_header as ByHeader);
    let names = ["alice", "bob", "carol", "dave"];
    for round in 0..names.len() {
        issuer.block(&names[..=round]);
        sleep(Duration::from_secs(2)).await;
        // Each of them knows nothing of what the one before it had.
        for _process in 0..4 {
            answers.lock().unwrap().clear();
            let running = poll(client.clone(), &sink);
            for _ in 0..3 {
                // The clock that lists are dated by is not the one that is paused.
                std::thread::sleep(Duration::from_millis(2));
                sink.refreshed().await;
                assert_eq!(sink.status().poll.last_error, None);
            }
            assert_eq!(*answers.lock().unwrap(), [200, 304, 304]);
            running.abort();
            assert!(running.await.unwrap_err().is_cancelled());
            sleep(Duration::from_secs(2)).await;
        }
        for (nth, name) in names.iter().enumerate() {
            let expected = if nth <= round { 401 } else { 200 };
            assert_eq!(status_of(&layer, name).await, expected, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn says_what_the_last_list_was_and_why_there_is_none() {
    let issuer = Issuer::of(&["u-1", "u-2"]);
    let server = server(&issuer);
    let status = server.status();
    assert_eq!(
        (status.generation, status.age_ms, status.last_error),
        (None, None, None)
    );
    get(&server).await;
    let status = server.status();
    assert_eq!((status.entries, status.last_error), (2, None));
    assert!(status.bytes > 0 && status.age_ms.is_some_and(|age| age < 60_000));
    let generation = status.generation.unwrap();

    issuer.will("no such table");
    tokio::time::advance(Duration::from_secs(11)).await;
    assert_eq!(get(&server).await.0.status(), 503);
    let status = server.clone().status();
    assert!(status.last_error.unwrap().contains("no such table"));
    assert_eq!(status.generation, Some(generation.clone()), "the last that was made");

    issuer.block(&["u-1"]);
    tokio::time::advance(Duration::from_secs(11)).await;
    get(&server).await;
    let status = server.status();
    assert_eq!((status.entries, status.last_error), (1, None));
    assert_ne!(status.generation, Some(generation));
}

/// The clock may have been set back, or two looks may be in one millisecond: a list never states a time after its look.
#[tokio::test(start_paused = true)]
async fn a_list_is_never_dated_after_its_look() {
    let issuer = Issuer::of(&["u-1"]);
    let server = server(&issuer).with_look_gap(Duration::ZERO);
    for _ in 0..50 {
        tokio::time::advance(Duration::from_secs(11)).await;
        let (_, file) = get(&server).await;
        let contents = read(&server, &file).await;
        assert!(contents.issued_at <= Timestamp::now());
    }
}
