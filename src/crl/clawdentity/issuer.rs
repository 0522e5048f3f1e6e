//! Whose list is expected.

use crate::format::clawdentity::{agent_did, is_ulid};

/// Who has to have signed a list, and whose agents the list may name.
#[derive(Clone, Debug)]
pub(super) struct ClawdentityIssuer {
    /// What `iss` has to be, to the letter.
    pub(super) name: String,
    /// Its host, which is the authority of all its agents.
    host: String,
    /// What the DIDs of its agents begin with; `None` if no DID can have that host.
    did_prefix: Option<String>,
}

impl ClawdentityIssuer {
    /// Returns `None` if `name` is not an HTTP URL.
    pub(super) fn new(name: &str) -> Option<Self> {
        let host = host(name)?;
        let did_prefix = format!("did:cdi:{host}:agent:");
        let is_possible = agent_did(&format!("{did_prefix}{SMALLEST_ULID}")).is_ok();
        Some(Self {
            name: name.to_owned(),
            did_prefix: is_possible.then_some(did_prefix),
            host,
        })
    }

    /// Checks that `did` names an agent of this issuer. An error is in words that follow the field's name.
    pub(super) fn check_agent(&self, did: &str) -> Result<(), &'static str> {
        let known = self.did_prefix.as_deref();
        // All DIDs of a list begin alike. Without this, a list of a million entries takes 1.1 times the CPU time.
        if known.and_then(|prefix| did.strip_prefix(prefix)).is_some_and(is_ulid) {
            return Ok(());
        }
        if agent_did(did)? == self.host {
            Ok(())
        } else {
            Err("names another authority than the issuer's host")
        }
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

/// Any ULID will do.
const SMALLEST_ULID: &str = "00000000000000000000000000";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_wrong_with_an_agent() {
        let check = |issuer, did| ClawdentityIssuer::new(issuer).unwrap().check_agent(did);
        let ours = "did:cdi:a.b:agent:01KDVDNA03XJ61A46WBY7B0EGN";
        assert_eq!(check("https://a.b", ours), Ok(()));
        assert!(check("https://c.d", ours).unwrap_err().contains("another authority"));
        assert!(
            check("https://a.b", &ours[..ours.len() - 1])
                .unwrap_err()
                .contains("ULID")
        );
        // A host that no DID can have has no agents, whatever they begin with.
        let local = ours.replace("a.b", "localhost");
        assert!(check("https://localhost", &local).unwrap_err().contains("two labels"));
    }

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
