//! The tower side: what a request passes through, on its way in and on its way out.

mod layer;
#[cfg(feature = "tonic")]
mod named;
mod service;
mod exemption;
mod future;

pub use future::ResponseFuture;
pub use layer::RevocationLayer;
pub use service::RevocationService;
