//! What holds a manifest and a body together in one file.

use crate::crl::list::ListError;

/// A file taken apart: a magic, a version, a head whose length is stated, and the rest.
pub(crate) struct ListContainer<'f> {
    pub(crate) head: &'f [u8],
    pub(crate) body: &'f [u8],
}

impl<'f> ListContainer<'f> {
    /// Takes a file apart.
    pub(crate) fn read(file: &'f [u8], magic: Magic) -> Result<Self, ListError> {
        let rest = file
            .strip_prefix(&magic)
            .ok_or_else(|| ListError::invalid("magic", "is not that of a revocation list"))?;
        let (version, rest) = rest
            .split_first()
            .ok_or_else(|| ListError::invalid("version", "is missing"))?;
        if *version != VERSION {
            return Err(ListError::invalid("version", format!("is not known: {version}")));
        }
        let too_short = || ListError::invalid("length", "is more than there is");
        let (length, rest) = rest.split_first_chunk().ok_or_else(too_short)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| too_short())?;
        let (head, body) = rest.split_at_checked(length).ok_or_else(too_short)?;
        Ok(Self { head, body })
    }

    /// Writes what comes before the body. `None` if the head is longer than can be stated.
    pub(crate) fn write_head(magic: Magic, head: &[u8]) -> Option<Vec<u8>> {
        let length = u32::try_from(head.len()).ok()?;
        Some([&magic[..], &[VERSION], &length.to_be_bytes(), head].concat())
    }
}

/// What a file begins with. The first byte is none of a text, so that nothing takes it for one.
pub(crate) type Magic = [u8; 8];

/// The magic of a list.
pub(crate) const LIST: Magic = *b"\x89REVOKED";

/// The version of the format.
const VERSION: u8 = 1;

/// The magic of what is kept of a list that nobody signed.
pub(crate) const KEPT: Magic = *b"\x89REVKEPT";
