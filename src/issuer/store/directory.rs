//! The directory of an issuer.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::issuer::error::IssuerError;

/// An issuer's directory, held by this process alone.
#[derive(Debug)]
pub(super) struct IssuerDirectory {
    /// The lock is held as long as this file is open. If the process dies, the system releases it.
    _lock: File,
    /// Where the database is.
    pub(super) database: PathBuf,
}

impl IssuerDirectory {
    /// Takes hold of the directory at `path`. Creates it if it is missing.
    pub(super) fn hold(path: &Path) -> Result<Self, IssuerError> {
        create(path).map_err(|cause| IssuerError::failed(path, cause))?;
        let (lock_path, database) = (path.join(LOCK), path.join(DATABASE));
        let lock = private(&lock_path).map_err(|cause| IssuerError::failed(&lock_path, cause))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(IssuerError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(cause)) => return Err(IssuerError::failed(&lock_path, cause)),
        }
        owner::check(path, &lock, &database)?;
        Ok(Self { _lock: lock, database })
    }

    /// Opens the file of the database, for this user alone; creates it if it is missing. Its name is durable when this returns.
    pub(super) fn open(&self) -> Result<File, IssuerError> {
        let failed = |cause| IssuerError::failed(&self.database, cause);
        let file = private(&self.database).map_err(failed)?;
        sync(self.database.parent().unwrap_or_else(|| Path::new("."))).map_err(failed)?;
        Ok(file)
    }
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

/// Opens a file that only this user may read and write, and creates it if it is missing.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Checks who may have written the files.
#[cfg(unix)]
mod owner {
    use std::fs::{self, File};
    use std::io;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    use crate::issuer::error::IssuerError;

    /// Checks that nobody else could write the database. Whoever could would revoke anybody, or nobody.
    pub(super) fn check(directory: &Path, lock: &File, database: &Path) -> Result<(), IssuerError> {
        let exposed = |path: &Path, how| IssuerError::Exposed {
            path: path.to_owned(),
            how,
        };
        let failed = |cause| IssuerError::failed(directory, cause);
        // Whoever may lock it opened it, so it belongs to this user, or to one that this one trusts with it.
        let ours = lock.metadata().map_err(failed)?.uid();
        let data = fs::metadata(directory).map_err(failed)?;
        if data.mode() & 0o1002 == 0o0002 {
            return Err(exposed(directory, "everybody may write to it"));
        }
        match fs::symlink_metadata(database) {
            Ok(data) if !data.is_file() => Err(exposed(database, "is not a regular file")),
            Ok(data) if data.uid() != ours => Err(exposed(database, "belongs to another user")),
            Ok(data) if data.mode() & 0o022 != 0 => Err(exposed(database, "others than its owner may write it")),
            Ok(_) => Ok(()),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(cause) => Err(IssuerError::failed(database, cause)),
        }
    }
}

#[cfg(not(unix))]
mod owner {
    use std::fs::File;
    use std::path::Path;

    use crate::issuer::error::IssuerError;

    pub(super) fn check(_: &Path, _: &File, _: &Path) -> Result<(), IssuerError> {
        Ok(())
    }
}

const LOCK: &str = "lock";
const DATABASE: &str = "issuer.redb";
