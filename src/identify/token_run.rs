//! Where a token begins and ends in a text that others read generously.

use crate::common::base64_digit::base64_digit;
use crate::common::buffer::with_buffer;
use crate::model::credential::Identity;

/// A run of characters in the form of a token: three parts with a dot between (or five, which is an encrypted one), and
/// behind them perhaps disclosures ([RFC 9901](https://www.rfc-editor.org/rfc/rfc9901)), each behind a tilde.
///
/// The names of files, the realms of Digest and the ids of Hawk may have two dots as well: [`read`](Self::read) tells them apart.
pub(crate) struct TokenRun<'t> {
    bytes: &'t [u8],
    /// Where the first part ends.
    first: usize,
}

impl<'t> TokenRun<'t> {
    /// Returns the runs in a text, in their order. Together they are read in linear time.
    pub(crate) fn all(text: &'t [u8]) -> impl Iterator<Item = Self> {
        let (mut rest, mut run_end) = (text, 0);
        std::iter::from_fn(move || {
            loop {
                if run_end == 0 {
                    rest = &rest[rest.iter().position(is_part_or_dot)?..];
                    run_end = end_of(rest, is_part_or_dot);
                }
                let Some((start, mut end, first)) = find(&rest[..run_end]) else {
                    rest = &rest[run_end..];
                    run_end = 0;
                    continue;
                };
                if end == run_end {
                    end += end_of(&rest[end..], |byte| *byte == b'~' || is_part_or_dot(byte));
                }
                let bytes = &rest[start..end];
                rest = &rest[end..];
                run_end = run_end.saturating_sub(end);
                return Some(Self { bytes, first });
            }
        })
    }

    /// Reads the token in it. It may begin behind other characters, such as the name of a scheme, as some verifiers have it.
    ///
    /// A run that begins as a token does is one that was meant to be read. Where a token would begin in the middle of a word,
    /// that may be chance: then it counts only if it can be read.
    ///
    /// What stands behind the last tilde may be a proof that the holder has a key, which presents nothing, or another token.
    pub(crate) fn read(&self, token: &impl Fn(&[u8]) -> Identity) -> Identity {
        let mut found = self.read_first(token);
        if let Some(last) = self.bytes.iter().rposition(|byte| *byte == b'~') {
            for run in Self::all(&self.bytes[last + 1..]) {
                let behind = run.read_first(token);
                if behind.credential().is_some_and(|credential| credential.len() > 0) {
                    found.merge(behind);
                }
            }
        }
        found
    }

    fn read_first(&self, token: &impl Fn(&[u8]) -> Identity) -> Identity {
        let (mut found, mut problem) = (Identity::Anonymous, Identity::Anonymous);
        let mut tried = 0;
        for start in 0..self.first {
            if !begins_as_object(&self.bytes[start..self.first]) {
                continue;
            }
            if tried == MOST_STARTS {
                found.merge(Identity::Unreadable(
                    "there are too many places where the token may begin",
                ));
                return found;
            }
            tried += 1;
            let is_meant = start == 0 || !is_word(self.bytes[start - 1]);
            let read = if matches!(found, Identity::Anonymous) {
                token(&self.bytes[start..])
            } else {
                header_alone(&self.bytes[start..self.first], token)
            };
            match read {
                Identity::Unreadable(why) => {
                    if is_meant {
                        problem = Identity::Unreadable(why);
                    }
                }
                // By chance a word may also have a piece of JSON in it.
                Identity::Partial(credential, _) if !is_meant && credential.len() == 0 => {}
                Identity::Partial(mut credential, why) => {
                    // The header states no time, and takes none away.
                    if let Some(known) = found.credential() {
                        credential.set_issued_at(known.issued_at());
                    }
                    found.merge(Identity::Partial(credential, why));
                }
                read => return read,
            }
        }
        match found {
            Identity::Anonymous => problem,
            found => found,
        }
    }
}

/// Reads the header of a token whose other parts were read: if it begins further on, it is another header, of another key.
#[cold]
fn header_alone(header: &[u8], token: &impl Fn(&[u8]) -> Identity) -> Identity {
    if header.len() > LONGEST_HEADER {
        return Identity::Unreadable("token header is longer than 32 KiB");
    }
    with_buffer(header.len() + 2, |text| {
        text[..header.len()].copy_from_slice(header);
        text[header.len()..].fill(b'.');
        token(text)
    })
}

/// Where the first token of a run begins and ends, and how long its first part is. Others may stand in front of it and behind it, with
/// dots between: verifiers look for a scheme anywhere, and some end a token at what is not of its alphabet.
fn find(run: &[u8]) -> Option<(usize, usize, usize)> {
    let mut start = 0;
    loop {
        let first = end_of(&run[start..], |byte| *byte != b'.');
        let part = &run[start..start + first];
        if (0..first).any(|at| begins_as_object(&part[at..])) {
            let behind = start + first;
            let dots = run[behind..].iter().enumerate().filter(|(_, byte)| **byte == b'.');
            let mut dots = dots.map(|(at, _)| behind + at).take(5);
            let known = [dots.next(), dots.next(), dots.next(), dots.next(), dots.next()];
            match known {
                // Three parts, or five.
                [Some(_), Some(_), None, ..] | [_, _, _, Some(_), None] => return Some((start, run.len(), first)),
                [_, _, Some(third), ..] => return Some((start, third, first)),
                _ => {}
            }
        }
        start += first + 1;
        if start > run.len() {
            return None;
        }
    }
}

fn end_of(text: &[u8], is_inside: impl Fn(&u8) -> bool) -> usize {
    text.iter().position(|byte| !is_inside(byte)).unwrap_or(text.len())
}

/// Whether it may stand in a token: the alphabets of base64url and base64, what pads them, and the dot between parts.
const fn is_part_or_dot(byte: &u8) -> bool {
    is_word(*byte) || matches!(byte, b'+' | b'/' | b'=' | b'.')
}

/// Whether it may stand in a token as it has to be written.
const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Whether a part decodes to what begins as a JSON object. It looks at a few characters alone, so that all places of a text can be
/// tried.
fn begins_as_object(part: &[u8]) -> bool {
    let (mut bits, mut count) = (0_u32, 0);
    let mut is_open = false;
    for byte in part.iter().take(LOOKED_AT) {
        let Some(sextet) = sextet(*byte) else { return false };
        bits = (bits << 6) | sextet;
        count += 6;
        if count < 8 {
            continue;
        }
        count -= 8;
        match ((bits >> count) & 0xff) as u8 {
            b'"' | b'}' | b' ' | b'\t' | b'\n' | b'\r' if is_open => return true,
            b'{' if !is_open => is_open = true,
            // There are verifiers that read on behind a byte order mark.
            b' ' | b'\t' | b'\n' | b'\r' | 0xef | 0xbb | 0xbf if !is_open => {}
            _ => return false,
        }
    }
    false
}

/// The six bits of a digit of either alphabet.
fn sextet(byte: u8) -> Option<u32> {
    let standard = match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    };
    base64_digit(standard).map(u32::from)
}

/// How many characters of a part are looked at: twelve bytes.
const LOOKED_AT: usize = 16;

/// The longest header that is looked at apart, in bytes.
const LONGEST_HEADER: usize = 32 * 1024;

/// How often a run is read, so that reading it takes linear time.
const MOST_STARTS: usize = 8;

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::*;

    fn runs(text: &str) -> Vec<String> {
        TokenRun::all(text.as_bytes())
            .map(|run| String::from_utf8_lossy(run.bytes).into_owned())
            .collect()
    }

    #[test]
    fn what_begins_as_an_object_is_told_from_what_does_not() {
        for json in ["{}", r#"{"a":1}"#, "{ ", "{\n", " \t\r\n{\"", "\u{feff}{\""] {
            for part in [STANDARD.encode(json), URL_SAFE_NO_PAD.encode(json)] {
                assert!(begins_as_object(part.as_bytes()), "{json:?}");
            }
        }
        for text in ["", "[", "{", "{'", "\"{\"", "a{}", "\0{}", "   "] {
            assert!(!begins_as_object(URL_SAFE_NO_PAD.encode(text).as_bytes()), "{text:?}");
        }
        for text in ["e", "ey", "report", "keyJ", "eyc", "e3", "=eyJ", ".eyJ"] {
            assert!(!begins_as_object(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_run_ends_where_no_token_goes_on() {
        assert_eq!(runs("e30.e30.x"), ["e30.e30.x"]);
        assert_eq!(
            runs(r#"token="e30.e30.x";e30.e30.y*e30.e30.z"#),
            ["e30.e30.x", "e30.e30.y", "e30.e30.z"]
        );
        assert_eq!(runs("~e30.e30.x~a~b.c.d,"), ["e30.e30.x~a~b.c.d"]);
        assert_eq!(runs("a.b~e30.e30."), ["e30.e30."]);
        // Others in front and behind, with dots between.
        assert_eq!(runs("e30.e30.e30.e30"), ["e30.e30.e30"]);
        for text in [".e30.e30.x", "x.e30.e30.x", "a.b.e30.e30.x"] {
            assert_eq!(runs(text), ["e30.e30.x"], "{text}");
        }
        assert_eq!(runs("e30.e30.x=.y"), ["e30.e30.x="]);
        assert_eq!(runs("e30.e30.x.y.z.e30.e30.w"), ["e30.e30.x", "e30.e30.w"]);
        assert_eq!(runs("e30.a.b.c.d"), ["e30.a.b.c.d"]);
        let none: [String; 0] = [];
        for text in ["", ".", "..", "e30", "e30.e30", "realm.of.digest"] {
            assert_eq!(runs(text), none, "{text}");
        }
    }

    #[test]
    fn a_token_is_found_behind_other_characters_and_chance_is_no_token() {
        let read = |token: &[u8]| match token.ends_with(b"good") && token.starts_with(b"e30.") {
            true => Identity::Presented(crate::model::credential::Credential::new()),
            false => Identity::Unreadable("no"),
        };
        let all = |text: &str| {
            let mut found = TokenRun::all(text.as_bytes()).map(|run| run.read(&read));
            found.next().unwrap_or_default()
        };
        for text in [
            "e30.a.good",
            "Bearere30.a.good",
            "=e30.a.good",
            "eyJxxe30.a.good",
            "token=e30.a.good",
        ] {
            assert!(matches!(all(text), Identity::Presented(_)), "{text}");
        }
        assert!(matches!(all("MonkeyJack.example.com"), Identity::Anonymous));
        assert!(matches!(all("=e30.a.bad"), Identity::Unreadable(_)));
        let many = format!("{}e30.a.good", "eyJ".repeat(9));
        assert!(matches!(all(&many), Identity::Unreadable(_)), "it is not passed over");
    }
}
