//! A place in a request where tokens are.

use http::header::COOKIE;
use http::{HeaderMap, HeaderName, Uri};

use crate::identify::authorization::Authorization;
use crate::identify::cookies;
use crate::identify::parameters;
use crate::identify::unescaped::Unescaped;
use crate::model::credential::Identity;

/// A place in a request where tokens are.
#[derive(Clone, Debug)]
pub(crate) enum TokenPlace {
    /// The cookies of this name.
    Cookie(String),
    /// A header, and the schemes that are asked for in it.
    Header(HeaderName, Vec<String>),
    /// The parameters of this name in the query.
    Query(String),
}

impl TokenPlace {
    /// Returns the schemes that are asked for, if it is a header.
    pub(crate) const fn schemes(&mut self) -> Option<&mut Vec<String>> {
        match self {
            Self::Header(_, schemes) => Some(schemes),
            Self::Cookie(_) | Self::Query(_) => None,
        }
    }

    /// Reads all tokens there, each by `token`, and adds what they present.
    pub(crate) fn read(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        token: &impl Fn(&[u8]) -> Identity,
        found: &mut Identity,
    ) {
        match self {
            Self::Cookie(name) => {
                for header in headers.get_all(COOKIE) {
                    cookies::values(header.as_bytes(), name).for_each(|value| unescape(value, token, found));
                }
            }
            Self::Header(name, schemes) => {
                for value in headers.get_all(name) {
                    Authorization { schemes }.read(value.as_bytes(), token, found);
                }
            }
            Self::Query(name) => {
                let query = uri.query().unwrap_or_default();
                parameters::values(query, name).for_each(|value| unescape(value, token, found));
            }
        }
    }
}

/// Reads a value that is a token, perhaps behind a scheme.
fn unescape(value: Unescaped<'_>, token: &impl Fn(&[u8]) -> Identity, found: &mut Identity) {
    let schemes = &["", "Bearer"];
    value.with(|value| Authorization { schemes }.read(value, token, found));
}
