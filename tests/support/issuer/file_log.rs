//! A broker of one file: a message is confirmed when its line is written.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tower_revocation::issuer::{Confirmed, OutgoingMessage, Promise, PublishError, Publisher, is_from};

/// Messages as the lines of a file.
#[derive(Debug)]
pub(crate) struct FileLog(PathBuf);

impl FileLog {
    pub(crate) fn new(path: impl AsRef<Path>) -> Self {
        Self(path.as_ref().to_owned())
    }

    /// All messages; a line without an end was never confirmed.
    pub(crate) fn messages(&self) -> Vec<Bytes> {
        let (_, content) = self.open();
        let lines = content.split_inclusive(|byte| *byte == b'\n');
        let whole = lines.filter_map(|line| line.strip_suffix(b"\n"));
        whole.map(Bytes::copy_from_slice).collect()
    }

    fn open(&self) -> (File, Vec<u8>) {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&self.0);
        let (mut file, mut content) = (file.unwrap(), Vec::new());
        file.read_to_end(&mut content).unwrap();
        (file, content)
    }
}

impl Publisher for FileLog {
    fn name(&self) -> &str {
        "file"
    }

    async fn ensure(&mut self) -> Result<Promise, PublishError> {
        let (file, content) = self.open();
        let whole = content.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64).unwrap();
        Ok(Promise::of_copies(1))
    }

    async fn read_back(&mut self, source: &str, most: usize) -> Result<Vec<Bytes>, PublishError> {
        let mut own = self.messages();
        own.retain(|message| is_from(source, message));
        Ok(own.split_off(own.len().saturating_sub(most)))
    }

    async fn publish(&mut self, _source: &str, messages: &[OutgoingMessage]) -> Result<Confirmed, PublishError> {
        let (mut file, _) = self.open();
        file.seek(SeekFrom::End(0)).unwrap();
        for message in messages {
            file.write_all(&message.payload).unwrap();
            file.write_all(b"\n").unwrap();
        }
        Ok(Confirmed::default())
    }
}
