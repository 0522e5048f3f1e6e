//! In which protocol the caller of a remote procedure waits for its answer.

use http::{Method, Request};

use crate::respond::connect;
use crate::respond::grpc;

/// Says in which protocol of gRPC's family a request waits for its answer: gRPC, gRPC-Web or Connect. What
/// [`Problem`](crate::respond::Problem) remembers of a request.
#[derive(Clone, Debug)]
pub struct RpcCall(pub(crate) RpcProtocol);

#[derive(Clone, Debug)]
pub(crate) enum RpcProtocol {
    ConnectStream(connect::StreamType),
    ConnectUnary,
    /// Or gRPC-Web. Its content type says which.
    Grpc(&'static str),
}

impl RpcCall {
    /// Returns `None` for a request of plain HTTP.
    pub(crate) fn of<B>(request: &Request<B>) -> Option<Self> {
        // Of most other requests, no header is looked at.
        let asked = match *request.method() {
            Method::POST => grpc::essence(request.headers()),
            _ => None,
        };
        let by_type = |asked| match grpc::content_type(asked) {
            Some(content_type) => Some(RpcProtocol::Grpc(content_type)),
            None => connect::stream_type(asked).map(RpcProtocol::ConnectStream),
        };
        let protocol = match asked.and_then(by_type) {
            Some(protocol) => protocol,
            None if connect::is_unary(request) => RpcProtocol::ConnectUnary,
            None => return None,
        };
        Some(Self(protocol))
    }
}
