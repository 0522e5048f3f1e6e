//! Escapes, as servers undo them before they read a token.

use crate::common::buffer::with_buffer;

/// The bytes that a text with escapes stands for. What is no escape stands for itself.
#[derive(Clone, Copy)]
pub(crate) struct Unescaped<'t> {
    text: &'t [u8],
    /// The other character that means something, beside the percent sign.
    also: u8,
}

impl<'t> Unescaped<'t> {
    /// In a query: percent-encoding, and a plus sign for a blank
    /// ([URL Standard](https://url.spec.whatwg.org/#concept-urlencoded-parser)).
    pub(crate) const fn in_query(text: &'t [u8]) -> Self {
        Self { text, also: b'+' }
    }

    /// In a cookie: percent-encoding, which npm `cookie` undoes, and backslashes, which Python's `http.cookies` undoes.
    pub(crate) const fn in_cookie(text: &'t [u8]) -> Self {
        Self { text, also: b'\\' }
    }

    /// Hands the bytes on in one piece. Allocates only if there are escapes in a long text.
    pub(crate) fn with<T>(self, read: impl FnOnce(&[u8]) -> T) -> T {
        let is_plain = |byte: &u8| *byte != b'%' && *byte != self.also;
        if self.text.iter().all(is_plain) {
            return read(self.text);
        }
        // No escape is shorter than what it stands for.
        with_buffer(self.text.len(), |buffer| {
            let length = buffer.iter_mut().zip(self).map(|(slot, byte)| *slot = byte).count();
            read(&buffer[..length])
        })
    }
}

impl Iterator for Unescaped<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let hex = |digit: u8| char::from(digit).to_digit(16);
        let (byte, length) = match *self.text {
            [] => return None,
            [b'%', high, low, ..] => match (hex(high), hex(low)) {
                (Some(high), Some(low)) => ((high * 16 + low) as u8, 3),
                _ => (b'%', 1),
            },
            [b'+', ..] if self.also == b'+' => (b' ', 1),
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] if self.also == b'\\' => {
                ((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'), 4)
            }
            [b'\\', escaped, ..] if self.also == b'\\' => (escaped, 2),
            [byte, ..] => (byte, 1),
        };
        self.text = &self.text[length..];
        Some(byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> String {
        Unescaped::in_query(text.as_bytes()).with(|text| String::from_utf8_lossy(text).into_owned())
    }

    fn cookie(text: &str) -> String {
        Unescaped::in_cookie(text.as_bytes()).with(|text| String::from_utf8_lossy(text).into_owned())
    }

    #[test]
    fn escapes_are_undone_and_the_rest_stays() {
        assert_eq!(query("h%2Ep%2es+x"), "h.p.s x");
        assert_eq!(query(r"%%2E%zz%2\056"), r"%.%zz%2\056");
        assert_eq!(cookie(r"h%2Ep\056s+x\a\"), r"h.p.s+xa\");
        assert_eq!(cookie(r"\400\08"), "40008");
        assert_eq!(query(&"%2E".repeat(5_000)), ".".repeat(5_000));
    }
}
