//! A batch to be published.

use std::slice;

use bytes::Bytes;

use crate::source::kafka::wire::batch::FORMAT;
use crate::source::kafka::wire::bytes_writer::BytesWriter;

/// A record to be published.
#[derive(Debug)]
pub(crate) struct NewRecord<'r> {
    /// Milliseconds since the epoch.
    pub(crate) time: i64,
    pub(crate) key: Option<&'r [u8]>,
    pub(crate) value: &'r [u8],
    pub(crate) header: Option<(&'r str, &'r [u8])>,
}

impl NewRecord<'_> {
    /// Returns a batch of it alone.
    pub(crate) fn to_batch(&self) -> Bytes {
        Self::batch(slice::from_ref(self))
    }

    /// Returns a batch of some records, in their order.
    pub(crate) fn batch(records: &[Self]) -> Bytes {
        let time = |record: Option<&Self>| record.map_or(0, |record| record.time);
        let (first, last) = (time(records.first()), time(records.last()));
        let count = i32::try_from(records.len()).unwrap_or(i32::MAX);
        let mut checked = BytesWriter::default();
        checked.i16(NO_ATTRIBUTES).i32(count - 1).i64(first).i64(last);
        checked.i64(NO_PRODUCER).i16(-1).i32(-1).i32(count);
        for (offset, record) in (0..).zip(records) {
            checked.varint_bytes(Some(&record.written(offset, first)));
        }
        let checked = checked.into_bytes();
        let mut batch = BytesWriter::default();
        let length = LENGTH_BEFORE_CHECKED + checked.len();
        batch.i64(0).i32(i32::try_from(length).unwrap_or(i32::MAX));
        batch
            .i32(NO_EPOCH)
            .i8(FORMAT)
            .u32(crc32c::crc32c(&checked))
            .raw(&checked);
        batch.into_bytes()
    }

    /// It alone, with its offset and time from the batch's first.
    fn written(&self, offset: i64, first_time: i64) -> Bytes {
        let mut record = BytesWriter::default();
        // No attributes.
        record.i8(0).varint(self.time - first_time).varint(offset);
        record.varint_bytes(self.key).varint_bytes(Some(self.value));
        record.varint(self.header.iter().len() as i64);
        if let Some((name, text)) = self.header {
            record.varint_bytes(Some(name.as_bytes())).varint_bytes(Some(text));
        }
        record.into_bytes()
    }
}

/// Epoch, format and checksum.
const LENGTH_BEFORE_CHECKED: usize = 9;
const NO_ATTRIBUTES: i16 = 0;
const NO_PRODUCER: i64 = -1;
const NO_EPOCH: i32 = -1;

#[cfg(test)]
mod tests {
    use bytes::{BufMut, BytesMut};

    use super::*;
    use crate::source::kafka::wire::batch::RecordBatch;

    fn batch() -> Bytes {
        let record = NewRecord {
            time: 1_767_225_600_000,
            key: Some(b"key"),
            value: b"value",
            header: Some(("json", b"{}")),
        };
        record.to_batch()
    }

    #[test]
    fn what_is_written_is_read() {
        let mut two = BytesMut::from(&batch()[..]);
        two.put_slice(&batch());
        // The beginning of a third one, as brokers send it.
        two.put_slice(&batch()[..30]);
        let batches: Vec<_> = RecordBatch::all(two.freeze()).collect();
        assert_eq!(batches.len(), 2);
        for batch in batches {
            assert_eq!((batch.base, batch.last, batch.epoch, batch.producer), (0, 0, -1, -1));
            assert!(!batch.has_holes() && !batch.is_control && !batch.is_transactional);
            let records = batch.records().unwrap();
            let [record] = &records[..] else { panic!("{records:?}") };
            assert_eq!(record.offset, 0);
            assert_eq!(record.value.as_deref(), Some(&b"value"[..]));
        }
    }

    #[test]
    fn several_are_read_in_their_order() {
        let record = |time, value| NewRecord {
            time,
            key: None,
            value,
            header: None,
        };
        let records = [record(5, b"a"), record(7, b"b"), record(6, b"c")];
        let batch = RecordBatch::all(NewRecord::batch(&records)).next().unwrap();
        assert_eq!((batch.base, batch.last), (0, 2));
        assert!(!batch.has_holes());
        let read = batch.records().unwrap();
        let read: Vec<_> = read
            .iter()
            .map(|record| (record.offset, record.value.as_deref().unwrap()))
            .collect();
        assert_eq!(read, [(0, &b"a"[..]), (1, b"b"), (2, b"c")]);
    }

    #[test]
    fn whatever_differs_in_a_record_shows_in_its_print() {
        let print = |record: NewRecord<'_>| {
            let batch = RecordBatch::all(record.to_batch()).next().unwrap();
            batch.records().unwrap()[0].print
        };
        let record = || NewRecord {
            time: 1_767_225_600_000,
            key: Some(b"key"),
            value: b"value",
            header: Some(("json", b"{}")),
        };
        assert_eq!(print(record()), print(record()));
        for other in [
            NewRecord { time: 1, ..record() },
            NewRecord { key: None, ..record() },
            NewRecord {
                key: Some(b""),
                ..record()
            },
            NewRecord { value: b"", ..record() },
            NewRecord {
                header: Some(("json", b"[]")),
                ..record()
            },
        ] {
            assert_ne!(print(record()), print(other));
        }
    }

    /// Whichever byte is another one, nobody reads the record as if nothing had happened, and what lies behind it is read.
    #[test]
    fn a_damaged_batch_is_unreadable_and_holds_up_nobody() {
        let good = batch();
        // The length of a batch, its offset and its epoch are no part of what is checked.
        for at in 16..good.len() {
            let mut bytes = BytesMut::from(&good[..]);
            bytes[at] ^= 0x55;
            bytes.put_slice(&good);
            let mut batches = RecordBatch::all(bytes.freeze());
            assert!(batches.next().unwrap().records().is_err(), "byte {at}");
            assert_eq!(batches.next().unwrap().records().unwrap().len(), 1, "byte {at}");
        }
    }
}
