//! From a request to the credential it presents.
//!
//! This crate has two ways. [`extension`] takes what an authentication layer in front of this one has put into the
//! request's extensions: nothing is parsed twice, and nothing is trusted that was not verified. [`jwt`] reads a token
//! without verifying it, for stacks that authenticate further in. Closures do everything else.

mod extension;
mod jwt;
mod extract;
mod token;

pub use extension::{Extension, ToCredential, extension, extension_with};
pub use extract::Identify;
pub use jwt::{Jwt, jwt};
