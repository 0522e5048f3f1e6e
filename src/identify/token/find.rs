//! Where a byte stands, eight bytes at a time: most of a token is passed over.

/// Returns where the first of these bytes stands.
pub(crate) fn find<const N: usize>(text: &[u8], wanted: [u8; N]) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = text.get(at..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*word);
        let mut found = 0;
        for byte in wanted {
            // A byte that is zero, in its highest bit. A carry may set bits above it, never below.
            let difference = word ^ (ONES * u64::from(byte));
            found |= difference.wrapping_sub(ONES) & !difference & HIGHEST_BITS;
        }
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    let behind = text[at..].iter().position(|byte| wanted.contains(byte))?;
    Some(at + behind)
}

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGHEST_BITS: u64 = ONES << 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_plain_search_finds() {
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..100_000 {
            let text: Vec<u8> = (0..random.usize(0..40))
                .map(|_| random.choice(*b"\"!#\\[]\xa2\x22\0\x01\x80az").unwrap_or(0))
                .collect();
            let expected = text.iter().position(|byte| matches!(byte, b'"' | b'\\'));
            assert_eq!(find(&text, *b"\"\\"), expected, "{text:?}");
            let expected = text.iter().position(|byte| *byte == 0x80);
            assert_eq!(find(&text, [0x80]), expected, "{text:?}");
        }
    }
}
