//! The example issuer, as a process of its own, before the example gateway.

use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;
use tokio::time::sleep;
use tower_revocation::Timestamp;
use tower_revocation::source::redis::{RedisSource, redis};
use tower_revocation::source::{Delivery, EventSource, Signal, Start};

use crate::limit::in_time;
use crate::process::{Gateway, command_of, eventually, program};
use crate::published::Published;
use crate::server::RedisServer;

const SOURCE: &str = "https://auth.example.com";
const TOKEN: &str = "keep-this-one-secret";

/// A running issuer; killed when dropped.
struct IssuerProcess {
    child: Child,
    url: String,
}

impl IssuerProcess {
    async fn start(queue: &str, home: &TempDir) -> Self {
        let mut command = command_of(program("issuer"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--token", TOKEN, "--queue", queue]);
        command
            .args(["--heartbeat", "200ms", "--state-dir"])
            .arg(home.path().join("issuer"));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let line = BufReader::new(stdout).lines().next_line().await.unwrap();
        let line = line.expect("the issuer keeps running");
        let url = line.strip_prefix("issuer ").expect("it says where it is").to_owned();
        Self { child, url }
    }

    async fn call(&self, method: Method, path: &str, token: &str, body: Value) -> Option<(StatusCode, Value)> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/{path}", self.url))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .unwrap();
        let answer = Client::builder(TokioExecutor::new())
            .build_http()
            .request(request)
            .await
            .ok()?;
        let status = answer.status();
        let body = answer.into_body().collect().await.ok()?.to_bytes();
        Some((status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    async fn revoke(&self, kind: &str, id: &str) -> Option<String> {
        let (status, answer) = self
            .call(Method::POST, "revoke", TOKEN, json!({ "kind": kind, "id": id }))
            .await?;
        assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
        Some(answer["id"].as_str().unwrap().to_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_revokes_the_gateway_refuses() {
    in_time(async {
        let (server, home) = (RedisServer::start().await, TempDir::new().unwrap());
        let queue = format!("{}/revocations", server.url());
        let issuer = IssuerProcess::start(&queue, &home).await;
        let gateway = Gateway::start(&["--queue", &queue, "--format", "revocation", "--issuer-source", SOURCE])
            .await
            .ready()
            .await;
        let agent = gateway.register().await;
        assert_eq!(gateway.ask(&agent.ait).await.status, 200);

        // By the command line, as a newcomer would.
        let said = command_of(program("issuer"))
            .args([
                "revoke",
                "subject",
                &agent.did,
                "--for",
                "1h",
                "--token",
                TOKEN,
                "--url",
                &issuer.url,
            ])
            .output()
            .await
            .unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        eventually(async || (gateway.ask(&agent.ait).await.status == 401).then_some(())).await;

        let (_, list) = issuer.call(Method::GET, "list", TOKEN, Value::Null).await.unwrap();
        assert_eq!(list["statements"][0]["data"]["keys"][0]["id"], *agent.did);
        assert_eq!(list["covers"][0]["n"], "1");
        for (token, status) in [("another-token-of-somebody", 401), (TOKEN, 200)] {
            let (answered, _) = issuer.call(Method::GET, "status", token, Value::Null).await.unwrap();
            assert_eq!(answered, status);
        }
        let unknown = issuer
            .call(Method::POST, "revoke", TOKEN, json!({ "kind": "nonsense" }))
            .await;
        assert_eq!(unknown.unwrap().0, StatusCode::BAD_REQUEST);
    })
    .await;
}

/// What the door answered for is published, in one log, whatever moment the process is killed at.
#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_it_loses_nothing() {
    in_time(async {
        let (server, home) = (RedisServer::start().await, TempDir::new().unwrap());
        let queue = format!("{}/revocations", server.url());
        let (mut asked, mut answered) = (Vec::new(), Vec::new());
        for round in 0..12 {
            let mut issuer = IssuerProcess::start(&queue, &home).await;
            let stating = async {
                for turn in 0.. {
                    let name = format!("{round}-{turn}");
                    asked.push(name.clone());
                    if issuer.revoke("session", &name).await.is_some() {
                        answered.push(name);
                    }
                }
            };
            let moment = Duration::from_micros(fastrand::u64(1_000..150_000));
            let _ = tokio::time::timeout(moment, stating).await;
            issuer.child.kill().await.unwrap();
        }
        let issuer = IssuerProcess::start(&queue, &home).await;
        eventually(async || {
            let (_, status) = issuer.call(Method::GET, "status", TOKEN, Value::Null).await?;
            (status["pending"] == 0).then_some(())
        })
        .await;
        let mut source = RedisSource::new(redis::Client::open(server.url()).unwrap(), "revocations");
        source.open(&Start::since(Timestamp::default())).await.unwrap();
        let mut messages = Vec::new();
        loop {
            match source.next().await.unwrap() {
                Signal::Message(delivery) => messages.push(delivery.payload().to_vec()),
                Signal::CaughtUp => break,
                _ => sleep(Duration::from_millis(1)).await,
            }
        }
        let published = Published::read(SOURCE, messages);
        let statements = published.statements();
        let there: Vec<_> = statements.values().map(|said| said.subjects()[0].id()).collect();
        println!("{} answered, {} published", answered.len(), there.len());
        assert!(
            answered.iter().all(|name| there.contains(&&**name)),
            "something is lost"
        );
        assert!(
            there.iter().all(|name| asked.iter().any(|asked| asked == name)),
            "something is made up"
        );
        assert!(answered.len() > 12);
        assert_eq!(published.logs.len(), 1);
    })
    .await;
}
