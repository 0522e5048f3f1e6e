//! Signed documents (JOSE): JSON Web Signatures, the keys that verify them, and where an issuer publishes these.
//!
//! Used by lists ([`crl`](crate::crl)), and by hosts that verify tokens.

#[cfg(feature = "jwks")]
mod remote_key_set;
#[cfg(feature = "jwks")]
mod key_fetch;
#[cfg(feature = "jwks")]
mod discovery;
pub(crate) mod jwk_set;
pub(crate) mod key_set;
pub(crate) mod jws;
pub(crate) mod jws_policy;
pub(crate) mod jws_error;
mod public_key;
pub(crate) mod algorithm;
#[cfg(any(feature = "crl-poll", feature = "logout"))]
mod numeric_date;

pub use algorithm::Algorithm;
#[cfg(feature = "jwks")]
pub use discovery::{Discovery, NoSuchAddress};
pub use jwk_set::JwkSetError;
pub use jws::{VerifySignature, verify_jws};
pub use jws_error::JwsError;
pub use jws_policy::JwsPolicy;
#[cfg(feature = "jwks")]
pub use key_fetch::KeyFetchError;
pub use key_set::KeySet;
#[cfg(any(feature = "crl-poll", feature = "logout"))]
pub(crate) use numeric_date::numeric_date;
pub use public_key::PublicKey;
#[cfg(feature = "jwks")]
pub use remote_key_set::*;

#[cfg(feature = "jwks")]
pub use crate::fetch::exchange::HttpClient;
