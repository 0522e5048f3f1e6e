//! Writes what a broker is sent.

use bytes::{BufMut, Bytes, BytesMut};

/// The bytes of a request.
#[derive(Debug, Default)]
pub(crate) struct BytesWriter {
    bytes: BytesMut,
    /// Whether lengths are varints, and tagged fields follow each structure.
    is_flexible: bool,
}

impl BytesWriter {
    pub(crate) fn new(is_flexible: bool) -> Self {
        Self {
            bytes: BytesMut::new(),
            is_flexible,
        }
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        self.bytes.freeze()
    }

    /// The bytes, with their length in the four that were written first.
    pub(crate) fn into_frame(mut self) -> Bytes {
        if let Some(length) = self.bytes.len().checked_sub(4) {
            let length = u32::try_from(length).unwrap_or(u32::MAX);
            self.bytes[..4].copy_from_slice(&length.to_be_bytes());
        }
        self.bytes.freeze()
    }

    pub(crate) fn i8(&mut self, number: i8) -> &mut Self {
        self.bytes.put_i8(number);
        self
    }

    pub(crate) fn i16(&mut self, number: i16) -> &mut Self {
        self.bytes.put_i16(number);
        self
    }

    pub(crate) fn i32(&mut self, number: i32) -> &mut Self {
        self.bytes.put_i32(number);
        self
    }

    pub(crate) fn u32(&mut self, number: u32) -> &mut Self {
        self.bytes.put_u32(number);
        self
    }

    pub(crate) fn i64(&mut self, number: i64) -> &mut Self {
        self.bytes.put_i64(number);
        self
    }

    pub(crate) fn bool(&mut self, is_so: bool) -> &mut Self {
        self.i8(is_so.into())
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.put_slice(bytes);
        self
    }

    pub(crate) fn unsigned_varint(&mut self, mut number: u64) -> &mut Self {
        while number >= 0x80 {
            self.bytes.put_u8((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.put_u8(number as u8);
        self
    }

    /// A number whose sign is its last bit.
    pub(crate) fn varint(&mut self, number: i64) -> &mut Self {
        self.unsigned_varint(((number << 1) ^ (number >> 63)) as u64)
    }

    /// Bytes behind their length as a varint, as in records.
    pub(crate) fn varint_bytes(&mut self, bytes: Option<&[u8]>) -> &mut Self {
        let length = bytes.map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap_or(i64::MAX));
        self.varint(length).raw(bytes.unwrap_or_default())
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.length(bytes.len(), 4).raw(bytes)
    }

    pub(crate) fn string(&mut self, text: &str) -> &mut Self {
        self.length(text.len(), 2).raw(text.as_bytes())
    }

    /// A text that is absent.
    pub(crate) fn no_string(&mut self) -> &mut Self {
        match self.is_flexible {
            true => self.unsigned_varint(0),
            false => self.i16(-1),
        }
    }

    /// How many items of a list follow.
    pub(crate) fn list(&mut self, count: usize) -> &mut Self {
        self.length(count, 4)
    }

    /// Ends a structure.
    pub(crate) fn end(&mut self) -> &mut Self {
        match self.is_flexible {
            true => self.unsigned_varint(0),
            false => self,
        }
    }

    fn length(&mut self, length: usize, bytes: u8) -> &mut Self {
        match (self.is_flexible, bytes) {
            (true, _) => self.unsigned_varint(length as u64 + 1),
            // What is longer is no name, and nobody has so many bytes: the broker refuses a request that contradicts itself.
            (false, 2) => self.i16(i16::try_from(length).unwrap_or(i16::MAX)),
            (false, _) => self.i32(i32::try_from(length).unwrap_or(i32::MAX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::kafka::wire::bytes_reader::BytesReader;

    #[test]
    fn what_is_written_is_read() {
        for is_flexible in [false, true] {
            let mut writer = BytesWriter::new(is_flexible);
            writer
                .i8(-2)
                .i16(-3)
                .i32(-4)
                .i64(-5)
                .bool(true)
                .string("topic")
                .bytes(b"abc");
            writer.list(2).i32(7).i32(8).no_string().end();
            for number in [0, -1, 63, -64, 64, i64::MAX, i64::MIN] {
                writer.varint(number);
            }
            writer.varint_bytes(Some(b"key")).varint_bytes(None);
            let mut reader = BytesReader::new(writer.into_bytes(), is_flexible);
            assert_eq!(reader.i8().unwrap(), -2);
            assert_eq!(reader.i16().unwrap(), -3);
            assert_eq!(reader.i32().unwrap(), -4);
            assert_eq!(reader.i64().unwrap(), -5);
            assert!(reader.bool().unwrap());
            assert_eq!(reader.string().unwrap(), "topic");
            assert_eq!(reader.bytes().unwrap().unwrap(), "abc");
            assert_eq!(reader.list(BytesReader::i32).unwrap(), [7, 8]);
            assert_eq!(reader.string().unwrap(), "");
            reader.end().unwrap();
            for number in [0, -1, 63, -64, 64, i64::MAX, i64::MIN] {
                assert_eq!(reader.varint().unwrap(), number);
            }
            assert_eq!(reader.varint_bytes().unwrap().unwrap(), "key");
            assert_eq!(reader.varint_bytes().unwrap(), None);
            assert_eq!(reader.left(), 0);
        }
    }
}
