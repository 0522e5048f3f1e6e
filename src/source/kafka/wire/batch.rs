//! Batches of records.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::iter;

use bytes::Bytes;

use crate::source::error::SourceError;
use crate::source::kafka::wire::bytes_reader::BytesReader;
use crate::source::kafka::wire::compression::decompressed;
use crate::source::kafka::wire::record_headers::read_headers;

/// Some records that were published together, in a row of offsets that is theirs.
#[derive(Debug)]
pub(crate) struct RecordBatch {
    /// The offset of its first record.
    pub(crate) base: i64,
    /// The offset of its last record. Compaction may have taken records away, the first and the last too.
    pub(crate) last: i64,
    /// That of the leader who took it; negative if the broker does not say.
    pub(crate) epoch: i32,
    pub(crate) producer: i64,
    pub(crate) is_transactional: bool,
    /// Whether it is no batch of a publisher: it says how a transaction ended.
    pub(crate) is_control: bool,
    body: BatchBody,
    /// All of it, as it came.
    pub(crate) raw: Bytes,
}

/// What is in a batch, undecoded.
#[derive(Debug)]
enum BatchBody {
    Records {
        attributes: i16,
        first_time: i64,
        count: i32,
        bytes: Bytes,
    },
    /// Says why.
    Unreadable(String),
}

/// A record.
#[derive(Debug)]
pub(crate) struct KafkaRecord {
    pub(crate) offset: i64,
    /// A hash of its key, its value, its headers and its time: as the publisher says, or as the broker does.
    pub(crate) print: u64,
    pub(crate) value: Option<Bytes>,
    /// Its headers, if they may be those of an event in CloudEvents' binary mode.
    pub(crate) headers: Vec<(String, String)>,
}

impl RecordBatch {
    /// Returns the batches that came. The last one may have been cut off.
    pub(crate) fn all(mut bytes: Bytes) -> impl Iterator<Item = Self> {
        iter::from_fn(move || {
            let mut reader = BytesReader::new(bytes.clone(), false);
            let base = reader.i64().ok()?;
            let length = usize::try_from(reader.i32().ok()?).ok()?;
            let raw = BytesReader::new(bytes.clone(), false).take(LENGTH_END + length).ok()?;
            let body = reader.take(length).ok()?;
            bytes = bytes.slice(raw.len()..);
            Some(Self::read(base, body, raw))
        })
    }

    fn read(base: i64, body: Bytes, raw: Bytes) -> Self {
        Self::try_read(base, body, raw.clone()).unwrap_or_else(|unreadable| Self {
            base,
            last: base,
            epoch: -1,
            producer: -1,
            is_transactional: false,
            is_control: false,
            body: BatchBody::Unreadable(unreadable.to_string()),
            raw,
        })
    }

    fn try_read(base: i64, body: Bytes, raw: Bytes) -> Result<Self, SourceError> {
        let mut reader = BytesReader::new(body, false);
        let epoch = reader.i32()?;
        let format = reader.i8()?;
        if format != FORMAT {
            return Err(SourceError::new(format!("records of the format {format} are not read")));
        }
        let checksum = reader.u32()?;
        let is_intact = crc32c::crc32c(&raw[CHECKSUM_END..]) == checksum;
        let attributes = reader.i16()?;
        let last = base.saturating_add(reader.i32()?.max(0).into());
        let (first_time, _last_time) = (reader.i64()?, reader.i64()?);
        let producer = reader.i64()?;
        let (_producer_epoch, _sequence) = (reader.i16()?, reader.i32()?);
        let count = reader.i32()?;
        let bytes = reader.rest();
        Ok(Self {
            base,
            last,
            epoch,
            producer,
            is_transactional: attributes & TRANSACTIONAL != 0,
            is_control: attributes & CONTROL != 0,
            body: match is_intact {
                true => BatchBody::Records {
                    attributes,
                    first_time,
                    count,
                    bytes,
                },
                false => BatchBody::Unreadable("its checksum is wrong".to_owned()),
            },
            raw,
        })
    }

    /// Returns whether records are missing between its first and its last offset.
    pub(crate) fn has_holes(&self) -> bool {
        match &self.body {
            BatchBody::Records { count, .. } => i64::from(*count) != self.last - self.base + 1,
            BatchBody::Unreadable(_) => false,
        }
    }

    /// Returns its records.
    ///
    /// # Errors
    ///
    /// Says why they cannot be read. Then none of them is given: which of them is damaged is not known.
    pub(crate) fn records(&self) -> Result<Vec<KafkaRecord>, SourceError> {
        let (attributes, first_time, count, bytes) = match &self.body {
            BatchBody::Unreadable(why) => return Err(SourceError::new(why.clone())),
            BatchBody::Records {
                attributes,
                first_time,
                count,
                bytes,
            } => (attributes, *first_time, *count, bytes.clone()),
        };
        let mut reader = BytesReader::new(decompressed(attributes & CODEC, bytes)?, false);
        let mut records = Vec::new();
        for _ in 0..count {
            let record = read_record(self.base, first_time, &mut reader, |_key| ())?;
            let is_in_order = records
                .last()
                .is_none_or(|last: &KafkaRecord| last.offset < record.offset);
            if !is_in_order || !(self.base..=self.last).contains(&record.offset) {
                return Err(misplaced());
            }
            records.push(record);
        }
        match reader.left() {
            0 => Ok(records),
            _ => Err(misplaced()),
        }
    }

    /// Returns whether it says that a transaction was aborted.
    pub(crate) fn is_abort(&self) -> bool {
        let BatchBody::Records { bytes, .. } = &self.body else {
            return false;
        };
        let mut is_abort = false;
        let mut reader = BytesReader::new(bytes.clone(), false);
        let read = read_record(self.base, 0, &mut reader, |key| is_abort = key.get(2..4) == Some(ABORT));
        read.is_ok() && is_abort
    }
}

fn read_record(
    base: i64,
    first_time: i64,
    reader: &mut BytesReader,
    look_at_key: impl FnOnce(&[u8]),
) -> Result<KafkaRecord, SourceError> {
    let length = usize::try_from(reader.varint()?).map_err(|_| misplaced())?;
    let left_behind = reader.left().checked_sub(length).ok_or_else(misplaced)?;
    let _attributes = reader.i8()?;
    let (time, offset) = (reader.varint()?, reader.varint()?);
    let mut print = DefaultHasher::new();
    first_time.wrapping_add(time).hash(&mut print);
    let key = usize::try_from(reader.varint()?).ok();
    key.hash(&mut print);
    reader.pass(key.unwrap_or_default(), |key| {
        key.hash(&mut print);
        look_at_key(key);
    })?;
    let value = reader.varint_bytes()?;
    value.hash(&mut print);
    let headers = reader.left().checked_sub(left_behind).ok_or_else(misplaced)?;
    let headers = reader.pass(headers, |headers| {
        headers.hash(&mut print);
        let is_event = headers.windows(EVENT.len()).any(|name| name == EVENT);
        is_event.then(|| Bytes::copy_from_slice(headers))
    })?;
    Ok(KafkaRecord {
        offset: base.checked_add(offset).ok_or_else(misplaced)?,
        print: print.finish(),
        value,
        headers: headers.map_or_else(|| Ok(Vec::new()), read_headers)?,
    })
}

fn misplaced() -> SourceError {
    SourceError::new("its records are not where they should be")
}

/// Where the length of a batch ends, and its checksum, behind which what it is made of begins.
const LENGTH_END: usize = 12;
const CHECKSUM_END: usize = 21;

/// That of all records since Kafka 0.11.
pub(crate) const FORMAT: i8 = 2;

/// The header that events in CloudEvents' binary mode have.
const EVENT: &[u8] = b"ce_specversion";

const CODEC: i16 = 0b111;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;
const ABORT: &[u8] = &[0, 0];
