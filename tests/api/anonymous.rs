//! Requests that have to pass without a credential where one is demanded.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::extract::{MatchedPath, Request as AxumRequest};
use axum::routing::post;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, ORIGIN};
use http::{HeaderName, Method, Request};
use tower::ServiceExt;
use tower_revocation::identify::{self, Jwt};
use tower_revocation::{Anonymous, Enforcement, RevocationLayer};

use crate::support::{list_of_now, send};

fn challenging() -> RevocationLayer<Jwt> {
    let (layer, sink) = RevocationLayer::pair(identify::jwt(AUTHORIZATION, "Bearer"));
    sink.install(list_of_now()).unwrap();
    layer.with_anonymous(Anonymous::Challenge)
}

fn request(method: Method, path: &str, headers: &[(HeaderName, &str)]) -> Request<String> {
    let request = Request::builder().method(method).uri(path);
    let request = headers
        .iter()
        .fold(request, |request, (name, value)| request.header(name, *value));
    request.body(String::new()).unwrap()
}

const PREFLIGHT: [(HeaderName, &str); 2] = [
    (ORIGIN, "https://app.example.com"),
    (ACCESS_CONTROL_REQUEST_METHOD, "POST"),
];

#[tokio::test]
async fn a_preflight_passes_where_a_credential_is_demanded() {
    let [origin, method] = PREFLIGHT;
    for (kind, headers, expected) in [
        (Method::OPTIONS, &PREFLIGHT[..], 200),
        (Method::OPTIONS, &[origin], 401),
        (Method::OPTIONS, &[method], 401),
        (Method::POST, &PREFLIGHT, 401),
    ] {
        let request = request(kind.clone(), "/", headers);
        assert_eq!(
            send(&challenging(), request).await.status(),
            expected,
            "{kind} {headers:?}"
        );
    }
}

#[tokio::test]
async fn the_hosts_rule_takes_the_place_of_the_default() {
    let layer = challenging().with_anonymous_allowed(|request| {
        request.path() == "/logout" && request.method() == Method::POST && request.headers().contains_key("cookie")
    });
    let cookie = [(http::header::COOKIE, "session=1")];
    for (method, path, headers, expected) in [
        (Method::POST, "/logout?to=/", &cookie[..], 200),
        (Method::POST, "/logout", &[], 401),
        (Method::GET, "/logout", &cookie, 401),
        (Method::POST, "//logout", &cookie, 401),
        (Method::POST, "/%6Cogout", &cookie, 401),
        (Method::OPTIONS, "/logout", &PREFLIGHT, 401),
    ] {
        let request = request(method.clone(), path, headers);
        assert_eq!(send(&layer, request).await.status(), expected, "{method} {path}");
    }
}

#[tokio::test]
async fn the_rule_is_asked_only_where_a_credential_is_missing() {
    let asked = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&asked);
    let layer = challenging().with_anonymous_allowed(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        true
    });
    let alice = [(AUTHORIZATION, "Bearer e30.eyJzdWIiOiJhbGljZSJ9.x")];
    assert_eq!(send(&layer, request(Method::GET, "/", &alice)).await.status(), 200);
    let broken = [(AUTHORIZATION, "Bearer rubbish")];
    assert_eq!(send(&layer, request(Method::GET, "/", &broken)).await.status(), 401);
    let passing = layer.clone().with_anonymous(Anonymous::Pass);
    assert_eq!(send(&passing, request(Method::GET, "/", &[])).await.status(), 200);
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    assert_eq!(send(&layer, request(Method::GET, "/", &[])).await.status(), 200);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

/// What is let through is not what "would be refused".
#[tokio::test]
async fn observing_does_not_count_what_the_rule_lets_through() {
    let (layer, sink) = RevocationLayer::pair(identify::jwt(AUTHORIZATION, "Bearer"));
    let layer = layer
        .with_anonymous(Anonymous::Challenge)
        .with_enforcement(Enforcement::Observe)
        .with_anonymous_allowed(|request| request.path() == "/open");
    for path in ["/open", "/closed"] {
        assert_eq!(send(&layer, request(Method::GET, path, &[])).await.status(), 200);
    }
    assert_eq!(sink.status().would_refuse, 1);
}

async fn status(app: &Router, path: &str) -> u16 {
    let request = AxumRequest::post(path).body(axum::body::Body::empty()).unwrap();
    app.clone().oneshot(request).await.unwrap().status().as_u16()
}

/// A rule that was written for one place of the layer is wrong in another: it opens a path that nobody meant, or none.
#[tokio::test]
async fn a_path_is_what_the_layer_sees_of_it() {
    let routes = || Router::new().route("/logout", post(|| async {}));
    let allowed = |path: &'static str| challenging().with_anonymous_allowed(move |request| request.path() == path);
    let outside = |path| Router::new().nest("/api", routes()).layer(allowed(path));
    let inside = |path| Router::new().nest("/api", routes().layer(allowed(path)));
    assert_eq!(status(&outside("/api/logout"), "/api/logout").await, 200);
    assert_eq!(status(&outside("/logout"), "/api/logout").await, 401);
    assert_eq!(status(&inside("/logout"), "/api/logout").await, 200);
    assert_eq!(status(&inside("/api/logout"), "/api/logout").await, 401);
    let by_route = challenging().with_anonymous_allowed(|request| {
        let route = request.extensions().get::<MatchedPath>();
        route.is_some_and(|route| route.as_str() == "/api/logout")
    });
    let inside_by_route = Router::new().nest("/api", routes().layer(by_route));
    assert_eq!(status(&inside_by_route, "/api/logout").await, 200);
}
