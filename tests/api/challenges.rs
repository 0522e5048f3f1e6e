//! How a refusal asks for a credential.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderName, WWW_AUTHENTICATE};
use http::{Request, Response, StatusCode};
use tower_revocation::identify::Jwt;
use tower_revocation::respond::{Challenge, Respond};
use tower_revocation::{
    Anonymous, EventSink, Identify, Key, Refusal, ResponseBody, Revocation, RevocationLayer, identify,
};

use crate::support::{ByHeader, by_header, fresh_pair, list_of_now, presenting, send};

const REVOKED: &str = r#"error="invalid_token", error_description="the credential was revoked""#;

/// A layer that challenges, and for which the subject `mallory` is revoked.
fn pair<I>(identify: I) -> (RevocationLayer<I>, EventSink) {
    let (layer, sink) = RevocationLayer::pair(identify);
    sink.install(list_of_now()).unwrap();
    let revoked = sink.apply(Revocation::block(Key::subject("mallory")));
    revoked.unwrap().wait().unwrap();
    (layer.with_anonymous(Anonymous::Challenge), sink)
}

fn by_scheme(scheme: &str) -> Jwt {
    identify::jwt(AUTHORIZATION, scheme)
}

/// A request with the token of `mallory` behind that text.
fn with(header: HeaderName, before: &str) -> Request<String> {
    let token = format!("e30.{}.x", URL_SAFE_NO_PAD.encode(r#"{"sub":"mallory"}"#));
    let request = Request::builder().header(header, format!("{before}{token}"));
    request.body(String::new()).unwrap()
}

/// The challenges in the refusal of a request, field by field.
async fn challenges<I, R>(layer: &RevocationLayer<I, R>, request: Request<String>) -> Vec<String>
where
    I: Identify<Request<String>> + Clone,
    R: Clone + Respond<Request<String>, Response<Full>, Response = Response<ResponseBody<Full>>>,
{
    let response = send(layer, request).await;
    assert_eq!(response.status(), 401);
    let values = response.headers().get_all(WWW_AUTHENTICATE).into_iter();
    values.map(|value| value.to_str().unwrap().to_owned()).collect()
}

type Full = http_body_util::Full<bytes::Bytes>;

#[tokio::test]
async fn a_refusal_asks_for_the_scheme_that_the_layer_reads() {
    for scheme in ["Bearer", "DPoP", "Claw"] {
        let (layer, _sink) = pair(by_scheme(scheme));
        let revoked = with(AUTHORIZATION, &format!("{scheme} "));
        assert_eq!(challenges(&layer, revoked).await, [format!("{scheme} {REVOKED}")]);
        assert_eq!(
            challenges(&layer, Request::default()).await,
            [scheme],
            "no error without a token"
        );
    }
}

/// Clients that read one field, or the first, are told what is wrong with what they presented.
#[tokio::test]
async fn two_schemes_are_two_challenges_and_the_error_stands_where_it_belongs() {
    let (layer, _sink) = pair(by_scheme("DPoP").with_scheme("Bearer").with_scheme("bearer"));
    let (dpop, bearer) = (format!("DPoP {REVOKED}"), format!("Bearer {REVOKED}"));
    for (presented, expected) in [
        ("DPoP ", [dpop.as_str(), "Bearer"]),
        ("dpop\t", [&dpop, "Bearer"]),
        ("BEARER ", [&bearer, "DPoP"]),
        ("Basic dTpw, Bearer ", [&bearer, "DPoP"]),
    ] {
        let asked = challenges(&layer, with(AUTHORIZATION, presented)).await;
        assert_eq!(asked, expected, "{presented}");
    }
    assert_eq!(challenges(&layer, Request::default()).await, ["DPoP", "Bearer"]);
    let mut both = with(AUTHORIZATION, "Bearer ");
    let dpop_too = with(AUTHORIZATION, "DPoP ").headers()[AUTHORIZATION].clone();
    both.headers_mut().append(AUTHORIZATION, dpop_too);
    assert_eq!(challenges(&layer, both).await, [dpop, bearer]);
}

/// A 401 has to have a challenge, also where no scheme has a name: RFC 9110 §15.5.2.
#[tokio::test]
async fn a_credential_that_comes_otherwise_is_asked_for_as_well() {
    let bearer = [format!("Bearer {REVOKED}")];
    let (layer, _sink) = pair(identify::jwt(HeaderName::from_static("x-token"), ""));
    let in_header = with(HeaderName::from_static("x-token"), "");
    assert_eq!(challenges(&layer, in_header).await, bearer);
    let (layer, _sink) = pair(by_header as ByHeader);
    assert_eq!(challenges(&layer, presenting("mallory")).await, bearer);
    let (layer, _sink) = pair(by_header as ByHeader);
    let dpop = Challenge::dpop().with_algs("ES256").unwrap();
    let layer = layer.with_challenge(dpop).with_challenge(Challenge::bearer());
    let mut by_cookie = presenting("mallory");
    by_cookie.headers_mut().insert(COOKIE, "session=1".parse().unwrap());
    let first = format!(r#"DPoP algs="ES256", {REVOKED}"#);
    assert_eq!(challenges(&layer, by_cookie).await, [first.as_str(), "Bearer"]);
}

#[tokio::test]
async fn what_the_host_sets_takes_the_place_of_what_is_read() {
    let (layer, _sink) = pair(by_scheme("Bearer"));
    let metadata = "https://api.example.com/.well-known/oauth-protected-resource";
    let challenge = Challenge::bearer()
        .with_realm("api")
        .and_then(|it| it.with_resource_metadata(metadata));
    let layer = layer.with_challenge(challenge.unwrap());
    let plain = format!(r#"Bearer realm="api", resource_metadata="{metadata}""#);
    assert_eq!(challenges(&layer, Request::default()).await, [plain.as_str()]);
    assert_eq!(
        challenges(&layer, with(AUTHORIZATION, "Bearer ")).await,
        [format!("{plain}, {REVOKED}")]
    );
}

#[tokio::test]
async fn the_hosts_own_401_is_completed_and_never_changed() {
    let answer = |own: Option<&'static str>| {
        move |_: &Refusal| {
            let mut response = Response::new("no");
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            response
                .headers_mut()
                .extend(own.map(|own| (WWW_AUTHENTICATE, own.parse().unwrap())));
            response
        }
    };
    let (layer, _sink) = pair(by_scheme("DPoP"));
    let request = || with(AUTHORIZATION, "DPoP ");
    let completed = layer.clone().with_response(answer(None));
    assert_eq!(challenges(&completed, request()).await, [format!("DPoP {REVOKED}")]);
    let own = layer.with_response(answer(Some("Mine")));
    assert_eq!(challenges(&own, request()).await, ["Mine"]);
}

#[tokio::test]
async fn other_refusals_do_not_ask() {
    let (layer, _sink) = RevocationLayer::pair(by_scheme("Bearer"));
    let unavailable = send(&layer, with(AUTHORIZATION, "Bearer ")).await;
    assert_eq!(unavailable.status(), 503, "no list yet");
    assert!(!unavailable.headers().contains_key(WWW_AUTHENTICATE));

    let (layer, _sink) = pair(by_scheme("Bearer"));
    let mut call = with(AUTHORIZATION, "Bearer ");
    *call.method_mut() = http::Method::POST;
    call.headers_mut()
        .insert(CONTENT_TYPE, "application/grpc".parse().unwrap());
    let call = send(&layer, call).await;
    assert_eq!(call.headers()["grpc-status"], "16");
    assert!(!call.headers().contains_key(WWW_AUTHENTICATE));

    let (layer, sink) = fresh_pair();
    let handler = tower::service_fn(move |_: Request<String>| {
        let revoked = sink.apply(Revocation::block(Key::subject("alice")));
        revoked.unwrap().wait().unwrap();
        async { Ok::<_, std::convert::Infallible>(Response::new(Full::from("done"))) }
    });
    let service = tower::Layer::layer(&layer, handler);
    let withheld = tower::ServiceExt::oneshot(service, presenting("alice")).await.unwrap();
    assert_eq!(withheld.status(), 403);
    assert!(!withheld.headers().contains_key(WWW_AUTHENTICATE));
}
