//! Opens a journal.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::common::error_text::error_text;
use crate::common::log;
use crate::journal::database::{
    ACCEPTED, DIGEST, FEED_READ, INCOMPLETE, ISSUED, JournalDatabase, KEYS, NEWEST, REFRESHED,
};
use crate::journal::digest::ListDigest;
use crate::journal::directory::PendingRead;
use crate::journal::error::JournalError;
use crate::journal::recovery::Recovery;
use crate::model::key_secrets::{KeySecrets, KeysExist};
use crate::model::log_place::LogPosition;
use crate::model::timestamp::Timestamp;
use crate::state::entry::Entry;
use crate::status::JournalStart;

/// What earlier processes kept in a directory, verified; and the directory itself, which this process holds.
///
/// Open it before anything else: it has the secrets that keys are made with, and otherwise new secrets are drawn when the first
/// [`Key`](crate::Key) is made. Then hand it to a sink, by `EventSink::keep_in`. See the [module](super).
///
/// Several journals in one process, for several issuers, share their secrets. So one process has to create all of them, and
/// later processes have to open all of them.
#[must_use = "a journal keeps nothing until a sink is kept in it"]
pub struct Journal {
    pub(super) recovery: Recovery,
    /// `None` if it cannot be used for now.
    pub(super) database: Option<JournalDatabase>,
    pub(super) entries: Vec<Entry>,
    /// Up to where the issuer's own logs are known whole.
    pub(super) issuer_logs: Vec<LogPosition>,
    /// The issue time of the newest list that was ever installed.
    pub(super) newest: Option<Timestamp>,
    pub(super) kept: Kept,
    pub(super) damage: Damage,
    pub(super) problem: Option<String>,
    start: JournalStart,
    path: PathBuf,
}

/// What goes with the kept list.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The list itself.
    pub(super) list: Option<PendingRead>,
    /// The list's digest, to recognize the list if it is lost.
    pub(super) digest: Option<ListDigest>,
    /// The issuer's signing keys.
    pub(super) keys: Option<Vec<u8>>,
    /// When the list was issued, and when it was accepted; `None` if no list was ever kept.
    pub(super) issued_at: Option<Timestamp>,
    pub(super) accepted_at: Option<Timestamp>,
    /// When it was last fetched or confirmed.
    pub(super) refreshed_at: Option<Timestamp>,
    /// When another list was issued, in the same second or later, that was installed and could not be kept.
    pub(super) incomplete: Option<Timestamp>,
    /// When the feed was last known to be read up to its end, where there was no list.
    pub(super) feed_read: Option<Timestamp>,
}

/// What to do if the directory's content is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    Refuse,
    StartEmpty,
}

impl Journal {
    /// Opens the journal in the directory at `path`, and creates it if it is missing. Blocks while every page is verified and
    /// everything is read: some 0.3 s for a million entries.
    ///
    /// # Errors
    ///
    /// Each names the file and what is wrong with it; nothing that was kept is lost by that. What to do:
    ///
    /// - [`Damaged`](JournalError::Damaged), [`ForeignVersion`](JournalError::ForeignVersion): look into it. Once the files
    ///   are removed a start finds a new directory; what they said is forgotten, and under
    ///   [`StalePolicy::FailOpen`](crate::StalePolicy::FailOpen) credentials that they revoked are admitted.
    ///   [`open_or_start_empty`](Self::open_or_start_empty) refuses everybody until a list is fetched.
    /// - [`Failed`](JournalError::Failed): make the directory writable, or the disk larger.
    /// - [`InUse`](JournalError::InUse): end the other process, or use another directory.
    /// - [`Exposed`](JournalError::Exposed): set the owner and mode right, if you trust what is in it.
    /// - [`KeysExist`](JournalError::KeysExist): open the journal first.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, JournalError> {
        Self::take_over(Recovery::new(path.as_ref()), Damage::Refuse)
    }

    /// Does what [`open`](Self::open) does; but if the directory's content is of no use, or cannot be read or written, starts with
    /// nothing, and fails closed.
    ///
    /// Everybody is refused until a signed list is fetched (where there are no lists, until the feed is
    /// [live](crate::FeedState::Live)), under any policy, also after further restarts. If only the kept list is lost, that very
    /// list or one of a later second has to be fetched: any other may lack what the lost one revoked. An error is logged,
    /// and [`JournalStatus`](crate::status::JournalStatus) shows it.
    ///
    /// - Damaged files are set aside, under names that end in `.damaged` and perhaps a number.
    /// - Files that cannot be read or written stay as they are. Meanwhile events are in force and answered by "retry"; they cause
    ///   attempts to write, at growing intervals. If the files turn out to be good, only a restart can take them over: the keys
    ///   of this process are made with other secrets.
    ///
    /// # Errors
    ///
    /// [`InUse`](JournalError::InUse), [`Exposed`](JournalError::Exposed) and [`KeysExist`](JournalError::KeysExist).
    ///
    /// # Security
    ///
    /// What only events said is forgotten: after the first list, credentials that it does not carry are admitted again. An issuer
    /// that has signed no list yet cannot end the loss, since anybody may claim that there is none: look into it, and remove the
    /// directory.
    pub fn open_or_start_empty(path: impl AsRef<Path>) -> Result<Self, JournalError> {
        let path = path.as_ref();
        let error = match Self::take_over(Recovery::new(path), Damage::StartEmpty) {
            Err(error) if error.leaves_room_for_a_start() => error,
            opened => return opened,
        };
        // This comes before anything is moved, and before the host makes keys that no journal could keep.
        KeySecrets::keep(None).map_err(|KeysExist| JournalError::KeysExist { path: path.to_owned() })?;
        let problem = error_text(&error).into_owned();
        log::error!(error = %problem, "journal is of no use: starting empty, and failing closed");
        let mut recovery = Recovery::new(path);
        let database = match error {
            JournalError::Failed { .. } => None,
            _ => match recovery.start_over() {
                Ok(database) => Some(database),
                Err(error) if error.leaves_room_for_a_start() => None,
                Err(error) => return Err(error),
            },
        };
        Ok(Self {
            recovery,
            database,
            entries: Vec::new(),
            issuer_logs: Vec::new(),
            newest: None,
            kept: Kept::default(),
            damage: Damage::StartEmpty,
            problem: Some(problem),
            start: JournalStart::Lost,
            path: path.to_owned(),
        })
    }

    /// Returns the journal's directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.path
    }

    /// Returns what was found in the directory.
    #[must_use]
    pub const fn start(&self) -> JournalStart {
        self.start
    }

    /// Returns how many keys earlier processes kept in the journal.
    #[must_use]
    pub const fn entries(&self) -> usize {
        self.entries.len()
    }

    /// Opens the database and reads it, or creates one.
    fn take_over(mut recovery: Recovery, damage: Damage) -> Result<Self, JournalError> {
        let path = recovery.path().to_owned();
        let list = recovery.list()?;
        let (database, start) = match recovery.open()? {
            None => (recovery.create(false)?, JournalStart::New),
            Some(database) => {
                let kept = KeySecrets::keep(Some(&database.secrets()?));
                kept.map_err(|KeysExist| JournalError::KeysExist { path: path.clone() })?;
                match database.needs_list()? {
                    true => (database, JournalStart::Lost),
                    false => (database, JournalStart::Restored),
                }
            }
        };
        let problem = (start == JournalStart::Lost).then(|| {
            format!(
                "{}: lost at an earlier start, and no list was signed since",
                path.display()
            )
        });
        if let Some(problem) = &problem {
            log::error!(error = %problem, "journal was lost: failing closed");
        }
        let entries = database.entries()?;
        recovery.took_over();
        Ok(Self {
            entries,
            issuer_logs: database.issuer_logs()?,
            newest: database.time(NEWEST)?,
            kept: Kept {
                list: Some(list),
                digest: database.text(DIGEST)?.as_deref().and_then(ListDigest::from_bytes),
                keys: database.text(KEYS)?,
                issued_at: database.time(ISSUED)?,
                accepted_at: database.time(ACCEPTED)?,
                refreshed_at: database.time(REFRESHED)?,
                incomplete: database.time(INCOMPLETE)?,
                feed_read: database.time(FEED_READ)?,
            },
            recovery,
            database: Some(database),
            damage,
            problem,
            start,
            path,
        })
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("directory", &self.path)
            .field("start", &self.start)
            .field("entries", &self.entries.len())
            .finish_non_exhaustive()
    }
}
