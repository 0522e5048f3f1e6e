//! The response's body: the inner service's, until its credential is revoked; or a refusal.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::in_flight::watch::Watch;
use crate::model::options::Cut;
use crate::model::verdict::Revoked;
use crate::respond::body_error::{BodyError, StreamCut};
use crate::respond::grpc;

pin_project! {
    /// Streams the inner service's body, and ends when its request's credential is revoked.
    ///
    /// [`Cut`] says how it ends then; a gRPC response ends with trailers. If the next piece of the body is there, it
    /// costs one comparison. If not, the body enters the index of waiting work, and is woken by a revocation of its own
    /// keys and by no other. If the client does not read, the body is not polled and gives nothing away. It ends at the
    /// next poll.
    ///
    /// # Errors
    ///
    /// Ends with a [`BodyError`]: the inner body's error, or a [`StreamCut`].
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        kind: BodyState<B>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = BodyStateProjection]
    enum BodyState<B> {
        Admitted { #[pin] body: B, watch: Watch, ending: Ending },
        Over,
        Refused { text: Bytes, trailers: Option<Box<HeaderMap>> },
    }
}

/// The last thing that a body yields when its credential is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Error,
    Nothing,
    /// The outcome of a gRPC call, in its trailers.
    Trailers(grpc::Trailers),
}

impl<B> ResponseBody<B> {
    pub(crate) const fn admitted(body: B, watch: Watch, ending: Ending) -> Self {
        Self {
            kind: BodyState::Admitted { body, watch, ending },
        }
    }

    pub(crate) const fn refused(text: Bytes, trailers: Option<Box<HeaderMap>>) -> Self {
        Self {
            kind: BodyState::Refused { text, trailers },
        }
    }
}

impl<B: Default> Default for ResponseBody<B> {
    /// Returns the inner body's default, which nothing cuts: for layers around this one that answer by themselves.
    fn default() -> Self {
        Self::admitted(B::default(), Watch::none(), Ending::Nothing)
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut kind = self.project().kind;
        let last = match kind.as_mut().project() {
            BodyStateProjection::Admitted { body, watch, ending } => match watch.revoked() {
                Some(revoked) => ending.frame(revoked),
                None => match body.poll_frame(context) {
                    Poll::Ready(Some(Ok(frame))) if frame.is_data() => return Poll::Ready(Some(Ok(frame))),
                    // Trailers, an error, or nothing more.
                    Poll::Ready(last) => last.map(|last| last.map_err(BodyError::inner)),
                    Poll::Pending => match watch.poll_revoked(context) {
                        Poll::Ready(revoked) => ending.frame(revoked),
                        Poll::Pending => return Poll::Pending,
                    },
                },
            },
            BodyStateProjection::Over => return Poll::Ready(None),
            BodyStateProjection::Refused { text, trailers } => {
                let text = std::mem::take(text);
                let frame = match text.is_empty() {
                    true => trailers.take().map(|trailers| Frame::trailers(*trailers)),
                    false => Some(Frame::data(text)),
                };
                return Poll::Ready(frame.map(Ok));
            }
        };
        // Drops the inner body, so that its producer learns that nobody listens any more. Drops the watch as well: a
        // body that was sent in full can't be cut any more.
        kind.set(BodyState::Over);
        Poll::Ready(last)
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            BodyState::Admitted { body, .. } => body.is_end_stream(),
            BodyState::Over => true,
            BodyState::Refused { text, trailers } => text.is_empty() && trailers.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            BodyState::Admitted { body, .. } => body.size_hint(),
            BodyState::Over => SizeHint::with_exact(0),
            // A server would state a length, and leave no room for trailers.
            BodyState::Refused { trailers: Some(_), .. } => SizeHint::default(),
            BodyState::Refused { text, .. } => SizeHint::with_exact(text.len() as u64),
        }
    }
}

impl Ending {
    fn frame(self, revoked: Revoked) -> Option<Result<Frame<Bytes>, BodyError>> {
        match self {
            Self::Error => Some(Err(StreamCut::new(revoked).into())),
            Self::Nothing => None,
            Self::Trailers(trailers) => Some(Ok(match REVOKED.frame(trailers) {
                Some(frame) => Frame::data(frame),
                None => {
                    let mut trailers = HeaderMap::with_capacity(2);
                    REVOKED.state(&mut trailers);
                    Frame::trailers(trailers)
                }
            })),
        }
    }
}

const REVOKED: grpc::CallOutcome = grpc::CallOutcome {
    status: grpc::UNAUTHENTICATED,
    message: "the credential was revoked",
};

impl From<Cut> for Ending {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::Abort => Self::Error,
            Cut::End => Self::Nothing,
        }
    }
}
