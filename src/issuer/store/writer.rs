//! The thread that writes to the store.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use crate::common::error_text::error_text;
use crate::issuer::error::IssuerError;
use crate::issuer::store::database::IssuerStore;
use crate::issuer::store::page::StorePage;

/// Writes changes on a thread of its own. Changes that come while one is being written share the next commit.
pub(crate) struct StoreWriter {
    store: Arc<IssuerStore>,
    /// `None` once it ends.
    changes: Option<SyncSender<Change>>,
    thread: Option<JoinHandle<()>>,
}

/// Makes a change. What it returns is called once that is durable, or not.
type Change = Box<dyn FnOnce(&mut StorePage<'_>) -> Result<WriteAnswer, redb::Error> + Send>;

type WriteAnswer = Box<dyn FnOnce() + Send>;

impl StoreWriter {
    pub(crate) fn start(store: Arc<IssuerStore>) -> Result<Self, IssuerError> {
        let (changes, received) = sync_channel(MOST_WAITING);
        let path = store.path().to_owned();
        let writing = {
            let store = Arc::clone(&store);
            move || write_all(&store, &received)
        };
        let thread = thread::Builder::new().name("issuer".to_owned()).spawn(writing);
        Ok(Self {
            store,
            changes: Some(changes),
            thread: Some(thread.map_err(|cause| IssuerError::failed(&path, cause))?),
        })
    }

    /// Makes a change. It is durable when this returns.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the change may be made or not.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut StorePage<'_>) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, IssuerError> {
        let failed = |why: &str| IssuerError::failed(self.store.path(), why.to_owned());
        let (answer, answered) = oneshot::channel();
        let change: Change = Box::new(move |page| {
            let done = change(page)?;
            Ok(Box::new(move || drop(answer.send(done))))
        });
        let changes = self.changes.as_ref().ok_or_else(|| failed("it is closed"))?;
        changes
            .try_send(change)
            .map_err(|_full| failed("too many statements wait for the disk"))?;
        answered
            .await
            .map_err(|_lost| failed("it could not be written: the log says why"))
    }
}

impl Drop for StoreWriter {
    fn drop(&mut self) {
        self.changes = None;
        if let Some(thread) = self.thread.take() {
            // It has at most one commit to end. A panic of it was told by then.
            let _ = thread.join();
        }
    }
}

fn write_all(store: &IssuerStore, changes: &Receiver<Change>) {
    while let Ok(first) = changes.recv() {
        let mut batch = vec![first];
        batch.extend(changes.try_iter().take(LARGEST_BATCH));
        let written = store.write(|page| {
            let answers: Result<Vec<WriteAnswer>, _> = batch.drain(..).map(|change| change(page)).collect();
            answers
        });
        match written {
            Ok(answers) => answers.into_iter().for_each(|answer| answer()),
            // Whoever waits is told by the loss of the answer.
            Err(error) => crate::common::log::error!(error = %error_text(&error), "issuer's store cannot be written"),
        }
    }
}

/// How many changes may wait for the disk; more are refused.
const MOST_WAITING: usize = 16_384;

/// How many changes share a commit.
const LARGEST_BATCH: usize = 1_024;
