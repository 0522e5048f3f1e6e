//! Challenges in the refusals of HTTP.

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};

use crate::model::challenge::Challenge;
use crate::model::refusal::Refusal;
use crate::respond::problem::detail;

/// Writes challenges into a refusal, if it is a 401 that has none: it has to have one
/// ([RFC 9110 §15.5.2](https://www.rfc-editor.org/rfc/rfc9110#section-15.5.2)).
///
/// Each is a field of its own, and not an item of one list: items are separated by commas as their parameters are, and there are
/// clients that take a field for one challenge, or read the first field alone. So those of the scheme that was presented come first,
/// and they alone have the error. If the credential came otherwise than in `Authorization`, the first one has it.
pub(crate) fn add<A, B>(response: &mut Response<B>, request: &Request<A>, refusal: &Refusal, challenges: &[Challenge]) {
    if response.status() != StatusCode::UNAUTHORIZED || response.headers().contains_key(WWW_AUTHENTICATE) {
        return;
    }
    let headers = response.headers_mut();
    if !matches!(refusal, Refusal::Revoked(_) | Refusal::Unreadable { .. }) {
        append(headers, challenges.iter().map(Challenge::to_header_value));
        return;
    }
    let names = |challenge: &&Challenge| is_presented(request.headers(), challenge.scheme());
    let (mut presented, mut others): (Vec<_>, Vec<_>) = challenges.iter().partition(names);
    if presented.is_empty() && !others.is_empty() {
        presented.push(others.remove(0));
    }
    append(
        headers,
        presented
            .into_iter()
            .map(|challenge| challenge.with_error(detail(refusal))),
    );
    append(headers, others.into_iter().map(Challenge::to_header_value));
}

fn append(headers: &mut HeaderMap, values: impl Iterator<Item = HeaderValue>) {
    for value in values {
        headers.append(WWW_AUTHENTICATE, value);
    }
}

/// Whether a request has credentials of that scheme, read as generously as tokens are.
fn is_presented(headers: &HeaderMap, scheme: &str) -> bool {
    let values = headers.get_all(AUTHORIZATION).into_iter();
    values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|part| {
            let mut words = part
                .split(|byte| !byte.is_ascii_graphic())
                .filter(|word| !word.is_empty());
            words
                .next()
                .is_some_and(|word| word.eq_ignore_ascii_case(scheme.as_bytes()))
        })
}
