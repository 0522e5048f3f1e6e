//! What `verifiers/run` compares verifiers of others with: a server that reads tokens where SECURITY.md says they are read, one place to
//! a path, and answers as the layer does if no more than this is revoked.
//!
//! `POST /revoked` says what is: a JSON array of `["sub", "id"]` for a block and `["sub", "id", seconds]` for a cut-off. All other
//! requests are put to the layer: 200 is admitted with a credential, and a refusal says why in its body, so that a request without a
//! credential can be told from one that is revoked. It prints where it listens, and serves until it is killed.

#![expect(clippy::print_stdout, reason = "whoever started it wants to know where it is")]

use std::convert::Infallible;
use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;
use axum::routing::post;
use axum::{Json, Router};
use http::header::AUTHORIZATION;
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt, service_fn};
use tower_revocation::identify::{self, Jwt};
use tower_revocation::{Anonymous, DomainConfig, Key, ListPolicy, Revocation, RevocationLayer, Timestamp};

type Revoked = Arc<Mutex<Vec<Revocation>>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let app = Router::new().route("/revoked", post(revoke)).fallback(read);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("listening http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app.with_state(Revoked::default())).await?)
}

async fn revoke(State(revoked): State<Revoked>, Json(statements): Json<Vec<Statement>>) -> StatusCode {
    let Some(all) = statements.iter().map(Statement::revocation).collect() else {
        return StatusCode::BAD_REQUEST;
    };
    *revoked.lock().unwrap_or_else(PoisonError::into_inner) = all;
    StatusCode::NO_CONTENT
}

async fn read(State(revoked): State<Revoked>, request: Request) -> Result<Response, StatusCode> {
    let jwt = match request.uri().path() {
        "/header" => identify::jwt(AUTHORIZATION, "Bearer"),
        "/other" => identify::jwt(HeaderName::from_static("x-token"), ""),
        "/cookie" => Jwt::new().with_cookie("session"),
        "/query" => Jwt::new().with_query("access_token"),
        _ => return Err(StatusCode::NOT_FOUND),
    };
    let config = DomainConfig::new().with_lists(ListPolicy::NotUsed);
    let (layer, sink) = RevocationLayer::pair_with(config, jwt);
    for revocation in revoked.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        let applied = sink.apply(*revocation).and_then(|applied| applied.wait());
        applied.map_err(|_| StatusCode::INSUFFICIENT_STORAGE)?;
    }
    let admitted = service_fn(async |_: Request| Ok::<_, Infallible>(Response::new(Body::empty())));
    let answer = layer
        .with_anonymous(Anonymous::Challenge)
        .layer(admitted)
        .oneshot(request)
        .await;
    let Ok(answer) = answer;
    Ok(answer.map(Body::new))
}

/// A claim, its value, and the second up to which it is cut off; without one it is blocked.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Statement {
    Block(String, String),
    CutOff(String, String, u64),
}

impl Statement {
    fn revocation(&self) -> Option<Revocation> {
        let (Self::Block(claim, id) | Self::CutOff(claim, id, _)) = self;
        let key = match claim.as_str() {
            "jti" => Key::token(id),
            "sid" => Key::session(id),
            "sub" => Key::subject(id),
            _ => return None,
        };
        Some(match self {
            Self::Block(..) => Revocation::block(key),
            Self::CutOff(_, _, secs) => Revocation::cut_off(key).at(Timestamp::from_unix_secs(*secs)),
        })
    }
}
