//! The response's body: the inner service's, until its credential is revoked; or a refusal.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::in_flight::watch::Watch;
use crate::respond::body_error::{BodyError, StreamCut};
use crate::respond::ending::Ending;
use crate::respond::flush::{Flush, IdleSince};

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
        Admitted { #[pin] body: B, watch: Watch, ending: Ending, idle: IdleSince },
        // Nothing of the inner body is given away any more.
        Breaking { cut: StreamCut, flush: Flush },
        Over,
        Refused { text: Bytes, trailers: Option<Box<HeaderMap>> },
    }
}

impl<B> ResponseBody<B> {
    pub(crate) const fn admitted(body: B, watch: Watch, ending: Ending) -> Self {
        Self {
            kind: BodyState::Admitted {
                body,
                watch,
                ending,
                idle: IdleSince::new(),
            },
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
        if let BodyStateProjection::Admitted {
            body,
            watch,
            ending,
            idle,
        } = kind.as_mut().project()
        {
            let revoked = match watch.revoked() {
                Some(revoked) => revoked,
                None => match body.poll_frame(context) {
                    Poll::Ready(Some(Ok(frame))) if frame.is_data() => {
                        idle.reset();
                        ending.follow(&frame);
                        return Poll::Ready(Some(Ok(frame)));
                    }
                    Poll::Ready(last) => {
                        // Trailers, an error, or nothing more. Drops the inner body, so that its producer learns that nobody
                        // listens any more. Drops the watch as well: a body that was sent in full can't be cut any more.
                        kind.set(BodyState::Over);
                        return Poll::Ready(last.map(|last| last.map_err(BodyError::inner)));
                    }
                    Poll::Pending => match watch.poll_revoked(context) {
                        Poll::Ready(revoked) => revoked,
                        Poll::Pending => {
                            idle.start();
                            return Poll::Pending;
                        }
                    },
                },
            };
            let (last, flush) = (ending.frame(revoked), idle.flush());
            kind.set(match last {
                Ok(_) => BodyState::Over,
                Err(cut) => BodyState::Breaking { cut, flush },
            });
            if let Ok(frame) = last {
                return Poll::Ready(frame.map(Ok));
            }
        }
        match kind.as_mut().project() {
            BodyStateProjection::Breaking { cut, flush } => {
                ready!(flush.poll(context));
                let cut = *cut;
                kind.set(BodyState::Over);
                Poll::Ready(Some(Err(cut.into())))
            }
            BodyStateProjection::Refused { text, trailers } => {
                let text = std::mem::take(text);
                let frame = match text.is_empty() {
                    true => trailers.take().map(|trailers| Frame::trailers(*trailers)),
                    false => Some(Frame::data(text)),
                };
                Poll::Ready(frame.map(Ok))
            }
            BodyStateProjection::Admitted { .. } | BodyStateProjection::Over => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            BodyState::Admitted { body, .. } => body.is_end_stream(),
            BodyState::Breaking { .. } => false,
            BodyState::Over => true,
            BodyState::Refused { text, trailers } => text.is_empty() && trailers.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            BodyState::Admitted { body, .. } => body.size_hint(),
            BodyState::Breaking { .. } => SizeHint::default(),
            BodyState::Over => SizeHint::with_exact(0),
            // A server would state a length, and leave no room for trailers.
            BodyState::Refused { trailers: Some(_), .. } => SizeHint::default(),
            BodyState::Refused { text, .. } => SizeHint::with_exact(text.len() as u64),
        }
    }
}
