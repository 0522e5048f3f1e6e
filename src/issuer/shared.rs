//! What the handles of an issuer and its relay share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::issuer::config::IssuerConfig;
use crate::issuer::error::IssuerError;
use crate::issuer::id::time_of;
use crate::issuer::issuer_status::{IssuerConcern, IssuerConcernCode, IssuerStatus};
use crate::issuer::relay_state::{RelayFacts, RelayState};
use crate::issuer::store::{IssuerStore, StoreWriter, WrittenLog};
use crate::model::timestamp::Timestamp;

/// What the handles of an issuer and its relay share.
pub(super) struct IssuerShared {
    pub(super) writer: StoreWriter,
    pub(super) store: Arc<IssuerStore>,
    pub(super) state: RelayState,
    /// Told when there is something to publish.
    pub(super) work: Notify,
    /// The first statement that is not published.
    pub(super) cursor: watch::Sender<u64>,
    config: Mutex<IssuerConfig>,
}

impl IssuerShared {
    pub(super) fn new(store: IssuerStore) -> Result<Self, IssuerError> {
        let store = Arc::new(store);
        Ok(Self {
            writer: StoreWriter::start(Arc::clone(&store))?,
            cursor: watch::Sender::new(store.log()?.cursor),
            store,
            state: RelayState::default(),
            work: Notify::new(),
            config: Mutex::default(),
        })
    }

    pub(super) fn config(&self) -> MutexGuard<'_, IssuerConfig> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn status(&self) -> Result<IssuerStatus, IssuerError> {
        let log = self.store.log()?;
        let oldest = match log.pending() {
            0 => None,
            _ => self
                .store
                .statements(log.cursor, 1)?
                .pop()
                .and_then(|kept| time_of(&kept.id)),
        };
        let oldest = oldest.map(|at| Timestamp::now().saturating_since(at));
        let facts = self.state.facts().clone();
        Ok(IssuerStatus {
            source: self.store.source().to_owned(),
            connected: facts.is_connected,
            log: log.position.map(|position| position.log.to_string()),
            n: log.position.map_or(0, |position| position.n),
            pending: log.pending(),
            oldest_pending_ms_ago: oldest.map(millis),
            published: facts.published,
            last_confirmed_ms_ago: facts.confirmed.map(|at| millis(at.elapsed())),
            logs_begun: facts.logs_begun,
            concerns: concerns(&facts, &log, oldest),
            publisher: facts.publisher,
            promise: facts.promise,
            last_error: facts.last_error,
        })
    }
}

fn concerns(facts: &RelayFacts, log: &WrittenLog, oldest: Option<Duration>) -> Vec<IssuerConcern> {
    let mut concerns = Vec::new();
    let mut say = |code, words: String| concerns.push(IssuerConcern { code, words });
    let warnings = facts
        .promise
        .iter()
        .flat_map(|promise| &promise.warnings)
        .chain(&facts.shortfall);
    warnings.for_each(|warning| say(IssuerConcernCode::Promise, warning.to_string()));
    if let (Some(publisher), false, Some(error)) = (&facts.publisher, facts.is_connected, &facts.last_error) {
        say(
            IssuerConcernCode::NotConnected,
            format!("nothing gets to {publisher}: {error}"),
        );
    }
    if let Some(oldest) = oldest.filter(|oldest| *oldest > LONG) {
        let secs = oldest.as_secs();
        let words = format!(
            "{} statements are not published, the oldest for {secs} s",
            log.pending()
        );
        say(IssuerConcernCode::Unpublished, words);
    }
    if let Some(words) = &facts.log_went_back {
        say(IssuerConcernCode::LogWentBack, words.clone());
    }
    if let Some(words) = &facts.store_went_back {
        say(IssuerConcernCode::StoreWentBack, words.clone());
    }
    concerns
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// How long a statement may wait before that is a concern.
const LONG: Duration = Duration::from_secs(10);
