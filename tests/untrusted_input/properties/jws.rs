//! Signed documents in compact form.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tower_revocation::jose::{Algorithm, VerifySignature, verify_jws};

use super::tree::Tree;
use super::world;

/// Takes any signature for good, if it is asked about the right thing.
struct Gullible<'t> {
    token: &'t str,
}

impl VerifySignature for Gullible<'_> {
    fn knows(&self, _algorithm: Algorithm, kid: Option<&str>) -> bool {
        kid.is_some_and(|kid| !kid.starts_with("unknown"))
    }

    fn verify(&self, algorithm: Algorithm, kid: Option<&str>, message: &[u8], signature: &[u8]) -> bool {
        assert_eq!(algorithm, Algorithm::EdDsa);
        assert!(self.knows(algorithm, kid) && kid != Some(""));
        let signature = URL_SAFE_NO_PAD.encode(signature);
        let asked = [message, b".", signature.as_bytes()].concat();
        assert_eq!(asked, self.token.as_bytes(), "what is verified is what was sent");
        true
    }
}

/// Nothing is returned but what was signed, and of whose header nothing speaks against it.
pub(crate) fn check(input: &[u8]) {
    let Ok(token) = std::str::from_utf8(input) else { return };
    for token in [token.to_owned(), assembled(input)] {
        for typ in ["CRL", "AIT"] {
            let Ok(payload) = verify_jws(&token, typ, &Gullible { token: &token }) else {
                continue;
            };
            let parts: Vec<_> = token.split('.').collect();
            let [header, signed, _] = parts[..] else {
                panic!("it has {} parts", parts.len());
            };
            assert_eq!(URL_SAFE_NO_PAD.encode(payload), signed);
            let header = URL_SAFE_NO_PAD.decode(header).expect("it was read");
            let Some(header) = Tree::read(&header) else {
                // It is deep where nobody looks.
                continue;
            };
            let Tree::Object(members) = &header else {
                panic!("it is no object: {header:?}");
            };
            for name in ["alg", "typ", "kid", "crit"] {
                let count = members.iter().filter(|(known, _)| known == name).count();
                assert_eq!(count, usize::from(name != "crit"), "{name}");
            }
            assert_eq!(header.get("alg").and_then(Tree::text), Some("EdDSA"));
            assert_eq!(header.get("typ").and_then(Tree::text), Some(typ));
            assert!(
                header
                    .get("kid")
                    .and_then(Tree::text)
                    .is_some_and(|kid| !kid.is_empty())
            );
        }
    }
}

/// The parts are the header, payload and signature that become a token.
fn assembled(input: &[u8]) -> String {
    let parts: Vec<_> = world::parts(input).map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
    parts.join(".")
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<_> = world::vectors("ait", ".jwt")
        .into_iter()
        .map(|token| token.trim_ascii().to_vec())
        .collect();
    for header in [
        r#"{"alg":"EdDSA","typ":"CRL","kid":"k1"}"#,
        r#"{"alg":"EdDSA","typ":"AIT","kid":"k1","x":[{"crit":null}]}"#,
        r#"{"alg":"EdDSA","typ":"CRL","kid":"unknown"}"#,
        r#"{"alg":"EdDSA","typ":"CRL","kid":"k1","crit":null}"#,
        r#"["EdDSA","CRL","k1"]"#,
        r#"{"alg":"none","alg":"EdDSA","typ":"CRL","kid":"k1"}"#,
    ] {
        seeds.push(world::join([header, "{}", "signature"]));
    }
    seeds
}
