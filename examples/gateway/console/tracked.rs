//! A response's body that tells how it goes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::stream::{End, Stream};

pin_project! {
    /// The same body, of which a [`Stream`] is told.
    pub(crate) struct Tracked<B> {
        #[pin]
        body: B,
        stream: Stream,
    }
}

impl Stream {
    /// The body with this beside it.
    pub(crate) fn beside<B: Body>(mut self, body: B) -> Tracked<B> {
        if body.is_end_stream() {
            self.ends(End::Whole);
        }
        Tracked { body, stream: self }
    }
}

impl<B: Body<Data = Bytes>> Body for Tracked<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let polled = this.body.as_mut().poll_frame(context);
        if polled.is_pending() {
            // A response that is there as a whole never gets here.
            this.stream.show();
        }
        let frame = ready!(polled);
        match &frame {
            Some(Ok(frame)) => {
                this.stream.add(frame.data_ref().map_or(0, Bytes::len));
                // Of a known length nobody asks for more than that.
                if this.body.is_end_stream() {
                    this.stream.ends(End::Whole);
                }
            }
            Some(Err(_)) => this.stream.ends(End::Broken),
            None => this.stream.ends(End::Whole),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
