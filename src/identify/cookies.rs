//! The cookies of a request.

use crate::identify::unescaped::Unescaped;

/// Returns each value that a `Cookie` header has for a name, with its escapes and without quotes around it, and where it stands. The
/// name's case counts ([RFC 6265 §5.4](https://www.rfc-editor.org/rfc/rfc6265#section-5.4)).
///
/// Servers differ in what separates cookies, and in where blanks may be: a semicolon for all of them, a comma for those that follow
/// older standards, blanks for Python's `http.cookies`. A name counts behind each.
pub(crate) fn values<'c>(header: &'c [u8], name: &'c str) -> impl Iterator<Item = (Unescaped<'c>, CookiePlace)> {
    let mut begin = 0;
    header
        .split(|byte| matches!(byte, b';' | b','))
        .filter_map(move |text| {
            let place = match header[..begin].last() {
                Some(b',') => CookiePlace::InAnother,
                _ => CookiePlace::OfItsOwn,
            };
            begin += text.len() + 1;
            let (value, place) = value(text, name.as_bytes(), place)?;
            let value = value.trim_ascii();
            let value = value.strip_prefix(b"\"").unwrap_or(value);
            let value = value.strip_suffix(b"\"").unwrap_or(value);
            Some((Unescaped::in_cookie(value), place))
        })
}

/// Where a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CookiePlace {
    /// Behind a comma or a blank: for most servers it is a part of another cookie's value, which may hold anything.
    InAnother,
    /// Behind a semicolon, or at the beginning.
    OfItsOwn,
}

/// What stands behind the name and its `=`, all of it: tokens of further cookies are found in it. Names have escapes as well: there are
/// servers that undo them.
fn value<'c>(text: &'c [u8], name: &[u8], mut place: CookiePlace) -> Option<(&'c [u8], CookiePlace)> {
    // An escape takes three characters. Without a bound, a header of blanks would be read once for each of them.
    let longest = name.len().saturating_mul(3).saturating_add(MOST_BLANKS);
    let mut rest = text.trim_ascii_start();
    loop {
        if let Some(end) = rest.iter().take(longest).position(|byte| *byte == b'=')
            && Unescaped::in_cookie(rest[..end].trim_ascii_end()).eq(name.iter().copied())
        {
            return Some((&rest[end + 1..], place));
        }
        let end = rest.iter().position(u8::is_ascii_whitespace)?;
        rest = rest[end..].trim_ascii_start();
        place = CookiePlace::InAnother;
    }
}

/// How many blanks may stand between a name and its `=`.
const MOST_BLANKS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_the_name_is_found() {
        let header =
            br#"a=1; s=2;s = "3" ;ss=4; xs=5; S=6, s=7; b="x; s=8"; c=1 s=9 s=10; s; s=; s=%2E; %73=11; %53=12"#;
        let found: Vec<_> = values(header, "s")
            .map(|(value, place)| (value.with(|value| String::from_utf8_lossy(value).into_owned()), place))
            .collect();
        let own = |value: &str| (value.to_owned(), CookiePlace::OfItsOwn);
        let in_another = |value: &str| (value.to_owned(), CookiePlace::InAnother);
        assert_eq!(
            found,
            [
                own("2"),
                own("3"),
                in_another("7"),
                own("8"),
                in_another("9 s=10"),
                own(""),
                own("."),
                own("11")
            ]
        );
    }
}
