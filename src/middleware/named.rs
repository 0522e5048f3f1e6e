//! The name by which tonic routes to a wrapped service.

use tonic::server::NamedService;

use crate::middleware::service::RevocationService;

impl<S: NamedService, I, R> NamedService for RevocationService<S, I, R> {
    const NAME: &'static str = S::NAME;
}
