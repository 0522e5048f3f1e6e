//! Work that was admitted and is still running: it ends when its credential is revoked.

pub(crate) mod guard;
pub(crate) mod watch;
pub(crate) mod enforcer;
pub(crate) mod terms_pool;
