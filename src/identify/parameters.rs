//! The parameters of a query.

use crate::identify::unescaped::Unescaped;

/// Returns each value that a query has for a parameter, with its escapes. The name is compared without them; its case counts.
///
/// A semicolon separates as well, as it does for some servers.
pub(crate) fn values<'q>(query: &'q str, name: &'q str) -> impl Iterator<Item = Unescaped<'q>> {
    query
        .as_bytes()
        .split(|byte| matches!(byte, b'&' | b';'))
        .filter_map(|parameter| {
            let end = parameter.iter().position(|byte| *byte == b'=')?;
            let is_named = Unescaped::in_query(&parameter[..end]).eq(name.bytes());
            is_named.then(|| Unescaped::in_query(&parameter[end + 1..]))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_the_name_is_found() {
        let found: Vec<_> = values("t=1&T=2&a%74=3&%74=4&t&=5&t==6;t=7&tt=8&t=", "t")
            .map(|value| value.with(|value| String::from_utf8_lossy(value).into_owned()))
            .collect();
        assert_eq!(found, ["1", "4", "=6", "7", ""]);
    }
}
