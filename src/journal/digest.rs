//! The digest by which a list is recognized.

use crate::model::key::KeyKind;
use crate::model::key_secrets::KeySecrets;

/// A document's keyed hash, of 128 bits: documents with the same digest are the same. Later processes get the same digest, since
/// the secret is in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ListDigest([u8; Self::LENGTH]);

impl ListDigest {
    const LENGTH: usize = 16;

    pub(super) fn of(document: &[u8]) -> Self {
        Self(
            KeySecrets::in_use()
                .hasher(KeySecrets::DOCUMENTS)
                .hash(document)
                .as_bytes(),
        )
    }

    /// Reads a digest that was stored.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().map(Self).ok()
    }

    /// Returns the bytes to store.
    pub(super) const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

const _: () = assert!(
    KeyKind::COUNT <= KeySecrets::DOCUMENTS,
    "a kind of key has the documents' secret"
);
