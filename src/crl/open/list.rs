//! The open format as one that the poller reads.

use std::str;

use http::HeaderValue;

use crate::crl::list::{ListError, ListFormat};
use crate::crl::open::container::{LIST, ListContainer};
use crate::crl::open::contents::ListContents;
use crate::crl::open::manifest::Manifest;
use crate::crl::open::section::SMALLEST_ENTRY;
use crate::jose::jws::verify_jws;
use crate::jose::key_set::KeySet;
use crate::model::timestamp::Timestamp;
use crate::state::snapshot::RevocationList;
use crate::statements::in_force::InForce;

/// Reads revocation lists in the [open format](crate::crl::open), and their signing keys as a JWK set.
///
/// No text of the entries is kept.
///
/// # Errors
///
/// [`ListError::Invalid`] names what is at fault, such as `exp`, `body` or `sections[0].entries[3].id`. A list is refused from its
/// `exp` on, without leeway.
///
/// # Security
///
/// Nothing of a list counts before the signature of its manifest is verified, and nothing of the body before its digest is.
#[derive(Clone, Debug)]
pub struct OpenList {
    issuer: Box<str>,
}

impl OpenList {
    /// Creates the format of `issuer`'s list, such as `https://auth.example.com`. The list's `iss` has to equal it to the letter,
    /// wherever the list is fetched from.
    #[must_use]
    pub fn new(issuer: &str) -> Self {
        Self { issuer: issuer.into() }
    }

    /// Reads a list with its ids in words, under the same conditions: for tools.
    ///
    /// # Errors
    ///
    /// As those of [`read_list`](ListFormat::read_list).
    pub fn read_contents(&self, file: &[u8], keys: &KeySet, now: Timestamp) -> Result<ListContents, ListError> {
        let (manifest, body) = self.verified(file, keys, now)?;
        let mut statements = Vec::new();
        manifest.read_body(body, |row| statements.push(row.statement()))?;
        Ok(ListContents {
            issuer: manifest.issuer,
            issued_at: manifest.issued_at,
            expires_at: manifest.expires_at,
            generation: manifest.generation,
            in_force: InForce {
                statements,
                covers: manifest.covers,
            },
        })
    }

    /// Returns what the issuer signed, and the body that comes with it.
    fn verified<'f>(&self, file: &'f [u8], keys: &KeySet, now: Timestamp) -> Result<(Manifest, &'f [u8]), ListError> {
        let ListContainer { head, body } = ListContainer::read(file, LIST)?;
        let token = str::from_utf8(head).map_err(|cause| ListError::invalid("token", "is not UTF-8").because(cause))?;
        let manifest = Manifest::read(&verify_jws(token, TYP, keys)?)?;
        if *manifest.issuer != *self.issuer {
            return Err(ListError::invalid("iss", "is not the expected issuer"));
        }
        match manifest.expires_at {
            Some(exp) if exp <= manifest.issued_at => Err(ListError::invalid("exp", "is not later than iat")),
            Some(exp) if exp <= now => Err(ListError::invalid("exp", "has passed")),
            _ => Ok((manifest, body)),
        }
    }
}

impl ListFormat for OpenList {
    fn read_list(&self, body: &[u8], keys: &KeySet, now: Timestamp) -> Result<RevocationList, ListError> {
        let (manifest, body) = self.verified(body, keys, now)?;
        index(&manifest, body)
    }

    fn accept(&self) -> HeaderValue {
        HeaderValue::from_static(MEDIA_TYPE)
    }

    fn read_keys(&self, body: &[u8]) -> Result<KeySet, ListError> {
        KeySet::from_jwk_set(body).map_err(ListError::from)
    }
}

/// Indexes what a body says, if it is the one of the manifest.
pub(crate) fn index(manifest: &Manifest, body: &[u8]) -> Result<RevocationList, ListError> {
    let mut list = RevocationList::builder(manifest.issued_at);
    if let Some(expires_at) = manifest.expires_at {
        list = list.with_expiry(expires_at);
    }
    for position in &manifest.covers {
        list = list.covering(*position);
    }
    for (nth, section) in manifest.sections.iter().enumerate() {
        let (kind, _) = section.kind(nth)?;
        let entries = section.count.min(body.len() as u64 / SMALLEST_ENTRY);
        list = list.with_capacity(kind, usize::try_from(entries).unwrap_or_default());
    }
    manifest.read_body(body, |row| list.push(&row.revocation()))?;
    Ok(list.build())
}

/// The type of the manifest's JWS.
pub(crate) const TYP: &str = "revocation-list+jwt";

/// The media type of a list.
pub const MEDIA_TYPE: &str = "application/octet-stream";
