//! Lists and key sets that no registry signs.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use tower_revocation::crl::clawdentity::ClawdentityList;
use tower_revocation::crl::{KeySet, ListError, ListFormat, PublicKey};
use tower_revocation::{
    Credential, InstallError, Key, Reason, RevocationLayer, RevocationList, RevokedBy, Timestamp, Verdict,
};

const NOW: u64 = 1_767_225_700;
const JTI: &str = "01KDVDNA09Q5HAD7MTFBDK3NYZ";
const DID: &str = "did:cdi:registry.example.com:agent:01KDVDNA03XJ61A46WBY7B0EGN";

fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn keys() -> KeySet {
    let key = PublicKey::from_ed25519(signing_key().verifying_key().as_bytes()).unwrap();
    KeySet::default().with_key("k", key)
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn sign(header: &str, payload: &str) -> String {
    let message = format!("{}.{}", encode(header), encode(payload));
    let signature = signing_key().sign(message.as_bytes());
    format!("{message}.{}", encode(signature.to_bytes()))
}

fn read_token(token: &str) -> Result<RevocationList, ListError> {
    let body = json!({ "crl": token }).to_string();
    ClawdentityList::new("https://registry.example.com").read_list(
        body.as_bytes(),
        &keys(),
        Timestamp::from_unix_secs(NOW),
    )
}

fn read(payload: &str) -> Result<RevocationList, ListError> {
    read_token(&sign(HEADER, payload))
}

#[test]
fn tells_a_replaced_token_from_a_revoked_one() {
    for (reason, expected) in [("reissued", Reason::Superseded), ("stolen", Reason::Unspecified)] {
        let list = with(|claims| claims["revocations"][0]["reason"] = reason.into()).unwrap();
        let (_layer, sink) = RevocationLayer::pair(|_: &()| None::<Credential>);
        sink.install(list).unwrap();
        let Verdict::Revoked(why) = sink.decide(&Key::token(JTI).into()) else {
            panic!("{reason}: it is listed");
        };
        assert_eq!((why.reason, why.source), (expected, RevokedBy::List));
    }
}

/// It names no key, so there is none to look for.
#[test]
fn an_empty_key_id_is_none() {
    let token = sign(r#"{"alg":"EdDSA","typ":"CRL","kid":""}"#, &claims().to_string());
    assert!(matches!(read_token(&token), Err(ListError::Invalid { field, .. }) if field == "header.kid"));
}

/// The field that the refusal names, and all it says.
fn refused(read: Result<RevocationList, ListError>) -> (String, String) {
    let error = read.unwrap_err();
    let words = match std::error::Error::source(&error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    };
    match error {
        ListError::Invalid { field, .. } => (field.into_owned(), words),
        ListError::UnknownKey { .. } => ("header.kid".into(), words),
        _ => panic!("{words}"),
    }
}

const HEADER: &str = r#"{"alg":"EdDSA","typ":"CRL","kid":"k"}"#;

fn claims() -> Value {
    json!({
        "iss": "https://registry.example.com",
        "jti": "crl-1",
        "iat": NOW - 100,
        "exp": NOW + 290,
        "revocations": [{ "jti": JTI, "agentDid": DID, "reason": "reissued", "revokedAt": NOW - 100 }],
    })
}

fn with(change: impl FnOnce(&mut Value)) -> Result<RevocationList, ListError> {
    let mut claims = claims();
    change(&mut claims);
    read(&claims.to_string())
}

#[test]
fn accepts_what_it_signs_itself() {
    let list = with(|_| {}).unwrap();
    assert_eq!(list.entries(), 1);
    assert_eq!(list.issued_at(), Some(Timestamp::from_unix_secs(NOW - 100)));
}

#[test]
fn refuses_headers_that_ask_for_something_else() {
    let payload = claims().to_string();
    for (header, field) in [
        (
            r#"{"alg":"EdDSA","typ":"CRL","kid":"k","crit":["exp"],"exp":1}"#,
            "header.crit",
        ),
        (r#"{"alg":"EdDSA","typ":"CRL","kid":"k","crit":[]}"#, "header.crit"),
        (r#"{"alg":"EdDSA","typ":"CRL","kid":"k","crit":null}"#, "header.crit"),
        (r#"{"alg":"RS256","typ":"CRL","kid":"k"}"#, "header.alg"),
        (r#"{"alg":"HS256","typ":"CRL","kid":"k"}"#, "header.alg"),
        (r#"{"alg":"none","typ":"CRL","kid":"k"}"#, "header.alg"),
        (r#"{"alg":"eddsa","typ":"CRL","kid":"k"}"#, "header.alg"),
        (r#"{"alg":"EdDSA","typ":"crl","kid":"k"}"#, "header.typ"),
        (r#"{"alg":"EdDSA","typ":null,"kid":"k"}"#, "header.typ"),
        (r#"{"alg":"EdDSA","typ":"CRL"}"#, "header.kid"),
        (r#"{"alg":"EdDSA","typ":"CRL","kid":null}"#, "header.kid"),
        (r#"{"alg":"EdDSA","typ":"CRL","kid":"k "}"#, "header.kid"),
        (r#"{"typ":"CRL","kid":"k"}"#, "header"),
        (r#"{"alg":"EdDSA","alg":"EdDSA","typ":"CRL","kid":"k"}"#, "header"),
        (r#"["EdDSA","CRL","k",null]"#, "header"),
        ("", "header"),
    ] {
        assert_eq!(refused(read_token(&sign(header, &payload))).0, field, "{header}");
    }
    let unsigned = format!("{}.{}.", encode(HEADER), encode(&payload));
    assert_eq!(refused(read_token(&unsigned)).0, "signature");
}

#[test]
fn refuses_a_second_signature_of_the_same_message() {
    let token = sign(HEADER, &claims().to_string());
    let (message, signature) = token.rsplit_once('.').unwrap();
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    // S + L, which a verifier that reduces S takes for S (RFC 8032 §5.1.7 demands S < L).
    let mut carry = 0;
    for (byte, order) in signature[32..].iter_mut().zip(GROUP_ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert_eq!(carry, 0, "S + L fits");
    let forged = format!("{message}.{}", encode(&signature));
    assert_eq!(refused(read_token(&forged)).0, "signature");
    assert_eq!(refused(read_token(&format!("{token}="))).0, "signature");
}

/// L = 2²⁵² + 27742317777372353535851937790883648493, little-endian (RFC 8032 §5.1).
const GROUP_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

#[test]
fn refuses_key_sets_with_keys_that_are_none() {
    let good = encode(signing_key().verifying_key().as_bytes());
    let key = |kid: &str, x: &str, status: &str| json!({ "kid": kid, "alg": "EdDSA", "crv": "Ed25519", "x": x, "status": status });
    let read = |keys: Value| {
        ClawdentityList::new("https://registry.example.com").read_keys(json!({ "keys": keys }).to_string().as_bytes())
    };
    assert_eq!(
        read(json!([key("a", &good, "active"), key("b", &good, "revoked")]))
            .unwrap()
            .len(),
        1
    );
    assert!(
        read(json!([key("a", &good, "revoked")])).unwrap().is_empty(),
        "no key is to be trusted"
    );

    let mut small_order = [0; 32];
    small_order[0] = 1;
    let mut without_crv = key("a", &good, "active");
    without_crv.as_object_mut().unwrap().remove("crv");
    for (keys, field) in [
        (json!([key("a", &encode(small_order), "active")]), "keys[0].x"),
        (json!([key("a", &encode([0; 32]), "active")]), "keys[0].x"),
        (json!([key("a", &encode([1; 31]), "active")]), "keys[0].x"),
        (json!([key("a", &format!("{good}="), "active")]), "keys[0].x"),
        (
            json!([key("a", &good, "active"), key("a", &good, "revoked")]),
            "keys[1].kid",
        ),
        (json!([key("", &good, "active")]), "keys[0].kid"),
        (
            json!([key("a", &good, "active"), { "kid": "b", "status": "active" }]),
            "keys[1].alg",
        ),
        (json!([without_crv]), "keys[0].crv"),
        (json!(["a"]), "keys[0]"),
        (json!([["a", "EdDSA", "Ed25519", good, "active"]]), "keys[0]"),
        (json!({}), "body"),
        (json!([]), "keys"),
    ] {
        match read(keys.clone()).unwrap_err() {
            ListError::Invalid { field: named, .. } => assert_eq!(named, field, "{keys}"),
            other => panic!("{keys}: {other}"),
        }
    }
}

/// Keys for tokens of tomorrow, for encryption, or in a state of its own used to take the others with them.
#[test]
fn keys_that_are_not_understood_are_left_out() {
    let good = encode(signing_key().verifying_key().as_bytes());
    let ours = json!({ "kid": "ours", "alg": "EdDSA", "crv": "Ed25519", "x": good, "status": "active" });
    for other in [
        json!({ "kid": "b", "kty": "EC", "alg": "ES256", "crv": "P-256", "x": "x", "y": "y", "status": "active" }),
        json!({ "kid": "b", "kty": "EC", "crv": "P-256", "x": "x", "y": "y" }),
        json!({ "kid": "b", "kty": "AKP", "alg": "ML-DSA-65", "pub": "AAAA", "status": "active" }),
        json!({ "kid": "b", "kty": "OKP", "alg": "ECDH-ES", "crv": "X25519", "x": good, "use": "enc" }),
        json!({ "kid": "b", "alg": "EdDSA", "crv": "Ed448", "x": "x", "status": "active" }),
        json!({ "kid": "b", "alg": "EdDSA", "crv": "Ed25519", "x": good, "status": "retiring" }),
    ] {
        let document = json!({ "keys": [other, ours] }).to_string();
        let keys = ClawdentityList::new("https://registry.example.com").read_keys(document.as_bytes());
        let keys = keys.unwrap_or_else(|error| panic!("{other}: {error}"));
        assert_eq!((keys.len(), keys.contains("ours")), (1, true), "{other}");
    }
}

#[test]
fn refuses_a_list_from_its_exp_on() {
    assert!(with(|claims| claims["exp"] = (NOW + 1).into()).is_ok());
    let (field, words) = refused(with(|claims| {
        claims["iat"] = (NOW + 1).into();
        claims["exp"] = (NOW + 1).into();
    }));
    assert_eq!((field.as_str(), words.as_str()), ("exp", "exp is not later than iat"));
    let (field, words) = refused(with(|claims| claims["exp"] = NOW.into()));
    assert_eq!((field.as_str(), words.as_str()), ("exp", "exp has passed"));
}

#[test]
fn reads_escaped_strings() {
    let escape = |text: &str| text.bytes().map(|byte| format!("\\u{byte:04x}")).collect::<String>();
    let payload = format!(
        r#"{{"iss":"{}","jti":"{}","iat":{},"exp":{},"revocations":[{{"{}":"{}","agentDid":"{}","reason":"\ud83d\udd12","revokedAt":0}}]}}"#,
        escape("https://registry.example.com"),
        escape("crl"),
        NOW - 1,
        NOW + 1,
        escape("jti"),
        escape(JTI),
        escape(DID),
    );
    assert_eq!(read(&payload).unwrap().entries(), 1);
}

#[test]
fn takes_claims_in_any_order() {
    let payload = format!(
        r#"{{"revocations":[{{"revokedAt":0,"agentDid":"{DID}","jti":"{JTI}"}}],"exp":{},"iat":{},"jti":"x","iss":"https://registry.example.com"}}"#,
        NOW + 1,
        NOW - 1,
    );
    let list = read(&payload).unwrap();
    assert_eq!(
        (list.entries(), list.issued_at()),
        (1, Some(Timestamp::from_unix_secs(NOW - 1)))
    );
}

#[test]
fn counts_a_reason_in_utf_16_units() {
    let reason = |text: String| with(|claims| claims["revocations"][0]["reason"] = text.into());
    for fits in ["é".repeat(280), "🔒".repeat(140), String::new()] {
        assert!(reason(fits).is_ok());
    }
    for long in ["r".repeat(281), "🔒".repeat(140) + "r"] {
        assert_eq!(refused(reason(long)).0, "revocations[0].reason");
    }
}

#[test]
fn names_the_field_of_what_is_of_another_kind() {
    for (pointer, field) in [
        ("/iss", "iss"),
        ("/jti", "jti"),
        ("/iat", "iat"),
        ("/exp", "exp"),
        ("/revocations", "revocations"),
        ("/revocations/0", "revocations[0]"),
        ("/revocations/0/jti", "revocations[0].jti"),
        ("/revocations/0/agentDid", "revocations[0].agentDid"),
        ("/revocations/0/reason", "revocations[0].reason"),
        ("/revocations/0/revokedAt", "revocations[0].revokedAt"),
    ] {
        for value in [
            json!(null),
            json!(true),
            json!(-1),
            json!(1.5),
            json!({}),
            json!([[]]),
            json!(""),
        ] {
            let is_fine = match pointer {
                "/revocations/0/reason" => value == "",
                _ => false,
            };
            let read = with(|claims| *claims.pointer_mut(pointer).unwrap() = value.clone());
            if is_fine {
                assert!(read.is_ok(), "{pointer} {value}");
                continue;
            }
            let named = refused(read).0;
            // An array for the revocations is of the right kind: it is its entry that is at fault.
            let expected = if pointer == "/revocations" && value.is_array() {
                "revocations[0]"
            } else {
                field
            };
            // And an object without members lacks the first.
            let expected = if pointer == "/revocations/0" && value.is_object() {
                "revocations[0].jti"
            } else {
                expected
            };
            assert_eq!(named, expected, "{pointer} {value}");
        }
    }
}

#[test]
fn names_the_entry_at_fault_among_many() {
    let (field, words) = refused(with(|claims| {
        let good = claims["revocations"][0].clone();
        let mut entries = vec![good; 500];
        entries[321]["jti"] = "x".into();
        claims["revocations"] = entries.into();
    }));
    assert_eq!(
        (field.as_str(), words.as_str()),
        ("revocations[321].jti", "revocations[321].jti is not a ULID")
    );
}

#[test]
fn refuses_members_that_are_unknown_or_stated_twice() {
    let payload = claims().to_string();
    for (from, to, field, cause) in [
        (r#""iat":"#, r#""iat":1,"iat":"#, "payload", "duplicate field `iat`"),
        // The first of them is wrong. A reader once took the second for the only one.
        (r#""iss":"#, r#""iss":"x","iss":"#, "payload", "duplicate field `iss`"),
        (
            r#""jti":"crl-1""#,
            r#""jti":"","jti":"x""#,
            "payload",
            "duplicate field `jti`",
        ),
        (
            r#""revocations":"#,
            r#""revocations":[],"revocations":"#,
            "payload",
            "duplicate field `revocations`",
        ),
        (r#""iat":"#, r#""aud":1,"iat":"#, "payload", "unknown field `aud`"),
        (
            r#""reason":"#,
            r#""revokedAt":1,"reason":"#,
            "revocations[0]",
            "duplicate field `revokedAt`",
        ),
        (
            r#""reason":"#,
            r#""more":1,"reason":"#,
            "revocations[0]",
            "unknown field `more`",
        ),
    ] {
        let changed = payload.replacen(from, to, 1);
        assert_ne!(changed, payload);
        let (named, words) = refused(read(&changed));
        assert_eq!(named, field);
        assert!(words.contains(cause), "{words}");
    }
}

#[test]
fn survives_what_is_huge_or_deep() {
    let (field, words) = refused(with(|claims| {
        claims["revocations"][0]["jti"] = "7".repeat(1 << 20).into()
    }));
    assert_eq!(field, "revocations[0].jti");
    assert!(words.len() < 200, "does not quote it");

    let deep = "[".repeat(200_000) + &"]".repeat(200_000);
    let payload = claims().to_string();
    for (payload, field) in [
        (payload.replace(&format!(r#""{JTI}""#), &deep), "revocations[0].jti"),
        (payload.replace(r#""crl-1""#, &deep), "jti"),
        (deep.clone(), "payload"),
        ("[".repeat(200_000), "payload"),
    ] {
        assert_eq!(refused(read(&payload)).0, field);
    }
    let header = |levels| {
        let deep = "[".repeat(levels) + &"]".repeat(levels);
        HEADER.replace(r#""CRL""#, &format!(r#""CRL","x":{deep}"#))
    };
    assert!(read_token(&sign(&header(5_000), &payload)).is_ok());
    // What nobody has signed may be large, but not its header.
    assert_eq!(refused(read_token(&sign(&header(7_000), &payload))).0, "header");
    let list = ClawdentityList::new("https://registry.example.com");
    for body in [
        deep.clone(),
        format!(r#"{{"crl":{deep}}}"#),
        format!(r#"{{"keys":[{deep}]}}"#),
    ] {
        assert!(
            list.read_list(body.as_bytes(), &keys(), Timestamp::from_unix_secs(NOW))
                .is_err()
        );
        assert!(list.read_keys(body.as_bytes()).is_err());
    }
}

#[test]
fn refuses_payloads_that_are_not_utf_8() {
    let header = encode(HEADER);
    let message = format!("{header}.{}", encode(b"{\"iss\":\"\xff\"}"));
    let signature = signing_key().sign(message.as_bytes());
    let token = format!("{message}.{}", encode(signature.to_bytes()));
    assert_eq!(refused(read_token(&token)).0, "payload");
}

#[test]
fn a_list_from_the_future_is_read_but_not_installed() {
    let (_layer, sink) = RevocationLayer::pair(());
    sink.configure(|config| config.with_leeway(Duration::from_secs(60)));
    let iat = Timestamp::now().as_unix_secs() + 3_600;
    let future = with(|claims| {
        claims["iat"] = iat.into();
        claims["exp"] = (iat + 390).into();
    });
    let refused = sink.install(future.unwrap()).unwrap_err();
    assert!(matches!(refused, InstallError::FromFuture { .. }), "{refused}");
    assert!(sink.status().snapshot.is_none());
}
