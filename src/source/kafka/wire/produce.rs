//! Publishing to a partition.

use bytes::Bytes;

use crate::source::error::SourceError;
use crate::source::kafka::wire::bytes_reader::BytesReader;
use crate::source::kafka::wire::bytes_writer::BytesWriter;
use crate::source::kafka::wire::error_code::ErrorCode;
use crate::source::kafka::wire::request::{KafkaApi, KafkaRequest};

/// Publishes a batch of records, and waits until all replicas that are in sync have it.
#[derive(Debug)]
pub(crate) struct Produce<'t> {
    pub(crate) topic: &'t str,
    pub(crate) partition: u32,
    pub(crate) batch: Bytes,
    pub(crate) timeout_ms: i32,
}

/// What became of a batch.
#[derive(Debug)]
pub(crate) struct Produced {
    pub(crate) code: ErrorCode,
    /// Where the first of its records is.
    #[cfg_attr(not(feature = "issuer"), expect(dead_code, reason = "only an issuer reads back"))]
    pub(crate) offset: i64,
    /// For how long the broker reads nothing more of this connection. The batch is stored all the same.
    pub(crate) throttled_ms: i32,
}

impl KafkaRequest for Produce<'_> {
    type Answer = Produced;

    const API: KafkaApi = KafkaApi {
        name: "Produce",
        key: 0,
        oldest: 3,
        newest: 9,
        flexible: 9,
    };

    fn write(&self, _version: i16, to: &mut BytesWriter) {
        // No transaction.
        to.no_string().i16(ALL_IN_SYNC).i32(self.timeout_ms);
        to.list(1).string(self.topic);
        to.list(1).i32(self.partition.cast_signed()).bytes(&self.batch);
        to.end().end().end();
    }

    fn read(version: i16, from: &mut BytesReader) -> Result<Produced, SourceError> {
        let topics = from.list(|from| {
            let _name = from.string()?;
            let partitions = from.list(|from| partition(version, from))?;
            from.end()?;
            Ok(partitions)
        })?;
        let throttled_ms = from.i32()?;
        let produced = topics.into_iter().flatten().next();
        let (code, offset) = produced.ok_or_else(|| SourceError::new("the broker says nothing of the partition"))?;
        Ok(Produced {
            code,
            offset,
            throttled_ms,
        })
    }
}

fn partition(version: i16, from: &mut BytesReader) -> Result<(ErrorCode, i64), SourceError> {
    let _number = from.i32()?;
    let code = ErrorCode(from.i16()?);
    let (offset, _time) = (from.i64()?, from.i64()?);
    if version >= 5 {
        let _log_start = from.i64()?;
    }
    if version >= 8 {
        from.list(|from| {
            let (_index, _reason) = (from.i32()?, from.string()?);
            from.end()
        })?;
        let _reason = from.string()?;
    }
    from.end()?;
    Ok((code, offset))
}

const ALL_IN_SYNC: i16 = -1;
