//! The headers of a record.

use bytes::Bytes;

use crate::source::kafka::wire::bytes_reader::{BytesReader, Reading};

/// Reads names and values.
pub(crate) fn read_headers(headers: Bytes) -> Reading<Vec<(String, String)>> {
    let mut reader = BytesReader::new(headers, false);
    let count = reader.varint()?;
    let mut headers = Vec::new();
    for _ in 0..count {
        let mut text = || {
            let text = reader.varint_bytes();
            text.map(|text| String::from_utf8_lossy(&text.unwrap_or_default()).into_owned())
        };
        headers.push((text()?, text()?));
    }
    Ok(headers)
}
