//! The parts of a token, decoded: base64url, and what verifiers take for it.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use base64::{DecodeError, DecodeSliceError};

use crate::common::buffer::with_buffer;

/// Decodes one part, on the heap if there is no room on the stack, and hands it on.
///
/// With padding or without, in either alphabet of [RFC 4648](https://www.rfc-editor.org/rfc/rfc4648#section-4), whatever
/// the bits are that belong to no byte: most libraries read all of that.
pub(crate) fn with_decoded<T>(part: &[u8], read: impl FnOnce(&[u8]) -> T) -> Result<T, &'static str> {
    let part = without_padding(part);
    let most = base64::decoded_len_estimate(part.len());
    if most > AT_MOST {
        return Err(TOO_LONG);
    }
    with_buffer(most, |buffer| {
        let length = decode(part, buffer).ok_or(UNDECODABLE)?;
        Ok(read(&buffer[..length]))
    })
}

fn without_padding(mut part: &[u8]) -> &[u8] {
    while let Some(shorter) = part.strip_suffix(b"=") {
        part = shorter;
    }
    part
}

/// Decodes into a buffer that is as long as the estimate, and returns the length.
fn decode(part: &[u8], to: &mut [u8]) -> Option<usize> {
    match ENGINE.decode_slice(part, to) {
        Ok(length) => Some(length),
        Err(DecodeSliceError::DecodeError(DecodeError::InvalidByte(_, b'+' | b'/'))) => decode_mixed(part, to),
        Err(_) => None,
    }
}

/// The same with `+` and `/` as well. Some decoders read both alphabets in one text.
fn decode_mixed(part: &[u8], to: &mut [u8]) -> Option<usize> {
    let mut length = 0;
    let mut translated = [0; CHUNK];
    for chunk in part.chunks(CHUNK) {
        let translated = &mut translated[..chunk.len()];
        for (to, from) in translated.iter_mut().zip(chunk) {
            *to = match from {
                b'+' => b'-',
                b'/' => b'_',
                other => *other,
            };
        }
        length += ENGINE.decode_slice(translated, to.get_mut(length..)?).ok()?;
    }
    Some(length)
}

/// Padding is taken off before.
const ENGINE: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, NO_PAD.with_decode_allow_trailing_bits(true));

/// Whole groups of four characters, so that each chunk can be decoded alone.
const CHUNK: usize = 256;

/// The largest part that is read at all, in bytes.
pub(crate) const AT_MOST: usize = 64 * 1024;

const UNDECODABLE: &str = "token is not base64url";
pub(crate) const TOO_LONG: &str = "token is longer than 64 KiB";

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(part: &str) -> Option<Vec<u8>> {
        with_decoded(part.as_bytes(), <[u8]>::to_vec).ok()
    }

    #[test]
    fn reads_what_libraries_read() {
        assert_eq!(decoded("-_8").as_deref(), Some(&[0xfb, 0xff][..]));
        for same in ["+/8", "-/8", "+_8=", "-_8=", "-_9", "-_8=="] {
            assert_eq!(decoded(same), decoded("-_8"), "{same}");
        }
        for other in ["-_8-_", "-_\n8", "-_8.", "=-_8", "-=_8", "é", "-_ 8"] {
            assert_eq!(decoded(other), None, "{other:?}");
        }
        assert_eq!(decoded(""), Some(Vec::new()));
    }

    #[test]
    fn reads_both_alphabets_at_any_length() {
        for length in (0..20).chain(250..270).chain(2_700..2_740).chain([60_000]) {
            let plain = "-_a8"
                .chars()
                .cycle()
                .take(length - usize::from(length % 4 == 1).min(length));
            let plain: String = plain.collect();
            let other = plain.replace('-', "+").replace('_', "/");
            assert!(decoded(&plain).is_some());
            assert_eq!(decoded(&plain), decoded(&other), "{length}");
        }
    }
}
