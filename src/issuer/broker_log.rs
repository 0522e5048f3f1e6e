//! The issuer's log, as the broker holds it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;

use crate::common::log;
use crate::format::revocation::RevocationEvents;
use crate::issuer::error::IssuerError;
use crate::issuer::id::random;
use crate::issuer::judgement::{Judgement, ReadBack, Why, judge};
use crate::issuer::pending::replay;
use crate::issuer::publisher::{OutgoingMessage, Publisher};
use crate::issuer::shared::IssuerShared;
use crate::issuer::store::{LogBeginning, id_of, to_row};
use crate::issuer::trouble::{Trouble, in_time};
use crate::model::decode::Decode;
use crate::model::log_place::{LogId, LogPlace, LogPosition};

/// The issuer's log, as the broker holds it.
pub(super) struct BrokerLog<P> {
    shared: Arc<IssuerShared>,
    pub(super) publisher: P,
    decode: RevocationEvents,
    /// The newest message of this issuer, as it was read back last.
    newest: Option<Bytes>,
}

impl<P: Publisher> BrokerLog<P> {
    pub(super) fn new(shared: Arc<IssuerShared>, publisher: P) -> Self {
        Self {
            decode: RevocationEvents::from_source(shared.store.source()),
            shared,
            publisher,
            newest: None,
        }
    }

    /// Looks what the broker holds: goes on there, or begins a new log.
    pub(super) async fn look(&mut self) -> Result<(), Trouble> {
        let most = if self.publisher.is_conditional() { 1 } else { SOME };
        match self.judge(most).await? {
            (Judgement::GoesOn { published }, _) => return self.goes_on(published).await.map_err(Trouble::Store),
            (Judgement::Begins { why: Why::First, .. }, messages) if messages.is_empty() => {
                return self.begin(None, 0, Why::First, &[]).await.map_err(Trouble::Store);
            }
            _ => {}
        }
        // A server that has just come back may not know better yet.
        sleep(LOOK_AGAIN).await;
        match self.judge(READ_BACK).await? {
            (Judgement::GoesOn { published }, _) => self.goes_on(published).await.map_err(Trouble::Store),
            (Judgement::Begins { after, from, why }, messages) => {
                let begun = self.begin(after, from, why, &messages).await;
                begun.map_err(Trouble::Store)
            }
        }
    }

    /// Returns whether what was just published is what the broker gives out, behind what it gave out before.
    pub(super) async fn is_read_back(&mut self, published: &[OutgoingMessage]) -> Result<bool, Trouble> {
        let before = usize::from(!self.publisher.is_conditional() && self.newest.is_some());
        let looked_at = match self.publisher.is_conditional() {
            // Where they are was checked when they were published.
            true => &published[published.len().saturating_sub(1)..],
            false => published,
        };
        let source = self.shared.store.source();
        let read = in_time(self.publisher.read_back(source, before + looked_at.len())).await?;
        let expected = self
            .newest
            .iter()
            .take(before)
            .chain(looked_at.iter().map(|message| &message.payload));
        let is_there = read.iter().eq(expected);
        self.newest = read.into_iter().next_back();
        Ok(is_there)
    }

    /// Notes what was confirmed and read back.
    pub(super) async fn is_published(&mut self, places: Vec<(LogPosition, u64)>) -> Result<(), IssuerError> {
        let (count, next) = (places.len() as u64, places.last().map(|(_, sequence)| sequence + 1));
        self.shared.writer.write(move |page| page.published(&places)).await?;
        self.shared.state.facts().published += count;
        if let Some(next) = next {
            self.shared.cursor.send_replace(next);
        }
        Ok(())
    }

    async fn judge(&mut self, most: usize) -> Result<(Judgement, Vec<Bytes>), Trouble> {
        let store = &self.shared.store;
        let messages = in_time(self.publisher.read_back(store.source(), most)).await?;
        self.newest = messages.last().cloned();
        let mut read = Vec::with_capacity(messages.len());
        let mut placed = Vec::with_capacity(messages.len());
        for message in messages {
            if let Some(place) = self.decode.decode_placed(&message).place {
                read.push(ReadBack {
                    position: place.position(),
                    is_heartbeat: matches!(place, LogPlace::End { .. }),
                });
                placed.push(message);
            }
        }
        let log = store.log().map_err(Trouble::Store)?;
        let judgement = judge(&log, &**store, &read).map_err(Trouble::Store)?;
        Ok((judgement, placed))
    }

    async fn goes_on(&mut self, published: u64) -> Result<(), IssuerError> {
        match published {
            0 => Ok(()),
            more => self.is_published(replay(&self.shared.store, more)?).await,
        }
    }

    async fn begin(
        &mut self,
        after: Option<LogPosition>,
        from: u64,
        why: Why,
        messages: &[Bytes],
    ) -> Result<(), IssuerError> {
        let rows = match why {
            Why::StoreWentBack { unknown_from } => self.unknown(&messages[unknown_from..])?,
            Why::First | Why::LogWentBack => Vec::new(),
        };
        let taken = rows.len();
        let beginning = LogBeginning {
            log: LogId::from_bytes(random()?),
            after,
            from,
            rows,
        };
        log::info!(log = %beginning.log, "issuer begins a log");
        self.shared.writer.write(move |page| page.begin_log(&beginning)).await?;
        self.shared.cursor.send_replace(from);
        self.note(why, taken);
        Ok(())
    }

    /// The statements in messages that the store does not know, as it keeps them.
    fn unknown(&self, messages: &[Bytes]) -> Result<Vec<Vec<u8>>, IssuerError> {
        let store = &self.shared.store;
        let mut known = std::collections::HashSet::new();
        let mut from = 0;
        loop {
            let some = store.statements(from, SOME)?;
            let Some(last) = some.last() else { break };
            from = last.sequence + 1;
            known.extend(some.into_iter().map(|kept| kept.id));
        }
        let mut rows = Vec::new();
        for message in messages {
            let (Ok(Ok(statement)), Some(id)) = (self.decode.read(message), id_of(message)) else {
                continue;
            };
            if known.insert(id.clone()) {
                rows.push(to_row(store.source(), &id, &statement)?);
            }
        }
        Ok(rows)
    }

    fn note(&self, why: Why, taken: usize) {
        let mut facts = self.shared.state.facts();
        let name = self.publisher.name();
        match why {
            Why::First => return,
            Why::LogWentBack => {
                let words = format!(
                    "{name} did not hold what it had confirmed: a new log was begun, and what no list covers was published again"
                );
                log::warn!("{words}");
                facts.log_went_back = Some(words);
            }
            Why::StoreWentBack { .. } => {
                let words = format!(
                    "{name} held messages of this issuer that its own database does not know, as if the database had been set back \
                     or somebody else published under this name: {taken} statements were taken from there, and a new log was begun"
                );
                log::error!("{words}");
                facts.store_went_back = Some(words);
            }
        }
        facts.logs_begun += 1;
    }
}

/// How long to wait before the broker is believed that it lost something.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// How many messages are read back, to find the newest that is known: heartbeats of some hours.
const READ_BACK: usize = 20_000;

/// How many statements are looked at together; and how many messages, to see whether each continues the one before.
const SOME: usize = 1_000;
