//! What an issuer says, with ids in words.

#[cfg(any(feature = "crl-poll", feature = "issuer"))]
pub(crate) mod expiry;
pub(crate) mod in_force;
pub(crate) mod statement;
pub(crate) mod subject;
