//! The directory that a journal lives in.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::thread::{self, JoinHandle};

use crate::journal::error::JournalError;

/// A journal's directory, held by this process alone.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Held as long as this is open, and let go of by the system if the process dies.
    _lock: File,
}

impl Directory {
    /// Takes hold of the directory at `path`. Creates it if it is missing.
    pub(super) fn hold(path: &Path) -> Result<Self, JournalError> {
        create(path).map_err(|cause| JournalError::failed(path, cause))?;
        owner::check(path, &[LOCK, DATABASE, WITNESS, LIST, LOSS])?;
        let lock_path = path.join(LOCK);
        let mut lock = private()
            .truncate(false)
            .open(&lock_path)
            .map_err(|cause| JournalError::failed(&lock_path, cause))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = lock.read_to_string(&mut holder);
                return Err(JournalError::InUse {
                    path: path.to_owned(),
                    by: holder.trim().parse().ok(),
                });
            }
            Err(TryLockError::Error(cause)) => return Err(JournalError::failed(&lock_path, cause)),
        }
        // It only informs.
        let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{}", process::id()));
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens one of its files, if it exists.
    pub(super) fn open(&self, name: &str) -> Result<Option<File>, JournalError> {
        let path = self.file(name);
        match private().create(false).open(&path) {
            Ok(file) => Ok(Some(file)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(JournalError::failed(&path, cause)),
        }
    }

    /// Opens one of its files for this user alone; creates it if it is missing.
    pub(super) fn open_or_create(&self, name: &str) -> Result<File, JournalError> {
        let path = self.file(name);
        let file = private().truncate(false).open(&path);
        file.map_err(|cause| JournalError::failed(&path, cause))
    }

    /// Creates one of its files for this user alone, in place of any of that name.
    pub(super) fn create(&self, name: &str) -> Result<File, JournalError> {
        self.remove(name)?;
        let path = self.file(name);
        // Whatever somebody else has put there meanwhile, such as a link to another file, is not followed.
        let file = private().create_new(true).open(&path);
        file.map_err(|cause| JournalError::failed(&path, cause))
    }

    /// Removes one of its files, if it exists.
    pub(super) fn remove(&self, name: &str) -> Result<(), JournalError> {
        let path = self.file(name);
        match fs::remove_file(&path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(JournalError::failed(&path, cause)),
            _ => Ok(()),
        }
    }

    /// What one of its files contains, if it exists. It is read by another thread meanwhile.
    pub(super) fn read(&self, name: &str) -> Result<PendingRead, JournalError> {
        let path = self.file(name);
        let read = {
            let path = path.clone();
            move || match fs::read(path) {
                Ok(content) => Ok(Some(content)),
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(cause) => Err(cause),
            }
        };
        let reading = thread::Builder::new().spawn(read);
        reading.map_err(|cause| JournalError::failed(&path, cause))
    }

    /// Whether one of its files exists.
    pub(super) fn has(&self, name: &str) -> Result<bool, JournalError> {
        let path = self.file(name);
        path.try_exists().map_err(|cause| JournalError::failed(&path, cause))
    }

    /// Replaces one of its files as a whole: there is the old or the new one whatever happens, and the new one is durable
    /// when this returns.
    pub(super) fn replace(&self, name: &str, content: &[u8]) -> Result<(), JournalError> {
        let new = new(name);
        let write = || {
            let mut file = self.create(&new)?;
            let written = file.write_all(content).and_then(|()| file.sync_all());
            written.map_err(|cause| JournalError::failed(&self.file(name), cause))?;
            self.put_in_place(name)?;
            self.sync()
        };
        write().inspect_err(|_| {
            // A half of it would take room that is wanted elsewhere.
            let _ = fs::remove_file(self.file(&new));
        })
    }

    /// Gives the [`new`] file the place of that name; for good once the directory is [synced](Self::sync).
    pub(super) fn put_in_place(&self, name: &str) -> Result<(), JournalError> {
        let path = self.file(name);
        fs::rename(self.file(&new(name)), &path).map_err(|cause| JournalError::failed(&path, cause))
    }

    /// Makes the names in it durable.
    pub(super) fn sync(&self) -> Result<(), JournalError> {
        sync(&self.path).map_err(|cause| JournalError::failed(&self.path, cause))
    }

    /// Puts files aside, for somebody to look at, beside those that were put aside before.
    pub(super) fn set_aside(&self, names: &[&str]) -> Result<(), JournalError> {
        for name in names {
            if !self.has(name)? {
                continue;
            }
            let mut aside = format!("{name}.damaged");
            let mut number = 0_u32;
            while self.has(&aside)? {
                number += 1;
                aside = format!("{name}.damaged.{number}");
            }
            let path = self.file(name);
            fs::rename(&path, self.file(&aside)).map_err(|cause| JournalError::failed(&path, cause))?;
        }
        self.sync()
    }

    /// How many bytes its files take.
    pub(super) fn bytes(&self) -> u64 {
        let length = |name| fs::metadata(self.file(name)).map_or(0, |data| data.len());
        [DATABASE, LIST].into_iter().map(length).sum()
    }
}

/// The content of a file to come.
pub(super) type PendingRead = JoinHandle<io::Result<Option<Vec<u8>>>>;

/// What events said.
pub(super) const DATABASE: &str = "journal.redb";

/// The last good list.
pub(super) const LIST: &str = "list";

/// How many commits there were.
pub(super) const WITNESS: &str = "sequence";

/// There while a database that is of no use is being replaced.
pub(super) const LOSS: &str = "loss";

const LOCK: &str = "lock";

/// What a file is called until it is whole.
pub(super) fn new(name: &str) -> String {
    format!("{name}.new")
}

/// Creates a directory for this user alone, and those above it; none of them is lost when the power fails.
fn create(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    if let Some(above) = above {
        create(above)?;
    }
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        // Somebody was faster.
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        created => created?,
    }
    sync(above.unwrap_or_else(|| Path::new(".")))
}

/// Makes the names in a directory durable.
fn sync(directory: &Path) -> io::Result<()> {
    // Elsewhere directories cannot be opened, and the system sees to it.
    if cfg!(unix) {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

/// To be read and written by this user alone.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Who may have written what is there.
#[cfg(unix)]
mod owner {
    use std::fs;
    use std::io;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;
    use std::process;

    use crate::journal::error::JournalError;

    /// Checks that nobody else could write these files.
    pub(super) fn check(directory: &Path, names: &[&str]) -> Result<(), JournalError> {
        let ours = our_user(directory)?;
        let exposed = |path: &Path, how| JournalError::Exposed {
            path: path.to_owned(),
            how,
        };
        let data = fs::metadata(directory).map_err(|cause| JournalError::failed(directory, cause))?;
        // Whoever owns it may put anything in it. What containers mount is the superuser's.
        if data.uid() != ours && data.uid() != 0 {
            return Err(exposed(directory, "belongs to another user"));
        }
        // In one that is sticky (`/tmp`), only a file's owner may move it.
        if data.mode() & 0o1002 == 0o0002 {
            return Err(exposed(directory, "everybody may write to it"));
        }
        for name in names {
            let path = directory.join(name);
            let data = match fs::symlink_metadata(&path) {
                Ok(data) => data,
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => continue,
                Err(cause) => return Err(JournalError::failed(&path, cause)),
            };
            if !data.is_file() {
                return Err(exposed(&path, "is not a regular file"));
            }
            if data.uid() != ours {
                return Err(exposed(&path, "belongs to another user"));
            }
            if data.mode() & 0o022 != 0 {
                return Err(exposed(&path, "others than its owner may write it"));
            }
        }
        Ok(())
    }

    /// Whoever owns what we create. It shows as well whether we can create anything.
    fn our_user(directory: &Path) -> Result<u32, JournalError> {
        let path = directory.join(format!("probe.{}", process::id()));
        let probe = || {
            // One that was left by a process of that number. A link is removed, not followed.
            let _ = fs::remove_file(&path);
            let file = super::private().create_new(true).open(&path)?;
            let user = file.metadata()?.uid();
            fs::remove_file(&path)?;
            Ok(user)
        };
        probe().map_err(|cause: io::Error| JournalError::failed(&path, cause))
    }
}

#[cfg(not(unix))]
mod owner {
    use std::path::Path;

    use crate::journal::error::JournalError;

    pub(super) fn check(_: &Path, _: &[&str]) -> Result<(), JournalError> {
        Ok(())
    }
}
