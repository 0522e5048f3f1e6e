//! Requests with which a connection begins.

use bytes::Bytes;

use crate::source::error::SourceError;
use crate::source::kafka::wire::bytes_reader::BytesReader;
use crate::source::kafka::wire::bytes_writer::BytesWriter;
use crate::source::kafka::wire::error_code::ErrorCode;
use crate::source::kafka::wire::request::{KafkaApi, KafkaRequest};

/// Asks which versions of which requests a broker speaks. The oldest version of this request itself is spoken by all.
#[derive(Debug)]
pub(crate) struct ApiVersions;

/// A kind of request by its number, with the oldest and the newest version.
pub(crate) type SpokenVersions = Vec<(i16, (i16, i16))>;

impl KafkaRequest for ApiVersions {
    type Answer = SpokenVersions;

    const API: KafkaApi = KafkaApi {
        name: "ApiVersions",
        key: 18,
        oldest: 0,
        newest: 0,
        flexible: i16::MAX,
    };

    fn write(&self, _version: i16, _to: &mut BytesWriter) {}

    fn read(_version: i16, from: &mut BytesReader) -> Result<SpokenVersions, SourceError> {
        let code = ErrorCode(from.i16()?);
        code.ok()
            .map_err(|code| SourceError::new("the broker does not say what it speaks").because(code))?;
        from.list(|from| Ok((from.i16()?, (from.i16()?, from.i16()?))))
    }
}

/// Names the way of authentication that follows.
#[derive(Debug)]
pub(crate) struct SaslHandshake {
    pub(crate) mechanism: &'static str,
}

impl KafkaRequest for SaslHandshake {
    /// Whether the broker takes it, and which it takes.
    type Answer = (ErrorCode, Vec<String>);

    const API: KafkaApi = KafkaApi {
        name: "SaslHandshake",
        key: 17,
        oldest: 1,
        newest: 1,
        flexible: i16::MAX,
    };

    fn write(&self, _version: i16, to: &mut BytesWriter) {
        to.string(self.mechanism);
    }

    fn read(_version: i16, from: &mut BytesReader) -> Result<Self::Answer, SourceError> {
        Ok((ErrorCode(from.i16()?), from.list(BytesReader::string)?))
    }
}

/// A step of the authentication.
pub(crate) struct SaslAuthenticate {
    pub(crate) bytes: Vec<u8>,
}

/// What the broker says to a step.
#[derive(Debug)]
pub(crate) struct SaslAnswer {
    pub(crate) code: ErrorCode,
    pub(crate) reason: String,
    pub(crate) bytes: Bytes,
    /// For how long it is good; zero without an end.
    pub(crate) lifetime_ms: i64,
}

impl KafkaRequest for SaslAuthenticate {
    type Answer = SaslAnswer;

    const API: KafkaApi = KafkaApi {
        name: "SaslAuthenticate",
        key: 36,
        oldest: 0,
        newest: 2,
        flexible: 2,
    };

    fn write(&self, _version: i16, to: &mut BytesWriter) {
        to.bytes(&self.bytes).end();
    }

    fn read(version: i16, from: &mut BytesReader) -> Result<SaslAnswer, SourceError> {
        let answer = SaslAnswer {
            code: ErrorCode(from.i16()?),
            reason: from.string()?,
            bytes: from.bytes()?.unwrap_or_default(),
            lifetime_ms: if version >= 1 { from.i64()? } else { 0 },
        };
        from.end()?;
        Ok(answer)
    }
}
