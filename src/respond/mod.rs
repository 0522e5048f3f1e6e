//! From a decision to a response, in HTTP and in other protocols: refusals, and bodies that end when their credential is
//! revoked.

mod http;
mod challenges;
pub(crate) mod body;
mod flush;
mod ending;
mod frames;
pub(crate) mod body_error;
mod problem;
mod rpc_call;
mod connect;
mod grpc;
mod protocol;
mod refuse;
pub(crate) mod unread;
mod request_head;

pub use self::http::{Http, HttpMemo};
pub use problem::{Problem, WITHHELD};
pub use protocol::Respond;
pub use refuse::{RefusalTrailers, Refuse};
pub use request_head::RequestHead;
pub use rpc_call::RpcCall;
pub use unread::AnswerUnread;

#[doc(inline)]
pub use crate::in_flight::watch::Watch;
#[doc(inline)]
pub use crate::model::challenge::{Challenge, ChallengeError};
