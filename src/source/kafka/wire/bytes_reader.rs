//! Reads what a broker sent.

use bytes::{Buf, Bytes};

use crate::source::error::SourceError;

/// The bytes of an answer that are still to be read.
///
/// Nothing is taken for granted: whoever answers on a port may be no broker. No number that was read is room that is reserved.
#[derive(Clone, Debug)]
pub(crate) struct BytesReader {
    bytes: Bytes,
    /// Whether lengths are varints, and tagged fields follow each structure.
    is_flexible: bool,
}

/// An identifier of 16 bytes, such as a topic's.
pub(crate) type KafkaUuid = [u8; 16];

pub(crate) type Reading<T> = Result<T, SourceError>;

impl BytesReader {
    pub(crate) const fn new(bytes: Bytes, is_flexible: bool) -> Self {
        Self { bytes, is_flexible }
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn i8(&mut self) -> Reading<i8> {
        self.bytes.try_get_i8().map_err(|_| too_short())
    }

    pub(crate) fn i16(&mut self) -> Reading<i16> {
        self.bytes.try_get_i16().map_err(|_| too_short())
    }

    pub(crate) fn i32(&mut self) -> Reading<i32> {
        self.bytes.try_get_i32().map_err(|_| too_short())
    }

    pub(crate) fn u32(&mut self) -> Reading<u32> {
        self.bytes.try_get_u32().map_err(|_| too_short())
    }

    pub(crate) fn i64(&mut self) -> Reading<i64> {
        self.bytes.try_get_i64().map_err(|_| too_short())
    }

    pub(crate) fn bool(&mut self) -> Reading<bool> {
        Ok(self.i8()? != 0)
    }

    pub(crate) fn uuid(&mut self) -> Reading<KafkaUuid> {
        let mut uuid = KafkaUuid::default();
        uuid.copy_from_slice(&self.take(16)?);
        Ok(uuid)
    }

    /// So many bytes, without a copy.
    pub(crate) fn take(&mut self, length: usize) -> Reading<Bytes> {
        if self.bytes.len() < length {
            return Err(too_short());
        }
        Ok(self.bytes.split_to(length))
    }

    /// Looks at so many bytes, and passes them.
    pub(crate) fn pass<T>(&mut self, length: usize, look: impl FnOnce(&[u8]) -> T) -> Reading<T> {
        let looked = look(self.bytes.get(..length).ok_or_else(too_short)?);
        self.bytes.advance(length);
        Ok(looked)
    }

    /// All that is left, without a copy.
    pub(crate) fn rest(self) -> Bytes {
        self.bytes
    }

    pub(crate) fn unsigned_varint(&mut self) -> Reading<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.bytes.try_get_u8().map_err(|_| too_short())?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(SourceError::new("a number of the answer has no end"))
    }

    /// A number whose sign is its last bit.
    pub(crate) fn varint(&mut self) -> Reading<i64> {
        let number = self.unsigned_varint()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// Bytes behind their length as a varint, as in records; `None` if it is negative.
    pub(crate) fn varint_bytes(&mut self) -> Reading<Option<Bytes>> {
        match usize::try_from(self.varint()?) {
            Ok(length) => self.take(length).map(Some),
            Err(_) => Ok(None),
        }
    }

    /// Bytes that may be absent.
    pub(crate) fn bytes(&mut self) -> Reading<Option<Bytes>> {
        let length = match self.is_flexible {
            true => self.compact_length()?,
            false => usize::try_from(self.i32()?).ok(),
        };
        length.map(|length| self.take(length)).transpose()
    }

    /// A text; empty if it is absent.
    pub(crate) fn string(&mut self) -> Reading<String> {
        let length = match self.is_flexible {
            true => self.compact_length()?,
            false => usize::try_from(self.i16()?).ok(),
        };
        let text = self.take(length.unwrap_or_default())?;
        String::from_utf8(text.into()).map_err(|cause| SourceError::new("a text of the answer is none").because(cause))
    }

    /// A list; empty if it is absent.
    pub(crate) fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Reading<T>) -> Reading<Vec<T>> {
        let count = match self.is_flexible {
            true => self.compact_length()?,
            false => usize::try_from(self.i32()?).ok(),
        };
        let mut list = Vec::new();
        for _ in 0..count.unwrap_or_default() {
            list.push(item(self)?);
        }
        Ok(list)
    }

    /// The fields at the end of a structure that not every version has, each with its number.
    pub(crate) fn tagged(&mut self, mut field: impl FnMut(u64, Self) -> Reading<()>) -> Reading<()> {
        if !self.is_flexible {
            return Ok(());
        }
        for _ in 0..self.unsigned_varint()? {
            let tag = self.unsigned_varint()?;
            let length = usize::try_from(self.unsigned_varint()?).map_err(|_| too_short())?;
            let bytes = self.take(length)?;
            field(tag, Self::new(bytes, true))?;
        }
        Ok(())
    }

    /// Passes the fields at the end of a structure.
    pub(crate) fn end(&mut self) -> Reading<()> {
        self.tagged(|_, _| Ok(()))
    }

    /// A length that is one more than it, or zero for what is absent.
    fn compact_length(&mut self) -> Reading<Option<usize>> {
        let length = usize::try_from(self.unsigned_varint()?).map_err(|_| too_short())?;
        Ok(length.checked_sub(1))
    }
}

fn too_short() -> SourceError {
    SourceError::new("what was sent is shorter than it says, or of another protocol")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(bytes: &'static [u8], is_flexible: bool) -> BytesReader {
        BytesReader::new(Bytes::from_static(bytes), is_flexible)
    }

    #[test]
    fn varints_have_a_sign_and_an_end() {
        for (bytes, number) in [
            (&[0][..], 0),
            (&[1], -1),
            (&[2], 1),
            (&[0xac, 0x02], 150),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], i64::MIN),
        ] {
            assert_eq!(reader(bytes, false).varint().unwrap(), number);
        }
        assert!(reader(&[0xff; 11], false).varint().is_err());
        assert!(reader(&[0x80], false).varint().is_err());
    }

    /// With the crate `kafka-protocol`, eighteen such bytes end the process: it reserves the room that they speak of.
    #[test]
    fn a_length_that_cannot_be_is_an_error_and_takes_no_room() {
        let count = &[0x7f, 0xff, 0xff, 0xff, 1, 2];
        assert!(reader(count, false).list(BytesReader::i32).is_err());
        assert!(reader(count, false).bytes().is_err());
        let compact = &[0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2];
        assert!(reader(compact, true).list(BytesReader::i32).is_err());
        assert!(reader(compact, true).string().is_err());
        assert!(reader(compact, true).end().is_err());
    }

    #[test]
    fn what_is_absent_is_empty() {
        assert_eq!(reader(&[0xff, 0xff], false).string().unwrap(), "");
        assert_eq!(reader(&[0xff; 4], false).bytes().unwrap(), None);
        assert_eq!(reader(&[0], true).bytes().unwrap(), None);
        assert_eq!(reader(&[1], true).bytes().unwrap(), Some(Bytes::new()));
        assert!(reader(&[0], true).list(BytesReader::i8).unwrap().is_empty());
    }
}
