//! A place in a request where tokens are.

use http::header::{COOKIE, SEC_WEBSOCKET_PROTOCOL};
use http::{HeaderMap, HeaderName, Uri};

use crate::identify::authorization::Authorization;
use crate::identify::cookies::{self, CookiePlace};
use crate::identify::parameters;
use crate::identify::protocols::Protocols;
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
                    for (value, place) in cookies::values(header.as_bytes(), name) {
                        match place {
                            CookiePlace::OfItsOwn => unescape(value, MEANT, token, found),
                            CookiePlace::InAnother => unescape(value, &[], token, found),
                        }
                    }
                }
            }
            Self::Header(name, markers) if name == SEC_WEBSOCKET_PROTOCOL => {
                Protocols { markers }.read(&headers.get_all(name), token, found);
            }
            Self::Header(name, schemes) => {
                for value in headers.get_all(name) {
                    Authorization { schemes }.read(value.as_bytes(), token, found);
                }
            }
            Self::Query(name) => {
                let query = uri.query().unwrap_or_default();
                parameters::values(query, name).for_each(|value| unescape(value, MEANT, token, found));
            }
        }
    }
}

fn unescape(value: Unescaped<'_>, schemes: &[&str], token: &impl Fn(&[u8]) -> Identity, found: &mut Identity) {
    value.with(|value| Authorization { schemes }.read(value, token, found));
}

/// The schemes of a value that is meant to be a token, perhaps behind one.
const MEANT: &[&str] = &["", "Bearer"];
