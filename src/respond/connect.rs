//! What has to be known of Connect ([its protocol](https://connectrpc.com/docs/protocol)).

use bytes::{BufMut, Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method, Request, Response};

use crate::model::refusal::Refusal;

/// The content type of a stream, as its response names it.
#[derive(Clone, Debug)]
pub(crate) enum StreamType {
    Known(&'static str),
    /// Of a codec that is not the protocol's own.
    Other(Box<HeaderValue>),
}

/// Returns whether a request is a unary call: a POST that says so in a header, or a GET that says so in its query.
pub(crate) fn is_unary<B>(request: &Request<B>) -> bool {
    match *request.method() {
        Method::POST => request
            .headers()
            .get(&PROTOCOL_VERSION)
            .is_some_and(|version| version == "1"),
        Method::GET => {
            let query = request.uri().query().unwrap_or_default();
            query.split('&').any(|pair| pair == "connect=v1")
        }
        _ => false,
    }
}

/// Returns the content type that the response to a stream has to have, by the one that was asked for without its parameters;
/// `None` if the request is no stream. All streams are POSTs.
pub(crate) fn stream_type(asked: &[u8]) -> Option<StreamType> {
    if !is_stream(asked) {
        return None;
    }
    let known = KNOWN.iter().find(|known| known.as_bytes().eq_ignore_ascii_case(asked));
    Some(match known {
        Some(known) => StreamType::Known(known),
        None => StreamType::Other(Box::new(HeaderValue::from_bytes(asked).ok()?)),
    })
}

/// Returns whether a content type, without its parameters, is that of a stream.
pub(crate) fn is_stream(essence: &[u8]) -> bool {
    essence.split_at_checked(FAMILY.len()).is_some_and(|(family, codec)| {
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._+".contains(byte);
        family.eq_ignore_ascii_case(FAMILY.as_bytes()) && !codec.is_empty() && codec.iter().all(is_name)
    })
}

/// Returns the code that says why a call was refused.
pub(crate) const fn code(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Unavailable { .. } => "unavailable",
        Refusal::Withheld(_) => PERMISSION_DENIED,
        _ => UNAUTHENTICATED,
    }
}

/// Returns the body of a unary call that failed. `message` needs no escapes.
pub(crate) fn error(code: &str, message: &str) -> String {
    format!(r#"{{"code":"{code}","message":"{message}"}}"#)
}

/// Returns the last message of a stream that failed. It is never compressed, whatever those before it are.
pub(crate) fn end_stream(code: &str, message: &str) -> Bytes {
    let text = format!(r#"{{"error":{}}}"#, error(code, message));
    let mut envelope = BytesMut::with_capacity(5 + text.len());
    envelope.put_u8(END_STREAM);
    envelope.put_u32(u32::try_from(text.len()).expect("two short texts"));
    envelope.put_slice(text.as_bytes());
    envelope.freeze()
}

/// Returns the response to a stream that is refused. By any other HTTP status than 200 its clients would lose the message.
pub(crate) fn refused_stream(refusal: &Refusal, message: &str, content_type: StreamType) -> Response<Bytes> {
    let mut response = Response::new(end_stream(code(refusal), message));
    let content_type = match content_type {
        StreamType::Known(known) => HeaderValue::from_static(known),
        StreamType::Other(other) => *other,
    };
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// The content type of a unary call's error. With another one its clients look no further.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

pub(crate) const PERMISSION_DENIED: &str = "permission_denied";
const UNAUTHENTICATED: &str = "unauthenticated";

static PROTOCOL_VERSION: HeaderName = HeaderName::from_static("connect-protocol-version");

const FAMILY: &str = "application/connect+";

const KNOWN: [&str; 2] = ["application/connect+proto", "application/connect+json"];

/// The flag of a stream's last message.
pub(crate) const END_STREAM: u8 = 0x02;

#[cfg(test)]
mod tests {
    use super::*;

    fn post(name: &str, value: &str) -> Request<()> {
        Request::post("/demo.Demo/Call").header(name, value).body(()).unwrap()
    }

    #[test]
    fn knows_a_unary_call_by_its_header_or_its_query() {
        assert!(is_unary(&post("connect-protocol-version", "1")));
        assert!(!is_unary(&post("connect-protocol-version", "2")));
        assert!(!is_unary(&post("content-type", "application/json")));
        let get = |uri: &str| is_unary(&Request::get(uri).body(()).unwrap());
        assert!(get("/demo.Demo/Call?connect=v1&encoding=json&message=%7B%7D"));
        assert!(get("/demo.Demo/Call?encoding=json&connect=v1"));
        assert!(!get("/demo.Demo/Call") && !get("/demo.Demo/Call?connect=v10") && !get("/?disconnect=v1"));
        let put = Request::put("/?connect=v1").header("connect-protocol-version", "1");
        assert!(!is_unary(&put.body(()).unwrap()));
    }

    #[test]
    fn a_stream_is_answered_in_the_type_that_it_asked_for() {
        let answered = |asked: &str| {
            let response = refused_stream(&Refusal::Missing, "no", stream_type(asked.as_bytes())?);
            Some(response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned())
        };
        for (asked, expected) in [
            ("application/connect+proto", "application/connect+proto"),
            ("Application/Connect+JSON", "application/connect+json"),
            ("application/connect+thrift", "application/connect+thrift"),
        ] {
            assert_eq!(answered(asked).as_deref(), Some(expected), "{asked}");
        }
        for other in [
            "application/connect",
            "application/connect+",
            "application/connect+x,text/html",
            "application/proto",
            "application/grpc+proto",
            "",
        ] {
            assert_eq!(answered(other), None, "{other}");
        }
    }

    #[test]
    fn the_last_message_has_its_flag_its_length_and_its_error() {
        let message = end_stream(UNAUTHENTICATED, "no");
        assert_eq!(message[..5], [0x02, 0, 0, 0, 51]);
        let said: serde_json::Value = serde_json::from_slice(&message[5..]).unwrap();
        assert_eq!(
            said,
            serde_json::json!({"error": {"code": "unauthenticated", "message": "no"}})
        );
    }
}
