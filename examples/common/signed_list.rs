//! A registry's list, as large as wanted.

use std::error::Error;
use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use tower_revocation::Timestamp;

/// The answer to `GET /v1/crl` with so many entries, signed now. Each names the token `{number:026}`.
pub(crate) fn signed(entries: usize, key: &SigningKey) -> Result<String, Box<dyn Error>> {
    let now = Timestamp::now().as_unix_secs();
    let mut claims = format!(
        r#"{{"iss":"https://registry.example.com","jti":"list","iat":{now},"exp":{},"revocations":["#,
        now + 390
    );
    for i in 0..entries {
        let comma = if i == 0 { "" } else { "," };
        let did = format!("did:cdi:registry.example.com:agent:{i:026}");
        write!(
            claims,
            r#"{comma}{{"jti":"{i:026}","agentDid":"{did}","reason":"reissued","revokedAt":{now}}}"#
        )?;
    }
    claims.push_str("]}");
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA","typ":"CRL","kid":"k1"}"#);
    let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()).to_bytes());
    Ok(format!(r#"{{"crl":"{message}.{signature}"}}"#))
}
