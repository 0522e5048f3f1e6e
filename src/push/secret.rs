//! Secrets by which senders are recognized.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};

use hmac::{Hmac, KeyInit, Mac};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::Sha256;

/// Proves who a sender is. An empty secret lets nobody in: if the environment lacks it, that shows.
///
/// Its `Debug` output shows nothing of it. Of a bearer token only a keyed hash is held.
#[derive(Clone)]
pub struct Secret(SecretKind);

#[derive(Clone)]
enum SecretKind {
    /// The hash of the token under a random key.
    Bearer(Option<(HmacSha256, [u8; 32])>),
    /// A MAC keyed with the secret.
    Signature(Option<HmacSha256>),
}

impl Secret {
    /// Returns a token that the sender presents unchanged: `Authorization: Bearer <token>` ([RFC 6750
    /// §2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)).
    ///
    /// # Security
    ///
    /// Anybody who sees one request can send others: use it only over TLS. Use some 32 random characters or more.
    #[must_use]
    pub fn bearer(token: impl AsRef<[u8]>) -> Self {
        let token = token.as_ref();
        let hashed = || {
            let hasher = hmac(&random_key());
            let hash = hasher.clone().chain_update(token).finalize().into_bytes().into();
            (hasher, hash)
        };
        Self(SecretKind::Bearer((!token.is_empty()).then(hashed)))
    }

    /// Returns a key with which the sender signs the body: `X-Signature-256: sha256=<hex>` has HMAC-SHA-256 ([RFC
    /// 2104](https://www.rfc-editor.org/rfc/rfc2104)) of its bytes. GitHub's form, under [another
    /// name](super::Push::with_signature_header).
    ///
    /// # Security
    ///
    /// Use 32 random bytes or more, and use this key for nothing else: a signature does not say which address it was
    /// meant for.
    #[must_use]
    pub fn hmac_sha256(key: impl AsRef<[u8]>) -> Self {
        let key = key.as_ref();
        Self(SecretKind::Signature((!key.is_empty()).then(|| hmac(key))))
    }

    const fn is_bearer(&self) -> bool {
        matches!(self.0, SecretKind::Bearer(_))
    }

    /// Whether it is this token. Takes the same time for all tokens of this length.
    fn is_token(&self, presented: &[u8]) -> bool {
        match &self.0 {
            SecretKind::Bearer(Some((hasher, hash))) => {
                hasher.clone().chain_update(presented).verify_slice(hash).is_ok()
            }
            _ => false,
        }
    }

    fn signed(&self, body: &[u8], signature: &[u8; 32]) -> bool {
        match &self.0 {
            SecretKind::Signature(Some(key)) => key.clone().chain_update(body).verify_slice(signature).is_ok(),
            _ => false,
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").finish_non_exhaustive()
    }
}

/// All secrets that are good now. Any of them is enough.
#[derive(Clone, Debug)]
pub(super) struct PushSecrets {
    pub(super) all: Vec<Secret>,
    pub(super) signature_header: HeaderName,
}

/// What a request's header says about its sender.
pub(super) enum ClaimedSecret {
    /// The sender knows a secret.
    Proven,
    /// The sender claims to have signed the body. The signature is still to be verified.
    Signed([u8; 32]),
}

impl PushSecrets {
    /// What the header claims, or the challenge if it claims nothing or a wrong secret.
    pub(super) fn claim(&self, headers: &HeaderMap) -> Result<ClaimedSecret, Option<HeaderValue>> {
        let token = bearer_token(headers);
        if let Some(token) = token
            && self.all.iter().any(|secret| secret.is_token(token))
        {
            return Ok(ClaimedSecret::Proven);
        }
        let may_be_signed = self.all.iter().any(|secret| !secret.is_bearer());
        let signature = headers.get(&self.signature_header).and_then(signature);
        match signature.filter(|_| may_be_signed) {
            Some(signature) => Ok(ClaimedSecret::Signed(signature)),
            None => Err(self.challenge(token.is_some())),
        }
    }

    /// Whether one of the secrets signed the body.
    pub(super) fn verify(&self, body: &[u8], signature: &[u8; 32]) -> Result<(), Option<HeaderValue>> {
        let is_signed = self.all.iter().any(|secret| secret.signed(body, signature));
        is_signed.then_some(()).ok_or_else(|| self.challenge(false))
    }

    /// Signatures have none: sender and receiver agree on their form elsewhere.
    fn challenge(&self, was_presented: bool) -> Option<HeaderValue> {
        let is_bearer = self.all.iter().any(Secret::is_bearer);
        is_bearer.then_some(HeaderValue::from_static(match was_presented {
            true => r#"Bearer error="invalid_token""#,
            false => "Bearer",
        }))
    }
}

type HmacSha256 = Hmac<Sha256>;

fn hmac(key: &[u8]) -> HmacSha256 {
    HmacSha256::new_from_slice(key).expect("a key of any length will do")
}

/// `RandomState` is the one source of randomness in `std`; see `crate::model::key_secrets`.
fn random_key() -> [u8; 32] {
    let mut key = [0; 32];
    for part in key.chunks_exact_mut(8) {
        part.copy_from_slice(&RandomState::new().build_hasher().finish().to_ne_bytes());
    }
    key
}

fn bearer_token(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then(|| token.trim_ascii())
}

/// `sha256=` and 64 hexadecimal digits.
fn signature(value: &HeaderValue) -> Option<[u8; 32]> {
    let digits: &[u8; 64] = value.as_bytes().strip_prefix(b"sha256=")?.try_into().ok()?;
    let mut signature = [0; 32];
    for (byte, pair) in signature.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = u8::try_from(digit(0)? << 4 | digit(1)?).ok()?;
    }
    Some(signature)
}

const SCHEME: &[u8] = b"Bearer ";

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(all: &[Secret]) -> PushSecrets {
        PushSecrets {
            all: all.to_vec(),
            signature_header: HeaderName::from_static("x-signature-256"),
        }
    }

    fn with(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(name), value.parse().unwrap())])
    }

    fn proves(secrets: &PushSecrets, authorization: &str) -> bool {
        matches!(
            secrets.claim(&with("authorization", authorization)),
            Ok(ClaimedSecret::Proven)
        )
    }

    /// The example of <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>.
    #[test]
    fn verifies_what_github_signs() {
        let secrets = secrets(&[Secret::hmac_sha256("It's a Secret to Everybody")]);
        let header = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let Ok(ClaimedSecret::Signed(signature)) = secrets.claim(&with("x-signature-256", header)) else {
            panic!("no signature");
        };
        assert!(secrets.verify(b"Hello, World!", &signature).is_ok());
        assert!(secrets.verify(b"Hello, World?", &signature).is_err());
        assert!(secrets.verify(b"", &signature).is_err());
    }

    #[test]
    fn a_signature_of_another_form_is_none() {
        let digits = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let read = |value: String| signature(&value.parse().unwrap());
        assert!(read(format!("sha256={digits}")).is_some());
        assert_eq!(
            read(format!("sha256={}", digits.to_uppercase())),
            read(format!("sha256={digits}"))
        );
        for bad in [
            digits.to_owned(),
            format!("sha1={digits}"),
            format!("sha256={digits}0"),
            format!("sha256={}", &digits[1..]),
            format!("sha256=+{}", &digits[1..]),
            format!("sha256= {}", &digits[1..]),
            "sha256=".to_owned(),
            String::new(),
        ] {
            assert_eq!(read(bad.clone()), None, "{bad}");
        }
    }

    #[test]
    fn any_of_several_tokens_will_do_and_nothing_else() {
        let secrets = secrets(&[Secret::bearer("old"), Secret::bearer("new")]);
        for (authorization, is_good) in [
            ("Bearer old", true),
            ("bearer new", true),
            ("Bearer  new ", true),
            ("Bearer ol", false),
            ("Bearer older", false),
            ("Bearer ", false),
            ("Bearer", false),
            ("Basic old", false),
            ("old", false),
        ] {
            assert_eq!(proves(&secrets, authorization), is_good, "{authorization}");
        }
        assert!(secrets.claim(&HeaderMap::new()).is_err());
    }

    #[test]
    fn an_empty_secret_lets_nobody_in() {
        let secrets = secrets(&[Secret::bearer(""), Secret::hmac_sha256("")]);
        assert!(!proves(&secrets, "Bearer "));
        // Anybody can compute this one.
        let of_nothing = hmac(b"").chain_update("body").finalize().into_bytes().into();
        assert!(secrets.verify(b"body", &of_nothing).is_err());
    }

    #[test]
    fn a_token_is_not_a_key_nor_a_key_a_token() {
        let secrets = secrets(&[Secret::bearer("token"), Secret::hmac_sha256("key")]);
        assert!(!proves(&secrets, "Bearer key"));
        let signature = hmac(b"token").chain_update("body").finalize().into_bytes().into();
        assert!(secrets.verify(b"body", &signature).is_err());
    }

    #[test]
    fn shows_nothing() {
        let shown = format!("{:?} {:?}", Secret::bearer("token"), Secret::hmac_sha256("key"));
        assert_eq!(shown, "Secret { .. } Secret { .. }");
    }
}
