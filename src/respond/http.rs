//! The protocol HTTP.

use std::error::Error;

use bytes::Bytes;
use http::{Method, Request, Response, Version};
use http_body::Body;

use crate::in_flight::watch::Watch;
use crate::model::challenge::Challenge;
use crate::model::options::Running;
use crate::model::refusal::Refusal;
use crate::respond::body::ResponseBody;
use crate::respond::challenges;
use crate::respond::connect;
use crate::respond::ending::Ending;
use crate::respond::problem::Problem;
use crate::respond::protocol::Respond;
use crate::respond::refuse::{RefusalTrailers, Refuse};
use crate::respond::request_head::RequestHead;
use crate::respond::unread::{AnswerUnread, close_after, drop_body_of_head};

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

impl<F: Refuse> Http<F> {
    fn refusal<B>(&self, memo: HttpMemo<F::Memo>, refusal: &Refusal) -> Response<ResponseBody<B>> {
        let mut response = self.refuse.refuse(refusal, memo.refuse);
        if memo.is_head {
            drop_body_of_head(&mut response);
        }
        let trailers = response.extensions_mut().remove::<RefusalTrailers>();
        response.map(|text| ResponseBody::refused(text, trailers.map(|trailers| Box::new(trailers.0))))
    }
}

/// Requests need a body, since what is refused is read; `http_body_util::Empty` is one.
impl<A, B, F> Respond<Request<A>, Response<B>> for Http<F>
where
    A: Body + Send + 'static,
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    F: Refuse,
{
    type Response = Response<ResponseBody<B>>;
    type Memo = HttpMemo<F::Memo>;
    type Refusing = AnswerUnread<A, ResponseBody<B>>;

    fn remember(&self, request: &Request<A>) -> Self::Memo {
        let refuse = self.refuse.remember(request);
        let is_connect_unary = self.refuse.is_connect_unary(&refuse);
        HttpMemo {
            is_head: request.method() == Method::HEAD,
            is_post: request.method() == Method::POST,
            is_upload_over_http1: request.version() <= Version::HTTP_11 && !request.body().is_end_stream(),
            is_connect_unary: is_connect_unary.unwrap_or_else(|| connect::is_unary(request)),
            refuse,
        }
    }

    fn refuse(
        &self,
        request: Request<A>,
        memo: Self::Memo,
        refusal: &Refusal,
        challenges: &[Challenge],
    ) -> Self::Refusing {
        let mut response = self.refusal(memo, refusal);
        challenges::add(&mut response, &request, refusal, challenges);
        AnswerUnread::new(request, response)
    }

    fn withhold(&self, memo: Self::Memo, refusal: &Refusal, running: Running) -> Self::Response {
        let may_be_unread = running == Running::Drop && memo.is_upload_over_http1;
        let mut response = self.refusal(memo, refusal);
        if may_be_unread {
            close_after(&mut response);
        }
        response
    }

    fn admit(&self, memo: Self::Memo, response: Response<B>, watch: Watch) -> Self::Response {
        let headers = response.headers();
        let ending = match memo.is_post {
            true => Ending::of_protocol(headers),
            false => None,
        };
        let ending = ending.unwrap_or_else(|| match memo.is_connect_unary {
            // Half a message that ended well is a whole one.
            true => Ending::Error,
            false => Ending::of_choice(watch.cut(), headers, || response.body().size_hint().exact().is_some()),
        });
        response.map(|body| ResponseBody::admitted(body, watch, ending))
    }

    fn head<'r>(&self, request: &'r Request<A>) -> Option<RequestHead<'r>> {
        Some(RequestHead::of(request))
    }

    fn get<'r, T: Send + Sync + 'static>(&self, request: &'r Request<A>) -> Option<&'r T> {
        request.extensions().get()
    }

    fn insert<T: Clone + Send + Sync + 'static>(&self, request: &mut Request<A>, extension: T) {
        request.extensions_mut().insert(extension);
    }
}

/// Holds what a refusal has to know of an HTTP request, while the inner service has the request.
#[derive(Clone, Copy, Debug)]
pub struct HttpMemo<M> {
    is_head: bool,
    is_post: bool,
    is_upload_over_http1: bool,
    is_connect_unary: bool,
    refuse: M,
}
