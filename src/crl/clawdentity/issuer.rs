//! Whose list is expected.

/// Who has to have signed a list, and whose agents it may name.
#[derive(Clone, Debug)]
pub(super) struct Issuer {
    /// What `iss` has to be, to the letter.
    pub(super) name: String,
    /// Its host, which is the authority of all its agents.
    pub(super) host: String,
    /// What the DIDs of its agents begin with.
    pub(super) did_prefix: String,
}

impl Issuer {
    /// `None` if `name` is not an HTTP URL.
    pub(super) fn new(name: &str) -> Option<Self> {
        let host = host(name)?;
        Some(Self {
            name: name.to_owned(),
            did_prefix: format!("did:cdi:{host}:agent:"),
            host,
        })
    }
}

/// The host of an HTTP URL, in lower case, without its port; no user, no IP version 6.
fn host(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let is_http = ["http", "https"].iter().any(|http| scheme.eq_ignore_ascii_case(http));
    let authority = rest.split(['/', '?', '#']).next().filter(|_| is_http)?;
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    let is_plain = !host.is_empty() && !host.contains(['@', '[']) && port.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| host.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_host_of_an_issuer() {
        for (issuer, expected) in [
            ("https://registry.example.com", Some("registry.example.com")),
            ("HTTPS://Registry.Example.com/path", Some("registry.example.com")),
            ("http://127.0.0.1:1234", Some("127.0.0.1")),
            ("https://a.b:?x", Some("a.b")),
            ("https://", None),
            ("https://:1", None),
            ("https://u@a.b", None),
            ("https://u:1@a.b", None),
            ("https://[::1]", None),
            ("https://a.b:1:2", None),
            ("https://a.b:x", None),
            ("ftp://a.b", None),
            ("a.b", None),
            ("", None),
        ] {
            assert_eq!(host(issuer).as_deref(), expected, "{issuer}");
        }
    }
}
