//! The service's future.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tower_service::Service;

use crate::in_flight::watch::Watch;
use crate::model::options::Running;
use crate::model::refusal::Refusal;
use crate::respond::Respond;

pin_project! {
    /// Resolves to the response. Made by [`RevocationService`](crate::RevocationService).
    ///
    /// If the credential has been revoked by then, the handler's response is withheld: the client gets
    /// [`Refusal::Withheld`], since the request may have been applied; unless the handler asked to
    /// [finish](crate::RevocationGuard::let_finish). Costs one comparison while nothing changes. With [`Running::Drop`] the handler is
    /// dropped as soon as the credential is revoked. An error of the inner service passes unchanged.
    pub struct ResponseFuture<S, R, Req>
    where
        S: Service<Req>,
        R: Respond<Req, S::Response>,
    {
        #[pin]
        kind: FutureState<S::Future, R, R::Memo, R::Refusing>,
    }
}

pin_project! {
    #[project = FutureStateProjection]
    enum FutureState<F, R, M, G> {
        Admitted {
            #[pin]
            handler: F,
            respond: R,
            memo: Option<M>,
            watch: Watch,
            // What the handler sets if it asks to finish. `None` if it cannot ask.
            lets_finish: Option<Arc<AtomicBool>>,
        },
        Refused {
            #[pin]
            refusing: G,
        },
        Over,
    }
}

impl<S, R, Req> ResponseFuture<S, R, Req>
where
    S: Service<Req>,
    R: Respond<Req, S::Response>,
{
    pub(crate) const fn admitted(
        handler: S::Future,
        respond: R,
        memo: R::Memo,
        watch: Watch,
        lets_finish: Option<Arc<AtomicBool>>,
    ) -> Self {
        Self {
            kind: FutureState::Admitted {
                handler,
                respond,
                memo: Some(memo),
                watch,
                lets_finish,
            },
        }
    }

    pub(crate) const fn refused(refusing: R::Refusing) -> Self {
        Self {
            kind: FutureState::Refused { refusing },
        }
    }
}

impl<S, R, Req> Future for ResponseFuture<S, R, Req>
where
    S: Service<Req>,
    R: Respond<Req, S::Response>,
{
    type Output = Result<R::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut kind = self.project().kind;
        let (respond, memo, why, running) = match kind.as_mut().project() {
            FutureStateProjection::Refused { refusing } => return refusing.poll(context).map(Ok),
            FutureStateProjection::Over => panic!("{POLLED_AGAIN}"),
            FutureStateProjection::Admitted {
                handler,
                respond,
                memo,
                watch,
                lets_finish,
            } => match handler.poll(context) {
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(response)) if may_finish(lets_finish.as_ref()) => {
                    let memo = memo.take().expect(POLLED_AGAIN);
                    return Poll::Ready(Ok(respond.admit(memo, response, mem::take(watch).not_ended())));
                }
                Poll::Ready(Ok(response)) => match watch.handler_revoked() {
                    Some(why) => (respond, memo, why, Running::Finish),
                    None => {
                        let memo = memo.take().expect(POLLED_AGAIN);
                        return Poll::Ready(Ok(respond.admit(memo, response, mem::take(watch))));
                    }
                },
                Poll::Pending if may_finish(lets_finish.as_ref()) => return Poll::Pending,
                Poll::Pending => match watch.running() {
                    Running::Finish => return Poll::Pending,
                    Running::Drop => match watch.poll_handler_revoked(context) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(why) => (respond, memo, why, Running::Drop),
                    },
                },
            },
        };
        let memo = memo.take().expect(POLLED_AGAIN);
        let response = respond.withhold(memo, &Refusal::Withheld(why), running);
        // A handler that is not done is dropped here, and not later when the caller drops this future.
        kind.set(FutureState::Over);
        Poll::Ready(Ok(response))
    }
}

/// A `Relaxed` flag: the handler that sets it runs within this future, and is polled before this is asked.
fn may_finish(lets_finish: Option<&Arc<AtomicBool>>) -> bool {
    lets_finish.is_some_and(|lets_finish| lets_finish.load(Ordering::Relaxed))
}

impl<S, R, Req> fmt::Debug for ResponseFuture<S, R, Req>
where
    S: Service<Req>,
    R: Respond<Req, S::Response>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            FutureState::Admitted { .. } => "admitted",
            FutureState::Refused { .. } => "refused",
            FutureState::Over => "over",
        };
        f.debug_tuple("ResponseFuture").field(&kind).finish()
    }
}

const POLLED_AGAIN: &str = "a future is not polled after it is ready";
