//! The service's future.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::respond::Respond;

pin_project! {
    /// The response, once it is there. Made by [`RevocationService`](crate::RevocationService).
    pub struct ResponseFuture<F, R, Req, Res> {
        #[pin]
        kind: Kind<F, Res>,
        protocol: PhantomData<fn(R, Req)>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<F, Res> {
        Admitted { #[pin] future: F },
        Refused { response: Option<Res> },
    }
}

impl<F, R, Req, Res> ResponseFuture<F, R, Req, Res> {
    pub(crate) const fn admitted(future: F) -> Self {
        Self::new(Kind::Admitted { future })
    }

    pub(crate) const fn refused(response: Res) -> Self {
        Self::new(Kind::Refused {
            response: Some(response),
        })
    }

    const fn new(kind: Kind<F, Res>) -> Self {
        Self {
            kind,
            protocol: PhantomData,
        }
    }
}

impl<F, R, Req, Res, Inner, E> Future for ResponseFuture<F, R, Req, Res>
where
    F: Future<Output = Result<Inner, E>>,
    R: Respond<Req, Inner, Response = Res>,
{
    type Output = Result<Res, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProjection::Admitted { future } => Poll::Ready(ready!(future.poll(context)).map(R::admit)),
            KindProjection::Refused { response } => {
                Poll::Ready(Ok(response.take().expect("a future is not polled after it is ready")))
            }
        }
    }
}

impl<F, R, Req, Res> fmt::Debug for ResponseFuture<F, R, Req, Res> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Admitted { .. } => "admitted",
            Kind::Refused { .. } => "refused",
        };
        f.debug_tuple("ResponseFuture").field(&kind).finish()
    }
}
