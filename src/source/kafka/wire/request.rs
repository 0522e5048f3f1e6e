//! What all requests have in common.

use crate::source::error::SourceError;
use crate::source::kafka::wire::bytes_reader::BytesReader;
use crate::source::kafka::wire::bytes_writer::BytesWriter;

/// A request to a broker.
pub(crate) trait KafkaRequest {
    type Answer;

    const API: KafkaApi;

    /// The newest version that this one can be written in.
    fn newest(&self) -> i16 {
        Self::API.newest
    }

    fn write(&self, version: i16, to: &mut BytesWriter);

    fn read(version: i16, from: &mut BytesReader) -> Result<Self::Answer, SourceError>;
}

/// A kind of request, and which versions of it are spoken here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KafkaApi {
    pub(crate) name: &'static str,
    pub(crate) key: i16,
    pub(crate) oldest: i16,
    pub(crate) newest: i16,
    /// The first version whose lengths are varints.
    pub(crate) flexible: i16,
}

impl KafkaApi {
    /// The newest version that both sides speak, and that this request can be written in.
    pub(crate) fn version(&self, most: i16, spoken: Option<(i16, i16)>) -> Result<i16, SourceError> {
        let (oldest, newest) = spoken.unwrap_or((0, -1));
        let version = newest.min(most);
        match version >= self.oldest.max(oldest) {
            true => Ok(version),
            false => Err(SourceError::new(format!(
                "the broker speaks versions {oldest} to {newest} of {}, and versions {} to {} are needed",
                self.name, self.oldest, self.newest,
            ))),
        }
    }

    pub(crate) const fn is_flexible(&self, version: i16) -> bool {
        version >= self.flexible
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_that_both_speak_is_taken() {
        let api = KafkaApi {
            name: "Fetch",
            key: 1,
            oldest: 4,
            newest: 13,
            flexible: 12,
        };
        assert_eq!(api.version(13, Some((4, 18))).unwrap(), 13);
        assert_eq!(api.version(13, Some((0, 11))).unwrap(), 11);
        assert_eq!(api.version(12, Some((4, 18))).unwrap(), 12);
        for none in [Some((0, 3)), Some((14, 18)), None] {
            assert!(api.version(13, none).is_err(), "{none:?}");
        }
    }
}
