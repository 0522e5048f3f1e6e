//! From a refusal to a response.

mod http;
mod problem;
mod protocol;
mod refuse;

pub use self::http::{Http, HttpMemo};
pub use problem::Problem;
pub use protocol::Respond;
pub use refuse::Refuse;

#[doc(inline)]
pub use crate::watch::Watch;
