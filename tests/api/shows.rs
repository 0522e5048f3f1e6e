//! What is shown in logs: names from a short list, and never whom it is about.

use std::convert::Infallible;
use std::future::Ready;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Service, service_fn};
use tower_layer::Layer;
use tower_revocation::{
    Credential, DecodeError, Decoded, Effect, Identity, Key, KeyKind, Reason, Refusal, Revocation, RevocationLayer,
    RevocationList, RevokedBy, Timestamp, identify,
};

use crate::support::{by_header, fresh_pair, presenting, send};

/// An id that is to be found nowhere.
const ID: &str = "did:cdi:registry.example.com:agent:01KDVDNA03XJ61A46WBY7B0EGN";

fn assert_hidden(shown: &[String]) {
    for shown in shown {
        assert!(!shown.is_empty() && !shown.contains(ID), "{shown}");
    }
}

#[test]
fn no_credential_and_nothing_that_holds_one_shows_its_ids() {
    let key = Key::subject(ID);
    let credential = Credential::from(key).with_issued_at(Timestamp::from_unix_secs(5));
    assert!(format!("{credential:?}").contains("Key(subject)"), "{credential:?}");
    let (layer, sink) = fresh_pair();
    sink.apply(Revocation::block(key)).unwrap().wait().unwrap();
    let list = RevocationList::builder(Timestamp::now()).with_entry(&Revocation::block(key));
    let ok = |_: Request<String>| -> Ready<Result<_, Infallible>> {
        std::future::ready(Ok(Response::new(Full::from("ok"))))
    };
    let mut service = layer.layer(service_fn(ok));
    assert_hidden(&[
        format!("{key:?}"),
        format!("{credential:?}"),
        format!("{:?}", Identity::from(credential.clone())),
        format!("{:?}", Revocation::block(key)),
        format!("{:?}", sink.decide(&credential)),
        format!("{:?}", sink.guard(credential)),
        format!("{list:?}"),
        format!("{:?}", list.build()),
        format!("{sink:?} {:?}", sink.status()),
        format!("{layer:?} {service:?}"),
        format!("{:?} {:?}", service.get_ref(), identify::jwt(AUTHORIZATION, "Claw")),
        format!("{:?}", identify::extension::<Credential>()),
        format!("{:?}", service.call(presenting(ID))),
        format!("{:?}", service.get_mut().call(presenting(ID))),
    ]);
}

#[tokio::test]
async fn no_refusal_shows_whom_it_refuses() {
    let (layer, sink) = RevocationLayer::pair(by_header);
    let unavailable = send(&layer, presenting(ID)).await;
    sink.apply(Revocation::block(Key::subject(ID))).unwrap().wait().unwrap();
    let revoked = send(&layer, presenting(ID)).await;
    assert_eq!((unavailable.status().as_u16(), revoked.status().as_u16()), (503, 401));
    assert_hidden(&[format!("{unavailable:?}"), format!("{revoked:?}")]);
}

/// Whoever counts by them relies on them.
#[test]
fn names_are_as_documented() {
    let kinds = [
        KeyKind::Client,
        KeyKind::Everything,
        KeyKind::Named,
        KeyKind::Session,
        KeyKind::SigningKey,
        KeyKind::Subject,
        KeyKind::Tenant,
        KeyKind::Token,
    ];
    assert_eq!(
        kinds.map(KeyKind::as_str).join(" "),
        "client everything named session signing-key subject tenant token"
    );
    assert_eq!(
        kinds.map(|kind| kind.to_string()).join(" "),
        kinds.map(KeyKind::as_str).join(" ")
    );
    let reasons = [
        Reason::Unspecified,
        Reason::CessationOfOperation,
        Reason::KeyCompromise,
        Reason::PrivilegeWithdrawn,
        Reason::Superseded,
    ];
    assert_eq!(
        reasons.map(Reason::as_str).join(" "),
        "unspecified cessation-of-operation key-compromise privilege-withdrawn superseded"
    );
    assert_eq!(
        [Effect::Block, Effect::CutOff].map(Effect::as_str),
        ["block", "cut-off"]
    );
    assert_eq!(
        [RevokedBy::Event, RevokedBy::List].map(RevokedBy::as_str),
        ["event", "list"]
    );
    assert_eq!(Refusal::Missing.as_str(), "missing");
    let problem = "it is not text";
    assert_eq!(Refusal::Unreadable { problem }.as_str(), "unreadable");
}

#[cfg(feature = "source")]
#[test]
fn a_feed_shows_what_it_is_called_and_nothing_it_brings() {
    use tower_revocation::source::{self, Memory};

    let log = Memory::new("revocations");
    log.publish(ID);
    let (_layer, sink) = RevocationLayer::pair(by_header);
    let decode: fn(&[u8]) -> Result<Decoded, DecodeError> = |_| Ok(Decoded::Ignored("another's".into()));
    let second = Duration::from_secs(1);
    let feed = source::drive(log.source(), decode, sink)
        .with_silence(second)
        .with_open_timeout(second);
    assert_hidden(&[format!("{log:?}"), format!("{:?}", log.source()), format!("{feed:?}")]);
}

#[cfg(feature = "crl-poll")]
#[test]
fn an_error_names_the_field_and_what_is_wrong_with_it() {
    use std::error::Error;

    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use http::StatusCode;
    use tower_revocation::InstallError;
    use tower_revocation::crl::{JwsError, KeySet, ListError, ListFormat, PublicKey, verify_jws};

    let shown = |error: JwsError| format!("{error}");
    let of_alg = |alg: &str| {
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}","typ":"CRL","kid":"k1"}}"#));
        shown(verify_jws(&format!("{header}.e30.AA"), "CRL", &KeySet::default()).unwrap_err())
    };
    assert_eq!(of_alg("none"), "header.alg is not EdDSA");
    assert_eq!(of_alg("Ed25519"), "header.alg is not EdDSA", "to the letter");
    assert_eq!(
        of_alg("HS256"),
        "header.alg is HS256, whose key is a secret of each client: an asymmetric algorithm is needed"
    );
    assert_eq!(
        shown(JwsError::Encrypted),
        "token is encrypted (JWE): only signed ones can be read"
    );
    assert_eq!(
        shown(JwsError::Critical),
        "header.crit demands an extension that is not understood"
    );
    assert_eq!(shown(JwsError::Form), "token does not have three parts");
    assert_eq!(shown(JwsError::NoKeyId), "header.kid is missing or empty");
    assert_eq!(shown(JwsError::Signature), "signature does not match");
    let at = Timestamp::from_unix_secs(5);
    assert_eq!(
        InstallError::Expired { expired_at: at }.to_string(),
        "installed list has expired: exp 5"
    );
    assert_eq!(
        InstallError::NothingToConfirm.to_string(),
        "no list is installed that could be confirmed"
    );
    // What is wrong with a header that cannot be read is said by its cause.
    let unreadable = verify_jws("e30x.e30.AA", "CRL", &KeySet::default()).unwrap_err();
    assert!(matches!(unreadable, JwsError::Header(_)), "{unreadable}");
    let cause = unreadable.source().unwrap().to_string();
    let refused = ListError::from(unreadable);
    assert_eq!(refused.to_string(), "header is not a readable JSON object");
    assert_eq!(refused.source().unwrap().to_string(), cause);

    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key();
    let keys = KeySet::default().with_key("k1", PublicKey::from_ed25519(key.as_bytes()).unwrap());
    assert!(format!("{keys:?}").contains("PublicKey(Ed25519)"), "{keys:?}");

    /// A format that says nothing of issuers without a list.
    struct Silent;

    impl ListFormat for Silent {
        fn read_list(&self, _: &[u8], _: &KeySet, now: Timestamp) -> Result<RevocationList, ListError> {
            Ok(RevocationList::builder(now).build())
        }

        fn read_keys(&self, _: &[u8]) -> Result<KeySet, ListError> {
            Ok(KeySet::default())
        }
    }
    assert!(
        !Silent.is_none_yet(StatusCode::NOT_FOUND, b""),
        "no answer is a list unless the format says so"
    );
}
