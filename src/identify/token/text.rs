//! A JSON string, as it stands in the text.

use std::str;

use crate::common::buffer::with_buffer;

/// What stands between the quotes of a JSON string, its escapes not yet decoded.
#[derive(Clone, Copy)]
pub(crate) struct JsonText<'j> {
    raw: &'j [u8],
    has_escapes: bool,
}

impl<'j> JsonText<'j> {
    pub(crate) const fn new(raw: &'j [u8], has_escapes: bool) -> Self {
        Self { raw, has_escapes }
    }

    /// Hands the decoded text on, or `None` if some of it is no text. Allocates for long texts with escapes.
    pub(crate) fn with_decoded<T>(self, read: impl FnOnce(Option<&str>) -> T) -> T {
        if !self.has_escapes {
            return read(str::from_utf8(self.raw).ok());
        }
        // No escape is shorter than what it stands for.
        with_buffer(self.raw.len(), |buffer| {
            let mut length = 0;
            for char in self.chars() {
                let Ok(char) = char else { return read(None) };
                let Some(room) = buffer.get_mut(length..length + char.len_utf8()) else {
                    return read(None);
                };
                char.encode_utf8(room);
                length += char.len_utf8();
            }
            read(str::from_utf8(&buffer[..length]).ok())
        })
    }

    const fn chars(self) -> Chars<'j> {
        Chars { rest: self.raw }
    }
}

/// The name of a member.
#[derive(Clone, Copy)]
pub(crate) struct MemberName<'j> {
    text: JsonText<'j>,
    is_plain: bool,
}

impl<'j> MemberName<'j> {
    pub(crate) fn new(text: JsonText<'j>) -> Self {
        Self {
            text,
            is_plain: !text.has_escapes && is_plain(text.raw),
        }
    }

    /// Whether this is the member's name for any verifier: Go folds case as Unicode does, jjwt takes blanks off.
    ///
    /// `is_name_plain` says whether `name` is (see [`is_plain`]).
    pub(crate) fn is(self, name: &str, is_name_plain: bool) -> bool {
        if self.is_plain && is_name_plain {
            return self.text.raw.eq_ignore_ascii_case(name.as_bytes());
        }
        let chars = self.text.chars().map(|char| char.map_or('\u{fffd}', folded));
        let mut chars = chars.skip_while(is_blank);
        let is_begun = name
            .trim_matches(|char| is_blank(&char))
            .chars()
            .all(|expected| chars.next() == Some(folded(expected)));
        is_begun && chars.all(|char| is_blank(&char))
    }
}

/// Whether a name has visible characters of ASCII alone, so that it can be compared byte by byte.
pub(crate) fn is_plain(name: &[u8]) -> bool {
    name.iter().all(u8::is_ascii_graphic)
}

/// What is taken off a name at both ends: blanks of Unicode, and what Java's `trim` takes for one.
fn is_blank(char: &char) -> bool {
    char.is_whitespace() || *char <= ' '
}

/// One character for all that differ in case alone, a long s (U+017F) and the sign of Kelvin (U+212A) among them.
fn folded(char: char) -> char {
    if char.is_ascii() {
        return char.to_ascii_lowercase();
    }
    let mut upper = char.to_uppercase();
    let upper = match (upper.next(), upper.next()) {
        (Some(upper), None) => upper,
        _ => char,
    };
    let mut lower = upper.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(lower), None) => lower,
        _ => upper,
    }
}

/// The characters that a JSON string stands for. What stands for none is an error, and reading goes on behind it.
struct Chars<'j> {
    rest: &'j [u8],
}

struct NoText;

impl Iterator for Chars<'_> {
    type Item = Result<char, NoText>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = *self.rest.first()?;
        if first == b'\\' {
            let (char, length) = escape(self.rest);
            self.rest = self.rest.get(length..).unwrap_or_default();
            return Some(char.ok_or(NoText));
        }
        let length = match first {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        let char = self.rest.get(..length).and_then(|bytes| str::from_utf8(bytes).ok());
        match char.and_then(|text| text.chars().next()) {
            Some(char) => {
                self.rest = &self.rest[length..];
                Some(Ok(char))
            }
            None => {
                self.rest = &self.rest[1..];
                Some(Err(NoText))
            }
        }
    }
}

/// The character that an escape stands for ([RFC 8259 §7](https://www.rfc-editor.org/rfc/rfc8259#section-7)), and how many bytes
/// it takes.
fn escape(text: &[u8]) -> (Option<char>, usize) {
    let char = match text.get(1) {
        Some(b'u') => match unit(text) {
            Some(high @ 0xd800..=0xdbff) => {
                let low = unit(text.get(6..).unwrap_or_default());
                let pair = low.filter(|low| (0xdc00..=0xdfff).contains(low));
                return match pair {
                    Some(low) => (char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)), 12),
                    None => (None, 6),
                };
            }
            Some(unit) => return (char::from_u32(unit), 6),
            None => None,
        },
        Some(b'b') => Some('\u{8}'),
        Some(b'f') => Some('\u{c}'),
        Some(b'n') => Some('\n'),
        Some(b'r') => Some('\r'),
        Some(b't') => Some('\t'),
        Some(itself @ (b'"' | b'\\' | b'/')) => Some(char::from(*itself)),
        _ => None,
    };
    (char, 2)
}

/// The unit of UTF-16 in `\u` and four digits.
fn unit(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    digits
        .iter()
        .try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(raw: &[u8]) -> JsonText<'_> {
        JsonText::new(raw, raw.contains(&b'\\'))
    }

    fn decoded(raw: &[u8]) -> Option<String> {
        text(raw).with_decoded(|text| text.map(str::to_owned))
    }

    #[test]
    fn decodes_as_serde_json_does() {
        for inner in [
            r"a\u0062c",
            r#"\"\\\/\b\f\n\r\t"#,
            r"\ud83d\ude00é€😀",
            r"\u00e9\u20AC",
            r"\u0000",
            "",
            "é",
            r"\\u0061",
        ] {
            let expected: String = serde_json::from_str(&format!("\"{inner}\"")).unwrap();
            assert_eq!(decoded(inner.as_bytes()), Some(expected), "{inner}");
        }
        let long = r"\u0061é".repeat(10_000);
        assert_eq!(decoded(long.as_bytes()), Some("aé".repeat(10_000)));
    }

    #[test]
    fn finds_what_is_no_text() {
        for raw in [
            &br"\ud83d"[..],
            br"\ude00",
            br"\ud83d\u0061",
            br"\ud83dx",
            br"\ud83d\ud83d\ude00",
            br"\x",
            br"\u12",
            br"\u+123",
            b"\\",
            b"\xff",
            b"\xc3",
            b"\xed\xa0\x80",
            b"\xc0\xaf",
            b"\xf4\x90\x80\x80",
            b"\\n\xff",
        ] {
            assert_eq!(decoded(raw), None, "{raw:?}");
        }
    }

    #[test]
    fn names_are_compared_folded_and_trimmed() {
        let names = |raw: &str, name: &str| MemberName::new(text(raw.as_bytes())).is(name, is_plain(name.as_bytes()));
        for raw in [
            "sub",
            "SUB",
            "Sub",
            " sub",
            "sub\u{a0}",
            r"\tsub\n",
            r"s\u0075b",
            "\u{17f}ub",
            r"\u017fUB",
            "\u{1f}sub",
        ] {
            assert!(names(raw, "sub"), "{raw:?}");
            assert!(names(raw, " Sub "), "{raw:?}");
        }
        for raw in [
            "su",
            "subs",
            "s ub",
            "",
            " ",
            "xsub",
            r"sub\ud800",
            r"\ud800sub",
            "sub\u{301}",
        ] {
            assert!(!names(raw, "sub"), "{raw:?}");
        }
        assert!(names("\u{212a}ID", "kid") && names("kid", "\u{212a}id"));
        assert!(names("GRÖSSE", "größe") == names("größe", "GRÖSSE") && names("GRÖ\u{1e9e}E", "größe"));
        assert!(names("Σ", "ς") && names("ς", "σ") && names("", ""));
        for raw in [&b"su\xff"[..], b"sub\xff", b"\xffsub"] {
            assert!(!MemberName::new(text(raw)).is("sub", true), "{raw:?}");
        }
    }
}
