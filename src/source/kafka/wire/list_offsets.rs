//! Where in a partition what is.

use crate::source::error::SourceError;
use crate::source::kafka::wire::bytes_reader::BytesReader;
use crate::source::kafka::wire::bytes_writer::BytesWriter;
use crate::source::kafka::wire::error_code::ErrorCode;
use crate::source::kafka::wire::request::{KafkaApi, KafkaRequest};

/// Asks where the first record of a time is, or the log's beginning or end, of what is committed.
#[derive(Debug)]
pub(crate) struct ListOffsets<'t> {
    pub(crate) topic: &'t str,
    pub(crate) partition: u32,
    pub(crate) epoch: i32,
    /// Milliseconds since the epoch, or one of the numbers below.
    pub(crate) time: i64,
}

/// Where the oldest record is.
pub(crate) const EARLIEST: i64 = -2;

/// The last stable offset: behind it lies what belongs to a transaction that is open, and all that came after its first record.
pub(crate) const LAST_STABLE: i64 = -1;

impl KafkaRequest for ListOffsets<'_> {
    /// Negative if there is none.
    type Answer = (ErrorCode, i64);

    const API: KafkaApi = KafkaApi {
        name: "ListOffsets",
        key: 2,
        oldest: 2,
        newest: 7,
        flexible: 6,
    };

    fn write(&self, version: i16, to: &mut BytesWriter) {
        to.i32(NO_REPLICA).i8(READ_COMMITTED);
        to.list(1).string(self.topic);
        to.list(1).i32(self.partition.cast_signed());
        if version >= 4 {
            to.i32(self.epoch);
        }
        to.i64(self.time).end().end().end();
    }

    fn read(version: i16, from: &mut BytesReader) -> Result<Self::Answer, SourceError> {
        let _throttled = from.i32()?;
        let topics = from.list(|from| {
            let _name = from.string()?;
            let partitions = from.list(|from| partition(version, from))?;
            from.end()?;
            Ok(partitions)
        })?;
        let answer = topics.into_iter().flatten().next();
        answer.ok_or_else(|| SourceError::new("the broker says nothing of the partition"))
    }
}

fn partition(version: i16, from: &mut BytesReader) -> Result<(ErrorCode, i64), SourceError> {
    let _number = from.i32()?;
    let code = ErrorCode(from.i16()?);
    let _time = from.i64()?;
    let offset = from.i64()?;
    if version >= 4 {
        let _epoch = from.i32()?;
    }
    from.end()?;
    Ok((code, offset))
}

/// Who asks is no broker.
pub(crate) const NO_REPLICA: i32 = -1;

/// Nothing of transactions that are open.
pub(crate) const READ_COMMITTED: i8 = 1;
