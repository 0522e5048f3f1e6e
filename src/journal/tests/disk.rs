//! A disk in memory, which does as it is told.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

use crate::journal::commit_count::CommitCount;
use crate::journal::database::JournalDatabase;
use crate::journal::error::JournalError;
use crate::model::event::{Event, Revocation};
use crate::model::key::Key;
use crate::model::key_secrets::KeySecrets;
use crate::model::timestamp::Timestamp;
use crate::state::entry::Entry;
use crate::state::key_state::KeyState;

/// What lies on a disk. A clone is another handle to the same disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    content: Arc<Mutex<Content>>,
    fault: Arc<Mutex<Option<Fault>>>,
}

#[derive(Debug)]
struct Content {
    bytes: Vec<u8>,
    /// What was there when it was last synced, and what was written since.
    synced: Vec<u8>,
    unsynced: Vec<(usize, Vec<u8>)>,
    syncs: usize,
    random: fastrand::Rng,
    /// What lay on it after each change, and what would have been left had the power failed then, if that is wanted.
    history: Option<Vec<Vec<u8>>>,
}

impl Default for Content {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            synced: Vec::new(),
            unsynced: Vec::new(),
            syncs: 0,
            random: fastrand::Rng::with_seed(3),
            history: None,
        }
    }
}

impl Content {
    fn changed(&mut self) {
        if self.history.is_some() {
            let mut images = vec![self.bytes.clone()];
            for _ in 0..2 {
                let left = self.after_power_loss();
                images.push(left);
            }
            self.history.iter_mut().for_each(|history| history.append(&mut images));
        }
    }

    /// What is left after the power failed: all that was synced, and any part of what was written since.
    fn after_power_loss(&mut self) -> Vec<u8> {
        let mut left = self.synced.clone();
        // Its length is part of what was written since, and its end is nothing then.
        if self.random.bool() {
            left.resize(self.bytes.len(), 0);
        }
        for (offset, data) in &self.unsynced {
            if self.random.bool()
                && let Some(room) = left.get_mut(*offset..offset + data.len())
            {
                room.copy_from_slice(data);
            }
        }
        left
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// No room to grow.
    Full,
    /// The database, or what is below it, panics.
    Panic,
    /// Nothing may be written.
    ReadOnly,
    /// What was written does not get to the disk. The system says so once, and does not try again; what it has in its cache
    /// reads as if all were well.
    Sync,
}

impl Disk {
    pub(super) fn of(bytes: Vec<u8>) -> Self {
        let disk = Self::default();
        disk.content().synced.clone_from(&bytes);
        disk.content().bytes = bytes;
        disk
    }

    /// What is left after the power failed.
    pub(super) fn after_power_loss(&self) -> Vec<u8> {
        self.content().after_power_loss()
    }

    /// What lies on it now: what a process leaves that is killed.
    pub(super) fn image(&self) -> Vec<u8> {
        self.content().bytes.clone()
    }

    /// Remembers what lies on it after each change from now on.
    pub(super) fn remember(&self) {
        self.content().history = Some(Vec::new());
    }

    /// What lay on it after each change since this was last asked.
    pub(super) fn history(&self) -> Vec<Vec<u8>> {
        self.content().history.as_mut().map(std::mem::take).unwrap_or_default()
    }

    pub(super) fn set_fault(&self, fault: Option<Fault>) {
        *self.fault.lock().unwrap() = fault;
    }

    fn fault(&self) -> Option<Fault> {
        *self.fault.lock().unwrap()
    }

    /// Another file on the same device.
    pub(super) fn another(&self) -> Self {
        Self {
            content: Arc::default(),
            fault: Arc::clone(&self.fault),
        }
    }

    /// Opens the database on it as after a failure: all of it is copied to another file, which is returned.
    pub(super) fn reopen(&self, commit_count: &File) -> Result<(Self, JournalDatabase), JournalError> {
        let old = self.open(commit_count)?;
        let other = self.another();
        let commit_count = CommitCount::new(Path::new("sequence"), commit_count.try_clone().unwrap());
        let mut database = JournalDatabase::copy(Path::new("journal.redb"), other.clone(), commit_count, &old)?;
        database.write_first_count()?;
        Ok((other, database))
    }

    /// How often it was synced.
    pub(super) fn syncs(&self) -> usize {
        self.content().syncs
    }

    /// Opens the database on it.
    pub(super) fn open(&self, commit_count: &File) -> Result<JournalDatabase, JournalError> {
        let commit_count = CommitCount::new(Path::new("sequence"), commit_count.try_clone().unwrap());
        JournalDatabase::open(Path::new("journal.redb"), self.clone(), commit_count)
    }

    /// Begins a database on it.
    pub(super) fn begin(&self, commit_count: &File) -> JournalDatabase {
        let commit_count = CommitCount::new(Path::new("sequence"), commit_count.try_clone().unwrap());
        let path = Path::new("journal.redb");
        let mut database =
            JournalDatabase::create(path, self.clone(), commit_count, KeySecrets::in_use(), false).unwrap();
        database.write_first_count().unwrap();
        database
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap()
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.content().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let content = self.content();
        let offset = usize::try_from(offset).unwrap();
        let end = offset.checked_add(out.len());
        let found = end.and_then(|end| content.bytes.get(offset..end));
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        let mut content = self.content();
        let len = usize::try_from(len).unwrap();
        match self.fault() {
            Some(Fault::ReadOnly) => return Err(io::ErrorKind::ReadOnlyFilesystem.into()),
            Some(Fault::Full) if len > content.bytes.len() => return Err(io::ErrorKind::StorageFull.into()),
            _ => {}
        }
        content.bytes.resize(len, 0);
        content.changed();
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        let fault = self.fault();
        let mut content = self.content();
        let Content {
            bytes,
            synced,
            unsynced,
            syncs,
            ..
        } = &mut *content;
        let unsynced = std::mem::take(unsynced);
        match fault {
            Some(Fault::Panic) => {
                drop(content);
                panic!("on purpose");
            }
            Some(Fault::Sync) => return Err(io::Error::other("the disk is broken")),
            Some(Fault::ReadOnly) => return Err(io::ErrorKind::ReadOnlyFilesystem.into()),
            _ => *syncs += 1,
        }
        synced.resize(bytes.len(), 0);
        for (offset, data) in unsynced {
            // What was cut off afterwards is gone.
            if let Some(room) = synced.get_mut(offset..offset + data.len()) {
                room.copy_from_slice(&data);
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let mut content = self.content();
        match self.fault() {
            Some(Fault::ReadOnly) => return Err(io::ErrorKind::ReadOnlyFilesystem.into()),
            Some(Fault::Full) => return Err(io::ErrorKind::StorageFull.into()),
            _ => {}
        }
        let offset = usize::try_from(offset).unwrap();
        content.unsynced.push((offset, data.to_vec()));
        content.bytes[offset..][..data.len()].copy_from_slice(data);
        content.changed();
        Ok(())
    }
}

/// An entry that blocks a token of that number.
pub(super) fn entry(number: usize, keep_until: Option<Timestamp>) -> Entry {
    let event = Event::from(Revocation::block(Key::token(&number.to_string())).at(Timestamp::from_unix_secs(5)));
    Entry {
        key: *event.key(),
        key_state: KeyState::of(&event, Timestamp::default(), 0),
        spared: None,
        keep_until,
    }
}
