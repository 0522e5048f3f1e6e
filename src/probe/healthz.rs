//! Whether the process answers.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use tower_service::Service;

use crate::probe::answer::answer;

/// Answers 200 and `ok`, whatever else is the matter: for a liveness probe.
///
/// A list that is stale and a broker that is away are no reason to restart a process, which would know less afterwards: hence it
/// asks for nothing.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Healthz {}

impl Healthz {
    /// The service.
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }
}

impl<B> Service<Request<B>> for Healthz {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(answer(&request, || (StatusCode::OK, "ok\n".to_owned()))))
    }
}
