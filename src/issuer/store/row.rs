//! Statements and positions, as they are kept.

use crate::format::revocation::{RevocationEvents, cloud_event};
use crate::issuer::error::IssuerError;
use crate::model::log_place::{LogDigest, LogId, LogPosition};
use crate::statements::statement::Statement;

/// A statement that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeptStatement {
    /// Its place in the order in which statements were made.
    pub(crate) sequence: u64,
    pub(crate) id: String,
    pub(crate) statement: Statement,
}

/// Returns a statement as it is kept: as the event that says it, without a place in a log.
///
/// # Errors
///
/// Fails if no gateway could read it, such as one about an empty id.
pub(crate) fn to_row(source: &str, id: &str, statement: &Statement) -> Result<Vec<u8>, IssuerError> {
    let row = cloud_event(source, id, statement);
    match RevocationEvents::from_source(source).read(&row) {
        Ok(Ok(read)) if read == *statement => Ok(row),
        Ok(Ok(_)) => Err(IssuerError::Unsendable("it would be read as another one".to_owned())),
        Ok(Err(why)) => Err(IssuerError::Unsendable(why.to_owned())),
        Err(error) => Err(IssuerError::Unsendable(error.to_string())),
    }
}

/// Reads a statement; `None` if that is not what it is.
pub(crate) fn from_row(source: &str, sequence: u64, row: &[u8]) -> Option<KeptStatement> {
    let statement = RevocationEvents::from_source(source).read(row).ok()?.ok()?;
    Some(KeptStatement {
        sequence,
        id: id_of(row)?,
        statement,
    })
}

/// Returns the id that an event states.
pub(crate) fn id_of(event: &[u8]) -> Option<String> {
    let event: serde_json::Value = serde_json::from_slice(event).ok()?;
    Some(event.get("id")?.as_str()?.to_owned())
}

/// A position in bytes: log, number, digest.
pub(crate) fn to_bytes(position: LogPosition) -> [u8; POSITION_BYTES] {
    let mut bytes = [0; POSITION_BYTES];
    bytes[..24].copy_from_slice(&place_bytes(position.log, position.n));
    bytes[24..].copy_from_slice(&position.digest.to_bytes());
    bytes
}

/// Reads a position.
pub(crate) fn from_bytes(bytes: &[u8]) -> Option<LogPosition> {
    let bytes: &[u8; POSITION_BYTES] = bytes.try_into().ok()?;
    Some(LogPosition {
        log: LogId::from_bytes(bytes[..16].try_into().ok()?),
        n: u64::from_be_bytes(bytes[16..24].try_into().ok()?),
        digest: LogDigest::from_bytes(bytes[24..].try_into().ok()?),
    })
}

/// A place in bytes, which are in the order of the numbers of a log.
pub(crate) fn place_bytes(log: LogId, n: u64) -> [u8; 24] {
    let mut bytes = [0; 24];
    bytes[..16].copy_from_slice(&log.to_bytes());
    bytes[16..].copy_from_slice(&n.to_be_bytes());
    bytes
}

pub(crate) const POSITION_BYTES: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::timestamp::Timestamp;
    use crate::statements::subject::Subject;

    #[test]
    fn what_is_kept_is_what_was_said() {
        let statement = Statement::block(Subject::session("s-1"))
            .and(Subject::named("device", "d"))
            .and(Subject::everything())
            .forget_at(Timestamp::from_unix_millis(1_767_225_600_250));
        let row = to_row("issuer", "id-1", &statement).unwrap();
        let kept = from_row("issuer", 7, &row).unwrap();
        assert_eq!((kept.sequence, &*kept.id, kept.statement), (7, "id-1", statement));
        assert!(from_row("another", 7, &row).is_none());
    }

    #[test]
    fn what_nobody_could_read_is_not_taken() {
        let empty = to_row("issuer", "id", &Statement::block(Subject::session("")));
        assert!(matches!(empty, Err(IssuerError::Unsendable(_))), "{empty:?}");
    }

    #[test]
    fn a_position_is_what_it_was() {
        let position = LogPosition {
            log: LogId::from_bytes([3; 16]),
            n: 1 << 40,
            digest: LogDigest::from_bytes([9; 16]),
        };
        assert_eq!(from_bytes(&to_bytes(position)), Some(position));
        assert_eq!(from_bytes(b"short"), None);
    }
}
