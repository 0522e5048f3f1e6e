//! The cookies of a request.

use crate::identify::unescaped::Unescaped;

/// Returns each value that a `Cookie` header has for a name, with its escapes and without quotes around it. The name's case counts
/// ([RFC 6265 §5.4](https://www.rfc-editor.org/rfc/rfc6265#section-5.4)).
///
/// Servers differ in what separates cookies, and in where blanks may be: a semicolon for all of them, a comma for those that follow
/// older standards, blanks for Python's `http.cookies`. A name counts behind each.
pub(crate) fn values<'c>(header: &'c [u8], name: &'c str) -> impl Iterator<Item = Unescaped<'c>> {
    header.split(|byte| matches!(byte, b';' | b',')).filter_map(|cookies| {
        let value = value(cookies, name.as_bytes())?.trim_ascii();
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        let value = value.strip_suffix(b"\"").unwrap_or(value);
        Some(Unescaped::in_cookie(value))
    })
}

/// What stands behind the name and its `=`, all of it: tokens of further cookies are found in it.
fn value<'c>(cookies: &'c [u8], name: &[u8]) -> Option<&'c [u8]> {
    let mut rest = cookies.trim_ascii_start();
    loop {
        if let Some(behind) = rest.strip_prefix(name)
            && let Some(value) = behind.trim_ascii_start().strip_prefix(b"=")
        {
            return Some(value);
        }
        let end = rest.iter().position(u8::is_ascii_whitespace)?;
        rest = rest[end..].trim_ascii_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_the_name_is_found() {
        let header = br#"a=1; s=2;s = "3" ;ss=4; xs=5; S=6, s=7; b="x; s=8"; c=1 s=9 s=10; s; s=; s=%2E"#;
        let found: Vec<_> = values(header, "s")
            .map(|value| value.with(|value| String::from_utf8_lossy(value).into_owned()))
            .collect();
        assert_eq!(found, ["2", "3", "7", "8", "9 s=10", "", "."]);
    }
}
