//! What a log's digests are made of.

use sha2::{Digest, Sha256};

use crate::format::revocation::member_tree::{MemberValue, Members};
use crate::model::log_place::{LogDigest, LogId, LogPosition};

/// What an event says, as far as its log is about it.
pub(super) struct Content<'e> {
    pub(super) id: &'e str,
    pub(super) source: &'e str,
    pub(super) kind: &'e str,
    pub(super) time: &'e str,
    pub(super) data: &'e Members<'e>,
}

impl Content<'_> {
    /// Returns the log up to this message, which has number `n`.
    pub(super) fn position(&self, log: LogId, n: u64, prev: LogDigest, after: Option<LogPosition>) -> LogPosition {
        // All of it in one piece: many small updates take twice as long.
        let mut said = Vec::with_capacity(512);
        said.extend(log.to_bytes());
        said.extend(n.to_be_bytes());
        said.extend(prev.to_bytes());
        said.push(u8::from(after.is_some()));
        if let Some(LogPosition { log, n, digest }) = after {
            said.extend(log.to_bytes());
            said.extend(n.to_be_bytes());
            said.extend(digest.to_bytes());
        }
        for text in [self.id, self.source, self.kind, self.time] {
            said.extend((text.len() as u64).to_be_bytes());
            said.extend(text.as_bytes());
        }
        write_members(self.data, &mut said);
        let hash: [u8; 32] = Sha256::digest(&said).into();
        let mut digest = [0; 16];
        digest.copy_from_slice(&hash[..16]);
        LogPosition {
            log,
            n,
            digest: LogDigest::from_bytes(digest),
        }
    }
}

/// Writes an object as [RFC 8785](https://www.rfc-editor.org/rfc/rfc8785) does, but for numbers, which the format does not have: members in
/// the order of their names' UTF-16 units (§3.2.3), without blanks. For texts, serde's way of writing is the same (§3.2.2.2).
fn write_members(members: &Members<'_>, to: &mut Vec<u8>) {
    to.push(b'{');
    let mut is_first = true;
    members.each_in_order(|name, value| {
        if !std::mem::replace(&mut is_first, false) {
            to.push(b',');
        }
        write_text(name, to);
        to.push(b':');
        write_canonical(value, to);
    });
    to.push(b'}');
}

fn write_canonical(value: &MemberValue<'_>, to: &mut Vec<u8>) {
    match value {
        MemberValue::Object(members) => write_members(members, to),
        MemberValue::Array(values) => {
            to.push(b'[');
            for (i, value) in values.iter().enumerate() {
                if i > 0 {
                    to.push(b',');
                }
                write_canonical(value, to);
            }
            to.push(b']');
        }
        MemberValue::Text(text) => write_text(text, to),
        MemberValue::Null => to.extend(b"null"),
        MemberValue::Bool(is) => to.extend(is.to_string().as_bytes()),
        MemberValue::Number(number) => to.extend(number.to_string().as_bytes()),
    }
}

fn write_text(text: &str, to: &mut Vec<u8>) {
    serde_json::to_writer(to, text).expect("a text is written to memory");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(json: &str) -> String {
        let mut written = Vec::new();
        write_canonical(&serde_json::from_str(json).unwrap(), &mut written);
        String::from_utf8(written).unwrap()
    }

    /// The order and the texts of the examples in RFC 8785 §3.2.2 and §3.2.3.
    #[test]
    fn it_is_written_as_the_rfc_says() {
        assert_eq!(
            canonical(r#"{"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null, true, false]}"#),
            r#"{"literals":[null,true,false],"string":"€$\u000f\nA'B\"\\\\\"/"}"#
        );
        assert_eq!(
            canonical(
                r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#
            ),
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\
             \"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}"
        );
    }

    #[test]
    fn whatever_differs_has_another_digest() {
        let data = Members::default();
        let of = |id, source, n, after| {
            let content = Content {
                id,
                source,
                kind: "type",
                time: "time",
                data: &data,
            };
            content
                .position(LogId::from_bytes([1; 16]), n, LogDigest::default(), after)
                .digest
        };
        let other = Some(LogPosition::beginning(LogId::from_bytes([2; 16])));
        let digests = [
            of("ab", "c", 1, None),
            of("a", "bc", 1, None),
            of("ab", "c", 2, None),
            of("ab", "c", 1, other),
        ];
        for (i, digest) in digests.iter().enumerate() {
            assert!(!digests[..i].contains(digest), "{i}");
        }
    }
}
