//! The handle of an issuer.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::issuer::canary;
use crate::issuer::effective::Effective;
use crate::issuer::error::IssuerError;
use crate::issuer::id::new_id;
use crate::issuer::issuer_status::IssuerStatus;
use crate::issuer::publisher::Publisher;
use crate::issuer::relay::Relay;
use crate::issuer::shared::IssuerShared;
use crate::issuer::store::{IssuerStore, to_row};
use crate::model::log_place::LogPosition;
use crate::model::timestamp::Timestamp;
use crate::sink::EventSink;
use crate::statements::in_force::InForce;
use crate::statements::statement::Statement;

/// An issuer of revocations, over a directory of its own. A cheap clone. See the [module](super).
#[derive(Clone)]
pub struct Issuer {
    // Dropped in this order: the relay is told first.
    running: Arc<RelayTask>,
    shared: Arc<IssuerShared>,
}

/// The relay, as long as a handle is there.
struct RelayTask {
    end: watch::Sender<Option<Instant>>,
    relay: Mutex<Option<JoinHandle<()>>>,
}

impl Issuer {
    /// Opens the store in a directory, and creates it if it is missing. Blocks while every page is verified.
    ///
    /// `source` is the issuer's name, such as `https://auth.example.com`, as all its messages state it.
    ///
    /// # Errors
    ///
    /// Each names the file and what is wrong with it. The directory belongs to one process at a time, and to one name.
    pub fn open(directory: impl AsRef<Path>, source: &str) -> Result<Self, IssuerError> {
        let store = IssuerStore::open(directory.as_ref(), source)?;
        let running = RelayTask {
            end: watch::Sender::new(None),
            relay: Mutex::default(),
        };
        Ok(Self {
            running: Arc::new(running),
            shared: Arc::new(IssuerShared::new(store)?),
        })
    }

    /// Applies each statement to a local sink as well, before anything else: this replica refuses at once, whatever the broker does.
    /// What is in force already is applied here.
    ///
    /// # Errors
    ///
    /// Fails if the store cannot be read, or the sink does not take what is in force.
    pub fn applying_to(self, sink: EventSink) -> Result<Self, IssuerError> {
        let in_force = self.read_in_force()?;
        let events = in_force.statements.iter().flat_map(Statement::events);
        // The store has it all: the sink's own journal is not waited for.
        sink.apply_all(events).map(drop).map_err(IssuerError::Applied)?;
        self.shared.config().sink = Some(sink);
        Ok(self)
    }

    /// Sets how often the issuer says where its log ends. Defaults to [`DEFAULT_HEARTBEAT`](super::DEFAULT_HEARTBEAT).
    ///
    /// Gateways take the feed of an issuer that says nothing for three times as long for dead.
    #[must_use]
    pub fn with_heartbeat(self, every: Duration) -> Self {
        self.shared.config().heartbeat = every;
        self
    }

    /// Revokes the [canary](crate::Canary) so often, as any other key. By default it is never revoked.
    #[must_use]
    pub fn with_canary(self, every: Duration) -> Self {
        self.shared.config().canary = Some(every);
        self
    }

    /// Publishes, from now on, what is and what will be revoked, and returns at once: a task does it in the background. The broker need
    /// not be there yet.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime, and if something publishes for this issuer already.
    #[must_use]
    pub fn publishing_to(self, publisher: impl Publisher) -> Self {
        let relay = Relay::new(Arc::clone(&self.shared), publisher, self.running.end.subscribe());
        let mut running = self.running.relay.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(running.is_none(), "one relay publishes for an issuer");
        *running = Some(tokio::spawn(relay.run()));
        drop(running);
        self
    }

    /// Makes a statement, and returns its id once the statement is durable. From then on it is published, again and again until that is
    /// confirmed, also after a restart.
    ///
    /// # Errors
    ///
    /// After [`IssuerError::Failed`] nobody knows whether the statement is kept: make it again. It may be said twice, which changes nothing.
    /// After [`IssuerError::Applied`] it is durable, and only the local sink lacks it.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the statement may be made or not.
    pub async fn revoke(&self, statement: Statement) -> Result<String, IssuerError> {
        let id = new_id(Timestamp::now())?;
        let row = to_row(self.shared.store.source(), &id, &statement)?;
        let sink = self.shared.config().sink.clone();
        let applied = sink.map(|sink| sink.apply_all(statement.events()).map(drop));
        self.shared.writer.write(move |page| page.add(&row)).await?;
        self.shared.work.notify_one();
        match applied {
            Some(Err(error)) => Err(IssuerError::Applied(error)),
            _ => Ok(id),
        }
    }

    /// Waits until everything that was stated before this call is published: confirmed by the broker, and read back. For ever, if
    /// nothing publishes, or the broker stays away.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    ///
    /// # Errors
    ///
    /// Fails if the store cannot be read.
    pub async fn published(&self) -> Result<(), IssuerError> {
        let next = self.shared.store.log()?.next;
        let mut cursor = self.shared.cursor.subscribe();
        // The sender is beside it.
        let _ = cursor.wait_for(|cursor| *cursor >= next).await;
        Ok(())
    }

    /// Returns what is in force, and how much of the issuer's logs that takes into account: what a list has to say. Takes time
    /// proportional to all statements that are kept.
    ///
    /// # Errors
    ///
    /// Fails if the store cannot be read.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn in_force(&self) -> Result<InForce, IssuerError> {
        let issuer = self.clone();
        let read = tokio::task::spawn_blocking(move || issuer.read_in_force()).await;
        read.unwrap_or_else(|panicked| Err(IssuerError::failed(self.shared.store.path(), panicked)))
    }

    /// Notes that a list was published that covers so much of the issuer's logs: what [`in_force`](Self::in_force) said of it. From then
    /// on, statements are let go of whose time is over.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, it may be noted or not.
    pub async fn covered(&self, covers: &[LogPosition]) -> Result<(), IssuerError> {
        let mut newest = None;
        for position in covers {
            let sequence = self.shared.store.statement_at(*position)?;
            newest = newest.max(sequence.map(|sequence| (sequence, *position)));
        }
        match newest {
            Some((sequence, position)) => {
                self.shared
                    .writer
                    .write(move |page| page.covered(position, sequence))
                    .await
            }
            None => Ok(()),
        }
    }

    /// Returns everything that an operator asks about.
    ///
    /// # Errors
    ///
    /// Fails if the store cannot be read.
    pub fn status(&self) -> Result<IssuerStatus, IssuerError> {
        self.shared.status()
    }

    /// Publishes what is left, for `patience` at most, and ends. Returns how many statements are left to the next start: the store keeps
    /// them.
    ///
    /// # Errors
    ///
    /// Fails if the store cannot be read.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not stop the end.
    pub async fn end(self, patience: Duration) -> Result<u64, IssuerError> {
        self.running.end.send_replace(Some(Instant::now() + patience));
        let relay = self.running.relay.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(relay) = relay {
            // It has logged its own panic.
            let _ = relay.await;
        }
        Ok(self.shared.store.log()?.pending())
    }

    fn read_in_force(&self) -> Result<InForce, IssuerError> {
        let store = &self.shared.store;
        // First: what is published meanwhile is in force, and not yet covered.
        let (log, ends) = (store.log()?, store.ends()?);
        let mut effective = Effective::default();
        let mut from = 0;
        loop {
            let some = store.statements(from, SOME)?;
            let Some(last) = some.last() else { break };
            from = last.sequence + 1;
            for kept in some
                .iter()
                .filter(|kept| kept.statement.subjects() != [canary::subject()])
            {
                effective.add(&kept.statement);
            }
        }
        // A log that ended just now is in both, and a list may name it once.
        let present = log.position.map(|position| position.log);
        let ends = ends.into_iter().filter(|end| Some(end.log) != present);
        let covers = ends.chain(log.position).filter(|position| position.n > 0);
        Ok(InForce {
            statements: effective.statements(Timestamp::now()),
            covers: covers.collect(),
        })
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("source", &self.shared.store.source())
            .finish_non_exhaustive()
    }
}

impl Drop for RelayTask {
    /// The relay ends at once, and the store is free for another process soon after.
    fn drop(&mut self) {
        self.end.send_replace(Some(Instant::now()));
    }
}

/// How many statements are read together.
const SOME: usize = 1_000;
