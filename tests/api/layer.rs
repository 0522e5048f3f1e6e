//! The layer as tower sees it.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::Poll;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_layer::Layer;
use tower_revocation::respond::{Challenge, Refuse, Respond, Watch};
use tower_revocation::{
    Credential, Enforcement, EventSink, Freshness, Key, ListFreshness, Refusal, Revocation, RevocationLayer, Running,
    StatusExtension,
};
use tower_test::{assert_request_eq, mock};

use crate::support::{by_header, fresh_pair, list_of_now, presenting, send, status_of};

/// A protocol that isn't HTTP: requests and responses are text.
#[derive(Clone)]
struct Text;

impl Respond<&'static str, &'static str> for Text {
    type Response = String;
    type Memo = &'static str;
    type Refusing = Ready<String>;

    fn remember(&self, request: &&'static str) -> &'static str {
        request
    }

    fn refuse(&self, request: &'static str, _: &'static str, refusal: &Refusal, _: &[Challenge]) -> Ready<String> {
        ready(format!("{request}: {}", refusal.as_str()))
    }

    fn withhold(&self, request: &'static str, refusal: &Refusal, _running: Running) -> String {
        format!("{request}: {}", refusal.as_str())
    }

    fn admit(&self, _request: &'static str, response: &'static str, _watch: Watch) -> String {
        response.to_owned()
    }

    fn get<'r, T>(&self, _request: &'r &'static str) -> Option<&'r T> {
        None
    }

    fn insert<T>(&self, _request: &mut &'static str, _extension: T) {}
}

type ByName = fn(&&'static str) -> Credential;

fn text_pair() -> (RevocationLayer<ByName, Text>, EventSink) {
    let by_name: ByName = |name| Credential::from(Key::subject(name));
    let (layer, sink) = RevocationLayer::pair(by_name);
    sink.install(list_of_now()).unwrap();
    (layer.with_protocol(Text), sink)
}

#[tokio::test]
async fn forwards_readiness_and_wraps_any_protocol() {
    let (layer, sink) = text_pair();
    let (mut service, mut handle) = mock::spawn_layer::<&'static str, &'static str, _>(layer);
    sink.apply(Revocation::block(Key::subject("mallory")))
        .unwrap()
        .wait()
        .unwrap();

    handle.allow(0);
    assert_pending!(service.poll_ready());
    handle.allow(2);
    assert_ready_ok!(service.poll_ready());
    let mut admitted = tokio_test::task::spawn(service.call("alice"));
    assert_pending!(admitted.poll());
    assert_request_eq!(handle, "alice").send_response("hello");
    assert_eq!(assert_ready_ok!(admitted.poll()), "hello");

    assert_ready_ok!(service.poll_ready());
    let mut refused = tokio_test::task::spawn(service.call("mallory"));
    assert_eq!(assert_ready_ok!(refused.poll()), "mallory: revoked");
    assert!(
        matches!(handle.poll_request(), Poll::Pending),
        "the inner service never saw it"
    );
}

#[tokio::test]
async fn keeps_the_inner_error_type() {
    let (layer, _sink) = text_pair();
    let (mut service, mut handle) = mock::spawn_layer::<&'static str, &'static str, _>(layer);
    assert_ready_ok!(service.poll_ready());
    let mut call = tokio_test::task::spawn(service.call("alice"));
    assert_request_eq!(handle, "alice").send_error("broken");
    assert_eq!(assert_ready_err!(call.poll()).to_string(), "broken");
}

#[tokio::test]
async fn decides_at_the_call_and_not_before() {
    let (layer, sink) = text_pair();
    let (mut service, mut handle) = mock::spawn_layer::<&'static str, &'static str, _>(layer);
    handle.allow(1);
    assert_ready_ok!(service.poll_ready());
    sink.apply(Revocation::block(Key::subject("alice")))
        .unwrap()
        .wait()
        .unwrap();
    let mut refused = tokio_test::task::spawn(service.call("alice"));
    assert_eq!(assert_ready_ok!(refused.poll()), "alice: revoked");
}

#[tokio::test]
async fn clones_and_services_share_one_truth() {
    let (layer, sink) = fresh_pair();
    let early = layer.clone();
    sink.clone()
        .apply(Revocation::block(Key::subject("mallory")))
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(status_of(&early, "mallory").await, 401);
    assert_eq!(status_of(&layer, "mallory").await, 401);
}

#[tokio::test]
async fn pairs_do_not_share_anything() {
    let (one, sink) = fresh_pair();
    let (other, _other_sink) = fresh_pair();
    sink.apply(Revocation::block(Key::subject("mallory")))
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(status_of(&one, "mallory").await, 401);
    assert_eq!(status_of(&other, "mallory").await, 200);
}

#[tokio::test]
async fn observing_admits_and_counts_what_it_would_refuse() {
    let (layer, sink) = RevocationLayer::pair(by_header);
    let observing = layer.clone().with_enforcement(Enforcement::Observe);
    assert_eq!(status_of(&observing, "alice").await, 200, "no list yet");
    sink.install(list_of_now()).unwrap();
    sink.apply(Revocation::block(Key::subject("mallory")))
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(status_of(&observing, "mallory").await, 200);
    assert_eq!(status_of(&observing, "alice").await, 200);
    assert_eq!(
        status_of(&layer, "mallory").await,
        401,
        "another layer of the same domain enforces"
    );
    let status = sink.status();
    assert_eq!(status.would_refuse, 2);
    assert_eq!(
        (status.verdicts.admit, status.verdicts.unknown, status.verdicts.revoked),
        (1, 1, 2)
    );
}

#[tokio::test]
async fn refuses_as_the_standards_say() {
    let (layer, sink) = fresh_pair();
    sink.apply(Revocation::block(Key::subject("mallory")))
        .unwrap()
        .wait()
        .unwrap();
    let response = send(&layer, presenting("mallory")).await;
    assert_eq!(response.status(), 401);
    assert_eq!(
        response.headers()["www-authenticate"],
        r#"Bearer error="invalid_token", error_description="the credential was revoked""#
    );
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let (is_end, size) = (response.body().is_end_stream(), response.body().size_hint());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!((is_end, size.exact()), (false, Some(body.len() as u64)));
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["detail"], "the credential was revoked");
}

#[tokio::test]
async fn the_host_may_write_refusals_itself() {
    let (layer, sink) = fresh_pair();
    sink.apply(Revocation::block(Key::subject("mallory")))
        .unwrap()
        .wait()
        .unwrap();
    let teapot = |refusal: &Refusal| {
        let text = refusal.as_str();
        Response::builder().status(StatusCode::IM_A_TEAPOT).body(text).unwrap()
    };
    for (response, text) in [
        (
            send(&layer.clone().with_response(teapot), presenting("mallory")).await,
            "revoked",
        ),
        (
            send(&layer.with_response(Teapot), presenting("mallory")).await,
            "GET revoked",
        ),
    ] {
        assert_eq!(response.status(), 418);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), text);
    }
}

/// Says whom it refuses.
#[derive(Clone)]
struct Teapot;

impl Refuse for Teapot {
    type Memo = Method;

    fn remember<B>(&self, request: &Request<B>) -> Method {
        request.method().clone()
    }

    fn refuse(&self, refusal: &Refusal, method: Method) -> Response<Bytes> {
        let text = format!("{method} {}", refusal.as_str());
        let response = Response::builder().status(StatusCode::IM_A_TEAPOT);
        response.body(text.into()).unwrap()
    }
}

#[tokio::test]
async fn tells_the_inner_service_how_fresh_the_answer_is_if_asked_to() {
    let (layer, sink) = RevocationLayer::pair(by_header);
    let inner = service_fn(|request: Request<String>| async move {
        let status = request.extensions().get::<ListFreshness>().copied();
        let freshness = status.map(|status| status.freshness);
        Ok::<_, Infallible>(
            Response::builder()
                .extension(freshness)
                .body(Full::<Bytes>::default())
                .unwrap(),
        )
    });
    let freshness = |layer: RevocationLayer<_>| async move {
        let mut service = ServiceBuilder::new().layer(layer).service(inner);
        let response = service.ready().await.unwrap().call(presenting("alice")).await.unwrap();
        *response.extensions().get::<Option<Freshness>>().unwrap()
    };
    sink.configure(|config| config.with_stale_policy(tower_revocation::StalePolicy::FailOpen));
    assert_eq!(freshness(layer.clone()).await, None, "only if asked to");
    let layer = layer.with_status_extension(StatusExtension::Insert);
    assert_eq!(freshness(layer.clone()).await, Some(Freshness::NoSnapshot));
    sink.install(list_of_now()).unwrap();
    assert_eq!(freshness(layer).await, Some(Freshness::Fresh));
}

#[test]
fn its_types_say_what_they_are() {
    let (layer, sink) = fresh_pair();
    let service = layer.layer(());
    for text in [format!("{layer:?}"), format!("{sink:?}"), format!("{service:?}")] {
        assert!(!text.is_empty());
    }
    fn is_good<T: Clone + Send + Sync + 'static>(_: &T) {}
    is_good(&layer);
    is_good(&service);
    is_good(&sink);
    assert_eq!(service.get_ref(), &());
    service.into_inner();
}
