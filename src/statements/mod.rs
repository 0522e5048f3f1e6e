//! What an issuer says, with ids in words.

pub(crate) mod statement;
pub(crate) mod subject;
