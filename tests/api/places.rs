//! Where in a request a token is, and in which form: a sender chooses, and verifiers are generous. Each test is a row of the table in
//! SECURITY.md.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{AUTHORIZATION, COOKIE, HeaderName, SEC_WEBSOCKET_PROTOCOL};
use http::{HeaderValue, Request};
use serde_json::{Value, json};
use tower_revocation::identify::{self, Jwt};
use tower_revocation::{
    Credential, DomainConfig, Identify, Identity, Key, ListPolicy, Revocation, RevocationLayer, Timestamp, Unreadable,
};

use crate::support::send;

fn token_of(claims: &Value) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}.c2ln", part(&json!({"alg": "EdDSA"})), part(claims))
}

fn token(jti: &str) -> String {
    token_of(&json!({ "jti": jti }))
}

fn bearer() -> Jwt {
    identify::jwt(AUTHORIZATION, "Bearer")
}

fn with(name: &HeaderName, values: &[&str]) -> Request<String> {
    let mut request = Request::new(String::new());
    for value in values {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        request.headers_mut().append(name, value);
    }
    request
}

fn at(uri: &str) -> Request<String> {
    Request::get(uri).body(String::new()).unwrap()
}

/// What a layer answers for which `bad` is revoked: if unreadable credentials are refused, and if they pass.
async fn statuses(jwt: &Jwt, request: impl Fn() -> Request<String>) -> (u16, u16) {
    let config = DomainConfig::new().with_lists(ListPolicy::NotUsed);
    let (layer, sink) = RevocationLayer::pair_with(config, jwt.clone());
    sink.apply(Revocation::block(Key::token("bad")))
        .unwrap()
        .wait()
        .unwrap();
    let lenient = layer.clone().with_unreadable(Unreadable::Pass);
    let strict = send(&layer, request()).await.status().as_u16();
    (strict, send(&lenient, request()).await.status().as_u16())
}

const PASSES: (u16, u16) = (200, 200);
const REVOKED: (u16, u16) = (401, 401);
const UNREADABLE: (u16, u16) = (401, 200);

/// A form in which `$` stands for a token: a revoked one is refused, and a healthy one gets another answer.
async fn assert_read(jwt: &Jwt, form: &str, healthy: (u16, u16), request: impl Fn(&str) -> Request<String>) {
    let filled = |id: &str| form.replace('$', &token(id));
    assert_eq!(statuses(jwt, || request(&filled("bad"))).await, REVOKED, "{form}");
    assert_eq!(statuses(jwt, || request(&filled("good"))).await, healthy, "{form}");
}

fn authorized(value: &str) -> Request<String> {
    with(&AUTHORIZATION, &[value])
}

#[tokio::test]
async fn a_token_is_read_wherever_it_stands_in_its_header() {
    for form in [
        "Bearer $",
        "bEaReR  \t $ ",
        "$",
        " $ ",
        "DPoP $",
        "Token $",
        "JWT $",
        "Basic dXNlcjpwYXNz, Bearer $",
        "Basic dXNlcjpwYXNz, $",
        "Bearer ,$",
        "foo,Bearer ,,$",
        "x Bearer $",
        "Bearer$",
        "bearerBEARER$",
        "x$",
        "Bearer=$",
        "Bearer:$",
        "Token token=\"$\", nonce=\"x\"",
        "Token token=$",
        "'$'",
        "($)",
        "Bearer $=",
        "Bearer $,",
        "Bearer $~",
        "~$",
        // Verifiers look for a scheme anywhere, and some end a token at what is not of its alphabet.
        ".Bearer$",
        "x.Bearer$",
        "a.b.Bearer$",
        "xBearer $=.x",
        "eyJhIjoxfQ.e30.x~Bearer$",
        "Bearer\u{a0}$\u{a0}",
        "Bearer Bearer $",
        "$, Bearer $",
    ] {
        assert_read(&bearer(), form, PASSES, authorized).await;
    }
    // More is there than a token, and it is meant to be one.
    for form in [
        "Bearer $ x",
        "Bearer x $",
        "Bearer \"$\"",
        "Bearer '$'",
        "Bearer \"$",
        "Bearer ($)",
        "Bearer =$",
        "Bearer \"x$\"",
        "Bearer eyJ$",
        "eyJ$",
        "Bearer x, Bearer $",
        "$, Bearer x",
        "Bearer x$",
    ] {
        assert_read(&bearer(), form, UNREADABLE, authorized).await;
    }
}

/// Of a token behind other characters the payload alone was read, and a revoked key that it was signed with passed.
#[tokio::test]
async fn all_keys_of_a_token_behind_other_characters_count() {
    let token_of = |kid: &str| {
        let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
        format!("{}.{}.c2ln", part(json!({ "kid": kid })), part(json!({"jti": "j"})))
    };
    let config = DomainConfig::new().with_lists(ListPolicy::NotUsed);
    let (layer, sink) = RevocationLayer::pair_with(config, bearer().with_cookie("sid"));
    sink.apply(Revocation::block(Key::signing_key("bad")))
        .unwrap()
        .wait()
        .unwrap();
    let layer = layer.with_unreadable(Unreadable::Pass);
    for form in [
        "$", "\"$\"", "'$'", "\"$", "($)", "=$", "x$", ".$", "\"x$\"", "eyJ$", "eyJeyJ$", "*$*", "x,$",
    ] {
        for (kid, answer) in [("bad", 401), ("good", 200)] {
            let filled = form.replace('$', &token_of(kid));
            let in_header = authorized(&format!("Bearer {filled}"));
            assert_eq!(send(&layer, in_header).await.status(), answer, "{form} {kid}");
            let in_cookie = with(&COOKIE, &[&format!("sid={}", filled.replace(',', "%2C"))]);
            assert_eq!(send(&layer, in_cookie).await.status(), answer, "{form} {kid}");
        }
    }
}

#[tokio::test]
async fn every_value_of_a_header_counts() {
    for at in 0..3 {
        let mut values = [token("good"), format!("Bearer {}", token("good")), "Basic x".to_owned()];
        let request = |values: &[String; 3]| with(&AUTHORIZATION, &values.each_ref().map(String::as_str));
        assert_eq!(statuses(&bearer(), || request(&values)).await, PASSES);
        values[at] = format!("DPoP {}", token("bad"));
        assert_eq!(statuses(&bearer(), || request(&values)).await, REVOKED);
    }
}

#[tokio::test]
async fn what_is_no_token_is_anonymous() {
    for value in [
        "",
        " , ,",
        "Basic dXNlcjpwYXNz",
        "Bearerx",
        "forbearer x",
        r#"Digest username="a", realm="api.example.com", nonce="ZTMw=.x.y", uri="/a.b.c", response="6629fae49393a05397450978507c4ef1""#,
        r#"Digest realm="MonkeyJack.example.com", realm="Bearer in.the.realm""#,
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261129/us-east-1/s3.eu.x/aws4_request, SignedHeaders=host;x-amz-date, \
         Signature=fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024",
        r#"Hawk id="dh37.fgj.492je", ts="1353832234", nonce="j4h3g2", ext="some.app.ext", mac="6R4rV5iE+NPoym+WwjeHzjAGXUtLNIxmo1vpMofpLAE=""#,
        "report.2026.pdf",
        "eye.tar.gz",
        "v4.public.eyJzdWIiOiJ4In0",
        "Macaroon MDAxY2xvY2F0aW9u",
        "https://api.example.com/a.b.c?d=e.f.g",
        "eyJhbGciOiJub25lIn0.eyJqdGkiOiJiYWQifQ",
    ] {
        assert!(
            matches!(bearer().identify(&authorized(value)), Identity::Anonymous),
            "{value}"
        );
    }
}

/// It was anonymous, and passed, wherever the scheme was not the first word of a part.
#[tokio::test]
async fn a_scheme_without_a_readable_token_is_never_anonymous() {
    for value in [
        "Bearer",
        "bearer ",
        "Bearer ,",
        "Bearer rubbish",
        "Bearer ,rubbish",
        "x Bearer rubbish",
        "Basic x, BEARER rubbish",
        "Bearer e30.e30",
        "Bearer e30.e30.e30.e30",
        "Bearer e30.e30.e30.e30.e30",
        "Bearer v4.public.eyJzdWIiOiJ4In0",
        r#"Bearer {"payload":"e30","signature":"x"}"#,
        // Without a scheme, but in the form of a token.
        "e30.e30.e30.e30.e30",
        "DPoP e30.W10.x",
        "eyJ.x.y",
    ] {
        assert_eq!(statuses(&bearer(), || authorized(value)).await, UNREADABLE, "{value}");
    }
}

#[tokio::test]
async fn tokens_in_several_headers_behind_several_schemes_are_read() {
    let other = HeaderName::from_static("x-forwarded-access-token");
    let jwt = bearer()
        .with_header(other.clone(), "")
        .with_header(other.clone(), "Bearer");
    for form in ["$", "Bearer $", "DPoP $"] {
        let healthy = if form == "DPoP $" { UNREADABLE } else { PASSES };
        assert_read(&jwt, form, healthy, |value| with(&other, &[value])).await;
        assert_read(&jwt, form, PASSES, authorized).await;
        assert_eq!(
            statuses(&bearer(), || with(&other, &[&token("bad")])).await,
            PASSES,
            "not asked for"
        );
    }
    assert_eq!(statuses(&jwt, || with(&other, &["rubbish"])).await, UNREADABLE);
    let jwt = bearer()
        .with_scheme("DPoP")
        .with_websocket_protocol()
        .with_scheme("JWT");
    for value in ["DPoP rubbish", "jwt rubbish", "Bearer rubbish"] {
        assert_eq!(statuses(&jwt, || authorized(value)).await, UNREADABLE, "{value}");
    }
    let asked: Vec<_> = Identify::<Request<String>>::challenges(&jwt)
        .iter()
        .map(|one| one.scheme())
        .collect();
    assert_eq!(asked, ["Bearer", "DPoP", "JWT"]);
}

#[tokio::test]
async fn tokens_in_cookies_are_read() {
    let jwt = Jwt::new().with_cookie("sid").with_cookie("other");
    let cookies = |value: &str| with(&COOKIE, &value.split('|').collect::<Vec<_>>());
    for form in [
        "sid=$",
        "a=1; sid=$; b=2",
        "a=1;sid = $",
        "sid=\"$\"",
        "sid=\"Bearer $\"",
        "sid=Bearer%20$",
        "a=1, sid=$",
        "a=1,sid=$",
        "a=1 sid=$",
        "a=\"x; sid=$\"",
        "sid=$; sid=",
        "a=1|b=2; sid=$",
        "other=$",
    ] {
        assert_read(&jwt, form, PASSES, cookies).await;
    }
    for form in [
        "sid=%54".replace("54", "65"),
        "sid=s:x".into(),
        "sid=deleted".into(),
        "a; sid=x".into(),
    ] {
        assert_eq!(statuses(&jwt, || cookies(&form)).await, UNREADABLE, "{form}");
    }
    assert_read(&jwt, "sid=x; sid=$", UNREADABLE, cookies).await;
    // A part of another cookie's value, for most servers: what has a token's form counts, and the rest may be anything.
    for form in [
        "a=1,sid=x",
        "a=1 sid=x",
        "a=b c,d sid=x",
        "a=\"1 sid=deleted\"",
        ",sid=x",
        "a=1,sid=x y.z.w",
    ] {
        assert!(matches!(jwt.identify(&cookies(form)), Identity::Anonymous), "{form}");
        let beside = format!("{form}; sid=$");
        assert_read(&jwt, &beside, PASSES, cookies).await;
        let within = format!("{form}\"$\"");
        assert_read(&jwt, &within, PASSES, cookies).await;
    }
    for form in ["a=1,sid=e30.x.y", "a=1 sid=e30.e30.x.y.z"] {
        assert_eq!(statuses(&jwt, || cookies(form)).await, UNREADABLE, "{form}");
    }
    let escaped = |id: &str, dot: &str| format!("sid=\"{}\"", token(id).replace('.', dot));
    for dot in ["%2E", "%2e", "\\056", "\\."] {
        assert_eq!(statuses(&jwt, || cookies(&escaped("bad", dot))).await, REVOKED, "{dot}");
        assert_eq!(statuses(&jwt, || cookies(&escaped("good", dot))).await, PASSES, "{dot}");
    }
    for form in ["", "sid", "sid=", "sid=\"\"", "SID=x", "xsid=x", "sidx=x", "a=sid"] {
        assert!(matches!(jwt.identify(&cookies(form)), Identity::Anonymous), "{form}");
    }
}

#[tokio::test]
async fn tokens_in_queries_are_read() {
    let jwt = Jwt::new().with_query("access_token");
    for form in [
        "/?access_token=$",
        "/a/b?x=1&access_token=$&y",
        "http://example.com?access_token=$",
        "/?access%5Ftoken=$",
        "/?access_token=+$+",
        "/?access_token=Bearer+$",
        "/?access_token=&access_token=$",
        "/?x=1;access_token=$",
    ] {
        assert_read(&jwt, form, PASSES, at).await;
    }
    for form in ["/?access_token=x&access_token=$", "/?access_token=$&access_token=x"] {
        assert_read(&jwt, form, UNREADABLE, at).await;
    }
    let escaped = |id: &str| format!("/?%61ccess_token=%20{}%3D", token(id).replace('.', "%2E"));
    assert_eq!(statuses(&jwt, || at(&escaped("bad"))).await, REVOKED);
    assert_eq!(statuses(&jwt, || at(&escaped("good"))).await, PASSES);
    assert_eq!(statuses(&jwt, || at("/?access_token=rubbish")).await, UNREADABLE);
    for uri in [
        "/",
        "/?",
        "/?access_token",
        "/?access_token=",
        "/?Access_Token=x",
        "/?x=access_token=x",
        "/access_token=x",
    ] {
        assert!(matches!(jwt.identify(&at(uri)), Identity::Anonymous), "{uri}");
    }
}

/// Browsers cannot set `Authorization` on a WebSocket.
#[tokio::test]
async fn tokens_that_open_a_websocket_are_read() {
    let protocols = |value: &str| with(&SEC_WEBSOCKET_PROTOCOL, &value.split('|').collect::<Vec<_>>());
    for jwt in [
        bearer().with_websocket_protocol(),
        Jwt::new().with_websocket_protocol(),
        identify::jwt(SEC_WEBSOCKET_PROTOCOL, "bearer"),
    ] {
        for form in [
            "bearer, $",
            "bearer,$",
            "chat, bearer, $",
            "bearer, $, chat",
            "$",
            "chat, $",
            "bearer|$",
            "$|bearer",
            "chat|Bearer, $",
            "bearer, chat, $",
            "bearer, v1.chat.example, $",
            "$, bearer",
            "$, chat, bearer",
            "bearer, chat|v2.chat|$",
            "bearer, x$, $",
        ] {
            let healthy = if form == "bearer, x$, $" { UNREADABLE } else { PASSES };
            assert_read(&jwt, form, healthy, protocols).await;
        }
        for form in ["chat, v1.chat.example", "chat|a.e30.b", ", ", "chat bearers"] {
            assert!(matches!(jwt.identify(&protocols(form)), Identity::Anonymous), "{form}");
        }
        for form in [
            "bearer",
            "bearer, rubbish",
            "rubbish, bearer",
            "bearer|chat",
            "chat, v1.chat.example|bearer",
            "bearer, e30.e30.e30.e30.e30, chat",
            "bearer, a.e30.b",
        ] {
            assert_eq!(statuses(&jwt, || protocols(form)).await, UNREADABLE, "{form}");
        }
        // What cannot be read hides nothing: neither its own keys nor another token.
        for form in ["bearer, e*$", "bearer, \"$\"", "e*$, bearer, $", "bearer, e30.x.y, $"] {
            assert_read(&jwt, form, UNREADABLE, protocols).await;
        }
    }
    // Another issuer's token was read as well.
    let ours = Jwt::new().with_websocket_protocol().with_issuer("ours");
    let of = |iss: &str| token_of(&json!({"iss": iss, "jti": "j"}));
    let list = |token: &str| protocols(&format!("chat, bearer, {token}"));
    assert!(matches!(ours.identify(&list(&of("theirs"))), Identity::Anonymous));
    assert!(matches!(ours.identify(&list(&of("ours"))), Identity::Presented(_)));
}

/// As the API server of Kubernetes takes it from pages: encoded once more, beside the protocol that is spoken.
#[tokio::test]
async fn tokens_of_kubernetes_that_open_a_websocket_are_read() {
    const PREFIX: &str = "base64url.bearer.authorization.k8s.io.";
    let jwt = bearer().with_websocket_protocol();
    let list = |form: &str, text: &str| {
        let protocol = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(text));
        with(
            &SEC_WEBSOCKET_PROTOCOL,
            &form.replace('$', &protocol).split('|').collect::<Vec<_>>(),
        )
    };
    for form in [
        "$, base64.channel.k8s.io",
        "v4.channel.k8s.io|$",
        "$",
        "bearer, $",
        "$, bearer",
    ] {
        for (text, healthy) in [
            ("$".to_owned(), PASSES),
            (" $\n".to_owned(), PASSES),
            ("\"$\"".to_owned(), UNREADABLE),
            ("x $".to_owned(), UNREADABLE),
        ] {
            let request = |id: &str| list(form, &text.replace('$', &token(id)));
            assert_eq!(statuses(&jwt, || request("bad")).await, REVOKED, "{form} {text}");
            assert_eq!(statuses(&jwt, || request("good")).await, healthy, "{form} {text}");
        }
        for text in ["", "opaque", "e30.e30.x.y.z"] {
            assert_eq!(statuses(&jwt, || list(form, text)).await, UNREADABLE, "{form} {text}");
        }
    }
    let protocols = |value: &str| with(&SEC_WEBSOCKET_PROTOCOL, &[value]);
    // Not encoded, or not in this alphabet.
    assert_read(&jwt, &format!("{PREFIX}$"), UNREADABLE, protocols).await;
    assert_eq!(statuses(&jwt, || protocols(&format!("{PREFIX}***"))).await, UNREADABLE);
    for other in [
        "base64url.bearer.authorization.k8s.io",
        "base64.channel.k8s.io, v5.channel.k8s.io",
    ] {
        assert!(
            matches!(jwt.identify(&protocols(other)), Identity::Anonymous),
            "{other}"
        );
    }
}

/// To ask for a cookie where the header has nothing let a healthy token in one hide a revoked one in the other.
#[tokio::test]
async fn the_strictest_of_several_places_counts() {
    let one = bearer().with_cookie("sid").with_query("t");
    let by_cookie = Jwt::new().with_cookie("sid");
    let by_query = |request: &Request<String>| match request.uri().query().and_then(|query| query.strip_prefix("t=")) {
        Some(token) => identify::token(token),
        None => Identity::Anonymous,
    };
    let all = identify::any_of((bearer(), by_cookie, by_query));
    let (layer, sink) = RevocationLayer::pair_with(DomainConfig::new().with_lists(ListPolicy::NotUsed), all);
    sink.apply(Revocation::block(Key::token("bad")))
        .unwrap()
        .wait()
        .unwrap();
    let request = |ids: [&str; 3]| {
        let [header, cookie, query] = ids.map(|id| if id.is_empty() { String::new() } else { token(id) });
        let mut request = at(&format!("/?t={query}"));
        if !header.is_empty() {
            request
                .headers_mut()
                .insert(AUTHORIZATION, format!("Bearer {header}").parse().unwrap());
        }
        request
            .headers_mut()
            .insert(COOKIE, format!("sid={cookie}").parse().unwrap());
        request
    };
    for place in 0..3 {
        for beside in ["", "good"] {
            if beside.is_empty() && place < 2 {
                continue; // The closure takes an empty parameter for a token that cannot be read.
            }
            let mut ids = [beside, beside, "good"];
            assert_eq!(send(&layer, request(ids)).await.status(), 200);
            assert_eq!(statuses(&one, || request(ids)).await, PASSES);
            ids[place] = "bad";
            assert_eq!(send(&layer, request(ids)).await.status(), 401);
            assert_eq!(statuses(&one, || request(ids)).await, REVOKED);
        }
    }
    assert_eq!(sink.status().verdicts.revoked, 4);
}

#[test]
fn several_ways_ask_for_the_schemes_of_all_of_them() {
    let all = identify::any_of((
        bearer().with_scheme("DPoP"),
        Jwt::new().with_cookie("sid"),
        identify::jwt(AUTHORIZATION, "bearer"),
    ));
    for _ in 0..2 {
        let asked: Vec<_> = Identify::<Request<String>>::challenges(&all)
            .iter()
            .map(|one| one.scheme())
            .collect();
        assert_eq!(asked, ["Bearer", "DPoP"]);
    }
}

#[test]
fn a_token_that_was_found_by_other_means_is_read() {
    let keys = |identity: Identity| match identity {
        Identity::Presented(credential) => credential.keys().copied().collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let claims = token_of(&json!({"jti": "j", "tid": "t"}));
    assert_eq!(keys(identify::token(&claims)), [Key::token("j")]);
    assert_eq!(
        keys(identify::token(format!(" {claims}\t").as_bytes())),
        [Key::token("j")]
    );
    let jwt = Jwt::new().with_claim("tid", Key::tenant);
    assert_eq!(keys(jwt.read_token(claims)), [Key::token("j"), Key::tenant("t")]);
    for text in ["", " ", "Bearer e30.e30.x", "opaque"] {
        let found = identify::token(text);
        assert!(
            matches!(found, Identity::Unreadable(_) | Identity::Partial(..)),
            "{text:?}"
        );
    }
}

/// Of two keys that a host wanted of one claim, the second was dropped in silence: its revocation reached nobody.
#[test]
fn a_claim_makes_every_key_that_was_asked_for() {
    fn trust_domain(sub: &str) -> Key {
        let rest = sub.strip_prefix("spiffe://").unwrap_or_default();
        Key::tenant(rest.split('/').next().unwrap_or_default())
    }
    let jwt = Jwt::new()
        .with_claim("sub", trust_domain)
        .with_claim("tid", Key::tenant)
        .with_claim("tid", |id| Key::named("directory", id));
    let found = jwt.read_token(token_of(&json!({"sub": "spiffe://td.example/mail", "tid": ["t", "u"]})));
    let Identity::Presented(credential) = found else {
        panic!("{found:?}")
    };
    let expected = [
        Key::subject("spiffe://td.example/mail"),
        Key::tenant("td.example"),
        Key::tenant("t"),
        Key::named("directory", "t"),
        Key::tenant("u"),
        Key::named("directory", "u"),
    ];
    let found: Vec<_> = credential.keys().collect();
    assert!(
        found.len() == expected.len() && expected.iter().all(|key| found.contains(&key)),
        "{credential:?}"
    );
}

#[test]
fn claims_within_others_are_read() {
    let jwt = Jwt::new()
        .with_claim_at(["cnf", "jkt"], |id| Key::named("bound-key", id))
        .with_claim_at(["cnf", "x5t#S256"], |id| Key::named("bound-key", id))
        .with_claim_at(["ext", "deep", "sid"], Key::session)
        .with_claim("https://example.com/tenant.id", Key::tenant)
        .with_claim_at(["ext"], |id| Key::named("ext", id));
    let found = |claims: Value| match jwt.read_token(token_of(&claims)) {
        Identity::Presented(credential) => credential.keys().copied().collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let claims = json!({
        "cnf": {"jkt": "a", "jti": "not the token's", "iat": [], "x5t#S256": "b"},
        "ext": {"deep": [{"sid": "s"}, {"sid": ["t"], "sub": "nobody"}]},
        "https://example.com/tenant.id": "c",
        "act": {"cnf": {"jkt": "actor's"}},
        "jkt": "another",
    });
    let keys = found(claims);
    let expected = [
        Key::named("bound-key", "a"),
        Key::named("bound-key", "b"),
        Key::session("s"),
        Key::session("t"),
        Key::tenant("c"),
        Key::named("bound-key", "actor's"),
    ];
    assert!(
        keys.len() == 6 && expected.iter().all(|key| keys.contains(key)),
        "{keys:?}"
    );
    assert_eq!(found(json!({"ext": "e", "cnf": null})), [Key::named("ext", "e")]);
    assert_eq!(found(json!({"sub": "s", "cnf": {}})), [Key::subject("s")]);
}

/// A token alone was bounded: sixteen of them made a request that took thousands of look-ups.
#[tokio::test]
async fn many_tokens_in_one_request_present_no_more_keys_than_one_may() {
    let many = |from: usize, to: usize| {
        let ids: Vec<_> = (from..to).map(|id| id.to_string()).collect();
        token_of(&json!({ "sub": ids }))
    };
    let jwt = bearer().with_cookie("sid");
    let request = |tokens: &[String]| {
        let mut request = with(&COOKIE, &[&format!("sid={}", many(0, 100))]);
        for token in tokens {
            request
                .headers_mut()
                .append(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        request
    };
    let Identity::Presented(credential) = jwt.identify(&request(&[many(50, 150), many(100, 256)])) else {
        panic!("as many as that are read, each once");
    };
    assert_eq!(credential.keys().count(), Credential::MOST_KEYS);
    let Identity::Partial(credential, _) = jwt.identify(&request(&[many(50, 150), many(100, 257), many(300, 500)]))
    else {
        panic!("what was read counts");
    };
    assert_eq!(credential.keys().count(), Credential::MOST_KEYS);
    // Also under `Unreadable::Pass`: what was not looked at may be revoked.
    assert_eq!(statuses(&jwt, || request(&[many(100, 257)])).await, (401, 401));
    // Whatever else is wrong: it was not said behind something unreadable, and a revoked token behind all of them passed.
    for unreadable in ["x", "e30.e30.x x", "e30.e30.e30.e30"] {
        let tokens = [unreadable.to_owned(), many(100, 256), token("bad")];
        for at in 0..2 {
            let mut tokens = tokens.clone();
            tokens.swap(0, at);
            assert_eq!(statuses(&jwt, || request(&tokens)).await, (401, 401), "{unreadable}");
        }
    }
    let ids: Vec<_> = (0..256).map(|id| id.to_string()).collect();
    for unreadable in ["\\ud800", ""] {
        let claims = format!(r#"{{"sid":"{unreadable}","sub":{ids:?},"jti":"bad"}}"#);
        let within_one = format!("e30.{}.x", URL_SAFE_NO_PAD.encode(claims));
        assert_eq!(
            statuses(&jwt, || authorized(&format!("Bearer {within_one}"))).await,
            (401, 401)
        );
    }
    assert_eq!(
        statuses(&jwt, || request(&[token("bad"), many(100, 400)])).await,
        REVOKED
    );
}

#[tokio::test]
async fn a_closure_presents_no_more_keys_than_a_token_may() {
    let by_body = |request: &Request<String>| {
        let mut credential = Credential::new();
        credential.extend(request.body().split(' ').map(Key::subject));
        credential
    };
    let (layer, sink) = RevocationLayer::pair_with(DomainConfig::new().with_lists(ListPolicy::NotUsed), by_body);
    sink.apply(Revocation::block(Key::subject("299")))
        .unwrap()
        .wait()
        .unwrap();
    let presenting = |keys: usize| Request::new((0..keys).map(|key| key.to_string()).collect::<Vec<_>>().join(" "));
    for (keys, verdict) in [(256, 200), (257, 401), (300, 401)] {
        assert_eq!(send(&layer, presenting(keys)).await.status(), verdict, "{keys}");
    }
    let verdicts = sink.status().verdicts;
    // What was not looked at may be revoked.
    assert_eq!((verdicts.admit, verdicts.unreadable, verdicts.revoked), (1, 2, 0));
}

/// A verifiable presentation has neither `jti` nor `sub`: all of it is in the credentials within.
#[tokio::test]
async fn a_token_without_any_key_is_a_credential_all_the_same() {
    let presentation = token_of(&json!({"vp": {"verifiableCredential": [token("bad")]}, "nonce": "n"}));
    let request = || authorized(&format!("Bearer {presentation}"));
    let Identity::Presented(credential) = bearer().identify(&request()) else {
        panic!("it is not anonymous");
    };
    assert_eq!(credential.keys().count(), 0);
    let (layer, sink) = RevocationLayer::pair_with(DomainConfig::new().with_lists(ListPolicy::NotUsed), bearer());
    assert_eq!(send(&layer, request()).await.status(), 200);
    assert_eq!((sink.status().verdicts.admit, sink.status().verdicts.anonymous), (1, 0));
    sink.apply(Revocation::block(Key::everything()))
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(send(&layer, request()).await.status(), 401);
}

/// It once read the first value alone, and took one beyond ASCII for none.
#[tokio::test]
async fn the_closure_in_the_docs_misses_no_value() {
    let by_client = |request: &Request<String>| {
        let mut found = Identity::Anonymous;
        for value in request.headers().get_all("x-client-id") {
            found.merge(match std::str::from_utf8(value.as_bytes()) {
                Ok(id) => Credential::from(Key::client(id)).into(),
                Err(_) => Identity::Unreadable("client id is not UTF-8"),
            });
        }
        found
    };
    let docs = include_str!("../../src/identify/extract.rs").replace("/// ", "");
    let closure = "for value in request.headers().get_all(\"x-client-id\") {\n        found.merge(match \
                   std::str::from_utf8(value.as_bytes())";
    assert!(docs.contains(closure), "this is the closure in the docs");
    let (layer, sink) = RevocationLayer::pair_with(DomainConfig::new().with_lists(ListPolicy::NotUsed), by_client);
    for revoked in ["mallory", "märz"] {
        sink.apply(Revocation::block(Key::client(revoked)))
            .unwrap()
            .wait()
            .unwrap();
    }
    for (values, status) in [
        (&[&b"mallory"[..]][..], 401),
        (&[b"alice", b"mallory"], 401),
        (&["märz".as_bytes()], 401),
        (&[b"alice", b"\xff"], 401),
        (&[b"alice", b"bob"], 200),
        (&[], 200),
    ] {
        let mut request = Request::new(String::new());
        for value in values {
            request
                .headers_mut()
                .append("x-client-id", HeaderValue::from_bytes(value).unwrap());
        }
        assert_eq!(send(&layer, request).await.status(), status, "{values:?}");
    }
}

#[test]
fn the_oldest_token_of_all_places_counts() {
    let jwt = bearer().with_cookie("sid");
    let request = |header: Value, cookie: Value| {
        let mut request = authorized(&format!("Bearer {}", token_of(&header)));
        let cookie = format!("sid={}", token_of(&cookie));
        request.headers_mut().insert(COOKIE, cookie.parse().unwrap());
        request
    };
    let issued_at = |request: Request<String>| match jwt.identify(&request) {
        Identity::Presented(credential) => credential.issued_at().map(Timestamp::as_unix_secs),
        other => panic!("{other:?}"),
    };
    assert_eq!(issued_at(request(json!({"iat": 9}), json!({"iat": 5}))), Some(5));
    assert_eq!(issued_at(request(json!({"iat": 5}), json!({"iat": 9}))), Some(5));
    assert_eq!(issued_at(request(json!({"iat": 5}), json!({}))), None);
}

#[test]
fn each_row_of_the_table_is_a_test() {
    let table = include_str!("../../SECURITY.md")
        .split("### Where tokens are read")
        .nth(1)
        .unwrap();
    let table = table.split("\n#").next().unwrap();
    let rows: Vec<_> = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| Place"))
        .collect();
    assert!(rows.len() >= 13, "{}", rows.len());
    for row in rows {
        let test = row
            .trim_end_matches(" |")
            .rsplit("| ")
            .next()
            .unwrap()
            .trim_matches('`');
        assert!(include_str!("places.rs").contains(&format!("fn {test}()")), "{row}");
    }
}
