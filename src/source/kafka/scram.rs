//! Passwords that are proved and not sent (SCRAM, [RFC 5802](https://www.rfc-editor.org/rfc/rfc5802)).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use pbkdf2::pbkdf2_hmac;
use sha2::{Digest, Sha256, Sha512};

use crate::source::error::SourceError;

/// The hash that client and server use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScramHash {
    Sha256,
    Sha512,
}

/// An authentication, of which the first message was made.
pub(super) struct Scram {
    hash: ScramHash,
    password: String,
    nonce: String,
    bare: String,
}

/// What the server has to prove in the end.
pub(super) struct ServerProof(Vec<u8>);

impl Scram {
    /// Begins with a nonce that nobody can guess.
    pub(super) fn new(hash: ScramHash, user: &str, password: &str, nonce: &[u8]) -> Self {
        let nonce = BASE64_STANDARD.encode(nonce);
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Self {
            hash,
            password: password.to_owned(),
            bare: format!("n={user},r={nonce}"),
            nonce,
        }
    }

    pub(super) fn first_message(&self) -> String {
        format!("{NO_CHANNEL_BINDING}{}", self.bare)
    }

    /// Answers the server's first message.
    ///
    /// # Errors
    ///
    /// If what the server says is no such message, or would give the password away cheaply.
    pub(super) fn final_message(&self, server_first: &str) -> Result<(String, ServerProof), SourceError> {
        let field = |name| field(server_first, name);
        let nonce = field("r=")?;
        if !nonce.starts_with(&self.nonce) || nonce == self.nonce {
            return Err(SourceError::new("the broker's nonce does not begin with ours"));
        }
        let salt = BASE64_STANDARD.decode(field("s=")?);
        let salt = salt.map_err(|cause| SourceError::new("the broker's salt cannot be read").because(cause))?;
        let rounds = field("i=")?.parse().unwrap_or_default();
        if !ROUNDS.contains(&rounds) {
            return Err(SourceError::new(format!(
                "the broker wants {rounds} rounds, and {} to {} are taken",
                ROUNDS.start(),
                ROUNDS.end(),
            )));
        }
        let without_proof = format!("c={},r={nonce}", BASE64_STANDARD.encode(NO_CHANNEL_BINDING));
        let signed = format!("{},{server_first},{without_proof}", self.bare);
        let salted = self.hash.salted(&self.password, &salt, rounds);
        let client = self.hash.mac(&salted, b"Client Key");
        let signature = self.hash.mac(&self.hash.digest(&client), signed.as_bytes());
        let proof: Vec<_> = client
            .iter()
            .zip(signature)
            .map(|(client, signature)| client ^ signature)
            .collect();
        let server = self.hash.mac(&salted, b"Server Key");
        let message = format!("{without_proof},p={}", BASE64_STANDARD.encode(proof));
        Ok((message, ServerProof(self.hash.mac(&server, signed.as_bytes()))))
    }
}

impl ServerProof {
    /// Checks the server's last message: it knows the password, too.
    pub(super) fn check(&self, server_final: &str) -> Result<(), SourceError> {
        let proof = BASE64_STANDARD.decode(field(server_final, "v=")?);
        // A comparison whose time tells something tells it to the server, which knows what it sent.
        match proof.is_ok_and(|proof| proof == self.0) {
            true => Ok(()),
            false => Err(SourceError::new("the broker does not prove that it knows the password")),
        }
    }
}

impl ScramHash {
    fn salted(self, password: &str, salt: &[u8], rounds: u32) -> Vec<u8> {
        let mut salted = vec![0; if self == Self::Sha256 { 32 } else { 64 }];
        match self {
            Self::Sha256 => pbkdf2_hmac::<Sha256>(password.as_bytes(), salt, rounds, &mut salted),
            Self::Sha512 => pbkdf2_hmac::<Sha512>(password.as_bytes(), salt, rounds, &mut salted),
        }
        salted
    }

    fn mac(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => {
                let mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
                mac.chain_update(message).finalize().into_bytes().to_vec()
            }
            Self::Sha512 => {
                let mac = Hmac::<Sha512>::new_from_slice(key).expect("a key of any length will do");
                mac.chain_update(message).finalize().into_bytes().to_vec()
            }
        }
    }

    fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }
}

/// A part of a message, which are between commas.
fn field<'m>(message: &'m str, name: &str) -> Result<&'m str, SourceError> {
    let mut fields = message.split(',');
    let found = fields.find_map(|field| field.strip_prefix(name));
    found.ok_or_else(|| SourceError::new(format!("the broker's message has no {name}")))
}

/// The header of a client that knows of no channel to bind to.
const NO_CHANNEL_BINDING: &str = "n,,";

/// Kafka demands the lower one, too. So many rounds of the higher one take a tenth of a second.
const ROUNDS: std::ops::RangeInclusive<u32> = 4096..=65_536;

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of [RFC 7677, section 3](https://www.rfc-editor.org/rfc/rfc7677#section-3).
    #[test]
    fn says_what_the_example_says() {
        let scram = Scram {
            hash: ScramHash::Sha256,
            password: "pencil".to_owned(),
            nonce: "rOprNGfwEbeRWgbNEkqO".to_owned(),
            bare: "n=user,r=rOprNGfwEbeRWgbNEkqO".to_owned(),
        };
        assert_eq!(scram.first_message(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let server_first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let (message, proof) = scram.final_message(server_first).unwrap();
        assert_eq!(
            message,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        proof.check("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").unwrap();
        for other in [
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=",
            "e=invalid-proof",
            "v=",
        ] {
            assert!(proof.check(other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_server_that_makes_it_cheap_or_dear_is_none() {
        let scram = Scram::new(ScramHash::Sha512, "gate,way", "password", b"nonce");
        assert!(scram.first_message().starts_with("n,,n=gate=2Cway,r="));
        let nonce = &scram.nonce;
        for message in [
            format!("r={nonce}more,s=c2FsdA==,i=1"),
            format!("r={nonce}more,s=c2FsdA==,i=4000000000"),
            format!("r={nonce}more,s=?,i=4096"),
            format!("r={nonce},s=c2FsdA==,i=4096"),
            "r=another,s=c2FsdA==,i=4096".to_owned(),
            "e=other-error".to_owned(),
        ] {
            assert!(scram.final_message(&message).is_err(), "{message}");
        }
        assert!(scram.final_message(&format!("r={nonce}more,s=c2FsdA==,i=4096")).is_ok());
    }
}
