//! A logout route behind the layer, as anybody mounts it first: `Router::layer` covers it too. Its handler revokes the session of its
//! own request, publishes that, and answers with a redirect that removes the cookie.
//!
//! The answer was once withheld, so that the browser kept its cookie; and with `Running::Drop` the handler was dropped before it had
//! published anything.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router, routing::post};
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tokio::sync::Notify;
use tower::ServiceExt;
use tower_revocation::{
    Credential, DomainConfig, EventSink, GuardExtension, Key, ListPolicy, Revocation, RevocationGuard, RevocationLayer,
    Running,
};

#[derive(Clone)]
struct App {
    sink: EventSink,
    published: Arc<Notify>,
}

async fn log_out(State(app): State<App>, Extension(guard): Extension<RevocationGuard>) -> Response {
    guard.let_finish();
    revoke_and_publish(app).await
}

async fn log_out_without_asking(State(app): State<App>) -> Response {
    revoke_and_publish(app).await
}

async fn revoke_and_publish(app: App) -> Response {
    app.sink
        .apply(Revocation::block(Key::session("s-1")))
        .unwrap()
        .wait()
        .unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await; // the broker's answer
    app.published.notify_one();
    (
        StatusCode::SEE_OTHER,
        [(LOCATION, "/"), (SET_COOKIE, "id=; Max-Age=0; Path=/")],
        "good bye",
    )
        .into_response()
}

/// A body that says something whenever it is told to, and never ends.
async fn log_out_and_stream(State(app): State<App>, Extension(guard): Extension<RevocationGuard>) -> Response {
    guard.let_finish();
    app.sink
        .apply(Revocation::block(Key::session("s-1")))
        .unwrap()
        .wait()
        .unwrap();
    let pieces = futures_util::stream::unfold(app.published, |told| async move {
        told.notified().await;
        Some((Ok::<_, std::convert::Infallible>("piece"), told))
    });
    Body::from_stream(pieces).into_response()
}

fn app(running: Running) -> (Router, App) {
    let by_cookie = |request: &Request<Body>| {
        let is_there = request.headers().contains_key(COOKIE);
        is_there.then(|| Credential::from([Key::session("s-1"), Key::subject("alice")]))
    };
    let domain = DomainConfig::new().with_lists(ListPolicy::NotUsed);
    let (layer, sink) = RevocationLayer::pair_with(domain, by_cookie);
    let published = Arc::default();
    let state = App { sink, published };
    let layer = layer.with_running(running).with_guard_extension(GuardExtension::Insert);
    let router = Router::new()
        .route("/logout", post(log_out))
        .route("/without", post(log_out_without_asking))
        .route("/stream", post(log_out_and_stream))
        .with_state(state.clone())
        .layer(layer);
    (router, state)
}

async fn ask(app: &Router, path: &str) -> Response {
    let request = Request::post(path).header(COOKIE, "id=s-1").body(Body::empty());
    app.clone().oneshot(request.unwrap()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_logout_that_asks_to_finish_answers_and_publishes() {
    for running in [Running::Finish, Running::Drop] {
        let (app, state) = app(running);
        let response = ask(&app, "/logout").await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{running:?}");
        assert!(
            response.headers().contains_key(SET_COOKIE),
            "the browser forgets the session"
        );
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "good bye");
        tokio::time::timeout(Duration::from_secs(1), state.published.notified())
            .await
            .unwrap();
        assert_eq!(
            ask(&app, "/logout").await.status(),
            StatusCode::UNAUTHORIZED,
            "only that one request is exempt"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_ask_is_withheld() {
    for (running, publishes) in [(Running::Finish, true), (Running::Drop, false)] {
        let (app, state) = app(running);
        let status = ask(&app, "/without").await.status();
        assert!(status.is_client_error(), "{running:?}: {status}");
        let published = tokio::time::timeout(Duration::from_secs(1), state.published.notified()).await;
        assert_eq!(published.is_ok(), publishes, "{running:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_revoked_after_the_handler_ends_its_body() {
    let (app, state) = app(Running::Finish);
    let mut body = ask(&app, "/stream").await.into_body();
    state.published.notify_one();
    let piece = body.frame().await.unwrap().unwrap();
    assert_eq!(
        piece.into_data().unwrap(),
        "piece",
        "it was revoked while the handler ran"
    );
    let other = Revocation::block(Key::session("another"));
    state.sink.apply(other).unwrap().wait().unwrap();
    state.published.notify_one();
    assert!(body.frame().await.unwrap().is_ok(), "that is none of its keys");
    state
        .sink
        .apply(Revocation::cut_off(Key::subject("alice")))
        .unwrap()
        .wait()
        .unwrap();
    let end = tokio::time::timeout(Duration::from_secs(1), body.frame())
        .await
        .unwrap();
    assert!(end.is_none_or(|end| end.is_err()));
}
