//! What a journal stores of one key.

use crate::model::key::Key;
use crate::model::timestamp::Timestamp;
use crate::state::key_state::KeyState;

/// What is persisted of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    pub(crate) key_state: KeyState,
    /// When it may be forgotten, by the wall clock, since the monotonic one ends with the process. `None` is never.
    pub(crate) keep_until: Option<Timestamp>,
}
