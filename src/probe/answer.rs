//! How a probe is answered.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;

use crate::respond::unread::{AnswerUnread, drop_body_of_head};

/// Resolves to the answer of a probe. Waits for nothing, unless a body comes with the request: see
/// [`AnswerUnread`](crate::respond::AnswerUnread).
pub struct ProbeFuture<B>(AnswerUnread<B, String>);

impl<B> ProbeFuture<B>
where
    B: Body + Send + 'static,
{
    /// The answer in plain text. `write` is called only for a method that a probe may use.
    pub(super) fn new(request: Request<B>, write: impl FnOnce() -> (StatusCode, String)) -> Self {
        let response = answer(request.method(), write);
        Self(AnswerUnread::new(request, response))
    }
}

impl<B> Future for ProbeFuture<B>
where
    B: Body + Send + 'static,
{
    type Output = Result<Response<String>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(Ok)
    }
}

impl<B> fmt::Debug for ProbeFuture<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProbeFuture").field(&self.0).finish()
    }
}

fn answer(method: &Method, write: impl FnOnce() -> (StatusCode, String)) -> Response<String> {
    let is_asked = matches!(*method, Method::GET | Method::HEAD);
    let (status, text) = match is_asked {
        true => write(),
        false => (StatusCode::METHOD_NOT_ALLOWED, "probes are made by GET\n".to_owned()),
    };
    let mut response = Response::new(text);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if !is_asked {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    // An answer is true only at this moment.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if *method == Method::HEAD {
        drop_body_of_head(&mut response);
    }
    response
}
