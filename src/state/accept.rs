//! Which events may be applied, and which lists are accepted in place of which.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::model::event::Event;
use crate::model::timestamp::Timestamp;
use crate::state::snapshot::RevocationList;

/// Compares an offered list with the installed one and the newest that was ever seen, and returns what to install: the
/// installed one again, if the offered one says the same.
///
/// Pure. Takes time proportional to both lists if they were issued in the same second, and almost none otherwise.
pub(crate) fn accept_list(
    offered: RevocationList,
    installed: Option<&Arc<RevocationList>>,
    newest: Option<Timestamp>,
    now: Timestamp,
    leeway: Duration,
) -> Result<AcceptedList, InstallError> {
    let newest = newest.max(installed.and_then(|list| list.issued_at()));
    let as_offered = |offered| AcceptedList {
        list: Arc::new(offered),
        is_as_offered: true,
    };
    match (offered.issued_at(), newest) {
        // An unsigned "there is none" is believed only as long as no signed list was seen (invariant 3).
        (None, Some(newest)) => Err(InstallError::Unsigned { newest }),
        (None, None) => Ok(as_offered(offered)),
        (Some(issued_at), _) if issued_at > now.saturating_add(leeway) => Err(InstallError::FromFuture {
            issued_at,
            latest: now.saturating_add(leeway),
        }),
        (Some(issued_at), Some(newest)) if issued_at < newest => Err(InstallError::Rollback {
            offered: issued_at,
            newest,
        }),
        (Some(issued_at), _) => Ok(match installed {
            Some(list) if list.issued_at() == Some(issued_at) => joined(offered, list),
            _ => as_offered(offered),
        }),
    }
}

/// A list that was accepted, and may be installed.
#[derive(Debug)]
pub(crate) struct AcceptedList {
    pub(crate) list: Arc<RevocationList>,
    /// Whether it carries nothing but what the offered one does.
    #[cfg_attr(
        not(feature = "crl-poll"),
        expect(dead_code, reason = "only the poller persists its list")
    )]
    pub(crate) is_as_offered: bool,
}

/// Checks that the installed list may be confirmed as the newest.
pub(crate) fn confirm(installed: Option<&Arc<RevocationList>>, now: Timestamp) -> Result<(), InstallError> {
    let installed = installed.ok_or(InstallError::NothingToConfirm)?;
    match installed.expires_at() {
        Some(expired_at) if expired_at <= now => Err(InstallError::Expired { expired_at }),
        _ => Ok(()),
    }
}

/// Joins two lists of one second. Nobody can tell which is newer, and neither may un-revoke what the other carries.
fn joined(offered: RevocationList, installed: &Arc<RevocationList>) -> AcceptedList {
    if offered.says_the_same_as(installed) && offered.expires_at() == installed.expires_at() {
        return AcceptedList {
            list: Arc::clone(installed),
            is_as_offered: true,
        };
    }
    let is_as_offered = offered.says_all_of(installed);
    let list = if is_as_offered {
        offered
    } else {
        offered.union(installed)
    };
    AcceptedList {
        list: Arc::new(list),
        is_as_offered,
    }
}

/// Whether an event may be applied. A revocation always may, with any time: that is the strict side. A reinstatement
/// from the future would also lift the blocks that come until then.
pub(crate) fn is_timely(event: &Event, now: Timestamp, leeway: Duration) -> bool {
    match event {
        Event::Reinstate(reinstatement) => reinstatement.effective_at() <= now.saturating_add(leeway),
        Event::Revoke(_) => true,
    }
}

/// Says why an event was not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApplyError {
    /// The overlay holds as many keys as it may. Deliver the event again later.
    AtCapacity {
        /// How many events found no room.
        refused: usize,
    },
    /// A reinstatement's time lies ahead of this machine's clock by more than the leeway. It would lift blocks that are
    /// still to come.
    FromFuture {
        /// How many reinstatements were refused.
        refused: usize,
        /// The latest time that would have been accepted.
        latest: Timestamp,
    },
    /// The events are in force, but the journal could not store them: a restart would forget them. Deliver them again
    /// later.
    NotDurable {
        /// Which file, and what is wrong with it.
        problem: Arc<str>,
    },
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtCapacity { refused } => write!(f, "overlay is at capacity: no room for {refused} events"),
            Self::FromFuture { refused, latest } => write!(
                f,
                "{refused} reinstatements are from the future: later than {} (now and the clock leeway)",
                latest.as_unix_secs()
            ),
            Self::NotDurable { problem } => write!(f, "in force, but not durable: {problem}"),
        }
    }
}

impl Error for ApplyError {}

/// Says why a list was not installed or confirmed. The installed one stays unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InstallError {
    /// The installed list has expired and cannot be confirmed any more: a newer one has to be fetched.
    Expired {
        /// The time.
        expired_at: Timestamp,
    },
    /// The list's issue time lies ahead of this machine's clock by more than the leeway. If it were installed, all its
    /// successors up to that time would be refused as rollbacks.
    FromFuture {
        /// The list's issue time.
        issued_at: Timestamp,
        /// The latest issue time that would have been accepted.
        latest: Timestamp,
    },
    /// No list is installed that could be confirmed; or the state of earlier processes is lost, and the whole list is
    /// needed.
    NothingToConfirm,
    /// The list was issued before the newest that was ever installed, by this process or, with a journal, by an earlier
    /// one.
    Rollback {
        /// The list's issue time.
        offered: Timestamp,
        /// The newest list's issue time.
        newest: Timestamp,
    },
    /// The issuer says, without a signature, that there is no list, although it signed one before.
    Unsigned {
        /// The time.
        newest: Timestamp,
    },
}

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired { expired_at } => {
                write!(f, "installed list has expired: exp {}", expired_at.as_unix_secs())
            }
            Self::FromFuture { issued_at, latest } => write!(
                f,
                "list is from the future: iat {} is later than {} (now and the clock leeway)",
                issued_at.as_unix_secs(),
                latest.as_unix_secs()
            ),
            Self::NothingToConfirm => f.write_str("no list is installed that could be confirmed"),
            Self::Rollback { offered, newest } => {
                write!(
                    f,
                    "list is a rollback: iat {offered} is older than the newest list's {newest}"
                )
            }
            Self::Unsigned { newest } => write!(
                f,
                "unsigned answer that there is no list, although one was signed: iat {}",
                newest.as_unix_secs()
            ),
        }
    }
}

impl Error for InstallError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{Reinstatement, Revocation};
    use crate::model::key::Key;

    const NOW: Timestamp = Timestamp::from_unix_secs(1_000);
    const LEEWAY: Duration = Duration::from_secs(60);

    fn secs(secs: u64) -> Timestamp {
        Timestamp::from_unix_secs(secs)
    }

    fn list(issued_at: u64, tokens: &[&str]) -> RevocationList {
        let mut list = RevocationList::builder(secs(issued_at)).with_expiry(secs(1_000));
        for token in tokens {
            list.push(&Revocation::block(Key::token(token)).at(secs(5)));
        }
        list.build()
    }

    fn offer(offered: RevocationList, installed: &Arc<RevocationList>) -> Result<Arc<RevocationList>, InstallError> {
        accept_list(offered, Some(installed), None, NOW, LEEWAY).map(|accepted| accepted.list)
    }

    #[test]
    fn reinstatements_from_beyond_the_leeway_are_refused_and_revocations_are_not() {
        let key = Key::subject("s");
        let is_timely = |event: Event| is_timely(&event, NOW, LEEWAY);
        assert!(is_timely(Reinstatement::of(key, secs(1_060)).into()));
        assert!(!is_timely(
            Reinstatement::of(key, Timestamp::from_unix_millis(1_060_001)).into()
        ));
        assert!(is_timely(Revocation::block(key).at(secs(9_999)).into()));
    }

    #[test]
    fn an_older_list_is_refused_and_a_newer_one_takes_over() {
        let installed = Arc::new(list(100, &["t"]));
        assert_eq!(
            offer(list(99, &["t", "u"]), &installed).unwrap_err(),
            InstallError::Rollback {
                offered: secs(99),
                newest: secs(100)
            }
        );
        assert_eq!(offer(list(101, &[]), &installed).unwrap().entries(), 0);
    }

    #[test]
    fn a_list_from_beyond_the_leeway_is_refused() {
        assert!(accept_list(list(1_060, &[]), None, None, NOW, LEEWAY).is_ok());
        assert_eq!(
            accept_list(list(1_061, &[]), None, None, NOW, LEEWAY).unwrap_err(),
            InstallError::FromFuture {
                issued_at: secs(1_061),
                latest: secs(1_060)
            }
        );
    }

    #[test]
    fn two_lists_of_one_second_are_one() {
        let installed = Arc::new(list(100, &["a", "b"]));
        let joined = offer(list(100, &["b", "c"]), &installed).unwrap();
        assert_eq!(joined.entries(), 3);
        let shrunk = offer(list(100, &["a"]), &installed).unwrap();
        assert_eq!(shrunk.entries(), 2);
        let same = offer(list(100, &["b", "a"]), &installed).unwrap();
        assert!(Arc::ptr_eq(&same, &installed), "nothing to install");
    }

    #[test]
    fn of_two_lists_of_one_second_nothing_is_lost() {
        let installed = Arc::new(list(100, &["a"]));
        let mut more = RevocationList::builder(secs(100)).with_expiry(secs(1_000));
        more.push(&Revocation::block(Key::token("a")).at(secs(5)));
        more.push(&Revocation::block(Key::everything()).at(secs(5)));
        let joined = offer(more.build(), &installed).unwrap();
        assert!(joined.get(&Key::everything()).is_some());
        let mut later = RevocationList::builder(secs(100)).with_expiry(secs(2_000));
        later.push(&Revocation::block(Key::token("a")).at(secs(5)));
        let joined = offer(later.build(), &installed).unwrap();
        assert_eq!(joined.expires_at(), Some(secs(2_000)));
        assert_eq!(joined.entries(), 1);
    }

    #[test]
    fn an_unsigned_empty_list_is_believed_only_before_the_first_signed_one() {
        let unsigned = Arc::new(RevocationList::empty());
        assert!(accept_list(RevocationList::empty(), None, None, NOW, LEEWAY).is_ok());
        assert!(offer(RevocationList::empty(), &unsigned).is_ok());
        assert!(offer(list(100, &["t"]), &unsigned).is_ok());
        assert_eq!(
            offer(RevocationList::empty(), &Arc::new(list(100, &["t"]))).unwrap_err(),
            InstallError::Unsigned { newest: secs(100) }
        );
    }

    #[test]
    fn what_an_earlier_process_saw_counts_as_well() {
        let newest = Some(secs(100));
        let accept_list =
            |offered| accept_list(offered, None, newest, NOW, LEEWAY).map(|accepted| accepted.is_as_offered);
        assert!(matches!(accept_list(list(99, &[])), Err(InstallError::Rollback { .. })));
        assert!(matches!(
            accept_list(RevocationList::empty()),
            Err(InstallError::Unsigned { .. })
        ));
        assert_eq!(accept_list(list(100, &[])), Ok(true));
        assert_eq!(accept_list(list(101, &[])), Ok(true));
    }

    #[test]
    fn says_whether_a_list_of_the_same_second_brought_it_all() {
        let installed = Arc::new(list(100, &["a", "b"]));
        for (offered, is_as_offered) in [(&["a", "b"][..], true), (&["a", "b", "c"], true), (&["a", "c"], false)] {
            let accepted = accept_list(list(100, offered), Some(&installed), None, NOW, LEEWAY).unwrap();
            assert_eq!(accepted.is_as_offered, is_as_offered, "{offered:?}");
        }
    }

    #[test]
    fn an_expired_list_cannot_be_confirmed() {
        let installed = Arc::new(list(100, &[]));
        assert_eq!(confirm(None, NOW), Err(InstallError::NothingToConfirm));
        assert_eq!(confirm(Some(&installed), secs(999)), Ok(()));
        assert_eq!(
            confirm(Some(&installed), secs(1_000)),
            Err(InstallError::Expired {
                expired_at: secs(1_000)
            })
        );
    }
}
