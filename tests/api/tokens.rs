//! What a token says, as real libraries write it and real verifiers read it: what any of them reads as a key is presented, and
//! what nobody asked for refuses nobody. SECURITY.md has a table of these forms.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use http::Request;
use http::header::AUTHORIZATION;
use proptest::prelude::*;
use tower::ServiceBuilder;
use tower::{ServiceExt, service_fn};
use tower_revocation::identify::{self, Jwt};
use tower_revocation::{
    Credential, EventSink, Identify, Identity, Key, Revocation, RevocationLayer, Timestamp, Unreadable,
};

use crate::support::{list_of_now, send};

fn with_header(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    format!(
        "{}.{}.c2ln",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    )
}

fn token(payload: impl AsRef<[u8]>) -> String {
    with_header("{}", payload)
}

fn with_disclosures(payload: &str, disclosures: &[&str]) -> String {
    let disclosures = disclosures.iter().map(|json| URL_SAFE_NO_PAD.encode(json) + "~");
    token(payload) + "~" + &disclosures.collect::<String>()
}

fn request(token: &str) -> Request<String> {
    Request::get("/")
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .body(String::new())
        .unwrap()
}

fn jwt() -> Jwt {
    identify::jwt(AUTHORIZATION, "Bearer")
        .with_claim("user_id", Key::subject)
        .with_claim("groups", Key::tenant)
}

fn identify(token: &str) -> Identity {
    jwt().identify(&request(token))
}

#[track_caller]
fn presented(token: &str) -> Credential {
    match identify(token) {
        Identity::Presented(credential) => credential,
        other => panic!("{other:?}"),
    }
}

/// What can be read of a token of which not all can.
#[track_caller]
fn partial(token: &str) -> Credential {
    match identify(token) {
        Identity::Partial(credential, _) => credential,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn assert_presents<const N: usize>(token: &str, keys: [Key; N]) {
    let found = presented(token);
    assert!(found.keys().eq(&keys), "{found:?}");
}

fn unreadable(token: &str) -> &'static str {
    match identify(token) {
        Identity::Unreadable(problem) => problem,
        other => panic!("{other:?}"),
    }
}

fn pair(jwt: Jwt) -> (RevocationLayer<Jwt>, EventSink) {
    let (layer, sink) = RevocationLayer::pair(jwt);
    sink.install(list_of_now()).unwrap();
    (layer, sink)
}

async fn status(token: &str, revocation: Option<Revocation>, unreadable: Unreadable) -> u16 {
    let (layer, sink) = pair(jwt());
    if let Some(revocation) = revocation {
        sink.apply(revocation).unwrap().wait().unwrap();
    }
    send(&layer.with_unreadable(unreadable), request(token))
        .await
        .status()
        .as_u16()
}

async fn blocked(token: &str, key: Key) -> u16 {
    status(token, Some(Revocation::block(key)), Unreadable::Pass).await
}

/// The answers when nothing is revoked, when those up to this second are cut off, and those up to the second before.
async fn cut_offs(iat: &str) -> [u16; 3] {
    let token = token(format!(r#"{{"sub":"u-1"{iat}}}"#));
    let mut found = [0; 3];
    for (found, at) in found.iter_mut().zip([None, Some(1_795_975_350), Some(1_795_975_349)]) {
        let cut_off = at.map(|at| Revocation::cut_off(Key::subject("u-1")).at(Timestamp::from_unix_secs(at)));
        *found = status(&token, cut_off, Unreadable::Refuse).await;
    }
    found
}

const READ: [u16; 3] = [200, 401, 200];
const NO_DATE: [u16; 3] = [200, 401, 401];

#[tokio::test]
async fn dates_are_read_as_libraries_write_them() {
    for iat in [
        "1795975350",
        "1795975350.9",
        "1.7959753505e9",
        r#""1795975350""#,
        r#""1795975350.5""#,
        r#""2026-11-29T18:02:30Z""#,
        r#""2026-11-29T18:02:30.500Z""#,
        r#""2026-11-29T19:02:30+01:00""#,
    ] {
        assert_eq!(cut_offs(&format!(r#","iat":{iat}"#)).await, READ, "{iat}");
    }
}

#[tokio::test]
async fn what_is_no_date_is_refused_by_any_cut_off_and_by_nothing_else() {
    assert_eq!(cut_offs("").await, NO_DATE);
    for iat in [
        "null",
        "true",
        "[]",
        "[1795975350]",
        r#"{"a":1}"#,
        r#""last Sunday""#,
        r#""""#,
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "18446744075504551616",
        "1e19",
        "1e300",
        "1e999",
        "-1",
        "-1e19",
        "-9223372036854775809",
    ] {
        assert_eq!(cut_offs(&format!(r#","iat":{iat}"#)).await, NO_DATE, "{iat}");
    }
}

#[tokio::test]
async fn of_several_dates_the_oldest_counts_and_one_that_is_none() {
    for (iat, expected) in [
        (r#","iat":1795975350,"iat":1895975350"#, READ),
        (r#","iat":1895975350,"IAT":1795975350"#, READ),
        (r#","Iat ":1895975350,"iat":"1795975350""#, READ),
        (r#","iat":1795975350,"iat":1e19"#, NO_DATE),
        (r#","iat":null,"iat":1795975350"#, NO_DATE),
        (r#","iat":1795975350,"act":{"iat":1}"#, READ),
        (r#","act":{"iat":1795975350}"#, NO_DATE),
    ] {
        assert_eq!(cut_offs(iat).await, expected, "{iat}");
    }
}

#[tokio::test]
async fn keys_before_and_behind_what_cannot_be_read_count() {
    let cases: [&[u8]; 17] = [
        br#"{"jti":"J","sub":{"id":7}}"#,
        br#"{"sub":{"id":7},"jti":"J"}"#,
        br#"{"sub":true,"jti":"J"}"#,
        br#"{"jti":"J","act":null}"#,
        br#"{"jti":"J","iat":null}"#,
        br#"{"sub":1,"jti":"J"}"#,
        br#"{"sub":"u-\ud83d","jti":"J"}"#,
        b"{\"sub\":\"u-\xff\",\"jti\":\"J\"}",
        br#"{"iat":"last Sunday","jti":"J"}"#,
        br#"{"act":"somebody","jti":"J"}"#,
        br#"{"jti":"J"}{}"#,
        br#"{"sub":NaN,"jti":"J"}"#,
        br#"{"sub":,"jti":"J"}"#,
        br#"{"sub" "x","jti":"J"}"#,
        br#"{"sub":"x" "jti":"J"}"#,
        br#"{"x"],"jti":"J"}"#,
        br#"{"jti":"J","sub":"cut"#,
    ];
    for claims in cases {
        let shown = String::from_utf8_lossy(claims);
        assert_eq!(blocked(&token(claims), Key::token("J")).await, 401, "{shown}");
        assert_eq!(blocked(&token(claims), Key::token("other")).await, 200, "{shown}");
    }
    let too_many = format!(r#"{{"jti":"J","sub":[{}"s"]}}"#, r#""s","#.repeat(300));
    assert_eq!(blocked(&token(too_many), Key::token("J")).await, 401);
}

#[test]
fn what_is_no_text_in_a_claim_that_is_asked_for_is_no_id() {
    let cases: [&[u8]; 6] = [
        br#"{"sub":"u-\ud83d","jti":"J"}"#,
        b"{\"sub\":\"u-\xff\",\"jti\":\"J\"}",
        br#"{"sub":["a\ude00"],"jti":"J"}"#,
        br#"{"sub":01,"jti":"J"}"#,
        br#"{"jti":"J"}x"#,
        br#"{"jti":"J""#,
    ];
    for claims in cases {
        assert!(partial(&token(claims)).keys().eq(&[Key::token("J")]));
    }
    assert_eq!(partial(&token(br#"{"sub":"\ud800"}"#)).keys().count(), 0);
    let header = partial(&with_header(r#"{"kid":"\ud800"}"#, r#"{"jti":"J"}"#));
    assert!(header.keys().eq(&[Key::token("J")]));
}

#[test]
fn claims_that_nobody_asked_for_refuse_nobody() {
    let deep = format!(r#"{{"x":{}1{},"jti":"J"}}"#, "[".repeat(9_000), "]".repeat(9_000));
    let objects = format!(
        r#"{{"x":{}1{},"jti":"J"}}"#,
        r#"{"sub":"#.repeat(5_000),
        "}".repeat(5_000)
    );
    let cases: [&[u8]; 10] = [
        b"{\"x\":\"\xff\",\"jti\":\"J\"}",
        b"{\"\xff\":1,\"jti\":\"J\"}",
        br#"{"x":"\ud83d","jti":"J"}"#,
        br#"{"\ud83d":1,"jti":"J"}"#,
        br#"{"x":1e400,"y":-1e400,"jti":"J"}"#,
        br#"{"x":NaN,"jti":"J"}"#,
        br#"{"x":"\"}],{\\","y":["]","}"],"jti":"J"}"#,
        br#"{"x":{"jti":"other","y":[{"sub":"other"}]},"jti":"J"}"#,
        deep.as_bytes(),
        objects.as_bytes(),
    ];
    for claims in cases {
        assert_presents(&token(claims), [Key::token("J")]);
    }
    let cases: [&[u8]; 3] = [
        b"{\"x\":\"\xff\"}",
        br#"{"x":1e400,"crit":["\ud800"]}"#,
        br#"{"iat":"x","act":1}"#,
    ];
    for header in cases {
        assert_presents(&with_header(header, r#"{"jti":"J"}"#), [Key::token("J")]);
    }
}

#[test]
fn null_and_other_kinds_where_an_id_may_stand_are_no_key() {
    for claims in [
        r#"{"sub":"u-1","sid":null}"#,
        r#"{"sub":"u-1","act":null}"#,
        r#"{"sub":"u-1","iat":null}"#,
        r#"{"sub":"u-1","act":"invite"}"#,
        r#"{"sub":"u-1","act":["invite",{"sub":"x"}]}"#,
        r#"{"sub":["u-1",null,true,{"id":7}]}"#,
        r#"{"sub":[["u-1"]],"jti":{"a":1},"sid":false}"#,
    ] {
        assert_presents(&token(claims), [Key::subject("u-1")]);
    }
}

#[test]
fn numbers_are_ids() {
    assert_presents(&token(r#"{"user_id":"7"}"#), [Key::subject("7")]);
    assert_presents(&token(r#"{"user_id":7}"#), [Key::subject("7")]);
    assert_presents(&token(r#"{"user_id":8}"#), [Key::subject("8")]);
    assert_presents(
        &token(r#"{"sub":-7,"jti":123456}"#),
        [Key::subject("-7"), Key::subject("-7.000000"), Key::token("123456")],
    );
    for (number, decimal) in [("7.0", "7"), ("1e2", "100"), ("-0", "0"), ("1.50", "1.5")] {
        let found = presented(&token(format!(r#"{{"sid":{number}}}"#)));
        assert!(
            found.keys().take(2).eq(&[Key::session(number), Key::session(decimal)]),
            "{number}"
        );
    }
    assert_presents(
        &token(r#"{"groups":[1,[2.0],"3",1e400]}"#),
        [
            Key::tenant("1"),
            Key::tenant("2.0"),
            Key::tenant("2"),
            Key::tenant("3"),
            Key::tenant("1e400"),
        ],
    );
    assert_presents(
        &with_header(r#"{"kid":12}"#, r#"{"jti":"J"}"#),
        [Key::signing_key("12"), Key::token("J")],
    );
}

/// Found by `verifiers/run`: an id beyond 2^53, as Snowflake's are, was revoked as the text that a verifier had made of it, and passed.
/// No id of another token may come to be refused by it: the texts are those of the same number.
#[test]
fn numbers_are_ids_as_libraries_write_them() {
    for (number, texts) in [
        // JavaScript, Go, Java, Envoy.
        (
            "10020123456789012345",
            &[
                "10020123456789012000",
                "1.0020123456789012e+19",
                "1.0020123456789012E19",
                "10020123456789012480",
            ][..],
        ),
        // JavaScript; Go; Envoy.
        (
            "1175928847299117063",
            &["1175928847299117000", "1.175928847299117e+18", "1175928847299117056"],
        ),
        ("1234567", &["1.234567e+06"]),
        // Python, Rust and Java.
        ("1002e0", &["1002", "1002.0"]),
        (
            "1.00225e15",
            &["1002250000000000", "1.00225e+15", "1002250000000000.0", "1.00225E15"],
        ),
        ("0.00001002", &["1.002e-05", "1.002E-5", "0.000010"]),
    ] {
        let found = presented(&token(format!(r#"{{"sub":{number}}}"#)));
        for text in texts.iter().chain([&number]) {
            assert!(found.keys().any(|key| *key == Key::subject(text)), "{number}: {text}");
        }
    }
    // In an array there may be many.
    assert_presents(&token(r#"{"groups":[1234567]}"#), [Key::tenant("1234567")]);
    assert_presents(&token(r#"{"sub":123456}"#), [Key::subject("123456")]);
}

#[test]
fn names_are_those_of_any_verifier() {
    for claims in [
        r#"{"Sub":"u-1"}"#,
        r#"{"SUB":"u-1"}"#,
        r#"{"sub ":"u-1"}"#,
        r#"{" \tsub":"u-1"}"#,
        "{\"\u{17f}ub\":\"u-1\"}",
        r#"{"\u017fU\u0062":"u-1"}"#,
        r#"{"USER_ID":"u-1"}"#,
        "{\"u\u{17f}er_id\u{a0}\":\"u-1\"}",
        r#"{"ACT":{"Sub":"u-1"}}"#,
    ] {
        assert_presents(&token(claims), [Key::subject("u-1")]);
    }
    assert_presents(
        &token(r#"{"sub":"u-2","Sub":"u-1","SUB":"u-3"}"#),
        [Key::subject("u-2"), Key::subject("u-1"), Key::subject("u-3")],
    );
    assert_presents(&token(r#"{"subject":"u-1","su":"u-1","s ub":"u-1"}"#), []);
    assert_presents(&with_header("{\"\u{212a}ID\":\"k\"}", "{}"), [Key::signing_key("k")]);
}

#[test]
fn one_claim_can_be_several_keys() {
    let jwt = identify::jwt(AUTHORIZATION, "Bearer")
        .with_claim("sub", Key::tenant)
        .with_claim("iat", Key::session)
        .with_claim("Sub", Key::client);
    let Identity::Presented(credential) = jwt.identify(&request(&token(r#"{"sub":["s",{}],"iat":7}"#))) else {
        panic!("it can be read");
    };
    assert!(
        credential
            .keys()
            .eq(&[Key::subject("s"), Key::tenant("s"), Key::client("s"), Key::session("7"),])
    );
    assert_eq!(credential.issued_at(), Some(Timestamp::from_unix_secs(7)));
}

/// Their keys count at any depth. But nobody delegates that often, and a token that says so is not taken for one that can be read.
#[test]
fn actors_are_read_at_any_depth() {
    let nested = |levels: usize| {
        format!(
            r#"{}{{"sub":"first"}}{}"#,
            r#"{"a":[1],"act":"#.repeat(levels),
            r#","jti":null}"#.repeat(levels)
        )
    };
    for levels in [1, 64] {
        assert_presents(&token(nested(levels)), [Key::subject("first")]);
        let shown = with_disclosures("{}", &[&format!(r#"["salt","act",{}]"#, nested(levels - 1))]);
        assert_presents(&shown, [Key::subject("first")]);
    }
    for levels in [65, 1_500] {
        assert!(partial(&token(nested(levels))).keys().eq(&[Key::subject("first")]));
        let shown = with_disclosures("{}", &[&format!(r#"["salt","act",{}]"#, nested(levels - 1))]);
        assert!(partial(&shown).keys().eq(&[Key::subject("first")]));
    }
    assert_presents(
        &token(r#"{"act":{"sub":"a","act":{}},"jti":"J"}"#),
        [Key::subject("a"), Key::token("J")],
    );
}

#[test]
fn padding_and_both_alphabets_are_read() {
    // With both of the characters that the alphabets differ in.
    let (header, claims) = (r#"{"alg":"ES256","x":"???>>>"}"#, r#"{"sub":"u-1","x":"???>>>~~~"}"#);
    let encoded = |encoding: &GeneralPurpose| {
        format!(
            "{}.{}.{}",
            encoding.encode(header),
            encoding.encode(claims),
            encoding.encode([255; 64])
        )
    };
    assert!(encoded(&STANDARD).contains('/') && encoded(&STANDARD).contains('='));
    for encoding in [URL_SAFE_NO_PAD, URL_SAFE, STANDARD, STANDARD_NO_PAD] {
        assert_presents(&encoded(&encoding), [Key::subject("u-1")]);
    }
    // `{}` with other last bits.
    assert_presents("e30.e31.", []);
    for other in ["e30.e3*.x", "e30.e=30.x", "e30.e.x", "*.e30"] {
        assert!(!matches!(identify(other), Identity::Presented(_)), "{other}");
    }
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    assert_presents(
        &with_header("\u{feff}{\"kid\":\"k\"}", "\u{feff} {\"jti\":\"J\"} "),
        [Key::signing_key("k"), Key::token("J")],
    );
}

#[test]
fn a_token_within_a_token_is_read_up_to_two_levels() {
    let inner = with_header(r#"{"kid":"1"}"#, r#"{"jti":"J","iat":9}"#);
    let middle = with_header(r#"{"kid":"2","cty":"jwt"}"#, &inner);
    let outer = with_header(r#"{"kid":"3","cty":"JWT"}"#, &middle);
    assert_presents(&middle, [Key::signing_key("2"), Key::signing_key("1"), Key::token("J")]);
    assert_presents(
        &outer,
        [
            Key::signing_key("3"),
            Key::signing_key("2"),
            Key::signing_key("1"),
            Key::token("J"),
        ],
    );
    assert_eq!(presented(&outer).issued_at(), Some(Timestamp::from_unix_secs(9)));
    assert!(partial(&token(outer)).keys().all(|key| *key != Key::token("J")));
    let mut nested = token(r#"{"jti":"J"}"#);
    for _ in 0..18 {
        nested = token(&nested);
    }
    assert_eq!(unreadable(&nested), "token is nested too deep");
    assert_eq!(unreadable(&token("a.b.c.d.e")), "token is encrypted");
}

#[test]
fn what_cannot_be_read_is_called_by_its_name() {
    let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0];
    let zlib = [0x78, 0x9c, 0xab, 0x56];
    for (token, problem) in [
        (token(gzip), "token is compressed"),
        (token(zlib), "token is compressed"),
        (
            with_header(r#"{"zip":"DEF"}"#, [0xab, 0x56, 0x2a]),
            "token is compressed",
        ),
        ("e30.a.b.c.d".to_owned(), "token is encrypted"),
        (r#"{"payload":"e30""#.to_owned(), "token is in the JSON serialization"),
        (
            with_header(r#"{"b64":false}"#, "x"),
            "token has a payload that is not encoded",
        ),
        ("e30..c2ln".to_owned(), "token is detached from its payload"),
        ("e30.e30".to_owned(), "token does not have three parts"),
        ("opaque".to_owned(), "token does not have three parts"),
        (token("[]"), "token payload is not a JSON object"),
        (token("null"), "token payload is not a JSON object"),
        ("e30.***.x".to_owned(), "token is not base64url"),
    ] {
        assert_eq!(unreadable(&token), problem, "{token}");
    }
    // Four parts are no token, and others may stop behind three.
    assert_eq!(partial("e30.e30.e30.e30").keys().count(), 0);
    // What can be read counts nevertheless.
    for token in [
        with_header("[]", r#"{"jti":"J"}"#),
        with_header(r#"{"b64":false}"#, r#"{"jti":"J"}"#),
        with_header(r#"{"kid":1}x"#, r#"{"jti":"J"}"#),
        format!("*.{}.x", URL_SAFE_NO_PAD.encode(r#"{"jti":"J"}"#)),
    ] {
        assert!(partial(&token).keys().any(|key| *key == Key::token("J")), "{token}");
    }
    assert!(
        partial(&with_header(r#"{"kid":"k","zip":"GZIP"}"#, gzip))
            .keys()
            .eq(&[Key::signing_key("k")])
    );
    assert_presents(&with_header(r#"{"zip":"DEF"}"#, r#"{"jti":"J"}"#), [Key::token("J")]);
}

#[test]
fn disclosed_claims_are_read() {
    let claims = r#"{"iss":"i","_sd":["d1","d2"],"jti":"J"}"#;
    assert_presents(&with_disclosures(claims, &[]), [Key::token("J")]);
    assert_presents(
        &with_disclosures(claims, &[r#"["salt","sub","u-1"]"#, r#"["salt","sid",7]"#]),
        [Key::token("J"), Key::subject("u-1"), Key::session("7")],
    );
    // The proof that the holder has a key is another's token.
    let proof = token(r#"{"jti":"proof","iat":1}"#);
    let with_proof = with_disclosures(claims, &[r#"["salt","sub","u-1"]"#]) + &proof;
    assert_presents(&with_proof, [Key::token("J"), Key::subject("u-1")]);
    let without_end = with_disclosures(claims, &[r#"["salt","sub","u-1"]"#]);
    assert_presents(
        without_end.trim_end_matches('~'),
        [Key::token("J"), Key::subject("u-1")],
    );
    // An actor's, shown with it and by itself; and one in an object that is shown.
    for disclosures in [
        &[r#"["salt","act",{"sub":"actor"}]"#][..],
        &[r#"["salt","act",{"_sd":["d"]}]"#, r#"["salt","sub","actor"]"#],
        &[r#"["salt","act",{"iss":"x","act":{"sub":"actor"}}]"#],
    ] {
        assert_presents(
            &with_disclosures(claims, disclosures),
            [Key::token("J"), Key::subject("actor")],
        );
    }
}

#[test]
fn disclosed_elements_of_arrays_are_read() {
    let claims = r#"{"groups":["a",{"...":"d"}],"aud":[{"...":"e"}]}"#;
    assert_presents(
        &with_disclosures(claims, &[r#"["salt","b"]"#, r#"["salt",[3,"c"]]"#]),
        [Key::tenant("a"), Key::tenant("b"), Key::tenant("3"), Key::tenant("c")],
    );
    // The array may be shown as well, behind its elements.
    let disclosures = [r#"["salt","b"]"#, r#"["salt","groups",[{"...":"d"}]]"#];
    assert_presents(&with_disclosures("{}", &disclosures), [Key::tenant("b")]);
    // Of claims that nobody asked for.
    assert_presents(
        &with_disclosures(r#"{"aud":[{"...":"e"}],"jti":"J"}"#, &[r#"["salt","b"]"#]),
        [Key::token("J")],
    );
}

/// Tokens of a library, shown by it to a verifier. See `tests/vectors/sd-jwt/make.mjs`.
#[test]
fn disclosed_members_of_a_path_are_read() {
    let jwt = Jwt::new()
        .with_claim_at(["cnf", "jkt"], |id| Key::named("bound-key", id))
        .with_claim_at(["ext", "deep", "sid"], Key::session)
        .with_claim_at(["ext", "groups"], Key::tenant)
        .with_claim_at(["devices", "id"], |id| Key::named("device", id));
    let vectors: serde_json::Value = serde_json::from_str(include_str!("../vectors/sd-jwt/index.json")).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert!(cases.len() >= 15, "{}", cases.len());
    for case in cases {
        let found = jwt.read_token(case["token"].as_str().unwrap());
        let Identity::Presented(credential) = found else {
            panic!("{case}: {found:?}");
        };
        let key = |key: &serde_json::Value| match (key[0].as_str().unwrap(), key[1].as_str().unwrap()) {
            ("session", id) => Key::session(id),
            ("subject", id) => Key::subject(id),
            ("tenant", id) => Key::tenant(id),
            (named, id) => Key::named(named, id),
        };
        let expected: HashSet<_> = case["keys"].as_array().unwrap().iter().map(key).collect();
        assert_eq!(credential.keys().copied().collect::<HashSet<_>>(), expected, "{case}");
    }
}

/// The digests are not looked up, so that whatever may stand in a path counts.
#[test]
fn disclosed_members_of_a_path_are_read_in_any_order_and_shape() {
    let jwt = Jwt::new().with_claim_at(["a", "b", "c"], Key::session);
    let shown = |disclosures: &[&str]| match jwt.read_token(with_disclosures(r#"{"_sd":["d"]}"#, disclosures)) {
        Identity::Presented(credential) => Ok(credential.keys().copied().collect::<HashSet<_>>()),
        Identity::Partial(credential, _) => Err(credential.keys().copied().collect::<HashSet<_>>()),
        other => panic!("{other:?}"),
    };
    let keys = |ids: &[&str]| ids.iter().map(|id| Key::session(id)).collect::<HashSet<_>>();
    for (disclosures, ids) in [
        (&[r#"["s","a",{"b":{"c":"1"}}]"#][..], &["1"][..]),
        (&[r#"["s","b",{"c":"1"}]"#], &["1"]),
        (&[r#"["s","B ",{"C":["1",2]}]"#], &["1", "2"]),
        (&[r#"["s","c","1"]"#], &["1"]),
        (&[r#"["s","c",["1",{"...":"d"}]]"#, r#"["s","2"]"#], &["1", "2"]),
        (&[r#"["s","2"]"#, r#"["s","c",["1",{"...":"d"}]]"#], &["1", "2"]),
        (
            &[
                r#"["s","c","1"]"#,
                r#"["s","c","2"]"#,
                r#"["s","a",{"b":{"_sd":["d"]}}]"#,
            ],
            &["1", "2"],
        ),
        // Elements of arrays, and what is in them.
        (&[r#"["s",{"b":[{"c":"1"}]}]"#], &["1"]),
        (&[r#"["s",{"c":"1"}]"#], &["1"]),
        (&[r#"["s",[{"c":"1"},[{"b":{"c":"2"}}]]]"#], &["1", "2"]),
        (&[r#"["s","a",[[{"b":[[{"c":"1"}]]}],{"...":"d"}]]"#], &["1"]),
        (&[r#"["s",{"b":{"c":[{"...":"d"}]}}]"#, r#"["s","1"]"#], &["1"]),
        // An actor's.
        (&[r#"["s","act",{"a":{"b":{"c":"1"}}}]"#], &["1"]),
        // Of no path.
        (
            &[
                r#"["s","x",{"c":"1"}]"#,
                r#"["s","1"]"#,
                r#"["s",["1"]]"#,
                r#"["s","a","1"]"#,
            ],
            &[],
        ),
        (&[r#"["s","a",{"c":"1"}]"#, r#"["s",{"a":{"b":{"c":"1"}}}]"#], &[]),
    ] {
        assert_eq!(shown(disclosures), Ok(keys(ids)), "{disclosures:?}");
    }
    for (disclosures, ids) in [
        (&[r#"["s","c","\ud800"]"#][..], &[][..]),
        (&[r#"["s","b",{"x":1 "c":"1"}]"#], &["1"]),
        (&[r#"["s",{"x","c":"1"}]"#], &["1"]),
        (&[r#"["s","c","1"]"#, r#"["s","c"#], &["1"]),
    ] {
        assert_eq!(shown(disclosures), Err(keys(ids)), "{disclosures:?}");
    }
    // The same in a token without disclosures.
    let found = jwt.read_token(token(r#"{"a":[[{"b":[[{"c":"1"}]]}]]}"#));
    assert!(
        matches!(&found, Identity::Presented(credential) if credential.keys().eq(&[Key::session("1")])),
        "{found:?}"
    );
}

/// A claim of an actor is read as the token's is, at any depth: by a path it would be read again at each.
#[test]
fn a_path_within_an_actor_names_nothing() {
    for act in ["act", "ACT", " act"] {
        let jwt = Jwt::new().with_claim_at([act, "x"], Key::session);
        let found = jwt.read_token(token(r#"{"act":{"x":"1","sub":"s"}}"#));
        assert!(
            matches!(&found, Identity::Presented(credential) if credential.keys().eq(&[Key::subject("s")])),
            "{act}"
        );
    }
}

#[test]
fn a_disclosure_that_cannot_be_read_hides_nothing_but_itself() {
    for bad in [
        "",
        "x",
        "{}",
        "[]",
        r#"["salt"]"#,
        r#"["salt","sub"#,
        r#"["salt","sub","u",1]"#,
        r#"["salt",7,"u"]"#,
        r#"["salt","a"}"#,
        r#"["salt","a"]x"#,
        r#"["salt" "a"]"#,
    ] {
        let token = with_disclosures(r#"{"jti":"J"}"#, &[bad, r#"["salt","sub","u-1"]"#]);
        let expected = [Key::token("J"), Key::subject("u-1")];
        let found = if bad.is_empty() {
            presented(&token)
        } else {
            partial(&token)
        };
        assert!(found.keys().eq(&expected), "{bad}");
    }
    let many = with_disclosures(r#"{"jti":"J"}"#, &[r#"["salt","x","x"]"#; 4_000]);
    assert!(partial(&many).keys().eq(&[Key::token("J")]), "64 KiB in all");
}

/// Whoever shows the token chooses what is disclosed, and could invent a date or an issuer. Not every verifier checks disclosures.
#[tokio::test]
async fn what_a_holder_discloses_makes_no_token_newer_and_no_issuer_another() {
    let iat = |claims: &str, iat: &str| {
        presented(&with_disclosures(claims, &[&format!(r#"["salt","iat",{iat}]"#)]))
            .issued_at()
            .map(Timestamp::as_unix_secs)
    };
    assert_eq!(iat(r#"{"iat":9}"#, "5"), Some(5));
    assert_eq!(iat(r#"{"iat":9}"#, "50"), Some(9));
    assert_eq!(iat(r#"{"iat":9}"#, "null"), None);
    assert_eq!(iat(r#"{"_sd":["d"]}"#, "50"), None);
    let jwt = jwt().with_issuer("ours");
    let shown = with_disclosures(r#"{"jti":"J"}"#, &[r#"["salt","iss","other"]"#]);
    assert!(matches!(jwt.identify(&request(&shown)), Identity::Presented(_)));
}

const A: &str = "https://a.example";
const B: &str = "https://b.example";

async fn through_both(a: RevocationLayer<Jwt>, b: RevocationLayer<Jwt>, issuer: &str, subject: &str) -> u16 {
    let service = ServiceBuilder::new()
        .layer(a)
        .layer(b)
        .service(service_fn(|_: Request<String>| async {
            Ok::<_, std::convert::Infallible>(http::Response::new(http_body_util::Empty::<bytes::Bytes>::new()))
        }));
    let token = token(format!(r#"{{"iss":"{issuer}","sub":"{subject}","iat":1795000000}}"#));
    service.oneshot(request(&token)).await.unwrap().status().as_u16()
}

fn of(issuer: &str) -> Jwt {
    identify::jwt(AUTHORIZATION, "Bearer").with_issuer(issuer)
}

#[tokio::test]
async fn one_issuers_layer_leaves_the_others_tokens_alone() {
    for (revoked, answers) in [
        (Key::subject("42"), [401, 200, 200, 200]),
        (Key::everything(), [401, 200, 401, 200]),
    ] {
        let ((a, sink), (b, _keep)) = (pair(of(A)), pair(of(B)));
        sink.apply(Revocation::block(revoked)).unwrap().wait().unwrap();
        for ((issuer, subject), answer) in [(A, "42"), (B, "42"), (A, "43"), (B, "43")].into_iter().zip(answers) {
            let status = through_both(a.clone(), b.clone(), issuer, subject).await;
            assert_eq!(status, answer, "{revoked:?} {issuer} {subject}");
        }
    }
    // Without a list.
    let ((a, _sink), (b, _keep)) = (RevocationLayer::pair(of(A)), pair(of(B)));
    assert_eq!(through_both(a.clone(), b.clone(), B, "43").await, 200);
    assert_eq!(through_both(a, b, A, "43").await, 503);
}

#[test]
fn a_token_is_anothers_only_if_it_says_so() {
    let jwt = of(A).with_issuer("https://a2.example");
    let identify = |claims: &str| jwt.identify(&request(&token(claims)));
    for claims in [
        r#"{"sub":"u","iss":"https://a.example"}"#,
        r#"{"sub":"u","iss":"https:\/\/a.example"}"#,
        r#"{"sub":"u","iss":"https://a2.example"}"#,
        r#"{"sub":"u"}"#,
        r#"{"sub":"u","iss":null}"#,
        r#"{"sub":"u","iss":7}"#,
        r#"{"sub":"u","iss":["https://b.example"]}"#,
        r#"{"sub":"u","iss":"\ud800"}"#,
        r#"{"sub":"u","iss":"https://a.example","iss":"https://b.example"}"#,
        r#"{"sub":"u","iss":"https://b.example","ISS":"https://a.example"}"#,
        r#"{"sub":"u","act":{"iss":"https://b.example"}}"#,
        r#"{"sub":"u","x":{"iss":"https://b.example"}}"#,
    ] {
        let Identity::Presented(credential) = identify(claims) else {
            panic!("{claims}");
        };
        assert!(credential.keys().eq(&[Key::subject("u")]), "{claims}");
    }
    for claims in [
        r#"{"sub":"u","iss":"https://b.example"}"#,
        r#"{"iss":"https://a.example/","sub":"u"}"#,
        r#"{"iss":"HTTPS://a.example"}"#,
        r#"{"iss":""}"#,
        r#"{"iss":"https://b.example","act":{"iss":"https://a.example"}}"#,
    ] {
        assert!(matches!(identify(claims), Identity::Anonymous), "{claims}");
    }
    // What cannot be read may be anybody's.
    assert!(matches!(
        identify(r#"{"iss":"https://b.example"}x"#),
        Identity::Partial(..)
    ));
    assert!(matches!(jwt.identify(&request("opaque")), Identity::Unreadable(_)));
    // One of several tokens.
    let both = format!("{} {}", token(r#"{"iss":"x","sub":"b"}"#), token(r#"{"sub":"a"}"#));
    let Identity::Presented(credential) = jwt.identify(&request(&both)) else {
        panic!("it can be read");
    };
    assert!(credential.keys().eq(&[Key::subject("a")]));
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let scalar = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    let name = prop_oneof![any::<String>(), "sub|Sub |jti|x|act|iat"];
    scalar.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

/// As text, escaped as far as it goes, or not at all.
fn text(id: &str, is_escaped: bool) -> String {
    if !is_escaped {
        return serde_json::to_string(id).unwrap();
    }
    let units = id.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
    format!("\"{}\"", units.collect::<String>())
}

proptest! {
    /// Whatever stands around it: what `serde_json` reads as the subject is read.
    #[test]
    fn a_subject_is_what_serde_json_reads(
        id in any::<String>(),
        before in prop::collection::vec(("x[a-z]{0,3}|\\PC{0,4}y", json()), 0..4),
        behind in prop::collection::vec(("x[a-z]{0,3}|\\PC{0,4}y", json()), 0..4),
        is_pretty in any::<bool>(),
        is_escaped in any::<bool>(),
    ) {
        let member = |(name, value): &(String, serde_json::Value)| {
            let value = if is_pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
            format!("{} :\t{}", text(name, is_escaped), value.unwrap())
        };
        let members: Vec<_> = before.iter().map(member)
            .chain([format!("{}:{}", text("sub", is_escaped), text(&id, is_escaped))])
            .chain(behind.iter().map(member))
            .collect();
        let claims = format!("{{{}}}", members.join(" ,\n"));
        let read: serde_json::Value = serde_json::from_str(&claims).unwrap();
        prop_assert_eq!(&read["sub"], &id);
        let found = presented(&token(&claims));
        prop_assert!(found.keys().eq(&[Key::subject(&id)]), "{}: {:?}", claims, found);
    }
}
