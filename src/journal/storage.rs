//! The file that the database lies in.

use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

/// A file that remembers whether it could be synced.
#[derive(Debug)]
pub(super) struct WatchedBackend {
    file: FileBackend,
    doubt: Doubt,
}

/// Whether a sync has failed. Then nobody knows which of the earlier writes are on the disk, although they can be read.
#[derive(Clone, Debug, Default)]
pub(super) struct Doubt(Arc<AtomicBool>);

impl Doubt {
    pub(super) fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Notes that everything has been written again.
    pub(super) fn settle(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl WatchedBackend {
    pub(super) fn new(file: FileBackend, doubt: &Doubt) -> Self {
        Self {
            file,
            doubt: doubt.clone(),
        }
    }
}

impl StorageBackend for WatchedBackend {
    fn len(&self) -> Result<u64, io::Error> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.file.sync_data().inspect_err(|_| self.doubt.raise())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.file.write(offset, data)
    }

    fn close(&self) -> Result<(), io::Error> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_locked_and_read_as_its_file_is() {
        let file = tempfile::tempfile().unwrap();
        let watched = WatchedBackend::new(FileBackend::new(file).unwrap(), &Doubt::default());
        watched.set_len(8).unwrap();
        watched.write(4, b"rest").unwrap();
        watched.sync_data().unwrap();
        let mut read = [0; 8];
        watched.read(0, &mut read).unwrap();
        assert_eq!((watched.len().unwrap(), &read), (8, b"\0\0\0\0rest"));
        let (start, end) = (Bound::Included(0), Bound::Excluded(8));
        let is_ours =
            |done: Result<bool, BackendError>| done.is_ok() == watched.file.try_lock_range(start, end).is_ok();
        assert!(is_ours(watched.try_lock_range(start, end)));
        assert!(is_ours(watched.try_lock_shared_range(start, end)));
        let can_wait = watched.file.lock_range(start, end).is_ok();
        assert_eq!(watched.lock_range(start, end).is_ok(), can_wait);
        assert_eq!(watched.lock_shared_range(start, end).is_ok(), can_wait);
        assert_eq!(
            watched.unlock_range(start, end).is_ok(),
            watched.file.unlock_range(start, end).is_ok()
        );
        assert_eq!(
            watched.query_lock_range(start, end).is_ok(),
            watched.file.query_lock_range(start, end).is_ok()
        );
        watched.close().unwrap();
    }

    #[test]
    fn a_doubt_stays_until_all_is_written_anew() {
        let doubt = Doubt::default();
        let same = doubt.clone();
        assert!(!doubt.is_raised());
        same.raise();
        assert!(doubt.is_raised());
        doubt.settle();
        assert!(!same.is_raised());
    }
}
