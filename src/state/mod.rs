//! What is in force: what events said, over the newest list. One writer at a time writes it, and every request reads it
//! without a lock.

pub(crate) mod store;
pub(crate) mod waiters;
pub(crate) mod left_right;
pub(crate) mod view;
pub(crate) mod accept;
pub(crate) mod retention;
pub(crate) mod overlay;
pub(crate) mod snapshot;
pub(crate) mod terms;
pub(crate) mod entry;
pub(crate) mod listed;
pub(crate) mod key_state;
pub(crate) mod spared_keys;
pub(crate) mod moment;
pub(crate) mod table;
pub(crate) mod sync;
