//! What all the work that one service admitted has in common.

use std::fmt;
use std::sync::Arc;

use crate::domain::Domain;
use crate::settings::Settings;

/// What all the work that one service admitted has in common: who may revoke it, and what is done then.
pub(crate) struct Flight {
    pub(crate) domain: Arc<Domain>,
    pub(crate) settings: Settings,
}

impl fmt::Debug for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
