//! `src/in_flight`, as far as the models need it.

pub(crate) mod enforcer;
#[path = "../../src/in_flight/terms_pool.rs"]
pub(crate) mod terms_pool;
#[path = "../../src/in_flight/watch.rs"]
pub(crate) mod watch;
