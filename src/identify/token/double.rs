//! How libraries write a number that they have read as a double.

use std::fmt::{self, Write};
use std::str;

/// Hands on each text that a library makes of a JSON number which it reads as a double: JavaScript and Go read all numbers so, the others
/// those with a fraction or an exponent, and those that are too great for an integer. A text may come several times, and may be the
/// number as it stands.
///
/// Beyond what a double can be there is no such text.
pub(crate) fn with_texts_of_double(number: &str, mut read: impl FnMut(&str)) {
    let is_integer = !number.contains(['.', 'e', 'E']);
    let Some(double) = number.parse().ok().filter(|double: &f64| double.is_finite()) else {
        return;
    };
    let mut buffer = TextBuffer::new();
    let Some((digits, exponent)) = buffer.shortest(double) else {
        return;
    };
    let is_negative = number.starts_with('-');
    for style in &STYLES {
        // What a library keeps as an integer is as it stands.
        if is_integer && number.len() <= style.longest_integer {
            continue;
        }
        let mut text = TextBuffer::new();
        if style.write(&mut text, is_negative, digits, exponent).is_ok() {
            text.read(&mut read);
        }
    }
    // Envoy, by way of C's `printf`. It takes what is whole and not negative for an integer.
    if !is_integer || is_negative || number.len() > EXACT {
        let mut text = TextBuffer::new();
        let written = if double >= 0.0 && double.fract() == 0.0 && double < WHOLE {
            write!(text, "{double:.0}")
        } else {
            write!(text, "{double:.6}")
        };
        if written.is_ok() {
            text.read(&mut read);
        }
    }
}

/// How one language writes doubles. The digits are the fewest that tell one from its neighbours, in all of them.
struct Style {
    /// Of powers of ten from this one on, up to but without that one, plain decimals are written.
    plain_from: i32,
    plain_to: i32,
    /// What is behind a whole number, and a whole mantissa; and what is between mantissa and exponent.
    whole: &'static str,
    whole_mantissa: &'static str,
    exponent: &'static str,
    negative_exponent: &'static str,
    /// How many digits an exponent has at least.
    exponent_digits: usize,
    /// How long a number may be that is an integer for sure, with its sign.
    longest_integer: usize,
}

const STYLES: [Style; 4] = [
    // JavaScript: ECMA-262, Number::toString.
    Style {
        plain_from: -6,
        plain_to: 21,
        whole: "",
        whole_mantissa: "",
        exponent: "e+",
        negative_exponent: "e-",
        exponent_digits: 1,
        longest_integer: EXACT,
    },
    // Go: `fmt.Sprint`.
    Style {
        plain_from: -4,
        plain_to: 6,
        whole: "",
        whole_mantissa: "",
        exponent: "e+",
        negative_exponent: "e-",
        exponent_digits: 2,
        longest_integer: 0,
    },
    // Python: `repr`. Rust's `serde_json` writes the same up to 1e16.
    Style {
        plain_from: -4,
        plain_to: 16,
        whole: ".0",
        whole_mantissa: "",
        exponent: "e+",
        negative_exponent: "e-",
        exponent_digits: 2,
        longest_integer: usize::MAX,
    },
    // Java: `Double.toString`.
    Style {
        plain_from: -3,
        plain_to: 7,
        whole: ".0",
        whole_mantissa: ".0",
        exponent: "E",
        negative_exponent: "E-",
        exponent_digits: 1,
        longest_integer: 18,
    },
];

impl Style {
    /// `digits` are those of the mantissa, of which the first is worth ten to the power of `exponent`.
    fn write(&self, text: &mut TextBuffer, is_negative: bool, digits: &str, exponent: i32) -> fmt::Result {
        if is_negative {
            text.write_char('-')?;
        }
        if !(self.plain_from..self.plain_to).contains(&exponent) {
            let (first, rest) = digits.split_at(1);
            text.write_str(first)?;
            if rest.is_empty() {
                text.write_str(self.whole_mantissa)?;
            } else {
                write!(text, ".{rest}")?;
            }
            let sign = if exponent < 0 {
                self.negative_exponent
            } else {
                self.exponent
            };
            let least = self.exponent_digits;
            return write!(text, "{sign}{:0least$}", exponent.unsigned_abs());
        }
        let Ok(integer_length) = usize::try_from(exponent + 1) else {
            let noughts = exponent.unsigned_abs() as usize - 1;
            return write!(text, "0.{:0<noughts$}{digits}", "");
        };
        match digits.split_at_checked(integer_length) {
            Some((integer, fraction)) if !fraction.is_empty() => write!(text, "{integer}.{fraction}"),
            _ => write!(text, "{digits:0<integer_length$}{}", self.whole),
        }
    }
}

/// A text of bounded length.
struct TextBuffer {
    bytes: [u8; LONGEST],
    length: usize,
}

impl TextBuffer {
    const fn new() -> Self {
        Self {
            bytes: [0; LONGEST],
            length: 0,
        }
    }

    fn text(&self) -> Option<&str> {
        str::from_utf8(&self.bytes[..self.length]).ok()
    }

    fn read(&self, read: &mut impl FnMut(&str)) {
        if let Some(text) = self.text() {
            read(text);
        }
    }

    /// The fewest digits of a double, without its sign, and the power of ten of the first.
    fn shortest(&mut self, double: f64) -> Option<(&str, i32)> {
        write!(self, "{:e}", double.abs()).ok()?;
        let at = self.bytes[..self.length].iter().position(|byte| *byte == b'e')?;
        let exponent = self.text()?.get(at + 1..)?.parse().ok()?;
        // The point is behind the first digit.
        let mut end = at;
        if self.bytes[1] == b'.' {
            self.bytes.copy_within(2..at, 1);
            end = at - 1;
        }
        Some((str::from_utf8(&self.bytes[..end]).ok()?, exponent))
    }
}

impl Write for TextBuffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// How long an integer may be of which a double holds each digit.
const EXACT: usize = 15;

/// From here on, no integer of 64 bits holds it.
const WHOLE: f64 = 18_446_744_073_709_551_616.0;

const LONGEST: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(number: &str) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        with_texts_of_double(number, |text| {
            if text != number && !found.iter().any(|known| known == text) {
                found.push(text.to_owned());
            }
        });
        found
    }

    /// As Node.js 20, Go 1.26, Python 3.11, Java 17 and Envoy 1.40 write it, in this order.
    #[test]
    fn is_written_as_libraries_write_it() {
        for (number, expected) in [
            ("7", &[][..]),
            ("0", &[]),
            ("999999", &[]),
            ("1234567", &["1.234567e+06"]),
            ("1000000", &["1e+06"]),
            ("-1003", &["-1003.000000"]),
            ("1002e0", &["1002", "1002.0"]),
            ("7.0", &["7"]),
            ("1e2", &["100", "100.0"]),
            ("1002.2500", &["1002.25", "1002.250000"]),
            ("12345678.25", &["1.234567825e+07", "1.234567825E7", "12345678.250000"]),
            (
                "1.00225e15",
                &["1002250000000000", "1.00225e+15", "1002250000000000.0", "1.00225E15"],
            ),
            ("0.00001002", &["1.002e-05", "1.002E-5", "0.000010"]),
            ("1.5e-7", &["1.5e-07", "1.5E-7", "0.000000"]),
            ("0.001", &["0.001000"]),
            ("0.0009", &["9.0E-4", "0.000900"]),
            ("1e7", &["10000000", "1e+07", "10000000.0", "1.0E7"]),
            ("1e16", &["10000000000000000", "1e+16", "1.0E16"]),
            ("1e21", &["1e+21", "1.0E21", "1000000000000000000000.000000"]),
            (
                "10020123456789012345",
                &[
                    "10020123456789012000",
                    "1.0020123456789012e+19",
                    "1.0020123456789012E19",
                    "10020123456789012480",
                ],
            ),
            ("9007199254740993", &["9007199254740992", "9.007199254740992e+15"]),
            ("-2.5", &["-2.500000"]),
        ] {
            assert_eq!(texts(number), expected, "{number}");
        }
    }

    #[test]
    fn beyond_doubles_there_is_none() {
        for number in ["1e400", "-1e400"] {
            assert!(texts(number).is_empty(), "{number}");
        }
        // C's text of it is longer than any id.
        assert_eq!(texts("1e300"), ["1e+300", "1.0E300"]);
        assert_eq!(texts("1e-400"), ["0", "0.0"]);
    }
}
