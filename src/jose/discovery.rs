//! Where an issuer's metadata say that its keys are.

use std::error::Error;
use std::fmt;

use http::Uri;
use serde::Deserialize;

use crate::format::object::Object;

/// Which document names the address of an issuer's keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Discovery {
    /// `ISSUER/.well-known/openid-configuration` ([OpenID Connect Discovery 1.0
    /// §4](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig)).
    OpenIdConnect,
    /// `/.well-known/oauth-authorization-server`, between the issuer's host and its path
    /// ([RFC 8414 §3](https://www.rfc-editor.org/rfc/rfc8414#section-3)).
    OAuth,
    /// `/.well-known/ssf-configuration`, between the issuer's host and its path ([Shared Signals Framework 1.0
    /// §7.2](https://openid.net/specs/openid-sharedsignals-framework-1_0-final.html)).
    SharedSignals,
    /// `/.well-known/sse-configuration`, between the issuer's host and its path: as Shared Signals was called before.
    SharedSignalsAndEvents,
}

impl Discovery {
    /// Returns the document's address.
    pub(super) fn address(self, issuer: &str) -> Result<Uri, NoSuchAddress> {
        let malformed = || NoSuchAddress {
            field: "issuer",
            problem: "is not an absolute URL of http or https, without query and fragment",
        };
        let parsed: Uri = issuer.parse().map_err(|_| malformed())?;
        let (Some(scheme), Some(authority)) = (parsed.scheme_str(), parsed.authority()) else {
            return Err(malformed());
        };
        // `Uri` drops a fragment without a word.
        if !matches!(scheme, "http" | "https") || issuer.contains(['?', '#']) {
            return Err(malformed());
        }
        let path = parsed.path().trim_end_matches('/');
        let address = match self {
            Self::OpenIdConnect => format!("{scheme}://{authority}{path}/.well-known/openid-configuration"),
            Self::OAuth => format!("{scheme}://{authority}/.well-known/oauth-authorization-server{path}"),
            Self::SharedSignals => format!("{scheme}://{authority}/.well-known/ssf-configuration{path}"),
            Self::SharedSignalsAndEvents => format!("{scheme}://{authority}/.well-known/sse-configuration{path}"),
        };
        address.parse().map_err(|_| malformed())
    }
}

/// Reads where the keys of `issuer` are in its metadata.
///
/// The metadata have to name the issuer to the letter (RFC 8414 §3.3): else another issuer of the same host could name his own keys. An
/// issuer of https has its keys at an address of https.
pub(super) fn read_jwks_uri(body: &[u8], issuer: &str) -> Result<Uri, NoSuchAddress> {
    let invalid = |field, problem| Err(NoSuchAddress { field, problem });
    let Ok(Object::<IssuerMetadata>(metadata)) = serde_json::from_slice(body) else {
        return invalid("metadata", "is not a readable JSON object");
    };
    if metadata.issuer.as_deref() != Some(issuer) {
        return invalid("metadata.issuer", "is not the expected issuer");
    }
    let Some(jwks_uri) = metadata.jwks_uri else {
        return invalid("metadata.jwks_uri", "is missing");
    };
    let uri = jwks_uri.parse::<Uri>().ok().filter(|uri| uri.authority().is_some());
    let Some(uri) = uri else {
        return invalid("metadata.jwks_uri", "is not an absolute URL");
    };
    match (issuer.starts_with("https:"), uri.scheme_str()) {
        (_, Some("https")) | (false, Some("http")) => Ok(uri),
        (true, Some("http")) => invalid("metadata.jwks_uri", "is not of https, as the issuer is"),
        _ => invalid("metadata.jwks_uri", "is neither of http nor of https"),
    }
}

/// Why there is no address of keys.
#[derive(Debug)]
pub struct NoSuchAddress {
    field: &'static str,
    problem: &'static str,
}

impl fmt::Display for NoSuchAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.problem)
    }
}

impl Error for NoSuchAddress {}

#[derive(Deserialize)]
struct IssuerMetadata {
    issuer: Option<String>,
    jwks_uri: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_document_has_its_own_address() {
        for (discovery, issuer, address) in [
            (
                Discovery::OpenIdConnect,
                "https://a.example",
                "https://a.example/.well-known/openid-configuration",
            ),
            (
                Discovery::OpenIdConnect,
                "https://a.example/",
                "https://a.example/.well-known/openid-configuration",
            ),
            (
                Discovery::OpenIdConnect,
                "http://a.example:8080/realms/acme",
                "http://a.example:8080/realms/acme/.well-known/openid-configuration",
            ),
            (
                Discovery::OAuth,
                "https://a.example/realms/acme",
                "https://a.example/.well-known/oauth-authorization-server/realms/acme",
            ),
            (
                Discovery::SharedSignals,
                "https://a.example/realms/acme",
                "https://a.example/.well-known/ssf-configuration/realms/acme",
            ),
            (
                Discovery::SharedSignalsAndEvents,
                "https://a.example",
                "https://a.example/.well-known/sse-configuration",
            ),
        ] {
            assert_eq!(discovery.address(issuer).unwrap(), address);
        }
        for issuer in [
            "",
            "a.example",
            "/realms",
            "ftp://a.example",
            "https://a.example?x",
            "https://a.example#x",
            "https://",
        ] {
            assert!(Discovery::OpenIdConnect.address(issuer).is_err(), "{issuer}");
        }
    }

    #[test]
    fn the_metadata_of_another_issuer_name_no_keys() {
        const ISSUER: &str = "https://a.example";
        let read = |body: &str| read_jwks_uri(body.as_bytes(), ISSUER).map_err(|error| error.to_string());
        let with = |issuer: &str, uri: &str| read(&format!(r#"{{"issuer":"{issuer}","jwks_uri":"{uri}","more":[1]}}"#));
        assert_eq!(
            with(ISSUER, "https://keys.example/jwks").unwrap(),
            "https://keys.example/jwks"
        );
        for issuer in ["https://a.example/", "https://A.example", "http://a.example", ""] {
            let refused = with(issuer, "https://a.example/jwks").unwrap_err();
            assert_eq!(refused, "metadata.issuer is not the expected issuer");
        }
        for (uri, problem) in [
            (
                "http://a.example/jwks",
                "metadata.jwks_uri is not of https, as the issuer is",
            ),
            ("/jwks", "metadata.jwks_uri is not an absolute URL"),
            (
                "ftp://a.example/jwks",
                "metadata.jwks_uri is neither of http nor of https",
            ),
        ] {
            assert_eq!(with(ISSUER, uri).unwrap_err(), problem);
        }
        assert_eq!(
            read(r#"{"issuer":"https://a.example"}"#).unwrap_err(),
            "metadata.jwks_uri is missing"
        );
        for body in [
            "",
            "[]",
            r#"["https://a.example","https://a.example/jwks"]"#,
            r#"{"issuer":7}"#,
        ] {
            assert_eq!(read(body).unwrap_err(), "metadata is not a readable JSON object");
        }
        let of_http = br#"{"issuer":"http://a.example","jwks_uri":"http://a.example/jwks"}"#;
        assert!(read_jwks_uri(of_http, "http://a.example").is_ok());
    }
}
