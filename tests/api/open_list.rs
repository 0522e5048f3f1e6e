//! The open format of lists: its vectors, and lists that are forged.

use std::error::Error as _;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use http::Request;
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tower_revocation::crl::open::{ListContents, OpenList};
use tower_revocation::crl::{KeySet, ListError, ListFormat};
use tower_revocation::list_server::Signer;
use tower_revocation::{
    Credential, Event, InForce, Key, LogPosition, Reason, RevocationLayer, RevocationList, Statement, Subject,
    Timestamp, Verdict,
};

const ISSUER: &str = "https://auth.example.com";
const FILE: &[u8] = include_bytes!("../vectors/revocation/list/list.bin");
const PEM: &str = include_str!("../vectors/revocation/list/key.pem");
const JWKS: &[u8] = include_bytes!("../vectors/revocation/list/jwks.json");

/// A moment after the list was issued.
const NOW: Timestamp = Timestamp::from_unix_secs(1_796_000_001);

fn format() -> OpenList {
    OpenList::new(ISSUER)
}

fn keys() -> KeySet {
    format().read_keys(JWKS).unwrap()
}

fn read(file: &[u8]) -> Result<RevocationList, ListError> {
    format().read_list(file, &keys(), NOW)
}

/// What the vector says, in words.
fn told() -> Value {
    serde_json::from_str(include_str!("../vectors/revocation/list/list.json")).unwrap()
}

fn millis(date: &Value) -> Timestamp {
    let secs = date.as_f64().unwrap();
    Timestamp::from_unix_millis((secs * 1000.0).round() as u64)
}

#[test]
fn the_vector_says_what_is_told_of_it() {
    let (told, list) = (told(), read(FILE).unwrap());
    assert_eq!(list.entries(), 6);
    assert_eq!(list.issued_at(), Some(millis(&told["issued_at"])));
    assert_eq!(list.expires_at(), Some(millis(&told["expires_at"])));
    let contents = format().read_contents(FILE, &keys(), NOW).unwrap();
    assert_eq!(contents.issuer, told["issuer"]);
    assert_eq!(contents.generation, told["generation"]);
    assert_eq!(
        (Some(contents.issued_at), contents.expires_at),
        (list.issued_at(), list.expires_at())
    );
    let covered = &told["covers"][0];
    let covers = [LogPosition {
        log: covered["log"].as_str().unwrap().parse().unwrap(),
        n: covered["n"].as_u64().unwrap(),
        digest: covered["digest"].as_str().unwrap().parse().unwrap(),
    }];
    assert_eq!(
        (list.covers(), &contents.in_force.covers[..]),
        (&covers[..], &covers[..])
    );
    let statements = told["statements"].as_array().unwrap();
    assert_eq!(contents.in_force.statements.len(), statements.len());
    for (statement, told) in contents.in_force.statements.iter().zip(statements) {
        let [subject] = statement.subjects() else {
            panic!("{statement:?}")
        };
        let Some(Event::Revoke(said)) = statement.events().next() else {
            panic!("{statement:?}")
        };
        let (id, name) = (told["id"].as_str().unwrap_or_default(), told["name"].as_str());
        assert_eq!(
            (subject.kind().as_str(), subject.id(), subject.name()),
            (told["kind"].as_str().unwrap(), id, name)
        );
        assert_eq!(said.effect().as_str(), told["effect"]);
        assert_eq!(said.effective_at(), Some(millis(&told["at"])), "{id}");
        assert_eq!(said.reason().as_str(), told["reason"].as_str().unwrap_or("unspecified"));
        assert_eq!(said.forgotten_at(), told.get("forget_at").map(millis));
    }
    // Whoever signs the same with the same key gets the same bytes.
    assert_eq!(Signer::from_pem(PEM).unwrap().sign_list(&contents).unwrap(), FILE);
    let json = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap();
    assert_eq!(json(Signer::from_pem(PEM).unwrap().jwk_set().as_bytes()), json(JWKS));
}

#[test]
fn what_is_listed_is_refused_and_nothing_else() {
    let (_layer, sink) = RevocationLayer::pair(|_: &Request<()>| None::<Credential>);
    sink.configure(|config| config.with_leeway(std::time::Duration::from_secs(1 << 40)));
    sink.install(read(FILE).unwrap()).unwrap();
    let is_refused = |key: Key, at: u64| {
        let credential = Credential::from(key).with_issued_at(Timestamp::from_unix_secs(at));
        matches!(sink.decide(&credential), Verdict::Revoked(_))
    };
    let late = 1_795_999_999;
    for key in [
        Key::session("s-1"),
        Key::token("0198c4e2-5e1a-7c3e-9c55-1f6f0c0e9a00"),
        Key::token("0198c4e2-5e1a-7c3e-9c55-1f6f0c0e9a01"),
        Key::named("device", "d-17"),
    ] {
        assert!(is_refused(key, late), "{key:?}");
    }
    assert!(is_refused(Key::subject("ålice"), 1_795_999_001));
    assert!(!is_refused(Key::subject("ålice"), late));
    assert!(is_refused(Key::subject("bob"), 1_700_000_000), "everything until then");
    assert!(!is_refused(Key::subject("bob"), 1_700_000_001));
    for key in [Key::token("s-1"), Key::session("d-17"), Key::named("devices", "d-17")] {
        assert!(!is_refused(key, late), "{key:?}");
    }
}

#[test]
fn every_truncation_is_refused_and_so_is_whatever_follows() {
    for length in 0..FILE.len() {
        assert!(read(&FILE[..length]).is_err(), "{length}");
    }
    for more in [0, b'.', 0xff] {
        assert!(read(&[FILE, &[more]].concat()).is_err());
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let keys = keys();
    for at in 0..FILE.len() {
        for bit in 0..8 {
            let mut flipped = FILE.to_vec();
            flipped[at] ^= 1 << bit;
            assert!(
                format().read_list(&flipped, &keys, NOW).is_err(),
                "byte {at}, bit {bit}"
            );
        }
    }
}

/// The parts of the vector: its manifest, and the body.
fn parts() -> (Value, Vec<u8>) {
    let length = u32::from_be_bytes(FILE[9..13].try_into().unwrap()) as usize;
    let (token, body) = FILE[13..].split_at(length);
    let payload = token.split(|byte| *byte == b'.').nth(1).unwrap();
    let manifest = URL_SAFE_NO_PAD.decode(payload).unwrap();
    (serde_json::from_slice(&manifest).unwrap(), body.to_vec())
}

/// A file with this manifest, signed.
fn forged(typ: &str, manifest: &str, body: &[u8]) -> Vec<u8> {
    let der = base64::engine::general_purpose::STANDARD
        .decode(PEM.lines().nth(1).unwrap())
        .unwrap();
    let key = SigningKey::from_bytes(der[16..].try_into().unwrap());
    let kid = Signer::from_pem(PEM).unwrap().kid().to_owned();
    let header = json!({ "alg": "EdDSA", "typ": typ, "kid": kid }).to_string();
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(manifest)
    );
    let token = format!(
        "{message}.{}",
        URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()).to_bytes())
    );
    [
        &FILE[..9],
        &u32::try_from(token.len()).unwrap().to_be_bytes(),
        token.as_bytes(),
        body,
    ]
    .concat()
}

const TYP: &str = "revocation-list+jwt";

/// What is said of a list whose manifest was changed.
fn said_of(change: impl FnOnce(&mut Value)) -> String {
    let (mut manifest, body) = parts();
    change(&mut manifest);
    said(&forged(TYP, &manifest.to_string(), &body))
}

fn said(file: &[u8]) -> String {
    match read(file) {
        Ok(list) => format!("{} entries", list.entries()),
        Err(error) => match error.source() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        },
    }
}

/// What is done to a manifest.
type Change = fn(&mut Value);

#[test]
fn a_manifest_that_is_not_understood_refuses_the_list() {
    assert_eq!(said_of(|_| {}), "6 entries");
    assert_eq!(
        said_of(|it| drop(it.as_object_mut().unwrap().remove("exp"))),
        "6 entries"
    );
    let cases: &[(&str, Change)] = &[
        ("manifest is not readable: unknown field `next`", |it| {
            it["next"] = json!("g")
        }),
        ("manifest is not readable: missing field `covers`", |it| {
            drop(it.as_object_mut().unwrap().remove("covers"));
        }),
        ("manifest is not readable: invalid type", |it| *it = json!([ISSUER])),
        ("manifest is not readable: unknown field `from`", |it| {
            it["sections"][0]["from"] = json!(1)
        }),
        ("manifest is not readable: invalid type", |it| {
            it["sections"][0] = json!(["token", null, "text", 0, 0])
        }),
        ("manifest is not readable: unknown field `at`", |it| {
            it["covers"][0]["at"] = json!(1)
        }),
        ("iss is not the expected issuer", |it| {
            it["iss"] = json!("https://auth.example.com/")
        }),
        ("iat is not a date", |it| it["iat"] = json!(-1)),
        ("iat is not a date", |it| it["iat"] = json!(1e300)),
        ("exp is not later than iat", |it| it["exp"] = it["iat"].clone()),
        ("exp has passed", |it| it["exp"] = json!(1_796_000_001)),
        ("generation is empty", |it| it["generation"] = json!("")),
        ("covers[0].log is not 16 bytes in base64url", |it| {
            it["covers"][0]["log"] = json!("x")
        }),
        ("covers[0].digest is not 16 bytes in base64url", |it| {
            it["covers"][0]["digest"] = json!("x")
        }),
        ("covers[1].log is stated twice", |it| {
            let covered = it["covers"][0].clone();
            it["covers"].as_array_mut().unwrap().push(covered);
        }),
        ("sections[0].kind is not known: user", |it| {
            it["sections"][0]["kind"] = json!("user")
        }),
        ("sections[1].encoding is not known: uuid", |it| {
            it["sections"][1]["encoding"] = json!("uuid")
        }),
        ("sections[1].name is missing", |it| {
            drop(it["sections"][1].as_object_mut().unwrap().remove("name"))
        }),
        ("sections[2].name is none of this kind's", |it| {
            it["sections"][2]["name"] = json!("device")
        }),
        ("sections[4].count is less than there is", |it| {
            it["sections"][4]["count"] = json!(1)
        }),
        ("sections[4].entries[2] is not all there", |it| {
            it["sections"][4]["count"] = json!(3)
        }),
        ("sections[4].count is more than there is", |it| {
            it["sections"][4]["count"] = json!(u64::MAX)
        }),
        ("sections[4].bytes is more than there is", |it| {
            it["sections"][4]["bytes"] = json!(u64::MAX)
        }),
        ("sections are less than the body", |it| {
            drop(it["sections"].as_array_mut().unwrap().pop())
        }),
        ("sections are less than the body", |it| it["sections"] = json!([])),
        ("digest is not 32 bytes in base64url", |it| it["digest"] = json!("")),
        ("body is not the one of the manifest", |it| {
            it["digest"] = json!(URL_SAFE_NO_PAD.encode([0; 32]))
        }),
    ];
    for (expected, change) in cases {
        let said = said_of(change);
        assert!(said.starts_with(expected), "{said}\nis not\n{expected}");
    }
    let (manifest, body) = parts();
    let manifest = manifest.to_string();
    let twice = manifest.replacen('{', r#"{"covers":[],"#, 1);
    assert!(said(&forged(TYP, &twice, &body)).contains("duplicate field `covers`"));
    assert_eq!(
        said(&forged("JWT", &manifest, &body)),
        "header.typ is not revocation-list+jwt"
    );
    assert_eq!(
        said(&forged("CRL", &manifest, &body)),
        "header.typ is not revocation-list+jwt"
    );
}

/// What is said of a list with one section of these bytes.
fn said_of_section(kind: &str, count: u64, body: &[u8]) -> String {
    let (mut manifest, _) = parts();
    manifest["sections"] = json!([{ "kind": kind, "encoding": "text", "count": count, "bytes": body.len() }]);
    manifest["digest"] = json!(URL_SAFE_NO_PAD.encode(Sha256::digest(body)));
    said(&forged(TYP, &manifest.to_string(), body))
}

#[test]
fn an_entry_that_is_not_understood_refuses_the_list() {
    let entry = |id: &[u8], effect, reason| {
        let length = u32::try_from(id.len()).unwrap().to_be_bytes();
        [&length[..], id, &[effect, reason], &[0; 16]].concat()
    };
    let (good, same) = (entry(b"a", 0, 0), entry(b"a", 1, 2));
    assert_eq!(
        said_of_section("token", 2, &[good.clone(), entry(b"", 0, 0)].concat()),
        "2 entries"
    );
    assert_eq!(said_of_section("token", 2, &[good.clone(), same].concat()), "1 entries");
    assert_eq!(
        said_of_section("token", 1, &entry(b"a", 0, 250)),
        "1 entries",
        "a reason that is not known is none"
    );
    assert_eq!(
        said_of_section("token", 1, &entry(b"a", 3, 0)),
        "sections[0].entries[0].effect is not known"
    );
    let sparing = |spared: &[u8]| said_of_section("token", 1, &[&entry(b"a", 2, 0)[..], spared].concat());
    let id = |kind: &str| [&[0, 0, 0, kind.len() as u8], kind.as_bytes(), &[0; 8]].concat();
    assert_eq!(sparing(&[&[1][..], &id("session")].concat()), "1 entries");
    assert_eq!(sparing(&[0]), "sections[0].entries[0].sparing is nothing, or too much");
    assert_eq!(
        sparing(&[&[5][..], &id("session").repeat(5)].concat()),
        "sections[0].entries[0].sparing is nothing, or too much"
    );
    assert_eq!(
        sparing(&[&[1][..], &id("planet")].concat()),
        "sections[0].entries[0].sparing has a kind that is not known"
    );
    assert_eq!(sparing(&[1]), "sections[0].entries[0] is not all there");
    assert_eq!(
        said_of_section("token", 2, &[good.clone(), entry(b"\xff", 0, 0)].concat()),
        "sections[0].entries[1].id is not UTF-8"
    );
    assert_eq!(
        said_of_section("everything", 1, &good),
        "sections[0].entries[0].id is stated, though there is only one of the kind"
    );
    let endless = [&u32::MAX.to_be_bytes()[..], &good].concat();
    assert_eq!(
        said_of_section("token", 1, &endless),
        "sections[0].entries[0] is not all there"
    );
}

#[test]
fn entries_stay_a_while_beyond_their_end() {
    let token = |id: &str, end: u64| {
        let at = Timestamp::from_unix_secs(1_000);
        Statement::block(Subject::token(id))
            .at(at)
            .forget_at(Timestamp::from_unix_secs(end))
    };
    let in_force = InForce {
        statements: vec![
            token("a minute ago", 100_000 - 61),
            token("long ago", 90_000),
            token("soon", 100_001),
            Statement::block(Subject::session("without an end")),
            Statement::reinstate(Subject::session("no revocation")),
        ],
        covers: Vec::new(),
    };
    let issued_at = Timestamp::from_unix_secs(100_000);
    let signer = Signer::generate().unwrap();
    let file = signer
        .sign_list(&ListContents::new(ISSUER, issued_at, in_force))
        .unwrap();
    let keys = KeySet::default().with_key(signer.kid(), signer.public_key());
    let contents = format().read_contents(&file, &keys, issued_at).unwrap();
    let ids: Vec<_> = contents
        .in_force
        .statements
        .iter()
        .map(|said| said.subjects()[0].id())
        .collect();
    assert_eq!(ids, ["without an end", "a minute ago", "soon"]);
}

#[test]
fn a_gateway_spares_what_the_list_says() {
    let changed = Statement::cut_off(Subject::subject("alice")).at(NOW.to_the_millisecond());
    let statements = vec![
        changed
            .sparing(Subject::session("kept"))
            .sparing(Subject::named("device", "d")),
    ];
    let in_force = InForce {
        statements,
        covers: Vec::new(),
    };
    let signer = Signer::from_pem(PEM).unwrap();
    let file = signer.sign_list(&ListContents::new(ISSUER, NOW, in_force)).unwrap();
    let (_, sink) = RevocationLayer::pair(|_: &()| Credential::new());
    sink.install(read(&file).unwrap()).unwrap();
    let old = |key| Credential::from([key, Key::subject("alice")]).with_issued_at(NOW);
    for (key, is_spared) in [
        (Key::session("kept"), true),
        (Key::named("device", "d"), true),
        (Key::session("other"), false),
        (Key::token("kept"), false),
    ] {
        assert_eq!(
            !matches!(sink.decide(&old(key)), Verdict::Revoked(_)),
            is_spared,
            "{key:?}"
        );
    }
}

#[test]
fn only_the_issuers_key_will_do() {
    let contents = format().read_contents(FILE, &keys(), NOW).unwrap();
    let file = Signer::generate().unwrap().sign_list(&contents).unwrap();
    assert!(matches!(read(&file), Err(ListError::UnknownKey { .. })));
    assert!(matches!(
        format().read_list(FILE, &KeySet::default(), NOW),
        Err(ListError::UnknownKey { .. })
    ));
}

fn subject() -> impl Strategy<Value = Subject> {
    let id = "[a-zé\u{0}]{0,6}";
    prop_oneof![
        id.prop_map(|id| Subject::token(&id)),
        id.prop_map(|id| Subject::session(&id)),
        id.prop_map(|id| Subject::subject(&id)),
        id.prop_map(|id| Subject::client(&id)),
        id.prop_map(|id| Subject::tenant(&id)),
        id.prop_map(|id| Subject::signing_key(&id)),
        ("[a-z]{0,3}", id).prop_map(|(name, id)| Subject::named(&name, &id)),
        Just(Subject::everything()),
    ]
}

fn statement() -> impl Strategy<Value = Statement> {
    let reasons = [
        Reason::Unspecified,
        Reason::CessationOfOperation,
        Reason::KeyCompromise,
        Reason::PrivilegeWithdrawn,
        Reason::Superseded,
    ];
    let at = 0..=u64::MAX - 1;
    let end = proptest::option::of(1_796_000_000_000..u64::MAX - 1);
    (
        any::<bool>(),
        subject(),
        proptest::collection::vec(subject(), 0..6),
        at,
        proptest::sample::select(reasons.to_vec()),
        end,
    )
        .prop_map(|(is_block, subject, spared, at, reason, end)| {
            let statement = if is_block {
                Statement::block(subject)
            } else {
                spared.into_iter().fold(Statement::cut_off(subject), Statement::sparing)
            };
            let statement = statement.at(Timestamp::from_unix_millis(at)).because(reason);
            match end {
                Some(end) => statement.forget_at(Timestamp::from_unix_millis(end)),
                None => statement,
            }
        })
}

proptest! {
    #[test]
    fn what_is_written_is_read_whatever_its_order(mut statements in proptest::collection::vec(statement(), 0..20)) {
        let signer = Signer::from_pem(PEM).unwrap();
        let sign = |statements: &[Statement]| {
            let in_force = InForce { statements: statements.to_vec(), covers: Vec::new() };
            signer.sign_list(&ListContents::new(ISSUER, NOW, in_force)).unwrap()
        };
        let file = sign(&statements);
        let contents = format().read_contents(&file, &keys(), NOW).unwrap();
        prop_assert_eq!(&sign(&contents.in_force.statements), &file);
        for statement in &statements {
            prop_assert!(contents.in_force.statements.contains(statement));
        }
        for read in &contents.in_force.statements {
            prop_assert!(statements.contains(read));
        }
        statements.reverse();
        let doubled = [&statements[..], &statements].concat();
        prop_assert_eq!(&sign(&doubled), &file, "repeated, in another order");
        let mut keys = std::collections::HashSet::new();
        keys.extend(statements.iter().map(|said| said.subjects()[0].clone()));
        prop_assert_eq!(read(&file).unwrap().entries(), keys.len());
    }
}

/// Else a server that chooses by it would answer that it has nothing of the kind.
#[test]
fn is_asked_for_by_its_media_type() {
    assert_eq!(OpenList::new(ISSUER).accept(), tower_revocation::crl::open::MEDIA_TYPE);
}
