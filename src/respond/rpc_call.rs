//! In which protocol the caller of a remote procedure waits for its answer.

use http::Request;

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
        let protocol = match grpc::content_type(request) {
            Some(content_type) => RpcProtocol::Grpc(content_type),
            None => match connect::stream_type(request) {
                Some(content_type) => RpcProtocol::ConnectStream(content_type),
                None if connect::is_unary(request) => RpcProtocol::ConnectUnary,
                None => return None,
            },
        };
        Some(Self(protocol))
    }
}
