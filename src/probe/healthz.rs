//! The probe that says whether the process answers.

use std::convert::Infallible;
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use crate::probe::answer::ProbeFuture;

/// Answers a liveness probe: 200 and `ok`, always.
///
/// A stale list or a missing broker is no reason to restart a process: it would know less afterwards. So this probe
/// checks nothing.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Healthz {}

impl Healthz {
    /// Returns the service.
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }
}

impl<B> Service<Request<B>> for Healthz
where
    B: Body + Send + 'static,
{
    type Response = Response<String>;
    type Error = Infallible;
    type Future = ProbeFuture<B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ProbeFuture::new(request, || (StatusCode::OK, "ok\n".to_owned()))
    }
}
