//! Where another service is.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use http::uri::{Authority, PathAndQuery, Scheme, Uri};

/// The base of another service's URLs.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    authority: Authority,
    /// Without a slash at its end.
    prefix: String,
}

impl Base {
    /// A service on this machine.
    pub(crate) fn local(address: SocketAddr) -> Self {
        let authority = Authority::try_from(address.to_string()).expect("a socket address is an authority");
        Self {
            authority,
            prefix: String::new(),
        }
    }

    /// The URL of `path` (with its query, if any) below this base. `None` for what is no path, such as `*`.
    pub(crate) fn join(&self, path: &str) -> Option<Uri> {
        if !path.starts_with('/') {
            return None;
        }
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(PathAndQuery::try_from(format!("{}{path}", self.prefix)).ok()?);
        Uri::from_parts(parts).ok()
    }

    /// Its scheme, host and port.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.authority)
    }
}

impl FromStr for Base {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let uri = text.parse::<Uri>().map_err(|error| format!("not a URL: {error}"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err("this example speaks no TLS: name an http:// URL".into()),
            _ => return Err("expected an http:// URL, such as http://127.0.0.1:9000".into()),
        }
        let parts = uri.into_parts();
        let authority = parts.authority.ok_or("a URL without a host")?;
        if authority.as_str().contains('@') {
            return Err("user and password do not belong in this URL".into());
        }
        let path = parts.path_and_query.map_or_else(String::new, |path| path.to_string());
        if path.contains('?') {
            return Err("a query does not belong in this URL".into());
        }
        Ok(Self {
            authority,
            prefix: path.trim_end_matches('/').to_owned(),
        })
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.prefix)
    }
}
