//! The protocol HTTP.

use std::error::Error;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;

use crate::in_flight::watch::Watch;
use crate::model::refusal::Refusal;
use crate::respond::body::{Ending, ResponseBody};
use crate::respond::grpc;
use crate::respond::problem::Problem;
use crate::respond::protocol::Respond;
use crate::respond::refuse::{RefusalTrailers, Refuse};

/// Wraps services that speak HTTP. `F` writes the refusals.
#[derive(Clone, Copy, Debug, Default)]
pub struct Http<F = Problem> {
    refuse: F,
}

impl<F> Http<F> {
    /// Returns the protocol HTTP, with refusals written by `refuse`.
    #[must_use]
    pub const fn new(refuse: F) -> Self {
        Self { refuse }
    }
}

impl<A, B, F> Respond<Request<A>, Response<B>> for Http<F>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    F: Refuse,
{
    type Response = Response<ResponseBody<B>>;
    type Memo = HttpMemo<F::Memo>;

    fn remember(&self, request: &Request<A>) -> Self::Memo {
        HttpMemo {
            may_be_grpc: request.method() == Method::POST,
            refuse: self.refuse.remember(request),
        }
    }

    fn refuse(&self, memo: Self::Memo, refusal: &Refusal) -> Self::Response {
        let mut response = self.refuse.refuse(refusal, memo.refuse);
        let trailers = response.extensions_mut().remove::<RefusalTrailers>();
        response.map(|text| ResponseBody::refused(text, trailers.map(|trailers| Box::new(trailers.0))))
    }

    fn admit(&self, memo: Self::Memo, response: Response<B>, watch: Watch) -> Self::Response {
        let trailers = match memo.may_be_grpc {
            true => grpc::trailers_in(response.headers()),
            false => None,
        };
        let ending = trailers.map_or_else(|| watch.cut().into(), Ending::Trailers);
        response.map(|body| ResponseBody::admitted(body, watch, ending))
    }

    fn insert<T: Clone + Send + Sync + 'static>(&self, request: &mut Request<A>, extension: T) {
        request.extensions_mut().insert(extension);
    }
}

/// Holds what a refusal has to know of an HTTP request, while the inner service has the request.
#[derive(Clone, Copy, Debug)]
pub struct HttpMemo<M> {
    may_be_grpc: bool,
    refuse: M,
}
