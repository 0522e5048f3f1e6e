//! What is kept of a list that nobody signed.

use sha2::{Digest, Sha256};

use crate::crl::list::{ListError, ListFormat};
use crate::crl::open::container::{KEPT, ListContainer};
use crate::crl::open::encoded::{EncodedList, UnwritableId};
use crate::crl::open::list::index;
use crate::crl::open::manifest::Manifest;
use crate::jose::key_set::KeySet;
use crate::model::timestamp::Timestamp;
use crate::state::snapshot::RevocationList;
use crate::statements::in_force::InForce;

/// The form in which a journal keeps a list of the host's own: that of the open format, with a checksum in place of the signature.
///
/// It is trusted as far as the rest of the journal is: against damage, and not against whoever may write to the directory.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KeptForm;

impl KeptForm {
    /// Writes what a host said at `issued_at`.
    pub(super) fn write(in_force: &InForce, issued_at: Timestamp) -> Result<Vec<u8>, UnwritableId> {
        let encoded = EncodedList::of(in_force, issued_at)?;
        let manifest = encoded.manifest("", issued_at, None).write();
        let head = [&Sha256::digest(&manifest)[..], &manifest].concat();
        let head = ListContainer::write_head(KEPT, &head).ok_or(UnwritableId)?;
        Ok([head, encoded.body].concat())
    }
}

impl ListFormat for KeptForm {
    fn read_list(&self, file: &[u8], _: &KeySet, _: Timestamp) -> Result<RevocationList, ListError> {
        let ListContainer { head, body } = ListContainer::read(file, KEPT)?;
        match head.split_first_chunk::<32>() {
            Some((digest, manifest)) if Sha256::digest(manifest)[..] == *digest => {
                index(&Manifest::read(manifest)?, body)
            }
            _ => Err(ListError::invalid("manifest", "is damaged")),
        }
    }

    fn read_keys(&self, _: &[u8]) -> Result<KeySet, ListError> {
        Ok(KeySet::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statements::statement::Statement;
    use crate::statements::subject::Subject;

    #[test]
    fn no_damage_goes_unnoticed() {
        let in_force = InForce {
            statements: vec![Statement::block(Subject::session("s-1")).and(Subject::named("device", "d"))],
            covers: Vec::new(),
        };
        let issued_at = Timestamp::from_unix_millis(1_796_000_000_250);
        let file = KeptForm::write(&in_force, issued_at).unwrap();
        let read = |file: &[u8]| KeptForm.read_list(file, &KeySet::default(), issued_at);
        let list = read(&file).unwrap();
        assert_eq!((list.entries(), list.issued_at()), (2, Some(issued_at)));
        for length in 0..file.len() {
            assert!(read(&file[..length]).is_err(), "{length}");
        }
        for at in 0..file.len() {
            for bit in 0..8 {
                let mut flipped = file.clone();
                flipped[at] ^= 1 << bit;
                assert!(read(&flipped).is_err(), "byte {at}, bit {bit}");
            }
        }
    }
}
