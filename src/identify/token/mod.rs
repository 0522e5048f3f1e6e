//! What one token says of itself, read without verifying it, and without an allocation if it is plain.
//!
//! Verifiers differ in what they take for a token. Whatever any of them reads as a key is read here: a key too much can only
//! refuse who was revoked. What cannot be read hides nothing but itself.

pub(crate) mod reader;
mod claims;
mod disclosure;
mod findings;
pub(crate) mod claim;
mod date;
mod double;
mod number;
mod lexer;
mod text;
pub(crate) mod encoding;
mod find;
