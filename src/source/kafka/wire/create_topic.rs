//! Making a topic.

use crate::source::error::SourceError;
use crate::source::kafka::wire::bytes_reader::BytesReader;
use crate::source::kafka::wire::bytes_writer::BytesWriter;
use crate::source::kafka::wire::error_code::ErrorCode;
use crate::source::kafka::wire::request::{KafkaApi, KafkaRequest};

/// Makes a topic of one partition.
#[derive(Debug)]
pub(crate) struct CreateTopic<'t> {
    pub(crate) topic: &'t str,
    pub(crate) replicas: i16,
    /// Names and values.
    pub(crate) settings: &'t [(&'t str, &'t str)],
    pub(crate) timeout_ms: i32,
}

impl KafkaRequest for CreateTopic<'_> {
    type Answer = ErrorCode;

    const API: KafkaApi = KafkaApi {
        name: "CreateTopics",
        key: 19,
        oldest: 2,
        newest: 4,
        flexible: 5,
    };

    fn write(&self, _version: i16, to: &mut BytesWriter) {
        to.list(1).string(self.topic).i32(ONE_PARTITION).i16(self.replicas);
        // Brokers choose where it is.
        to.list(0).list(self.settings.len());
        for (name, value) in self.settings {
            to.string(name).string(value);
        }
        to.i32(self.timeout_ms).bool(false);
    }

    fn read(_version: i16, from: &mut BytesReader) -> Result<ErrorCode, SourceError> {
        let _throttled = from.i32()?;
        let codes = from.list(|from| {
            let _name = from.string()?;
            let code = ErrorCode(from.i16()?);
            let _words = from.string()?;
            Ok(code)
        })?;
        let code = codes.into_iter().next();
        code.ok_or_else(|| SourceError::new("the broker says nothing of the topic"))
    }
}

const ONE_PARTITION: i32 = 1;
