//! The layer before browsers: tower-http's `CorsLayer` outside of it, as the guide shows, and inside, as it must not be.

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, ORIGIN, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use http::{HeaderValue, Method, Request, Response};
use tower::ServiceExt;
use tower_http::cors::CorsLayer;
use tower_revocation::identify::Jwt;
use tower_revocation::{Anonymous, Key, Revocation, RevocationLayer, identify};

use crate::support::list_of_now;

const PAGE: &str = "https://app.example.com";
/// `{}.{"sub":"mallory"}`, who is revoked, and `{}.{"sub":"alice"}`.
const MALLORY: &str = "Bearer e30.eyJzdWIiOiJtYWxsb3J5In0.x";
const ALICE: &str = "Bearer e30.eyJzdWIiOiJhbGljZSJ9.x";

fn layer() -> RevocationLayer<Jwt> {
    let (layer, sink) = RevocationLayer::pair(identify::jwt(AUTHORIZATION, "Bearer"));
    sink.install(list_of_now()).unwrap();
    let revoked = sink.apply(Revocation::block(Key::subject("mallory")));
    revoked.unwrap().wait().unwrap();
    layer.with_anonymous(Anonymous::Challenge)
}

fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(HeaderValue::from_static(PAGE))
        .allow_methods([Method::POST])
        .allow_headers([AUTHORIZATION])
        .expose_headers([WWW_AUTHENTICATE, RETRY_AFTER])
}

fn routes() -> Router {
    Router::new().route("/", post(|| async { "done" }))
}

async fn call(app: &Router, token: &str) -> Response<Body> {
    let request = Request::post("/").header(ORIGIN, PAGE).header(AUTHORIZATION, token);
    app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn preflight(app: &Router) -> Response<Body> {
    let request = Request::options("/")
        .header(ORIGIN, PAGE)
        .header(ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(ACCESS_CONTROL_REQUEST_HEADERS, "authorization");
    app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

fn may_be_read(response: &Response<Body>) -> bool {
    let allowed = response.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN);
    allowed.is_some_and(|origin| origin == PAGE)
}

#[tokio::test]
async fn a_page_reads_its_refusal_if_cors_is_outside() {
    let app = routes().layer(layer()).layer(cors());
    let asked = preflight(&app).await;
    assert_eq!((asked.status().as_u16(), may_be_read(&asked)), (200, true));
    assert_eq!(asked.headers()[ACCESS_CONTROL_ALLOW_HEADERS], "authorization");
    let admitted = call(&app, ALICE).await;
    assert_eq!((admitted.status().as_u16(), may_be_read(&admitted)), (200, true));
    let refused = call(&app, MALLORY).await;
    assert_eq!((refused.status().as_u16(), may_be_read(&refused)), (401, true));
    assert!(refused.headers().contains_key(WWW_AUTHENTICATE));
    assert_eq!(
        refused.headers()[ACCESS_CONTROL_EXPOSE_HEADERS],
        "www-authenticate,retry-after"
    );
}

#[tokio::test]
async fn inside_it_hides_refusals_and_nothing_else() {
    let app = routes().layer(cors()).layer(layer());
    let asked = preflight(&app).await;
    assert_eq!(
        (asked.status().as_u16(), may_be_read(&asked)),
        (200, true),
        "it passes this layer"
    );
    let admitted = call(&app, ALICE).await;
    assert_eq!((admitted.status().as_u16(), may_be_read(&admitted)), (200, true));
    let refused = call(&app, MALLORY).await;
    assert_eq!((refused.status().as_u16(), may_be_read(&refused)), (401, false));
}

#[tokio::test]
async fn inside_and_with_a_rule_that_forgets_preflights_no_page_gets_through() {
    let rule = layer().with_anonymous_allowed(|request| request.path() == "/logout");
    let app = routes().layer(cors()).layer(rule);
    let asked = preflight(&app).await;
    assert_eq!((asked.status().as_u16(), may_be_read(&asked)), (401, false));
}
