//! Numbers where a text belongs.

use std::str;

/// The text of a JSON number ([RFC 8259 §6](https://www.rfc-editor.org/rfc/rfc8259#section-6)), if the word is one.
pub(crate) fn number(word: &[u8]) -> Option<&str> {
    let unsigned = word.strip_prefix(b"-").unwrap_or(word);
    let (integer, rest) = digits(unsigned)?;
    if integer.len() > 1 && integer[0] == b'0' {
        return None;
    }
    let rest = match rest.strip_prefix(b".") {
        Some(fraction) => digits(fraction)?.1,
        None => rest,
    };
    let rest = match rest {
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => digits(exponent)?.1,
        _ => rest,
    };
    if rest.is_empty() {
        str::from_utf8(word).ok()
    } else {
        None
    }
}

/// The digits that a text begins with, at least one, and what is behind them.
fn digits(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// Hands on how a JSON number is written in plain decimals, where that differs: `7.0` is `7`, and `1e2` is `100`. Libraries make a
/// text of it in one way or the other. Numbers of more than some forty digits stay as they are.
pub(crate) fn with_decimal(number: &str, read: impl FnOnce(&str)) {
    if number.bytes().all(|byte| byte.is_ascii_digit()) {
        return;
    }
    let mut buffer = DecimalText {
        buffer: [0; LONGEST],
        length: 0,
    };
    if buffer.write(number).is_some()
        && let Some(decimal) = buffer.text()
        && decimal != number
    {
        read(decimal);
    }
}

struct DecimalText {
    buffer: [u8; LONGEST],
    length: usize,
}

impl DecimalText {
    fn text(&self) -> Option<&str> {
        str::from_utf8(&self.buffer[..self.length]).ok()
    }

    fn write(&mut self, number: &str) -> Option<()> {
        let unsigned = number.strip_prefix('-').unwrap_or(number);
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let exponent: isize = exponent.parse().ok()?;
        let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digit = |at: isize| {
            let at = usize::try_from(at).ok()?;
            let fraction = || fraction.as_bytes().get(at - integer.len());
            integer.as_bytes().get(at).or_else(fraction).copied()
        };
        let digits = isize::try_from(integer.len() + fraction.len()).ok()?;
        // Where the point stands, counted in digits, and where the digits that count begin and end.
        let point = isize::try_from(integer.len()).ok()?.checked_add(exponent)?;
        let is_zero = |at: &isize| digit(*at) == Some(b'0');
        let Some(first) = (0..digits).find(|at| !is_zero(at)) else {
            return self.push(b'0');
        };
        let end = (0..digits).rev().find(|at| !is_zero(at))? + 1;
        if number.starts_with('-') {
            self.push(b'-')?;
        }
        let begin = first.min(point.checked_sub(1)?);
        let behind = end.max(point);
        if behind.checked_sub(begin)? > LONGEST as isize {
            return None;
        }
        for at in begin..behind {
            if at == point {
                self.push(b'.')?;
            }
            self.push(digit(at).unwrap_or(b'0'))?;
        }
        Some(())
    }

    fn push(&mut self, byte: u8) -> Option<()> {
        *self.buffer.get_mut(self.length)? = byte;
        self.length += 1;
        Some(())
    }
}

const LONGEST: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(number: &str) -> Option<String> {
        let mut found = None;
        with_decimal(number, |decimal| found = Some(decimal.to_owned()));
        found
    }

    #[test]
    fn is_what_json_says() {
        for text in [
            "0",
            "-0",
            "7",
            "-7.50",
            "1e9",
            "1.5E+3",
            "0.1e-7",
            "12345678901234567890123",
            "1e400",
        ] {
            assert_eq!(number(text.as_bytes()), Some(text));
        }
        for text in [
            "", "-", "+7", "07", "-07", ".5", "5.", "1e", "1e+", "0x1", "7a", "NaN", "null", "1.5.2", "1e2e3", "--1",
        ] {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn has_one_plain_form() {
        for (number, plain) in [
            ("7.0", "7"),
            ("1e2", "100"),
            ("1E+2", "100"),
            ("12.50", "12.5"),
            ("1.5e3", "1500"),
            ("1.5e0", "1.5"),
            ("125e-2", "1.25"),
            ("1e-3", "0.001"),
            ("-1e-3", "-0.001"),
            ("-0", "0"),
            ("0.0e9", "0"),
            ("-7.0", "-7"),
            ("10.0", "10"),
            ("1200e-2", "12"),
            ("0.5e1", "5"),
            ("1e40", "10000000000000000000000000000000000000000"),
        ] {
            assert_eq!(decimal(number).as_deref(), Some(plain), "{number}");
        }
        for same in [
            "7",
            "0",
            "-7",
            "12.5",
            "0.001",
            "1e400",
            "1e-400",
            "1e99999999999999999999",
            "1e9223372036854775807",
            "1e-9223372036854775808",
        ] {
            assert_eq!(decimal(same), None, "{same}");
        }
    }
}
