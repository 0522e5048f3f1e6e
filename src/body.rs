//! The response's body: the inner service's, or a refusal.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of a response that came through the layer.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = KindProjection]
    enum Kind<B> {
        Admitted { #[pin] body: B },
        Refused { text: Bytes },
    }
}

impl<B> ResponseBody<B> {
    pub(crate) const fn admitted(body: B) -> Self {
        Self {
            kind: Kind::Admitted { body },
        }
    }

    pub(crate) const fn refused(text: Bytes) -> Self {
        Self {
            kind: Kind::Refused { text },
        }
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            KindProjection::Admitted { body } => body.poll_frame(context),
            KindProjection::Refused { text } if text.is_empty() => Poll::Ready(None),
            KindProjection::Refused { text } => Poll::Ready(Some(Ok(Frame::data(std::mem::take(text))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Admitted { body } => body.is_end_stream(),
            Kind::Refused { text } => text.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Admitted { body } => body.size_hint(),
            Kind::Refused { text } => SizeHint::with_exact(text.len() as u64),
        }
    }
}
