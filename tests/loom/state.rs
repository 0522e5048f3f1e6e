//! `src/state`, with loom's lock and pointer.

#[path = "../../src/state/key_state.rs"]
pub(crate) mod key_state;
#[path = "../../src/state/listed.rs"]
pub(crate) mod listed;
#[path = "../../src/state/moment.rs"]
pub(crate) mod moment;
#[path = "../../src/state/spared_keys.rs"]
pub(crate) mod spared_keys;
#[path = "../../src/state/left_right/pair.rs"]
pub(crate) mod left_right;
#[path = "../../src/state/overlay.rs"]
pub(crate) mod overlay;
#[path = "../../src/state/snapshot.rs"]
pub(crate) mod snapshot;
pub(crate) mod sync;
#[path = "../../src/state/table.rs"]
pub(crate) mod table;
#[path = "../../src/state/terms.rs"]
pub(crate) mod terms;
#[path = "../../src/state/view.rs"]
pub(crate) mod view;
pub(crate) mod waiters;
