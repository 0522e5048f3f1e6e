//! Opening a journal.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::common::error_text::error_text;
use crate::journal::database::{ACCEPTED, INCOMPLETE, ISSUED, JournalDatabase, KEYS, NEWEST, PRINT, REFRESHED};
use crate::journal::digest::ListDigest;
use crate::journal::directory::PendingRead;
use crate::journal::error::JournalError;
use crate::journal::recovery::Recovery;
use crate::model::key_secrets::{KeySecrets, KeysExist};
use crate::model::timestamp::Timestamp;
use crate::state::entry::Entry;
use crate::status::JournalStart;

/// What earlier processes kept in a directory, verified, and the directory itself, held by this process.
///
/// Open it before anything else: it brings the secrets that keys are made with, and these are drawn when the first
/// [`Key`](crate::Key) is made. Then hand it to a sink, by `EventSink::keep_in`. See the [module](super).
///
/// Several journals in one process, for several issuers, share their secrets. So they have to be created by one process, and
/// opened together ever after.
#[must_use = "a journal keeps nothing until a sink is kept in it"]
pub struct Journal {
    pub(super) opener: Recovery,
    /// `None` if it cannot be used for now.
    pub(super) book: Option<JournalDatabase>,
    pub(super) entries: Vec<Entry>,
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
    /// What it is recognized by, should it be lost.
    pub(super) print: Option<ListDigest>,
    /// The issuer's signing keys.
    pub(super) keys: Option<Vec<u8>>,
    /// When the list was issued, and when it was found to be good; `None` if no list was ever kept.
    pub(super) issued_at: Option<Timestamp>,
    pub(super) accepted_at: Option<Timestamp>,
    /// When it was last fetched or confirmed.
    pub(super) refreshed_at: Option<Timestamp>,
    /// When another list was issued, in the same second or later, that was installed and could not be kept.
    pub(super) incomplete: Option<Timestamp>,
}

/// What is to become of a start at which the directory's content is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    Refuse,
    StartEmpty,
}

impl Journal {
    /// Opens the journal in the directory at `path`, and creates it if it is missing. Blocks: every page is verified, and all
    /// is read. Takes some 0.3 s for a million entries.
    ///
    /// # Errors
    ///
    /// Each names the file and what is wrong with it; nothing that was kept is lost by that. What to do:
    ///
    /// - [`Damaged`](JournalError::Damaged), [`ForeignVersion`](JournalError::ForeignVersion): look into it. Once the files
    ///   are removed a start finds a new directory; what they said is forgotten, and under
    ///   [`StalePolicy::FailOpen`](crate::StalePolicy::FailOpen) what they revoked is admitted.
    ///   [`open_or_start_empty`](Self::open_or_start_empty) admits nobody until a list is fetched.
    /// - [`Failed`](JournalError::Failed): make the directory writable, or the disk larger.
    /// - [`InUse`](JournalError::InUse): end the other process, or use another directory.
    /// - [`Exposed`](JournalError::Exposed): set the owner and mode right, if you trust what is in it.
    /// - [`KeysExist`](JournalError::KeysExist): open the journal first.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, JournalError> {
        Self::take_over(Recovery::new(path.as_ref()), Damage::Refuse)
    }

    /// What [`open`](Self::open) does; but where the directory's content is of no use, or cannot be read or written, it starts
    /// with nothing, and fails closed.
    ///
    /// Until a signed list is fetched (where there are no lists, until the feed is [live](crate::FeedState::Live)) everybody is
    /// refused who is not known to be revoked, under any policy, also after further restarts. Where the kept list alone is lost, it
    /// takes that very list or one issued in a later second: any other may lack what the lost one revoked. An error is logged,
    /// and [`JournalStatus`](crate::status::JournalStatus) shows it.
    ///
    /// - What is damaged is set aside, under names that end in `.damaged` and perhaps a number.
    /// - What cannot be read or written stays as it is. Meanwhile events are in force and answered by "retry"; each of them is
    ///   an attempt to write, at growing intervals. Should it turn out to be in good order after all, it takes a
    ///   restart to take it over: the keys of this process are made with other secrets.
    ///
    /// # Errors
    ///
    /// [`InUse`](JournalError::InUse), [`Exposed`](JournalError::Exposed) and [`KeysExist`](JournalError::KeysExist).
    ///
    /// # Security
    ///
    /// What events said and the list doesn't is forgotten: after the first list, those are admitted again whom it does not
    /// carry. An issuer that has signed no list yet cannot end the loss, since anybody may claim that there is none: look into
    /// it, and remove the directory.
    pub fn open_or_start_empty(path: impl AsRef<Path>) -> Result<Self, JournalError> {
        let path = path.as_ref();
        let error = match Self::take_over(Recovery::new(path), Damage::StartEmpty) {
            Err(error) if error.leaves_room_for_a_start() => error,
            opened => return opened,
        };
        // Before anything is moved, and before the host makes keys that no journal could keep.
        KeySecrets::keep(None).map_err(|KeysExist| JournalError::KeysExist { path: path.to_owned() })?;
        let problem = error_text(&error).into_owned();
        tracing::error!(error = %problem, "journal is of no use: starting empty, and failing closed");
        let mut opener = Recovery::new(path);
        let book = match error {
            JournalError::Failed { .. } => None,
            _ => match opener.start_over() {
                Ok(book) => Some(book),
                Err(error) if error.leaves_room_for_a_start() => None,
                Err(error) => return Err(error),
            },
        };
        Ok(Self {
            opener,
            book,
            entries: Vec::new(),
            newest: None,
            kept: Kept::default(),
            damage: Damage::StartEmpty,
            problem: Some(problem),
            start: JournalStart::Lost,
            path: path.to_owned(),
        })
    }

    /// Its directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.path
    }

    /// What was found in it.
    #[must_use]
    pub const fn start(&self) -> JournalStart {
        self.start
    }

    /// How many keys earlier processes kept in it.
    #[must_use]
    pub const fn entries(&self) -> usize {
        self.entries.len()
    }

    /// Opens a book and reads it, or begins one.
    fn take_over(mut opener: Recovery, damage: Damage) -> Result<Self, JournalError> {
        let path = opener.path().to_owned();
        let list = opener.list()?;
        let (book, start) = match opener.open()? {
            None => (opener.create(false)?, JournalStart::New),
            Some(book) => {
                let kept = KeySecrets::keep(Some(&book.secrets()?));
                kept.map_err(|KeysExist| JournalError::KeysExist { path: path.clone() })?;
                match book.needs_list()? {
                    true => (book, JournalStart::Lost),
                    false => (book, JournalStart::Restored),
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
            tracing::error!(error = %problem, "journal was lost: failing closed");
        }
        let entries = book.entries()?;
        opener.took_over();
        Ok(Self {
            entries,
            newest: book.time(NEWEST)?,
            kept: Kept {
                list: Some(list),
                print: book.text(PRINT)?.as_deref().and_then(ListDigest::from_bytes),
                keys: book.text(KEYS)?,
                issued_at: book.time(ISSUED)?,
                accepted_at: book.time(ACCEPTED)?,
                refreshed_at: book.time(REFRESHED)?,
                incomplete: book.time(INCOMPLETE)?,
            },
            opener,
            book: Some(book),
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
