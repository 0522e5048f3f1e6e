//! What a journal stores of one key.

use crate::model::key::Key;
use crate::model::timestamp::Timestamp;
use crate::state::key_state::KeyState;
use crate::state::spared_keys::SparedKeys;
#[cfg(feature = "journal")]
use crate::state::spared_keys::SparingCutOff;

/// What is persisted of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    pub(crate) key_state: KeyState,
    /// What its cut-off spares, if that spares anything.
    pub(crate) spared: Option<Box<SparedKeys>>,
    /// When it may be forgotten, by the wall clock, since the monotonic one ends with the process. `None` is never.
    pub(crate) keep_until: Option<Timestamp>,
}

impl Entry {
    /// Its cut-off, and what that spares.
    #[cfg(feature = "journal")]
    pub(crate) fn cut_off(&self) -> SparingCutOff<'_> {
        SparingCutOff {
            at: self.key_state.cut_off(),
            spares: self.spared.as_deref(),
        }
    }
}
