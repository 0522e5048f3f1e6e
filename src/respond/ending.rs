//! How a body ends whose credential is revoked.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body::Frame;

use crate::model::last_words::{LastWords, LineState};
use crate::model::options::Cut;
use crate::model::verdict::Revoked;
use crate::respond::body_error::StreamCut;
use crate::respond::connect;
use crate::respond::frames::{Between, FramesSent};
use crate::respond::grpc;

/// The last thing that a body yields when its credential is revoked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    /// The end-stream message of a Connect stream.
    EndStream(FramesSent),
    Error,
    Nothing,
    /// The outcome of a gRPC call, in its trailers.
    Trailers(grpc::Trailers, FramesSent),
    /// What the host says last, if the client can read it: not in the midst of an event or a line.
    Words {
        words: &'static LastWords,
        sent: LineState,
    },
}

impl Ending {
    /// Returns the end that the protocol of this response has for itself; `None` if it has none.
    pub(crate) fn of_protocol(headers: &HeaderMap) -> Option<Self> {
        let essence = grpc::essence(headers)?;
        let ending = Self::of_type(essence)?;
        // A plain frame in the midst of encoded ones is none. Trailers of HTTP are beside the body.
        match ending {
            Self::Trailers(grpc::Trailers::Http, _) => Some(ending),
            _ if headers.contains_key(CONTENT_ENCODING) => Some(Self::Error),
            _ => Some(ending),
        }
    }

    fn of_type(essence: &[u8]) -> Option<Self> {
        match grpc::trailers_of(essence) {
            Some(trailers) => Some(Self::Trailers(trailers, FramesSent::default())),
            None => connect::is_stream(essence).then_some(Self::EndStream(FramesSent::default())),
        }
    }

    /// Returns the end that the host wants for this response.
    pub(crate) fn of_choice(cut: Cut, headers: &HeaderMap, has_known_length: impl FnOnce() -> bool) -> Self {
        match cut {
            Cut::Abort => Self::Error,
            Cut::End => Self::Nothing,
            Cut::With(choice) => {
                let words = choice.iter().find(|words| words.fit(headers));
                // More bytes than were promised are no response, and plain ones in the midst of encoded ones no text.
                let has_room = || {
                    !headers.contains_key(CONTENT_LENGTH)
                        && !headers.contains_key(CONTENT_ENCODING)
                        && !has_known_length()
                };
                match words {
                    Some(words) if has_room() => Self::Words {
                        words,
                        sent: LineState::default(),
                    },
                    _ => Self::Error,
                }
            }
        }
    }

    /// Looks at a piece that is given away.
    #[inline]
    pub(crate) fn follow(&mut self, piece: &Frame<Bytes>) {
        if let (ending, Some(piece)) = (self, piece.data_ref()) {
            match ending {
                Self::Error | Self::Nothing | Self::Trailers(grpc::Trailers::Http, _) => {}
                Self::EndStream(sent) => sent.read(piece, connect::END_STREAM),
                Self::Trailers(grpc::Trailers::WebBinary, sent) => sent.read(piece, grpc::FRAME_OF_TRAILERS),
                Self::Trailers(grpc::Trailers::WebText, sent) => sent.read_base64(piece, grpc::FRAME_OF_TRAILERS),
                Self::Words { sent, .. } => sent.read(piece),
            }
        }
    }

    /// Returns the last frame, or `None` if there is none; or what the body breaks off with.
    pub(crate) fn frame(self, revoked: Revoked) -> Result<Option<Frame<Bytes>>, StreamCut> {
        if let Self::EndStream(sent) | Self::Trailers(_, sent) = self {
            match sent.between() {
                Between::Frames => {}
                Between::Nothing => return Err(StreamCut::new(revoked)),
                Between::LastAndEnd => return Ok(None),
            }
        }
        let frame = match self {
            Self::Nothing => return Ok(None),
            Self::EndStream(_) => Frame::data(connect::end_stream(connect::PERMISSION_DENIED, REVOKED.message)),
            Self::Trailers(trailers, _) => match REVOKED.frame(trailers) {
                Some(frame) => Frame::data(frame),
                None => Frame::trailers(REVOKED.trailers()),
            },
            Self::Words { words, sent } if words.may_follow(sent) => {
                Frame::data(Bytes::from_static(words.text().as_bytes()))
            }
            Self::Error | Self::Words { .. } => return Err(StreamCut::new(revoked)),
        };
        Ok(Some(frame))
    }
}

/// Not `UNAUTHENTICATED`, upon which clients get a new token and call again: what was called has begun.
const REVOKED: grpc::CallOutcome = grpc::CallOutcome {
    status: grpc::PERMISSION_DENIED,
    message: "the credential was revoked",
};
