//! The protocols that a WebSocket is opened with, and the tokens among them.

use std::cell::Cell;

use http::HeaderValue;
use http::header::GetAll;

use crate::identify::authorization::{anywhere, is_one_of, meant, words};
use crate::identify::token::encoding::with_decoded;
use crate::model::credential::Identity;

/// Reads `Sec-WebSocket-Protocol`: one list, on however many lines it stands ([RFC 6455
/// §11.3.4](https://www.rfc-editor.org/rfc/rfc6455#section-11.3.4)).
///
/// Beside the token and the marker there are the protocols that a page speaks, in any order. So a list with a marker is unreadable
/// only if nothing in it is a token.
pub(crate) struct Protocols<'s, S> {
    /// With an empty one, something in the list is meant to be a token also without a marker.
    pub(crate) markers: &'s [S],
}

impl<S: AsRef<str>> Protocols<'_, S> {
    /// Reads all lines, each token in them by `token`, and adds what they present. Linear in time. Allocates only for a token over 4 KB
    /// that is encoded once more.
    pub(crate) fn read(
        &self,
        lines: &GetAll<'_, HeaderValue>,
        token: &impl Fn(&[u8]) -> Identity,
        found: &mut Identity,
    ) {
        let has_token = Cell::new(false);
        let token = &|text: &[u8]| {
            let read = token(text);
            // Another issuer's, which is anonymous, was read as well.
            if matches!(read, Identity::Anonymous | Identity::Presented(_)) {
                has_token.set(true);
            }
            read
        };
        let is_marker = |word: &[u8]| is_one_of(self.markers, word);
        let protocols = || {
            let words = lines.iter().flat_map(|line| words(line.as_bytes()));
            words.map(|(word, _)| word).filter(|word| !word.is_empty())
        };
        let is_marked = protocols().any(|word| is_marker(b"") || is_marker(word));
        let mut unread = Identity::Anonymous;
        for word in protocols().filter(|word| !is_marker(word)) {
            if let Some(encoded) = of_kubernetes(word) {
                if let Err(problem) = with_decoded(encoded, |text| meant(text, token, found)) {
                    found.merge(Identity::Unreadable(problem));
                    anywhere(encoded, token, found);
                }
            } else if is_marked {
                let read = token(word);
                let is_whole = matches!(read, Identity::Anonymous | Identity::Presented(_));
                if is_whole || read.credential().is_some_and(|read| read.len() > 0) {
                    found.merge(read);
                } else {
                    unread.merge(read);
                }
                if !is_whole {
                    anywhere(word, token, found);
                }
            } else {
                anywhere(word, token, found);
            }
        }
        if is_marked && !has_token.get() {
            unread.merge(Identity::Unreadable("there is no token among the protocols"));
            found.merge(unread);
        }
    }
}

/// The token in a protocol of Kubernetes, encoded once more in base64url
/// ([apiserver](https://pkg.go.dev/k8s.io/apiserver/pkg/authentication/request/websocket)).
fn of_kubernetes(protocol: &[u8]) -> Option<&[u8]> {
    let (prefix, encoded) = protocol.split_at_checked(KUBERNETES.len())?;
    prefix.eq_ignore_ascii_case(KUBERNETES).then_some(encoded)
}

const KUBERNETES: &[u8] = b"base64url.bearer.authorization.k8s.io.";
