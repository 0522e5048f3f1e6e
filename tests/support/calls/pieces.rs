//! The body of a response, piece by piece.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use std::vec;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::call::Call;
use super::plan::Moment;

/// Gives its frames with a pause between them, and revokes its call when that is due.
pub(crate) struct Pieces {
    frames: vec::IntoIter<Frame<Bytes>>,
    given: usize,
    pausing: Option<Pin<Box<Sleep>>>,
    pause: Duration,
    /// The call, until it is revoked.
    call: Option<Call>,
    /// Bytes that are still to come, if the response states its length.
    left: Option<u64>,
}

impl Pieces {
    pub(crate) fn new(frames: Vec<Frame<Bytes>>, call: Call) -> Self {
        Self {
            frames: frames.into_iter(),
            given: 0,
            pausing: None,
            pause: call.plan.pause,
            call: Some(call),
            left: None,
        }
    }

    /// Has the response state its length.
    pub(crate) fn with_length(mut self) -> Self {
        let lengths = self.frames.as_slice().iter().filter_map(Frame::data_ref);
        self.left = Some(lengths.map(|data| data.len() as u64).sum());
        self
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if let Some(pausing) = &mut this.pausing {
            if pausing.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            this.pausing = None;
        }
        let is_due = |call: &mut Call| call.plan.moment == Moment::Piece(this.given);
        if let Some(call) = this.call.take_if(is_due) {
            call.revoke();
            if call.plan.is_slow {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        let frame = this.frames.next();
        this.given += 1;
        if let (Some(left), Some(data)) = (&mut this.left, frame.as_ref().and_then(Frame::data_ref)) {
            *left -= data.len() as u64;
        }
        if !this.pause.is_zero() {
            this.pausing = Some(Box::pin(sleep(this.pause)));
        }
        Poll::Ready(frame.map(Ok))
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
