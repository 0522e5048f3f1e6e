//! The directory of a journal.

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
    /// The lock is held as long as this file is open. If the process dies, the system releases it.
    _lock: File,
}

impl Directory {
    /// Takes hold of the directory at `path`. Creates it if it is missing.
    pub(super) fn hold(path: &Path) -> Result<Self, JournalError> {
        create(path).map_err(|cause| JournalError::failed(path, cause))?;
        owner::check(path, &[LOCK, DATABASE, COMMIT_COUNT, LIST, LOSS])?;
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
        // The number only informs.
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
        // If somebody else has put something there meanwhile, such as a link to another file, it is not followed.
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

    /// Starts reading one of its files on another thread, if the file exists.
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

    /// Returns whether one of its files exists.
    pub(super) fn has(&self, name: &str) -> Result<bool, JournalError> {
        let path = self.file(name);
        path.try_exists().map_err(|cause| JournalError::failed(&path, cause))
    }

    /// Replaces one of its files as a whole: whatever happens, there is the old or the new one. The new one is durable when this
    /// returns.
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
            // Half of a file would take room that is needed elsewhere.
            let _ = fs::remove_file(self.file(&new));
        })
    }

    /// Renames the [`new`] file to `name`. The name is durable once the directory is [synced](Self::sync).
    pub(super) fn put_in_place(&self, name: &str) -> Result<(), JournalError> {
        let path = self.file(name);
        fs::rename(self.file(&new(name)), &path).map_err(|cause| JournalError::failed(&path, cause))
    }

    /// Makes the names in the directory durable.
    pub(super) fn sync(&self) -> Result<(), JournalError> {
        sync(&self.path).map_err(|cause| JournalError::failed(&self.path, cause))
    }

    /// Renames files so that somebody can look at them, and keeps those that were set aside before.
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

    /// Returns how many bytes its files take.
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
pub(super) const COMMIT_COUNT: &str = "sequence";

/// The file that is there while a database that is of no use is replaced.
pub(super) const LOSS: &str = "loss";

const LOCK: &str = "lock";

/// Returns the name of a file until it is whole.
pub(super) fn new(name: &str) -> String {
    format!("{name}.new")
}

/// Creates a directory and those above it, for this user alone. None of them is lost if the power fails.
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
    // Other systems do not open directories, and make names durable by themselves.
    if cfg!(unix) {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

/// Returns options for files that only this user may read and write.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Checks who may have written the files.
#[cfg(unix)]
mod owner {
    use std::fs::{self, Permissions};
    use std::io;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::Path;
    use std::process;

    use crate::journal::directory::private;
    use crate::journal::error::JournalError;

    /// Checks that nobody else could write these files, but for a group that may write to the directory as well: whoever made the
    /// directory trusts that group, which could remove all files. The group's right to write the files is taken away: Kubernetes
    /// gives it anew to all files of a volume with an `fsGroup` whenever a pod starts.
    pub(super) fn check(directory: &Path, names: &[&str]) -> Result<(), JournalError> {
        let ours = our_user(directory)?;
        let exposed = |path: &Path, how| JournalError::Exposed {
            path: path.to_owned(),
            how,
        };
        let data = fs::metadata(directory).map_err(|cause| JournalError::failed(directory, cause))?;
        // The owner may put anything in it. Directories that containers mount belong to the superuser.
        if data.uid() != ours && data.uid() != 0 {
            return Err(exposed(directory, "belongs to another user"));
        }
        // In a sticky directory (`/tmp`), only a file's owner may move it.
        if data.mode() & 0o1002 == 0o0002 {
            return Err(exposed(directory, "everybody may write to it"));
        }
        let is_group_trusted = data.mode() & 0o1020 == 0o0020;
        let trusted_group = is_group_trusted.then(|| data.gid());
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
            let is_trusted = trusted_group == Some(data.gid());
            if data.mode() & if is_trusted { 0o002 } else { 0o022 } != 0 {
                return Err(exposed(&path, "others than its owner may write it"));
            }
            if data.mode() & 0o020 != 0 {
                let rights = Permissions::from_mode(data.mode() & 0o7757);
                fs::set_permissions(&path, rights).map_err(|cause| JournalError::failed(&path, cause))?;
            }
        }
        Ok(())
    }

    /// Returns who owns what this process creates. That shows as well whether it can create anything.
    fn our_user(directory: &Path) -> Result<u32, JournalError> {
        let path = directory.join(format!("probe.{}", process::id()));
        let probe = || {
            // An earlier process with the same number may have left one. A link is removed, not followed.
            let _ = fs::remove_file(&path);
            let file = private().create_new(true).open(&path)?;
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
