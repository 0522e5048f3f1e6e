//! HTTP.

use bytes::Bytes;
use http_body::Body;

use crate::body::ResponseBody;
use crate::refusal::Refusal;
use crate::respond::problem::Problem;
use crate::respond::protocol::Respond;
use crate::respond::refuse::Refuse;
use crate::verdict::RevocationStatus;

/// HTTP, with refusals written by `F`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Http<F = Problem> {
    refuse: F,
}

impl<F> Http<F> {
    /// HTTP with refusals written by `refuse`.
    #[must_use]
    pub const fn new(refuse: F) -> Self {
        Self { refuse }
    }
}

impl<A, B, F> Respond<http::Request<A>, http::Response<B>> for Http<F>
where
    B: Body<Data = Bytes>,
    F: Refuse,
{
    type Response = http::Response<ResponseBody<B>>;

    fn refuse(&self, request: http::Request<A>, refusal: &Refusal) -> Self::Response {
        let (parts, _body) = request.into_parts();
        self.refuse.refuse(refusal, &parts).map(ResponseBody::refused)
    }

    fn admit(response: http::Response<B>) -> Self::Response {
        response.map(ResponseBody::admitted)
    }

    fn annotate(&self, request: &mut http::Request<A>, status: RevocationStatus) {
        request.extensions_mut().insert(status);
    }
}
