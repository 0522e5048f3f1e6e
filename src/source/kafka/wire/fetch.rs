//! Reading a partition.

use bytes::Bytes;

use crate::source::error::SourceError;
use crate::source::kafka::wire::bytes_reader::{BytesReader, KafkaUuid};
use crate::source::kafka::wire::bytes_writer::BytesWriter;
use crate::source::kafka::wire::error_code::ErrorCode;
use crate::source::kafka::wire::list_offsets::{NO_REPLICA, READ_COMMITTED};
use crate::source::kafka::wire::request::{KafkaApi, KafkaRequest};

/// Asks for the records of a partition from an offset on, without a session.
#[derive(Clone, Debug)]
pub(crate) struct Fetch<'t> {
    pub(crate) topic: &'t str,
    pub(crate) topic_id: KafkaUuid,
    pub(crate) partition: u32,
    /// The leader's; negative if it is not known.
    pub(crate) epoch: i32,
    pub(crate) from: i64,
    /// The epoch in which the record before that was written; negative if it is not known. A log that has another one there is
    /// another log, and its leader says so.
    pub(crate) last_epoch: i32,
    pub(crate) max_bytes: i32,
    pub(crate) max_wait_ms: i32,
}

/// What the leader has of a partition.
#[derive(Debug)]
pub(crate) struct FetchAnswer {
    /// For how long the broker reads nothing more of this connection.
    pub(crate) throttled_ms: i32,
    /// `None` if it was throttled.
    pub(crate) partition: Option<FetchedPartition>,
}

/// A partition's end, and some records before it.
#[derive(Debug)]
pub(crate) struct FetchedPartition {
    pub(crate) code: ErrorCode,
    /// Where the next record will be.
    pub(crate) high_watermark: i64,
    /// Where the oldest record is; negative if the broker does not say.
    pub(crate) log_start: i64,
    /// Whose transactions were aborted, and where they began.
    pub(crate) aborted: Vec<AbortedTransaction>,
    /// Where another log branches off from the one that was read.
    pub(crate) diverges_at: Option<i64>,
    pub(crate) records: Bytes,
}

/// A transaction that was aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AbortedTransaction {
    pub(crate) producer: i64,
    pub(crate) first: i64,
}

impl Fetch<'_> {
    /// The first version that names a topic by its identifier.
    const BY_ID: i16 = 13;
}

impl KafkaRequest for Fetch<'_> {
    type Answer = FetchAnswer;

    const API: KafkaApi = KafkaApi {
        name: "Fetch",
        key: 1,
        oldest: 4,
        newest: Self::BY_ID,
        flexible: 12,
    };

    fn newest(&self) -> i16 {
        match self.topic_id == KafkaUuid::default() {
            true => Self::BY_ID - 1,
            false => Self::BY_ID,
        }
    }

    fn write(&self, version: i16, to: &mut BytesWriter) {
        to.i32(NO_REPLICA)
            .i32(self.max_wait_ms)
            .i32(AT_LEAST_BYTES)
            .i32(self.max_bytes);
        to.i8(READ_COMMITTED);
        if version >= 7 {
            to.i32(NO_SESSION).i32(NO_SESSION_EPOCH);
        }
        to.list(1);
        match version >= Self::BY_ID {
            true => to.raw(&self.topic_id),
            false => to.string(self.topic),
        };
        to.list(1).i32(self.partition.cast_signed());
        if version >= 9 {
            to.i32(self.epoch);
        }
        to.i64(self.from);
        if version >= 12 {
            to.i32(self.last_epoch);
        }
        if version >= 5 {
            to.i64(NO_LOG_START);
        }
        to.i32(self.max_bytes).end().end();
        if version >= 7 {
            to.list(0);
        }
        if version >= 11 {
            to.string(NO_RACK);
        }
        to.end();
    }

    fn read(version: i16, from: &mut BytesReader) -> Result<FetchAnswer, SourceError> {
        let throttled_ms = from.i32()?;
        if version >= 7 {
            let code = ErrorCode(from.i16()?);
            let _session = from.i32()?;
            code.ok()
                .map_err(|code| SourceError::new("the broker gives no records").because(code))?;
        }
        let topics = from.list(|from| {
            if version >= Self::BY_ID {
                from.uuid()?;
            } else {
                from.string()?;
            }
            let partitions = from.list(|from| partition(version, from))?;
            from.end()?;
            Ok(partitions)
        })?;
        Ok(FetchAnswer {
            throttled_ms,
            partition: topics.into_iter().flatten().next(),
        })
    }
}

fn partition(version: i16, from: &mut BytesReader) -> Result<FetchedPartition, SourceError> {
    let _number = from.i32()?;
    let code = ErrorCode(from.i16()?);
    let high_watermark = from.i64()?;
    let _last_stable = from.i64()?;
    let log_start = if version >= 5 { from.i64()? } else { -1 };
    let aborted = from.list(|from| {
        let (producer, first) = (from.i64()?, from.i64()?);
        from.end()?;
        Ok(AbortedTransaction { producer, first })
    })?;
    if version >= 11 {
        let _preferred_replica = from.i32()?;
    }
    let records = from.bytes()?.unwrap_or_default();
    let mut diverges_at = None;
    from.tagged(|tag, mut from| {
        if tag == DIVERGING_EPOCH {
            let _epoch = from.i32()?;
            diverges_at = Some(from.i64()?);
        }
        Ok(())
    })?;
    Ok(FetchedPartition {
        code,
        high_watermark,
        log_start,
        aborted,
        diverges_at,
        records,
    })
}

/// The number of the field that says where logs diverge.
const DIVERGING_EPOCH: u64 = 0;

/// One byte is enough to be answered.
const AT_LEAST_BYTES: i32 = 1;
const NO_SESSION: i32 = 0;
const NO_SESSION_EPOCH: i32 = -1;
const NO_LOG_START: i64 = -1;
const NO_RACK: &str = "";
