//! How a body ends whose credential is revoked.

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;

use crate::model::options::Cut;
use crate::model::verdict::Revoked;
use crate::respond::body_error::StreamCut;
use crate::respond::grpc;

/// The last thing that a body yields when its credential is revoked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    Error,
    Nothing,
    /// The outcome of a gRPC call, in its trailers.
    Trailers(grpc::Trailers),
}

impl Ending {
    /// Returns the end that the protocol of this response has for itself; `None` if it has none.
    pub(crate) fn of_protocol(headers: &HeaderMap) -> Option<Self> {
        grpc::trailers_in(headers).map(Self::Trailers)
    }

    /// Returns the last frame, or `None` if there is none; or what the body breaks off with.
    pub(crate) fn frame(self, revoked: Revoked) -> Result<Option<Frame<Bytes>>, StreamCut> {
        let frame = match self {
            Self::Nothing => return Ok(None),
            Self::Trailers(trailers) => match REVOKED.frame(trailers) {
                Some(frame) => Frame::data(frame),
                None => {
                    let mut trailers = HeaderMap::with_capacity(2);
                    REVOKED.state(&mut trailers);
                    Frame::trailers(trailers)
                }
            },
            Self::Error => return Err(StreamCut::new(revoked)),
        };
        Ok(Some(frame))
    }
}

impl From<Cut> for Ending {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::Abort => Self::Error,
            Cut::End => Self::Nothing,
        }
    }
}

const REVOKED: grpc::CallOutcome = grpc::CallOutcome {
    status: grpc::UNAUTHENTICATED,
    message: "the credential was revoked",
};
