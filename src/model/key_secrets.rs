//! The secrets with which keys are made.

use std::array;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;

use siphasher::sip128::SipHasher13;

/// A hasher for each kind of key, each with its own secret, so that kinds have nothing in common.
///
/// There is one set in a process. It is drawn when the first key is made, unless a journal brought one before that.
pub(crate) struct KeySecrets {
    hashers: [SipHasher13; Self::COUNT],
    /// Whether a journal stores them, so that the keys of later processes equal those of this one.
    #[cfg_attr(not(feature = "journal"), expect(dead_code, reason = "only a journal asks"))]
    is_kept: bool,
}

impl KeySecrets {
    /// How many kinds of key there may ever be: their number takes four bits of a key.
    pub(crate) const COUNT: usize = 16;

    /// The number that documents have instead. No kind of key may ever have it.
    #[cfg(feature = "journal")]
    pub(crate) const DOCUMENTS: usize = Self::COUNT - 1;

    /// The secrets with which this process makes its keys.
    pub(crate) fn in_use() -> &'static Self {
        IN_USE.get_or_init(|| Self::draw(false))
    }

    /// The hasher for the kind of that number.
    pub(crate) const fn hasher(&self, code: usize) -> &SipHasher13 {
        &self.hashers[code]
    }

    /// `RandomState` is the one source of randomness in `std`. Its keys come from the system, and only the outputs of a
    /// keyed hash under them are used here.
    fn draw(is_kept: bool) -> Self {
        let random = || RandomState::new().build_hasher().finish();
        Self {
            hashers: array::from_fn(|_| SipHasher13::new_with_keys(random(), random())),
            is_kept,
        }
    }
}

/// How a journal stores and restores them.
#[cfg(feature = "journal")]
impl KeySecrets {
    /// Uses the secrets that a journal stored. For a new journal, uses new ones, which the caller stores.
    ///
    /// # Errors
    ///
    /// [`KeysExist`] if keys were made already with secrets that no journal stores, or with others.
    pub(crate) fn keep(stored: Option<&[u8; 16 * Self::COUNT]>) -> Result<&'static Self, KeysExist> {
        let in_use = IN_USE.get_or_init(|| stored.map_or_else(|| Self::draw(true), Self::from_bytes));
        let are_the_same = stored.is_none_or(|stored| in_use.to_bytes() == *stored);
        if in_use.is_kept && are_the_same {
            Ok(in_use)
        } else {
            Err(KeysExist)
        }
    }

    /// The bytes to store.
    pub(crate) fn to_bytes(&self) -> [u8; 16 * Self::COUNT] {
        let mut bytes = [0; 16 * Self::COUNT];
        for (hasher, bytes) in self.hashers.iter().zip(bytes.chunks_exact_mut(16)) {
            bytes.copy_from_slice(&hasher.key());
        }
        bytes
    }

    fn from_bytes(bytes: &[u8; 16 * Self::COUNT]) -> Self {
        let hasher = |code| {
            let mut key = [0; 16];
            key.copy_from_slice(&bytes[16 * code..][..16]);
            SipHasher13::new_with_key(&key)
        };
        Self {
            hashers: array::from_fn(hasher),
            is_kept: true,
        }
    }
}

/// Keys were made before, with other secrets than the journal's.
#[cfg(feature = "journal")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeysExist;

static IN_USE: OnceLock<KeySecrets> = OnceLock::new();

#[cfg(all(test, feature = "journal"))]
mod tests {
    use super::*;

    /// Later versions of this crate have to find what was stored under these secrets. The hashes come from another
    /// implementation of SipHash-1-3 with 128 bits of output.
    #[test]
    fn stored_secrets_make_the_same_keys_for_ever() {
        let bytes = array::from_fn(|at| at as u8);
        let secrets = KeySecrets::from_bytes(&bytes);
        assert_eq!(secrets.to_bytes(), bytes);
        let hash = |code| secrets.hasher(code).hash(b"id").as_u128();
        assert_eq!(hash(0), 0xd100_75a2_7719_6967_28e0_c012_1009_9889);
        assert_eq!(hash(15), 0xe443_7f7d_adeb_8ae5_26fb_c480_66ba_331e);
    }

    #[test]
    fn secrets_that_no_journal_kept_cannot_be_kept_afterwards() {
        let drawn = KeySecrets::in_use();
        assert_eq!(KeySecrets::keep(None).err(), Some(KeysExist));
        assert_eq!(KeySecrets::keep(Some(&drawn.to_bytes())).err(), Some(KeysExist));
    }
}
