//! The console's routes.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch as channel};
use tower_revocation::EventSink;

use super::door::{Door, ask_for_token, refuse_others};
use super::feed::Feed;
use super::page::Page;
use super::playground::{Action, Playground, Problem};
use super::record::{Record, ToTime};
use super::token::Token;
use super::watch;
use crate::caller::Doors;

/// The console. A cheap clone.
#[derive(Clone)]
pub(crate) struct Console {
    record: Record,
    now: channel::Sender<Arc<str>>,
    playground: Option<Playground>,
    places: Arc<Semaphore>,
    page: Page,
    door: Door,
    /// What comes after the address that is printed.
    fragment: String,
}

/// What it is made of.
pub(crate) struct Parts<'a> {
    /// The token, or one is made.
    pub(crate) token: Option<&'a str>,
    /// A further name that it may be reached by.
    pub(crate) host: Option<&'a str>,
    pub(crate) record: Record,
    pub(crate) to_time: ToTime,
    pub(crate) sink: EventSink,
    /// There only with the embedded registry.
    pub(crate) doors: Option<Doors>,
}

impl Console {
    /// Begins to look.
    pub(crate) fn start(parts: Parts<'_>) -> Self {
        let Parts { record, sink, .. } = parts;
        let playground = parts
            .doors
            .map(|doors| Playground::new(doors, record.clone(), sink.clone()));
        // One that is given is known to whoever gave it, and stays out of whatever keeps what we print.
        let (token, fragment) = match parts.token {
            Some(token) => (Token::of(token), String::new()),
            None => {
                let token = Token::random();
                // No browser sends it anywhere.
                (Token::of(&token), format!("#token={token}"))
            }
        };
        let now = channel::Sender::new(Arc::from(""));
        tokio::spawn(watch::time(record.clone(), sink.clone(), parts.to_time));
        tokio::spawn(watch::look(record.clone(), sink, playground.clone(), now.clone()));
        Self {
            record,
            now,
            playground,
            places: Arc::new(Semaphore::new(PAGES)),
            page: Page::new(),
            door: Door::new(token, parts.host),
            fragment,
        }
    }

    /// What to open in a browser, if it is served there.
    pub(crate) fn url(&self, address: SocketAddr) -> String {
        format!("http://{address}/{}", self.fragment)
    }

    /// The routes: the page for whoever is on this machine, everything else for those with the token.
    pub(crate) fn router(self) -> Router {
        let door = self.door.clone();
        Router::new()
            .route("/console/feed", get(feed))
            .route("/console/agents", post(register))
            .route("/console/agents/{id}/{action}", post(act))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .layer(middleware::from_fn_with_state(door.clone(), ask_for_token))
            .route("/", get(page))
            .layer(middleware::from_fn_with_state(door, refuse_others))
            .with_state(self)
    }
}

async fn page(State(console): State<Console>) -> Page {
    console.page
}

async fn feed(State(console): State<Console>) -> Response {
    match Arc::clone(&console.places).try_acquire_owned() {
        Ok(place) => Feed::new(console.record, console.now.subscribe(), place).into_response(),
        Err(_) => {
            let words = format!("{PAGES} pages are open already; close one\n");
            (StatusCode::SERVICE_UNAVAILABLE, words).into_response()
        }
    }
}

#[derive(Deserialize)]
struct Registration {
    name: String,
}

async fn register(State(console): State<Console>, Json(wish): Json<Registration>) -> Response {
    match console.playground {
        Some(playground) => answer(playground.register(&wish.name).await),
        None => elsewhere(),
    }
}

async fn act(State(console): State<Console>, Path((id, action)): Path<(String, String)>) -> Response {
    let Some(playground) = console.playground else {
        return elsewhere();
    };
    let action = match action.as_str() {
        "call" => Action::Call,
        "stream" => Action::Stream,
        "revoke" => Action::Revoke,
        "reissue" => Action::Reissue,
        _ => return (StatusCode::NOT_FOUND, "there is no such action\n").into_response(),
    };
    answer(playground.act(&id, action).await)
}

fn answer(done: Result<Value, Problem>) -> Response {
    match done {
        Ok(agent) => Json(agent).into_response(),
        Err(Problem::Failed(failure)) => {
            (StatusCode::BAD_GATEWAY, Json(json!({ "error": failure.to_string() }))).into_response()
        }
        Err(Problem::Unknown) => {
            let words = "the page has no such agent (any more)";
            (StatusCode::NOT_FOUND, Json(json!({ "error": words }))).into_response()
        }
    }
}

fn elsewhere() -> Response {
    let words = "the registry is elsewhere: register and revoke there";
    (StatusCode::CONFLICT, Json(json!({ "error": words }))).into_response()
}

/// Each costs a line twice a second.
const PAGES: usize = 16;
const MAX_BODY_BYTES: usize = 4096;
