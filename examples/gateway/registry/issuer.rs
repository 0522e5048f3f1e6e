//! The issuer's name.

use std::net::Ipv4Addr;

use http::Uri;

/// Any http or https URL; kept as it is written, since it is compared with `iss` to the letter.
pub(crate) fn issuer(text: &str) -> Result<String, String> {
    let uri = text.parse::<Uri>().map_err(|error| format!("not a URL: {error}"))?;
    match (uri.scheme_str(), uri.authority()) {
        (Some("http" | "https"), Some(authority)) if !authority.as_str().contains('@') => Ok(text.to_owned()),
        _ => Err(format!("expected the URL of an issuer, such as {DEFAULT_ISSUER}")),
    }
}

/// The host that the issuer names in its agents' DIDs. Only a DNS name with a dot will do, as upstream.
pub(crate) fn did_authority(issuer: &str) -> Option<String> {
    let issuer = issuer.parse::<Uri>().ok()?;
    let host = issuer.host()?.to_ascii_lowercase();
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_name = host.parse::<Ipv4Addr>().is_err() && host.contains('.') && host.split('.').all(is_label);
    is_name.then_some(host)
}

/// A name that is nobody's ([RFC 2606](https://www.rfc-editor.org/rfc/rfc2606)).
pub(crate) const DEFAULT_ISSUER: &str = "https://registry.example.com";
