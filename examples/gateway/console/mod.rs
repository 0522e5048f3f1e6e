//! The console: one page on the admin address, that shows what is enforced now and what happens, live; and with the embedded
//! registry, agents to try it with.
//!
//! Whatever the gateway does tells the [`Record`], which remembers a bounded part of it. Each open page follows it by one
//! response that does not end. The [`Door`](door::Door) says who gets in: nobody but the page itself, and with a token.

mod chronicle;
mod delays;
mod door;
mod entry;
mod feed;
mod overheard;
mod page;
mod player;
mod playground;
mod quota;
mod record;
mod routes;
mod stream;
mod token;
mod tracked;
mod watch;

pub(crate) use overheard::Overheard;
pub(crate) use record::{Record, request};
pub(crate) use routes::{Console, Parts};
pub(crate) use stream::Stream;
pub(crate) use token::token;
