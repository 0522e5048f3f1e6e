//! `src/state`.

#[path = "../../src/state/accept.rs"]
pub(crate) mod accept;
#[path = "../../src/state/entry.rs"]
pub(crate) mod entry;
#[path = "../../src/state/key_state.rs"]
pub(crate) mod key_state;
#[path = "../../src/state/left_right/pair.rs"]
pub(crate) mod left_right;
#[path = "../../src/state/overlay.rs"]
pub(crate) mod overlay;
#[path = "../../src/state/retention.rs"]
pub(crate) mod retention;
#[path = "../../src/state/snapshot.rs"]
pub(crate) mod snapshot;
#[path = "../../src/state/store.rs"]
pub(crate) mod store;
#[path = "../../src/state/sync.rs"]
pub(crate) mod sync;
#[path = "../../src/state/table.rs"]
pub(crate) mod table;
#[path = "../../src/state/terms.rs"]
pub(crate) mod terms;
#[path = "../../src/state/view.rs"]
pub(crate) mod view;
pub(crate) mod waiters;
