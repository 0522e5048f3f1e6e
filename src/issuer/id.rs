//! The ids of statements.

use crate::issuer::error::IssuerError;
use crate::model::timestamp::Timestamp;

/// Returns a new id: a time and 80 random bits, in the 26 letters and digits of a [ULID](https://github.com/ulid/spec).
pub(super) fn new_id(at: Timestamp) -> Result<String, IssuerError> {
    let mut bytes = random()?;
    let millis = at.as_unix_millis().min(LATEST).to_be_bytes();
    bytes[..6].copy_from_slice(&millis[2..]);
    let number = u128::from_be_bytes(bytes);
    let digit = |place: u32| DIGITS[(number >> (5 * place)) as usize & 31] as char;
    Ok((0..LENGTH).rev().map(digit).collect())
}

/// Returns the time in an id that [`new_id`] made.
pub(super) fn time_of(id: &str) -> Option<Timestamp> {
    let digits = id.get(..TIME_LENGTH)?.bytes();
    let mut millis = 0_u64;
    for digit in digits {
        let value = DIGITS.iter().position(|known| *known == digit)?;
        millis = millis << 5 | value as u64;
    }
    Some(Timestamp::from_unix_millis(millis))
}

/// Returns 16 random bytes of the system.
pub(super) fn random() -> Result<[u8; 16], IssuerError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| IssuerError::Random(error.to_string()))?;
    Ok(bytes)
}

/// Crockford's, without the letters that look like digits.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: u32 = 26;
const TIME_LENGTH: usize = 10;

/// What 48 bits can say.
const LATEST: u64 = (1 << 48) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_ulid_of_its_time() {
        let at = Timestamp::from_unix_millis(1_767_225_600_250);
        let id = new_id(at).unwrap();
        let read: ulid::Ulid = id.parse().unwrap();
        assert_eq!(read.timestamp_ms(), at.as_unix_millis());
        assert_eq!(read.to_string(), id);
        assert_eq!(time_of(&id), Some(at));
        assert_ne!(new_id(at).unwrap(), id);
        assert_eq!(time_of("an id of another"), None);
    }
}
