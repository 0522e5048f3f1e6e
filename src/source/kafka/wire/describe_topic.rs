//! How a topic is set up.

use crate::source::error::SourceError;
use crate::source::kafka::wire::bytes_reader::BytesReader;
use crate::source::kafka::wire::bytes_writer::BytesWriter;
use crate::source::kafka::wire::error_code::ErrorCode;
use crate::source::kafka::wire::request::{KafkaApi, KafkaRequest};

/// Asks for settings of a topic, by their names.
#[derive(Debug)]
pub(crate) struct DescribeTopic<'t> {
    pub(crate) topic: &'t str,
    pub(crate) names: &'t [&'t str],
}

impl KafkaRequest for DescribeTopic<'_> {
    /// Names and values.
    type Answer = (ErrorCode, Vec<(String, String)>);

    const API: KafkaApi = KafkaApi {
        name: "DescribeConfigs",
        key: 32,
        oldest: 1,
        newest: 3,
        flexible: 4,
    };

    fn write(&self, version: i16, to: &mut BytesWriter) {
        to.list(1).i8(TOPIC).string(self.topic).list(self.names.len());
        for name in self.names {
            to.string(name);
        }
        // Neither synonyms nor documentation.
        to.bool(false);
        if version >= 3 {
            to.bool(false);
        }
    }

    fn read(version: i16, from: &mut BytesReader) -> Result<Self::Answer, SourceError> {
        let _throttled = from.i32()?;
        let results = from.list(|from| {
            let code = ErrorCode(from.i16()?);
            let (_words, _kind, _name) = (from.string()?, from.i8()?, from.string()?);
            let settings = from.list(|from| setting(version, from))?;
            Ok((code, settings))
        })?;
        let result = results.into_iter().next();
        result.ok_or_else(|| SourceError::new("the broker says nothing of the topic"))
    }
}

fn setting(version: i16, from: &mut BytesReader) -> Result<(String, String), SourceError> {
    let (name, value) = (from.string()?, from.string()?);
    let (_read_only, _origin, _sensitive) = (from.bool()?, from.i8()?, from.bool()?);
    from.list(|from| {
        let (_name, _value, _origin) = (from.string()?, from.string()?, from.i8()?);
        Ok(())
    })?;
    if version >= 3 {
        let (_kind, _documentation) = (from.i8()?, from.string()?);
    }
    Ok((name, value))
}

const TOPIC: i8 = 2;
