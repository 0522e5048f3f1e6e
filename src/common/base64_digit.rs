//! The digits of base64.

/// Returns the six bits that a digit of base64's standard alphabet stands for
/// ([RFC 4648 §4](https://www.rfc-editor.org/rfc/rfc4648#section-4)). For texts that are followed digit by digit; whole ones are
/// decoded by the library.
pub(crate) const fn base64_digit(digit: u8) -> Option<u8> {
    Some(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use base64::alphabet::STANDARD;

    use super::*;

    #[test]
    fn knows_the_standard_alphabet_and_nothing_else() {
        for byte in 0..=u8::MAX {
            let place = STANDARD.as_str().bytes().position(|digit| digit == byte);
            assert_eq!(base64_digit(byte).map(usize::from), place, "{byte}");
        }
    }
}
