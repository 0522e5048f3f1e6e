//! Logouts that real issuers told, and what becomes of the tokens that they issued.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tower_revocation::identify::{Jwt, SESSIONLESS_SUBJECT};
use tower_revocation::jose::{Algorithm, JwsPolicy, KeySet};
use tower_revocation::logout::{LogoutEffect, LogoutPolicy, LogoutToken};
use tower_revocation::{
    DomainConfig, EventSink, Identity, Key, ListPolicy, RevocationLayer, Statement, Timestamp, Verdict,
};

/// What one issuer sent.
struct Recorded {
    folder: PathBuf,
    index: Value,
}

fn issuers() -> Vec<Recorded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/oidc");
    let read = |entry: fs::DirEntry| {
        let folder = entry.path();
        let index = serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
        Recorded { folder, index }
    };
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| read(entry.unwrap()))
        .collect()
}

fn issuer(name: &str) -> Recorded {
    issuers()
        .into_iter()
        .find(|issuer| issuer.folder.ends_with(name))
        .unwrap()
}

impl Recorded {
    fn items(&self) -> impl Iterator<Item = &Value> {
        self.index["items"].as_array().unwrap().iter()
    }

    fn item(&self, file: &str) -> &Value {
        self.items().find(|item| item["file"] == file).unwrap()
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap()
    }

    /// The policy of somebody who knows this issuer.
    fn policy(&self, audience: &Value) -> LogoutPolicy {
        LogoutPolicy::new(
            self.index["iss"].as_str().unwrap(),
            [audience.as_str().unwrap_or("nobody")],
        )
        .with_missing_exp(Duration::from_secs(120))
    }

    /// Reads a token as a logout token at the time at which it came.
    fn read(&self, token: &str, item: &Value, policy: &LogoutPolicy) -> Result<LogoutToken, String> {
        let recorded: Value = serde_json::from_str(&self.text("jwks.json")).unwrap();
        let keys = KeySet::from_jwk_set(recorded.get("body").unwrap_or(&recorded).to_string().as_bytes()).unwrap();
        let header = JwsPolicy::new(Algorithm::ALL)
            .with_types(["logout+jwt", "JWT"])
            .or_untyped();
        let claims = header.verify(token, &keys).map_err(|error| error.to_string())?;
        policy.read(&claims, clock(item)).map_err(|error| error.to_string())
    }

    /// The token in the body of a recorded request.
    fn posted(&self, file: &str) -> String {
        let text = self.text(file);
        let (_, body) = text.split_once("\r\n\r\n").or_else(|| text.split_once("\n\n")).unwrap();
        form_urlencoded::parse(body.trim().as_bytes())
            .find(|(name, _)| name == "logout_token")
            .unwrap()
            .1
            .into_owned()
    }

    /// What a recorded request ends.
    fn statements(&self, file: &str, effect: LogoutEffect) -> Vec<Statement> {
        let item = self.item(file);
        let policy = self.policy(&item["audience"]).with_effect(effect);
        let told = self.read(&self.posted(file), item, &policy).unwrap();
        policy.statements(&told, clock(item))
    }

    fn is_refused(&self, file: &str, statements: &[Statement]) -> bool {
        let sink = sink();
        sink.apply_all(statements.iter().flat_map(Statement::events))
            .unwrap()
            .wait()
            .unwrap();
        let reader = Jwt::new()
            .with_claim_at(["ext", "sid"], Key::session)
            .with_claim_at(["ext", "login_session_id"], Key::session)
            .with_sessionless_subjects();
        match reader.read_token(self.text(file)) {
            Identity::Presented(credential) => matches!(sink.decide(&credential), Verdict::Revoked(_)),
            other => panic!("{file}: {other:?}"),
        }
    }
}

fn clock(item: &Value) -> Timestamp {
    Timestamp::from_unix_secs(item["clock"].as_u64().unwrap_or_else(|| panic!("{item}")))
}

fn sink() -> EventSink {
    let (_, sink) = RevocationLayer::pair(|_: &()| Identity::Anonymous);
    sink.configure(|config: DomainConfig| config.with_lists(ListPolicy::NotUsed));
    sink
}

#[test]
fn every_logout_ends_what_it_should_and_nothing_else() {
    let mut looked_at = 0;
    for issuer in issuers() {
        for item in issuer.items() {
            let (file, after) = (
                item["file"].as_str().unwrap(),
                item["after"].as_str().unwrap_or_default(),
            );
            if !file.ends_with(".jwt") || !after.ends_with(".post") || after.contains("-hs.") {
                continue;
            }
            let name = format!("{}/{file}", issuer.folder.file_name().unwrap().display());
            let told = |effect| issuer.statements(after, effect);
            let names_session = told(LogoutEffect::Session)[0].subjects()[0].kind().as_str() == "session";
            let by = |effect| issuer.is_refused(file, &told(effect));
            match item["verdict"].as_str().unwrap() {
                "refused-by-session" => {
                    assert!(by(LogoutEffect::Session), "{name}");
                    assert!(by(LogoutEffect::ByCredential), "{name}");
                }
                "refused-by-subject" => {
                    assert!(by(LogoutEffect::Subject), "{name}");
                    assert_eq!(by(LogoutEffect::Session), !names_session, "{name}");
                }
                "admitted" => assert!(!by(LogoutEffect::Session) && !by(LogoutEffect::ByCredential), "{name}"),
                "policy" | "late" | "tie" => assert!(!by(LogoutEffect::Session), "{name}"),
                other => panic!("{name}: {other}"),
            }
            looked_at += 1;
        }
    }
    assert_eq!(looked_at, 46, "all of them");
}

#[test]
fn every_logout_request_is_taken_and_no_other_token() {
    let (mut taken, mut refused) = (0, 0);
    for issuer in issuers() {
        for item in issuer.items() {
            let file = item["file"].as_str().unwrap();
            let name = format!("{}/{file}", issuer.folder.file_name().unwrap().display());
            if item["kind"] == "logout-request" {
                let read = |audience| issuer.read(&issuer.posted(file), item, &issuer.policy(audience));
                if file.contains("-hs.") {
                    let problem = read(&item["audience"]).unwrap_err();
                    assert!(
                        problem.starts_with("header.alg is HS256, whose key is a secret"),
                        "{name}: {problem}"
                    );
                } else {
                    read(&item["audience"]).unwrap_or_else(|problem| panic!("{name}: {problem}"));
                    assert_eq!(
                        read(&"another".into()).unwrap_err(),
                        "aud is none of the expected clients",
                        "{name}"
                    );
                    taken += 1;
                }
            } else if file.ends_with(".jwt") {
                let token = issuer.text(file);
                let policy = issuer.policy(&Value::Null).for_any_client();
                assert!(issuer.read(token.trim(), item, &policy).is_err(), "{name}");
                refused += 1;
            }
        }
    }
    assert_eq!((taken, refused), (21, 72), "all of them");
}

/// Its access tokens name no session as it comes.
#[test]
fn a_logout_by_credential_ends_what_names_no_session_and_spares_other_sessions() {
    let issuer = issuer("oidc-provider");
    let told = issuer.statements("logout-with-sid.post", LogoutEffect::ByCredential);
    assert_eq!(told[1].subjects()[0].name(), Some(SESSIONLESS_SUBJECT));
    for file in ["access-with-sid.jwt", "access-with-sid-other-browser.jwt"] {
        assert!(issuer.is_refused(file, &told), "{file}: it names none");
    }
    for file in [
        "access-sid-other-session.jwt",
        "access-bob.jwt",
        "access-with-sid-new-login-later.jwt",
    ] {
        assert!(!issuer.is_refused(file, &told), "{file}");
    }
}

/// It lets a code of before the logout be redeemed after it.
#[test]
fn a_hold_refuses_what_is_issued_of_the_session_after_the_logout() {
    let issuer = issuer("hydra");
    let item = issuer.item("logout-code.post");
    let policy = issuer.policy(&item["audience"]).with_hold(Duration::from_secs(600));
    let told = issuer.read(&issuer.posted("logout-code.post"), item, &policy).unwrap();
    assert!(issuer.is_refused("access-late-code.jwt", &policy.statements(&told, clock(item))));
}

/// It dates the tokens of one client back by 5 s.
#[test]
fn a_skew_reaches_the_tokens_of_clients_that_are_dated_exactly() {
    let issuer = issuer("zitadel-oidc");
    let item = issuer.item("logout-lenient.post");
    for (skew, is_refused) in [(0, false), (5, true)] {
        let policy = issuer
            .policy(&item["audience"])
            .with_effect(LogoutEffect::Subject)
            .with_skew(Duration::from_secs(skew));
        let told = issuer
            .read(&issuer.posted("logout-lenient.post"), item, &policy)
            .unwrap();
        let statements = policy.statements(&told, clock(item));
        assert_eq!(
            issuer.is_refused("access-jwt-3s-before.jwt", &statements),
            is_refused,
            "{skew}"
        );
        assert!(!issuer.is_refused("access-lenient.jwt", &[]), "control");
    }
}

#[test]
fn a_token_without_an_exp_is_taken_for_as_long_as_it_is_allowed() {
    let issuer = issuer("hydra");
    let item = issuer.item("logout-mapped.post");
    let token = issuer.posted("logout-mapped.post");
    let iat = item["iat"].as_u64().unwrap();
    let strict = LogoutPolicy::new(issuer.index["iss"].as_str().unwrap(), ["mapped"]);
    let at = |policy: &LogoutPolicy, secs| {
        let item = serde_json::json!({ "clock": iat + secs });
        issuer.read(&token, &item, policy).map(drop)
    };
    assert_eq!(at(&strict, 0).unwrap_err(), "exp is missing");
    let lenient = strict.with_missing_exp(Duration::from_secs(120));
    assert_eq!(at(&lenient, 120), Ok(()));
    assert_eq!(
        at(&lenient, 121).unwrap_err(),
        "iat is too old for a token without an exp"
    );
}
