//! Which credential a request presents. A revoked token must not slip by in any disguise.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request};
use serde_json::{Value, json};
use tower_revocation::identify::{self, Jwt, ToCredential};
use tower_revocation::{
    Anonymous, Credential, EventSink, Identify, Identity, Key, Revocation, RevocationLayer, Timestamp, Unreadable,
};

use crate::support::{list_of_now, send};

fn part(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

fn token(claims: Value) -> String {
    format!("{}.{}.c2ln", part(&json!({"alg": "EdDSA", "kid": "k1"})), part(&claims))
}

fn raw(header: &str, payload: &str) -> String {
    format!(
        "{}.{}.c2ln",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    )
}

fn with(values: &[impl AsRef<[u8]>]) -> Request<String> {
    let mut request = Request::new(String::new());
    for value in values {
        request
            .headers_mut()
            .append(AUTHORIZATION, HeaderValue::from_bytes(value.as_ref()).unwrap());
    }
    request
}

fn identify(request: &Request<String>) -> Identity {
    identify::jwt(AUTHORIZATION, "Claw").identify(request)
}

fn keys(request: &Request<String>) -> Vec<Key> {
    match identify(request) {
        Identity::Presented(credential) => credential.keys().copied().collect(),
        other => panic!("{other:?}"),
    }
}

fn jwt_pair() -> (RevocationLayer<Jwt>, EventSink) {
    let (layer, sink) = RevocationLayer::pair(identify::jwt(AUTHORIZATION, "Claw"));
    sink.install(list_of_now()).unwrap();
    (layer, sink)
}

#[test]
fn presents_every_key_of_a_token_and_of_its_actors() {
    let claims = json!({
        "jti": "j", "sub": "s", "sid": "x", "client_id": "c", "azp": "z", "iat": 1_767_225_600.9, "aud": ["a", {"b": 1}],
        "act": {"sub": "actor", "iat": 1, "act": {"sub": "first actor", "client_id": "d"}},
    });
    let request = with(&[format!("Claw {}", token(claims))]);
    let expected = [
        Key::signing_key("k1"),
        Key::token("j"),
        Key::subject("s"),
        Key::session("x"),
        Key::client("c"),
        Key::client("z"),
        Key::subject("actor"),
        Key::subject("first actor"),
        Key::client("d"),
    ];
    let found = keys(&request);
    assert_eq!(found.len(), expected.len());
    for key in expected {
        assert!(found.contains(&key), "{key:?}");
    }
    let Identity::Presented(credential) = identify(&request) else {
        unreachable!()
    };
    assert_eq!(
        credential.issued_at(),
        Some(Timestamp::from_unix_millis(1_767_225_600_900))
    );
}

#[test]
fn reads_other_claims_when_told_to() {
    let jwt = identify::jwt(AUTHORIZATION, "Claw")
        .with_claim("tid", Key::tenant)
        .with_claim("devices", {
            // What the host has configured.
            let kind = "device".to_owned();
            move |id: &str| Key::named(&kind, id)
        });
    let request = with(&[format!("Claw {}", token(json!({"tid": "t", "devices": ["d1", "d2"]})))]);
    let Identity::Presented(credential) = jwt.identify(&request) else {
        unreachable!()
    };
    let found: Vec<_> = credential.keys().copied().collect();
    for key in [Key::tenant("t"), Key::named("device", "d1"), Key::named("device", "d2")] {
        assert!(found.contains(&key), "{key:?}");
    }
}

#[tokio::test]
async fn a_revoked_token_does_not_slip_by_in_any_disguise() {
    let (layer, sink) = jwt_pair();
    sink.apply(Revocation::block(Key::token("bad")))
        .unwrap()
        .wait()
        .unwrap();
    let bad = token(json!({"jti": "bad", "iat": 1}));
    let good = token(json!({"jti": "good", "iat": 1}));
    let claw = |token: &str| format!("Claw {token}").into_bytes();
    let disguises: Vec<Vec<Vec<u8>>> = vec![
        vec![claw(&bad)],
        vec![format!("claw {bad}").into()],
        vec![format!("CLAW {bad}").into()],
        vec![format!("Claw   {bad}").into()],
        vec![format!("Claw\t{bad}").into()],
        vec![format!("Claw \t {bad}  ").into()],
        vec![format!(" Claw {bad}").into()],
        vec![[b"Claw\xa0", bad.as_bytes()].concat()],
        vec![[b"Claw ", bad.as_bytes(), b"\xa0"].concat()],
        vec![claw(&good), claw(&bad)],
        vec![claw(&bad), claw(&good)],
        vec![b"Basic dXNlcjpwYXNz".to_vec(), claw(&bad)],
        vec![format!("Claw {good}, Claw {bad}").into()],
        vec![format!("Basic dXNlcjpwYXNz,Claw {bad}").into()],
        vec![format!("Claw {good} {bad}").into()],
        vec![claw(&raw("{}", r#"{"jti":"bad","jti":"good"}"#))],
        vec![claw(&raw("{}", r#"{"jti":"good","jti":"bad"}"#))],
        vec![claw(&raw("{}", r#"{"\u006ati":"b\u0061d"}"#))],
        vec![claw(&raw("{}", &format!("{{\"jti\":\"bad\"{}}}", " ".repeat(10_000))))],
    ];
    for disguise in disguises {
        let response = send(&layer, with(&disguise)).await;
        assert_eq!(
            response.status(),
            401,
            "{:?}",
            disguise
                .iter()
                .map(|value| String::from_utf8_lossy(value))
                .collect::<Vec<_>>()
        );
    }
    assert_eq!(send(&layer, with(&[claw(&good)])).await.status(), 200);
    assert_eq!(sink.status().verdicts.revoked, 19);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_unless_told_otherwise() {
    let (layer, sink) = jwt_pair();
    let good = token(json!({"jti": "good"}));
    let parts: Vec<_> = good.split('.').collect();
    let unreadable = [
        "opaque".to_owned(),
        format!("{}.{}", parts[0], parts[1]),
        format!("{good}.e30"),
        format!("{good}.e30.e30"),
        format!("{}.{}.x", parts[0], "*"),
        raw("[]", "{}"),
        raw("{}", "[]"),
        raw("{}", "null"),
        raw("{}", r#"{"jti":"x"} {}"#),
        raw("{}", r#"{"jti":"x"#),
        raw("{}", r#"{"jti":"\ud800"}"#),
        raw(r#"{"kid":"\ud800"}"#, "{}"),
        raw("{}", &format!("{{}}{}", " ".repeat(64 * 1024))),
        raw("{}", &"[".repeat(10_000)),
        raw("{}", &r#"{"act":"#.repeat(500)),
        format!("{}.{}.x", parts[0], "A".repeat(100_000)),
    ];
    for (count, token) in unreadable.iter().enumerate() {
        let response = send(&layer, with(&[format!("Claw {token}")])).await;
        assert_eq!(response.status(), 401, "{}", &token[..token.len().min(80)]);
        assert!(
            response.headers()["www-authenticate"]
                .to_str()
                .unwrap()
                .contains("malformed")
        );
        assert_eq!(sink.status().verdicts.unreadable, count as u64 + 1);
    }
    let lenient = layer.with_unreadable(Unreadable::Pass);
    assert_eq!(send(&lenient, with(&["Claw opaque"])).await.status(), 200);
}

#[tokio::test]
async fn to_let_unreadable_tokens_pass_is_not_to_let_stale_ones() {
    let (layer, _sink) = RevocationLayer::pair(identify::jwt(AUTHORIZATION, "Claw"));
    let lenient = layer.with_unreadable(Unreadable::Pass);
    let request = with(&[format!("Claw {}", token(json!({"jti": "good"})))]);
    assert_eq!(send(&lenient, request).await.status(), 503);
}

/// Told to let unreadable tokens pass, the layer once stopped reading at the first of them: rubbish in a second header
/// let the revoked token in the first one pass as well.
#[tokio::test]
async fn rubbish_beside_a_revoked_token_does_not_let_it_pass() {
    let (layer, sink) = jwt_pair();
    sink.apply(Revocation::block(Key::token("bad")))
        .unwrap()
        .wait()
        .unwrap();
    let lenient = layer.clone().with_unreadable(Unreadable::Pass);
    let bad = format!("Claw {}", token(json!({"jti": "bad"})));
    let good = format!("Claw {}", token(json!({"jti": "good"})));
    for values in [
        [bad.as_str(), "Claw opaque"],
        ["Claw opaque", &bad],
        [&format!("{bad} opaque"), ""],
        [&format!("Claw opaque, {bad}"), ""],
    ] {
        assert_eq!(send(&lenient, with(&values)).await.status(), 401, "{values:?}");
        assert_eq!(send(&layer, with(&values)).await.status(), 401, "{values:?}");
    }
    assert_eq!(sink.status().verdicts.revoked, 8);
    assert_eq!(send(&lenient, with(&[&good, "Claw opaque"])).await.status(), 200);
    assert_eq!(send(&layer, with(&[&good, "Claw opaque"])).await.status(), 401);
    assert_eq!(sink.status().verdicts.unreadable, 2);
}

#[tokio::test]
async fn a_request_without_our_credential_passes_or_is_challenged() {
    let (layer, sink) = jwt_pair();
    sink.apply(Revocation::block(Key::everything()))
        .unwrap()
        .wait()
        .unwrap();
    let strict = layer.clone().with_anonymous(Anonymous::Challenge);
    let none: [&[&str]; 5] = [&[], &["Basic dXNlcjpwYXNz"], &["Claws"], &[""], &["Clawx e30.e30"]];
    for values in none {
        assert_eq!(send(&layer, with(values)).await.status(), 200, "{values:?}");
        let response = send(&strict, with(values)).await;
        assert_eq!(response.status(), 401, "{values:?}");
        assert_eq!(response.headers()["www-authenticate"], "Claw");
    }
    let request = with(&[format!("Claw {}", token(json!({})))]);
    assert_eq!(
        send(&layer, request).await.status(),
        401,
        "a token without keys is still the issuer's"
    );
}

#[test]
fn an_empty_scheme_takes_the_whole_value() {
    let jwt = identify::jwt(AUTHORIZATION, "");
    let request = with(&[token(json!({"jti": "j"}))]);
    let Identity::Presented(credential) = jwt.identify(&request) else {
        unreachable!()
    };
    assert!(credential.keys().any(|key| *key == Key::token("j")));
}

#[test]
fn several_tokens_count_as_old_as_the_oldest() {
    let at = |iat: Value| format!("Claw {}", token(json!({"jti": "j", "iat": iat})));
    let issued_at = |values: &[String]| match identify(&with(values)) {
        Identity::Presented(credential) => credential.issued_at().map(Timestamp::as_unix_secs),
        other => panic!("{other:?}"),
    };
    assert_eq!(issued_at(&[at(json!(20)), at(json!(10))]), Some(10));
    assert_eq!(issued_at(&[at(json!(20)), format!("Claw {}", token(json!({})))]), None);
    assert_eq!(issued_at(&[at(json!(-5))]), Some(0));
    assert_eq!(
        issued_at(&[format!("Claw {}", raw("{}", r#"{"iat":9,"iat":3,"iat":7}"#))]),
        Some(3)
    );
}

#[test]
fn claims_are_found_in_extensions() {
    #[derive(Clone)]
    struct Claims(&'static str);
    impl ToCredential for Claims {
        fn to_credential(&self) -> Credential {
            Credential::from(Key::subject(self.0))
        }
    }
    let mut request = Request::new(());
    assert!(matches!(
        identify::extension::<Claims>().identify(&request),
        Identity::Anonymous
    ));
    request.extensions_mut().insert(Claims("alice"));
    let by_closure = identify::extension_with(|claims: &Claims| Some(claims.to_credential()));
    for identity in [
        identify::extension::<Claims>().identify(&request),
        by_closure.identify(&request),
    ] {
        let Identity::Presented(credential) = identity else {
            unreachable!()
        };
        assert!(credential.keys().eq([&Key::subject("alice")]));
    }
    let at = Timestamp::from_unix_secs(5);
    let inserted = Credential::from(Key::token("t")).with_issued_at(at);
    request.extensions_mut().insert(inserted);
    let Identity::Presented(credential) = identify::extension::<Credential>().identify(&request) else {
        unreachable!()
    };
    assert!(credential.keys().eq([&Key::token("t")]));
    assert_eq!(credential.issued_at(), Some(at));
}

/// Each key is looked up, and whoever sends them has proved nothing.
#[test]
fn a_token_that_presents_hundreds_of_keys_is_not_read_to_its_end() {
    let presenting = |keys: usize| {
        let ids: Vec<_> = (0..keys).map(|id| id.to_string()).collect();
        identify(&with(&[format!("Claw {}", token(json!({"sub": ids})))]))
    };
    // And the key that signed it.
    let Identity::Presented(credential) = presenting(255) else {
        panic!("as many as that are read");
    };
    assert_eq!(credential.keys().count(), 256);
    let Identity::Partial(credential, _) = presenting(256) else {
        panic!("what is beyond is not read");
    };
    assert_eq!(credential.keys().count(), 256);
}
