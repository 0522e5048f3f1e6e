//! From a request to the credential it presents.
//!
//! This crate has two ways. [`extension`] takes what an authentication layer in front of this one has put into the
//! request's extensions: nothing is parsed twice, and nothing is trusted that was not verified. [`jwt`] reads a token
//! without verifying it, for stacks that authenticate further in: in headers, cookies, query parameters, and in what a
//! WebSocket is opened with. [`token`] reads one that a closure has found. [`any_of`] puts several ways together. Closures do
//! everything else.
//!
//! [`LoginMark`] is for sessions by cookie: it names a login in the session's own data.

mod any_of;
mod extension;
mod jwt;
mod login_mark;
mod token_place;
mod cookies;
mod parameters;
mod unescaped;
mod protocols;
mod authorization;
mod token_run;
mod extract;
mod token;

pub use any_of::{AnyOf, any_of};
pub use extension::{Extension, ToCredential, extension, extension_with};
pub use extract::Identify;
pub use jwt::{Jwt, jwt, token};
pub use login_mark::LoginMark;
pub use token::reader::SESSIONLESS_SUBJECT;
