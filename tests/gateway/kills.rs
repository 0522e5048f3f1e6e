//! A gateway that is killed again and again while events come in.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::process::{Agent, Gateway, answered};
use crate::registry::closed;
use crate::restart::{Kept, revocation};
use crate::web::request;

/// Neither registry nor queue is there when it starts again: all that it knows is what it kept.
#[tokio::test]
async fn no_event_that_was_answered_for_is_forgotten_by_two_hundred_kills() {
    let kept = Kept::new().await;
    let mut waiting = VecDeque::new();
    for _ in 0..AGENTS {
        waiting.push_back(kept.registry.register().await);
    }
    let waiting = Mutex::new(waiting);
    // With a list of its own, and after that alone in the world.
    let registry = closed().await;
    let mut random = fastrand::Rng::with_seed(4);
    let mut revoked: Vec<Agent> = Vec::new();
    for round in 0..KILLS {
        if round % 5 == 4 {
            let directory = kept.path().to_str().unwrap();
            let arguments = [
                "--registry",
                &registry,
                "--issuer",
                crate::registry::ISSUER,
                "--state-dir",
                directory,
            ];
            let moment = Duration::from_micros(random.u64(0..40_000));
            Gateway::start_and_kill(&arguments, moment).await;
            continue;
        }
        let gateway = kept.start(&registry, &[]).await;
        let client = client();
        // The newest, which are the likeliest to be lost, and some of all others.
        let newest = revoked.iter().rev().take(40);
        let others = (0..20).filter_map(|_| random.choice(&revoked));
        let asked: Vec<_> = newest.chain(others).chain([&kept.by_list, &kept.by_event]).collect();
        assert_refused(&client, &gateway.gateway, &asked).await;
        assert_eq!(
            ask(&client, &gateway.gateway, &kept.healthy).await,
            Some(StatusCode::OK)
        );

        // Several at a time, until one of their answers is its last.
        let last = random.usize(0..30);
        let answered = Mutex::new(Vec::new());
        let (full, admin) = (tokio::sync::Notify::new(), gateway.admin.clone());
        let revoke = async || {
            loop {
                let Some(agent) = waiting.lock().unwrap().pop_front() else {
                    return;
                };
                match post(&client, &admin, &agent).await {
                    Some(StatusCode::OK) => {
                        let mut answered = answered.lock().unwrap();
                        answered.push(agent);
                        if answered.len() >= last {
                            full.notify_one();
                        }
                    }
                    // Nobody knows what became of it: a queue delivers it again.
                    _ => return waiting.lock().unwrap().push_back(agent),
                }
            }
        };
        let all = join_all((0..8).map(|_| revoke()));
        let kill = async {
            full.notified().await;
            gateway.kill().await;
        };
        tokio::join!(all, kill);
        revoked.append(&mut answered.into_inner().unwrap());
    }
    let gateway = kept.start(&registry, &[]).await;
    let all: Vec<_> = revoked.iter().collect();
    assert!(all.len() > 1_000, "{} revoked", all.len());
    assert_refused(&client(), &gateway.gateway, &all).await;
}

/// It used to leave a file that was no database yet, and every later start refused it.
#[tokio::test]
async fn a_first_start_that_is_killed_is_begun_again() {
    let registry = closed().await;
    let mut random = fastrand::Rng::with_seed(5);
    for _ in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let arguments = ["--registry", &registry, "--state-dir", path.to_str().unwrap()];
        for _ in 0..3 {
            let moment = Duration::from_micros(random.u64(0..20_000));
            Gateway::start_and_kill(&arguments, moment).await;
        }
        let gateway = Gateway::start(&arguments).await;
        assert_eq!(gateway.status().await["journal"]["durable"], true);
    }
}

async fn assert_refused(client: &HttpClient, gateway: &str, agents: &[&Agent]) {
    for agent in agents {
        let status = ask(client, gateway, agent).await;
        assert_eq!(status, Some(StatusCode::UNAUTHORIZED), "{}", agent.did);
    }
}

async fn ask(client: &HttpClient, gateway: &str, agent: &Agent) -> Option<StatusCode> {
    let claw = format!("Claw {}", agent.ait);
    let request = request(Method::GET, &format!("{gateway}/hello"), &[("authorization", &claw)]);
    exchange(client, request.body(Full::default()).unwrap()).await
}

async fn post(client: &HttpClient, admin: &str, agent: &Agent) -> Option<StatusCode> {
    let request = request(Method::POST, &format!("{admin}/events"), &[]);
    exchange(client, request.body(Full::from(revocation(&agent.did))).unwrap()).await
}

/// `None` if there was no answer: the gateway is dead.
async fn exchange(client: &HttpClient, request: Request<Full<Bytes>>) -> Option<StatusCode> {
    answered(async {
        let response = client.request(request).await.ok()?;
        let status = response.status();
        response.into_body().collect().await.ok()?;
        Some(status)
    })
    .await
}

type HttpClient = Client<HttpConnector, Full<Bytes>>;

fn client() -> HttpClient {
    Client::builder(TokioExecutor::new()).build_http()
}

const KILLS: usize = 200;

/// More than are revoked in all rounds.
const AGENTS: usize = 3_000;
