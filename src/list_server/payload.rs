//! What an answer carries.

use std::convert::Infallible;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};

/// The body of an answer: the two parts of a list, or a text. Clones share the bytes.
#[derive(Clone, Debug, Default)]
pub struct ListPayload {
    parts: [Bytes; 2],
}

impl ListPayload {
    pub(super) const fn new(head: Bytes, rest: Bytes) -> Self {
        Self { parts: [head, rest] }
    }

    /// Returns how many bytes there are still.
    pub(super) fn remaining(&self) -> usize {
        self.parts.iter().map(Buf::remaining).sum()
    }
}

impl From<String> for ListPayload {
    fn from(text: String) -> Self {
        Self::new(text.into(), Bytes::new())
    }
}

impl Body for ListPayload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let part = self.parts.iter_mut().find(|part| !part.is_empty());
        Poll::Ready(part.map(|part| Ok(Frame::data(mem::take(part)))))
    }

    fn is_end_stream(&self) -> bool {
        self.remaining() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining() as u64)
    }
}
