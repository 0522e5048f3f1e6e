//! How a list gets in force, and how one is asked for.

use std::sync::atomic::Ordering;

use crate::common::log;
use crate::domain::trust_domain::TrustDomain;
use crate::state::accept::{AcceptedList, InstallError};
use crate::state::snapshot::RevocationList;
use crate::state::view::State;

impl TrustDomain {
    /// Installs a list of the host's own, and has the journal keep when it was issued.
    pub(crate) fn install(&self, list: RevocationList) -> Result<(), InstallError> {
        let issued_at = self.accept_list(list)?.list.issued_at();
        self.poll_succeeded();
        if let (Some(journal), Some(issued_at)) = (self.journal.get(), issued_at) {
            if !self.store.look(State::needs_list) {
                drop(journal.persist_resynced());
            }
            // The list is in force even if this fails, and the next thing that is persisted includes the issue time.
            let _ = journal.persist_newest(issued_at).wait();
        }
        Ok(())
    }

    /// Notes that the issuer has signed no list yet.
    pub(crate) fn install_none(&self) -> Result<(), InstallError> {
        self.store.install(RevocationList::empty(), self.now())?;
        self.poll_succeeded();
        Ok(())
    }

    /// Notes that the installed list is still the newest.
    pub(crate) fn confirm(&self) -> Result<(), InstallError> {
        self.store.confirm(self.now())?;
        self.poll_succeeded();
        Ok(())
    }

    /// Puts a list in force. The caller lets it be persisted, and reports the result.
    pub(crate) fn accept_list(&self, list: RevocationList) -> Result<AcceptedList, InstallError> {
        let accepted = self.store.install(list, self.now())?;
        self.list_covers(&accepted.list);
        log::info!(
            entries = accepted.list.entries(),
            iat = accepted.list.issued_at().map(|at| at.as_unix_secs()),
            "revocation list installed"
        );
        Ok(accepted)
    }

    /// Asks the poller for a fetch of the keys as well, with the next one of the list.
    pub(crate) fn want_keys(&self) {
        self.wants_keys.store(true, Ordering::Release);
    }

    /// Whether a poller runs: it listens for that.
    pub(super) fn is_polled(&self) -> bool {
        self.requested.receiver_count() > 0
    }

    /// Asks the poller for a fetch.
    pub(crate) fn refresh(&self) {
        self.requested.send_modify(|count| *count += 1);
    }

    /// Asks the poller for a fetch, and waits until one that began after this call has ended.
    pub(crate) async fn refreshed(&self) {
        let mut mine = 0;
        self.requested.send_modify(|count| {
            *count += 1;
            mine = *count;
        });
        let mut answered = self.answered.subscribe();
        // The sender lives as long as the domain that this borrows.
        let _ = answered.wait_for(|answered| *answered >= mine).await;
    }
}
