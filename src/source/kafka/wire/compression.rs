//! Batches that their publisher compressed.

use std::io::Read;

use bytes::{Buf, Bytes};

use crate::source::error::SourceError;

/// Undoes a compression, by its number in the attributes of a batch.
///
/// What comes of it is bounded: a publisher may send a little that becomes much.
pub(crate) fn decompressed(codec: i16, compressed: Bytes) -> Result<Bytes, SourceError> {
    match codec {
        0 => Ok(compressed),
        1 => bounded("gzip", flate2::read::MultiGzDecoder::new(compressed.reader())),
        2 => snappy(&compressed),
        3 => bounded("lz4", lz4_flex::frame::FrameDecoder::new(compressed.reader())),
        4 => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(compressed.reader());
            bounded("zstd", decoder.map_err(|cause| damaged("zstd").because(cause))?)
        }
        other => Err(SourceError::new(format!("the compression {other} is not known"))),
    }
}

fn bounded(codec: &str, decoder: impl Read) -> Result<Bytes, SourceError> {
    let mut all = Vec::new();
    let read = decoder.take(MOST_BYTES as u64 + 1).read_to_end(&mut all);
    read.map_err(|cause| damaged(codec).because(cause))?;
    match all.len() <= MOST_BYTES {
        true => Ok(all.into()),
        false => Err(too_long(codec)),
    }
}

/// Some publishers write one block, Kafka's own write many, each behind its length.
fn snappy(compressed: &[u8]) -> Result<Bytes, SourceError> {
    let Some(mut blocks) = compressed.strip_prefix(SNAPPY_BLOCKS) else {
        return snappy_block(compressed, MOST_BYTES).map(Bytes::from);
    };
    // Two versions.
    blocks = blocks.get(8..).ok_or_else(|| damaged("snappy"))?;
    let mut all = Vec::new();
    while let Some((length, rest)) = blocks.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let block = rest.get(..length).ok_or_else(|| damaged("snappy"))?;
        all.extend(snappy_block(block, MOST_BYTES - all.len())?);
        blocks = &rest[length..];
    }
    match blocks {
        [] => Ok(all.into()),
        _ => Err(damaged("snappy")),
    }
}

fn snappy_block(block: &[u8], most: usize) -> Result<Vec<u8>, SourceError> {
    let because = |cause: snap::Error| damaged("snappy").because(cause);
    let length = snap::raw::decompress_len(block).map_err(because)?;
    if length > most {
        return Err(too_long("snappy"));
    }
    // The decoder has room for all of it at once.
    if length / MOST_OF_A_BYTE > block.len() {
        return Err(damaged("snappy"));
    }
    snap::raw::Decoder::new().decompress_vec(block).map_err(because)
}

fn damaged(codec: &str) -> SourceError {
    SourceError::new(format!("what was compressed by {codec} is damaged"))
}

fn too_long(codec: &str) -> SourceError {
    SourceError::new(format!(
        "what was compressed by {codec} is longer than {} MiB",
        MOST_BYTES >> 20
    ))
}

/// More than a byte of Snappy can become: three of them are 64 at most.
const MOST_OF_A_BYTE: usize = 22;

/// The longest batch, decompressed.
const MOST_BYTES: usize = 64 << 20;

const SNAPPY_BLOCKS: &[u8] = b"\x82SNAPPY\0";

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_is_damaged_or_unknown_is_an_error() {
        for codec in 1..8 {
            for damaged in [
                &b"no such thing"[..],
                b"",
                b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\xff\xff\xff\xff",
            ] {
                let outcome = decompressed(codec, Bytes::from_static(damaged));
                // An empty gzip file is one.
                assert!(outcome.is_err() || outcome.is_ok_and(|all| all.is_empty()), "{codec}");
            }
        }
    }

    #[test]
    fn snappy_comes_in_one_block_or_in_many() {
        let block = |text: &[u8]| snap::raw::Encoder::new().compress_vec(text).unwrap();
        assert_eq!(decompressed(2, block(b"one block").into()).unwrap(), "one block");
        let mut many = [SNAPPY_BLOCKS, &[0, 0, 0, 1, 0, 0, 0, 1]].concat();
        for part in [&b"two "[..], b"blocks"] {
            let block = block(part);
            many.extend((block.len() as u32).to_be_bytes());
            many.extend(block);
        }
        assert_eq!(decompressed(2, many.into()).unwrap(), "two blocks");
    }

    /// A hundred kilobytes that become a hundred megabytes.
    #[test]
    fn what_becomes_too_much_is_refused() {
        let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        for _ in 0..100 {
            zipped.write_all(&[0; 1 << 20]).unwrap();
        }
        let zipped = zipped.finish().unwrap();
        assert!(zipped.len() < 1 << 20);
        let refused = decompressed(1, zipped.into()).unwrap_err();
        assert!(refused.to_string().contains("64 MiB"), "{refused}");
        let many = snap::raw::Encoder::new()
            .compress_vec(&vec![0; MOST_BYTES + 1])
            .unwrap();
        assert!(decompressed(2, many.into()).is_err());
    }
}
