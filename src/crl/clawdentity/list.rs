//! The list.

use std::panic::resume_unwind;
use std::str;
use std::thread;

use http::StatusCode;

use crate::crl::clawdentity::body::{Response, is_none_yet, read_body};
use crate::crl::clawdentity::diagnose;
use crate::crl::clawdentity::fast_path;
use crate::crl::clawdentity::issuer::Issuer;
use crate::crl::clawdentity::keys::read_keys;
use crate::crl::jws::Jws;
use crate::crl::keys::KeySet;
use crate::crl::list::{ListError, ListFormat};
use crate::format::json::Json;
use crate::model::timestamp::Timestamp;
use crate::state::snapshot::RevocationList;

/// Reads the revocation list of a [Clawdentity](https://github.com/vrknetha/clawdentity) registry (`GET /v1/crl`), and
/// its signing keys (`GET /.well-known/claw-keys.json`).
///
/// The list is `{"crl": <JWS>}`, of `typ` `CRL`, with the claims `iss`, `jti`, `iat`, `exp` and `revocations`; each
/// entry revokes one token by its `jti` ([`Key::token`](crate::Key::token)). The agent that an entry names is not revoked by it: a
/// reissue lists the old token while the agent goes on with a new one.
///
/// As strict as Clawdentity's own clients: one bad entry refuses the list. So does a claim or a member that is not
/// known, since what is not understood may say that the list is not the whole list, and one that is stated twice
/// ([RFC 7519 §4](https://www.rfc-editor.org/rfc/rfc7519#section-4)). Keeps none of the entries' text. A large list is
/// verified on a thread of its own while it is indexed.
///
/// # Errors
///
/// [`ListError::Invalid`] names the field, such as `exp` or `revocations[3].jti`. A list is refused from its `exp` on,
/// without leeway.
///
/// # Security
///
/// Nothing comes of a list before its signature is verified.
#[derive(Clone, Debug)]
pub struct ClawdentityList {
    issuer: Option<Issuer>,
}

impl ClawdentityList {
    /// The list of `issuer`, such as `https://registry.example.com`: what its `iss` has to equal to the letter,
    /// wherever it is fetched from. The agents it names have to be of the issuer's host. An issuer that is not an HTTP
    /// URL has no host, and no list is ever accepted.
    #[must_use]
    pub fn new(issuer: impl Into<String>) -> Self {
        Self {
            issuer: Issuer::new(&issuer.into()),
        }
    }
}

impl ListFormat for ClawdentityList {
    fn read_list(&self, body: &[u8], keys: &KeySet, now: Timestamp) -> Result<RevocationList, ListError> {
        let Some(issuer) = &self.issuer else {
            return Err(ListError::invalid(
                "iss",
                "cannot be compared: the configured issuer is not an HTTP URL",
            ));
        };
        let Json::Object(Response { crl }) = read_body(body)? else {
            return Err(ListError::invalid("body", "is not a JSON object"));
        };
        let Json::Text(token) = crl else {
            return Err(ListError::invalid("crl", crl.or("is not a string")));
        };
        let jws = Jws::read(&token, "CRL")?;
        if token.len() < WORTH_A_THREAD {
            jws.verify(keys)?;
            return index(&jws, issuer, now);
        }
        // Verifying takes about as long as indexing. The list that comes of it meanwhile goes nowhere unless it holds.
        thread::scope(|scope| {
            let verified = scope.spawn(|| jws.verify(keys));
            let list = index(&jws, issuer, now);
            verified.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            list
        })
    }

    fn read_keys(&self, body: &[u8]) -> Result<KeySet, ListError> {
        read_keys(body)
    }

    fn is_none_yet(&self, status: StatusCode, body: &[u8]) -> bool {
        is_none_yet(status, body)
    }
}

/// Reads the claims of a list, believing them.
fn index(jws: &Jws<'_>, issuer: &Issuer, now: Timestamp) -> Result<RevocationList, ListError> {
    let payload = jws.payload()?;
    let payload =
        str::from_utf8(&payload).map_err(|cause| ListError::invalid("payload", "is not UTF-8").because(cause))?;
    match fast_path::read(payload, issuer, now) {
        Some(list) => Ok(list),
        None => diagnose::read(payload, issuer, now),
    }
}

/// From which length of a token on it pays to verify it on a thread of its own, in bytes: some 1 ms of work.
const WORTH_A_THREAD: usize = 512 * 1024;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_secs(1_795_406_460);

    #[test]
    fn accepts_no_list_without_an_issuer_to_compare() {
        let error = ClawdentityList::new("registry").read_list(b"{}", &KeySet::default(), NOW);
        assert!(error.unwrap_err().to_string().starts_with("iss "));
    }

    /// What both readers make of a payload: the quick one may give up, but never say anything else.
    fn agree(payload: &str) -> bool {
        let issuer = Issuer::new("https://registry.example.com").unwrap();
        let careful = diagnose::read(payload, &issuer, NOW);
        fast_path::read(payload, &issuer, NOW).is_none_or(|quick| {
            let careful = careful.unwrap_or_else(|error| panic!("{error}: {payload}"));
            quick.says_the_same_as(&careful)
                && quick.issued_at() == careful.issued_at()
                && quick.expires_at() == careful.expires_at()
        })
    }

    fn payload(file: &Path) -> Option<String> {
        let body: serde_json::Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).ok()?;
        let payload = body["crl"].as_str()?.split('.').nth(1)?.to_owned();
        String::from_utf8(URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }

    #[test]
    fn both_readers_agree_about_every_vector() {
        let issuer = Issuer::new("https://registry.example.com").unwrap();
        let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/clawdentity/crl");
        let (mut read, mut quickly) = (0, 0);
        for entry in fs::read_dir(vectors).unwrap() {
            let path = entry.unwrap().path();
            if let Some(payload) = path.is_file().then(|| payload(&path)).flatten() {
                assert!(agree(&payload), "{}", path.display());
                read += 1;
                quickly += usize::from(fast_path::read(&payload, &issuer, NOW).is_some());
            }
        }
        assert!(read > 40 && quickly > 10, "{quickly} of {read}");
    }

    const LIST: &str = r#"{"iss":"https://registry.example.com","jti":"list","iat":1767225600,"exp":4102444800,"revocations":[{"jti":"01KDVDNA09Q5HAD7MTFBDK3NYZ","agentDid":"did:cdi:registry.example.com:agent:01KDVDNA03XJ61A46WBY7B0EGN","revokedAt":1767225720},{"jti":"01KDVDNA0CJGBR9K83VZA6KFGW","agentDid":"did:cdi:registry.example.com:agent:01KDVDNA04D4DR3RABR7B5GHXT","reason":"reissued","revokedAt":1767225660}]}"#;

    /// Pieces that mean something to a list, to put anywhere in one.
    const PIECES: [&str; 28] = [
        "",
        "0",
        "-",
        ".5",
        "\"",
        "\\",
        "\\u0061",
        ",",
        ":",
        "{",
        "}",
        "[",
        "]",
        "null",
        "\"jti\":\"x\",",
        "\"jti\":\"\",",
        "\"iss\":\"x\",",
        "\"revocations\":[],",
        "\"iat\":1,",
        "\"exp\":4102444799,",
        " ",
        "\"reason\":null,",
        "\"reason\":\"\",",
        "e9",
        "A",
        "\"next\":1,",
        "{},",
        "[],",
    ];

    #[test]
    fn the_quick_reader_wants_each_claim_once_and_a_list_that_ends_after_it_began() {
        let entry = r#"{"jti":"01KDVDNA09Q5HAD7MTFBDK3NYZ","agentDid":"did:cdi:registry.example.com:agent:01KDVDNA03XJ61A46WBY7B0EGN","revokedAt":1767225720}"#;
        let revocations = format!(r#""revocations":[{entry}]"#);
        let claims = [
            r#""iss":"https://registry.example.com""#,
            r#""jti":"list""#,
            r#""iat":4102444799"#,
            r#""exp":4102444800"#,
            &revocations,
        ];
        let issuer = Issuer::new("https://registry.example.com").unwrap();
        let reads = |claims: &[&str]| {
            let payload = format!("{{{}}}", claims.join(","));
            assert!(agree(&payload), "{payload}");
            fast_path::read(&payload, &issuer, NOW).is_some()
        };
        assert!(reads(&claims));
        for nth in 0..claims.len() {
            let mut others = claims.to_vec();
            others.remove(nth);
            assert!(!reads(&others), "without {}", claims[nth]);
            assert!(!reads(&[&claims[..], &[claims[nth]]].concat()), "{} twice", claims[nth]);
        }
        assert!(!reads(&[
            claims[0],
            claims[1],
            r#""iat":4102444800"#,
            claims[3],
            claims[4]
        ]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn both_readers_agree_about_disfigured_lists(
            edits in proptest::collection::vec((any::<Index>(), 0..4_usize, proptest::sample::select(&PIECES[..])), 1..4),
        ) {
            let mut list = LIST.to_owned();
            for (at, cut, piece) in edits {
                let at = at.index(list.len() + 1);
                let end = (at + cut).min(list.len());
                list.replace_range(at..end, piece);
            }
            prop_assert!(agree(&list), "{}", list);
        }
    }
}
