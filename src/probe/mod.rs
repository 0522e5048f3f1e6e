//! Probes for orchestrators: two small services to mount on any router, which answer in words.
//!
//! [`Healthz`] says whether the process answers, [`Readyz`] whether requests should be sent to it. Both take `GET` and
//! `HEAD`, need no credential and name nobody. Mount them where the prober can reach them, outside the revocation
//! layer.
//!
//! ```
//! use axum::Router;
//! use tower_revocation::probe::{Healthz, Need, Readyz};
//! use tower_revocation::{RevocationLayer, identify};
//!
//! let (revocation, sink) = RevocationLayer::pair(identify::jwt(http::header::AUTHORIZATION, "Bearer"));
//! let admin: Router = Router::new()
//!     .route_service("/healthz", Healthz::new())
//!     .route_service("/readyz", Readyz::new(sink.clone()).with_need(Need::SigningKeys));
//! # drop((revocation, admin));
//! ```

mod readyz;
mod healthz;
mod need;
mod answer;

pub use answer::ProbeFuture;
pub use healthz::Healthz;
pub use need::Need;
pub use readyz::Readyz;
