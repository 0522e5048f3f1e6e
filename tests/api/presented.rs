//! A layer that no credential reaches is noticed.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_revocation::{ConcernCode, Credential, EventSink, Key, RevocationLayer, identify};

use crate::support::{Log, list_of_now, words};

/// What an authentication layer does.
fn authenticate(mut request: Request<String>) -> Request<String> {
    let credential = Credential::from(Key::subject("alice"));
    request.extensions_mut().insert(credential);
    request
}

async fn answer(_: Request<String>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::default()))
}

async fn call<S>(service: &mut S, times: u32)
where
    S: Service<Request<String>, Error = Infallible>,
{
    for _ in 0..times {
        let ready = service.ready().await.unwrap();
        ready.call(Request::default()).await.unwrap();
    }
}

/// What the status says of it, if anything.
fn concern(sink: &EventSink) -> Option<String> {
    words(sink, ConcernCode::OnlyAnonymous)
}

/// Everybody's first mistake: the layer is asked before the one that authenticates, finds nothing, and lets everybody pass.
#[tokio::test(start_paused = true)]
async fn the_wrong_order_of_layers_is_said_in_words_until_a_credential_comes() {
    let (log, _guard) = Log::collect();
    let warned = || log.count("no request has presented a credential");
    let (layer, sink) = RevocationLayer::pair(identify::extension::<Credential>());
    sink.install(list_of_now()).unwrap();
    let mut wrong = ServiceBuilder::new()
        .layer(layer.clone())
        .map_request(authenticate)
        .service(service_fn(answer));
    call(&mut wrong, 1_000).await;
    assert_eq!((concern(&sink), warned()), (None, 0), "it may be the start");
    tokio::time::advance(Duration::from_secs(90)).await;
    assert_eq!(
        concern(&sink).unwrap(),
        "None of the 1000 requests of the last 90 s presented a credential, so that no revocation reaches any. If clients do send \
         one, the layer looks in the wrong place, or sees requests before the authentication layer that it relies on."
    );
    assert_eq!(warned(), 0, "no request asks that seldom");
    call(&mut wrong, 3_000).await;
    assert_eq!(warned(), 1);
    assert!(sink.status().ready);

    let mut right = ServiceBuilder::new()
        .map_request(authenticate)
        .layer(layer)
        .service(service_fn(answer));
    call(&mut right, 1).await;
    assert_eq!(concern(&sink), None);
    call(&mut wrong, 5_000).await;
    assert_eq!((concern(&sink), warned()), (None, 1), "the domain has seen one");
}

#[tokio::test(start_paused = true)]
async fn a_few_requests_or_one_that_cannot_be_read_are_no_concern() {
    let (_log, _guard) = Log::collect();
    let (layer, sink) = RevocationLayer::pair(identify::jwt(http::header::AUTHORIZATION, "Bearer"));
    let mut service = ServiceBuilder::new().layer(layer).service(service_fn(answer));
    tokio::time::advance(Duration::from_secs(3_600)).await;
    call(&mut service, 999).await;
    assert_eq!(concern(&sink), None);
    call(&mut service, 1).await;
    assert!(concern(&sink).is_some());
    let unreadable = Request::get("/").header("authorization", "Bearer rubbish");
    let ready = service.ready().await.unwrap();
    ready.call(unreadable.body(String::new()).unwrap()).await.unwrap();
    assert_eq!(concern(&sink), None, "it looks in the right place");
}
