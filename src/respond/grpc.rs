//! What has to be known of gRPC ([its protocol](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md)) and of gRPC-Web
//! ([its own](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md)).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};

/// What a call or a stream of gRPC came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallOutcome {
    /// One of the [status codes](https://github.com/grpc/grpc/blob/master/doc/statuscodes.md).
    pub(crate) status: &'static str,
    pub(crate) message: &'static str,
}

/// Where a response states its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trailers {
    /// In HTTP's own trailers.
    Http,
    /// In a frame at the end of the body.
    WebBinary,
    /// The same, in base64.
    WebText,
}

/// Returns the content type of a gRPC or gRPC-Web request as a response names it, by the one that was asked for without its
/// parameters; `None` if the request is neither. All such requests are POSTs.
pub(crate) fn content_type(asked: &[u8]) -> Option<&'static str> {
    // Most requests are of neither.
    let family = asked.get(..GRPC.len())?;
    if !family.eq_ignore_ascii_case(GRPC.as_bytes()) {
        return None;
    }
    if let Some(known) = CONTENT_TYPES
        .iter()
        .find(|known| known.as_bytes().eq_ignore_ascii_case(asked))
    {
        return Some(known);
    }
    // A codec that nobody knows stays in its family.
    Some(match trailers_of(asked)? {
        Trailers::Http => GRPC,
        Trailers::WebBinary => GRPC_WEB,
        Trailers::WebText => GRPC_WEB_TEXT,
    })
}

/// Returns where a message of this type, without parameters, states its outcome; `None` if it is not of gRPC.
pub(crate) fn trailers_of(essence: &[u8]) -> Option<Trailers> {
    let family = essence.split(|byte| *byte == b'+').next()?;
    let is = |known: &str| family.eq_ignore_ascii_case(known.as_bytes());
    match () {
        () if is(GRPC) => Some(Trailers::Http),
        () if is(GRPC_WEB) => Some(Trailers::WebBinary),
        () if is(GRPC_WEB_TEXT) => Some(Trailers::WebText),
        () => None,
    }
}

/// Returns the content type without its parameters ([RFC 9110 §8.3.1](https://www.rfc-editor.org/rfc/rfc9110#section-8.3.1)).
pub(crate) fn essence(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(CONTENT_TYPE)?.as_bytes();
    let essence = value.split(|byte| *byte == b';').next()?;
    Some(essence.trim_ascii())
}

impl CallOutcome {
    /// States the outcome in a header of its own, or in trailers.
    pub(crate) fn state(self, headers: &mut HeaderMap) {
        headers.insert("grpc-status", HeaderValue::from_static(self.status));
        headers.insert("grpc-message", HeaderValue::from_static(self.message));
    }

    /// Returns HTTP's own trailers.
    pub(crate) fn trailers(self) -> HeaderMap {
        let mut trailers = HeaderMap::with_capacity(2);
        self.state(&mut trailers);
        trailers
    }

    /// Returns a frame of trailers, the last one of a gRPC-Web body; `None` where HTTP has trailers of its own.
    pub(crate) fn frame(self, trailers: Trailers) -> Option<Bytes> {
        let in_base64 = match trailers {
            Trailers::Http => return None,
            Trailers::WebBinary => false,
            Trailers::WebText => true,
        };
        let text = format!("grpc-status: {}\r\ngrpc-message: {}\r\n", self.status, self.message);
        let mut frame = BytesMut::with_capacity(5 + text.len());
        frame.put_u8(FRAME_OF_TRAILERS);
        frame.put_u32(u32::try_from(text.len()).expect("two short lines"));
        frame.put_slice(text.as_bytes());
        Some(match in_base64 {
            true => STANDARD.encode(frame).into(),
            false => frame.freeze(),
        })
    }
}

pub(crate) const PERMISSION_DENIED: &str = "7";
pub(crate) const UNAVAILABLE: &str = "14";
pub(crate) const UNAUTHENTICATED: &str = "16";

const GRPC: &str = "application/grpc";
const GRPC_WEB: &str = "application/grpc-web";
const GRPC_WEB_TEXT: &str = "application/grpc-web-text";

pub(crate) const FRAME_OF_TRAILERS: u8 = 0x80;

const CONTENT_TYPES: [&str; 9] = [
    GRPC,
    "application/grpc+proto",
    "application/grpc+json",
    GRPC_WEB,
    "application/grpc-web+proto",
    "application/grpc-web+json",
    GRPC_WEB_TEXT,
    "application/grpc-web-text+proto",
    "application/grpc-web-text+json",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_grpc_by_its_content_type() {
        let ask = |kind: &'static str| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
            content_type(essence(&headers).unwrap())
        };
        for (asked, answered) in [
            ("application/grpc", GRPC),
            ("application/grpc+proto", "application/grpc+proto"),
            ("application/grpc+thrift", GRPC),
            ("Application/gRPC-Web+JSON", "application/grpc-web+json"),
            (
                "application/grpc-web+proto; charset=utf-8",
                "application/grpc-web+proto",
            ),
            ("application/grpc-web-text ;x=y", GRPC_WEB_TEXT),
            ("application/grpc-web+thrift", GRPC_WEB),
        ] {
            assert_eq!(ask(asked), Some(answered), "{asked}");
        }
        assert_eq!(ask("application/json"), None);
        assert_eq!(ask("application/grpcx"), None);
        assert_eq!(ask(""), None);
        assert_eq!(essence(&HeaderMap::new()), None);
    }

    #[test]
    fn grpc_web_has_its_trailers_in_the_body() {
        let trailers_in = |kind: &'static str| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
            trailers_of(essence(&headers).unwrap())
        };
        for kind in [
            "application/grpc",
            "application/grpc+proto",
            "application/grpc;x=y",
            "Application/GRPC",
        ] {
            assert_eq!(trailers_in(kind), Some(Trailers::Http), "{kind}");
        }
        assert_eq!(trailers_in("application/grpc-web+proto"), Some(Trailers::WebBinary));
        assert_eq!(trailers_in("application/grpc-web-text"), Some(Trailers::WebText));
        assert_eq!(trailers_in("application/grpcx"), None);
        assert_eq!(trailers_in("text/plain"), None);
    }

    #[test]
    fn a_frame_has_its_flag_its_length_and_its_lines() {
        let outcome = CallOutcome {
            status: UNAUTHENTICATED,
            message: "no",
        };
        let frame = outcome.frame(Trailers::WebBinary).unwrap();
        assert_eq!(&frame[..5], [0x80, 0, 0, 0, 35]);
        assert_eq!(&frame[5..], b"grpc-status: 16\r\ngrpc-message: no\r\n");
        assert_eq!(
            STANDARD.decode(outcome.frame(Trailers::WebText).unwrap()).unwrap(),
            frame
        );
    }
}
