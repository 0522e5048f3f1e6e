//! From where a stream is read, and whether anything is missing there.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::{Config, RawMessageErrorKind, RetentionPolicy, Stream};
use async_nats::{Client, datetime};
use tokio::select;
use tokio::time::{Instant, sleep};

use crate::model::timestamp::Timestamp;
use crate::source::error::SourceError;
use crate::source::event_source::Continuity;
use crate::source::log::CaughtUp;
use crate::source::nats::connection::NatsConnection;
use crate::source::nats::continuity::{Extent, Wholeness, timestamp, told, witness};
use crate::source::nats::leader::{Look, NoAnswer, StreamLeader};
use crate::source::nats::reader::StreamConsumer;
use crate::source::nats::subject::covers;
use crate::source::position::{Position, Start};

/// Opens a stream.
pub(super) struct Opening<'s> {
    pub(super) client: &'s Client,
    pub(super) leader: &'s StreamLeader,
    pub(super) filter: Option<&'s str>,
    pub(super) dead_letters: Option<&'s str>,
    /// Up to where an earlier opening has seen everything, if it is known.
    pub(super) seen: u64,
}

/// What an opening came to.
pub(super) struct Begun {
    pub(super) consumer: StreamConsumer,
    pub(super) wholeness: Wholeness,
    pub(super) caught_up: CaughtUp,
    pub(super) look: Look,
    pub(super) continuity: Continuity,
}

impl Opening<'_> {
    /// Finds where to start, and has the server start there.
    pub(super) async fn begin(&self, start: &Start) -> Result<Begun, NoAnswer> {
        let cannot = |what: &str| SourceError::new(format!("cannot {what} stream {}", self.leader.stream));
        let (config, mut extent, mut look) = self.look().await?;
        self.check(&config)?;
        let stream = self.leader.context.get_stream_no_info(&self.leader.stream).await;
        let stream = stream.map_err(|error| cannot("find").because(error))?;
        let mut patient = self.leader.context.clone();
        patient.set_timeout(LARGEST_ANSWER);
        let messages = patient.get_stream_no_info(&self.leader.stream).await;
        let messages = messages.map_err(|error| cannot("find").because(error))?;
        let after = start.after(0).map(|after| u64::try_from(after).unwrap_or(u64::MAX));
        if after.is_some_and(|after| extent.is_short(after.max(self.seen), start)) {
            // Not if a new leader had not yet taken in all that it has.
            sleep(SECOND_LOOK).await;
            (_, extent, look) = self.look().await?;
        }
        let mut gap = match after {
            Some(after) => self.gap_after(after, start, &messages, &extent).await?,
            None => None,
        };
        let policy = match (after, &gap) {
            (Some(after), None) => DeliverPolicy::ByStartSequence {
                start_sequence: after.saturating_add(1),
            },
            _ => by_time(start.time())?,
        };
        let consumer = stream.create_consumer(self.consumer(policy)).await;
        let consumer = consumer.map_err(|error| cannot("read").because(error))?;
        let next = consumer.cached_info().delivered.stream_sequence.saturating_add(1);
        if after.is_none() {
            // Only now: before the consumer had its place, messages may have been trimmed.
            (_, extent, look) = self.look().await?;
            gap = self.gap_since(start.time(), next, &messages, &extent).await?;
        }
        let known = if gap.is_some() {
            extent.last
        } else {
            told(start).max(self.seen)
        };
        let mut caught_up = CaughtUp::from([Position::at(next.into())]);
        caught_up.ends([Position::at(u128::from(look.last) + 1)]);
        Ok(Begun {
            consumer: StreamConsumer::new(consumer, self.client, self.leader.context.clone()).await?,
            wholeness: Wholeness::new(&extent, next, known),
            caught_up,
            look,
            continuity: gap.map_or(Continuity::Complete, Continuity::Gap),
        })
    }

    async fn look(&self) -> Result<(Config, Extent, Look), NoAnswer> {
        let asked = Instant::now();
        let info = self.leader.ask(false).await?;
        let extent = Extent::new(&info, self.filter);
        let last = extent.last;
        Ok((info.config, extent, Look { last, asked }))
    }

    /// Refuses what would go wrong without anybody noticing.
    fn check(&self, config: &Config) -> Result<(), SourceError> {
        let stream = &self.leader.stream;
        if config.retention != RetentionPolicy::Limits {
            let what = "messages are not kept for all replicas: its retention is not by limits";
            return Err(SourceError::new(format!("stream {stream}: {what}")));
        }
        let subjects = config.subjects.iter().map(String::as_str);
        let mut read = self
            .filter
            .into_iter()
            .chain(subjects.filter(|_| self.filter.is_none()));
        match self.dead_letters {
            Some(dead) if read.any(|pattern| covers(pattern, dead)) => {
                let what = format!("dead letters at {dead} would come in again");
                Err(SourceError::new(format!("stream {stream}: {what}")))
            }
            _ => Ok(()),
        }
    }

    /// Why messages after this one may be missing.
    async fn gap_after(
        &self,
        after: u64,
        start: &Start,
        stream: &Stream<()>,
        extent: &Extent,
    ) -> Result<Option<String>, SourceError> {
        if let Some(gap) = extent.gap_after(after.max(self.seen), after, start) {
            return Ok(Some(gap.to_owned()));
        }
        if let Some((sequence, published)) = witness(start, extent) {
            let gap = match self.published(stream, sequence).await? {
                Some(time) if time == published => None,
                Some(_) => Some(format!("message {sequence} of the stream is another one than was read")),
                None => Some(format!("message {sequence}, which was read, is gone")),
            };
            if gap.is_some() {
                return Ok(gap);
            }
        }
        self.deleted_after(after.max(told(start)).max(self.seen), extent).await
    }

    /// Why messages since a time may be missing, if this is the first one that was published then or later.
    async fn gap_since(
        &self,
        since: Timestamp,
        next: u64,
        stream: &Stream<()>,
        extent: &Extent,
    ) -> Result<Option<String>, SourceError> {
        let too_short = || Some("the stream does not reach back far enough".to_owned());
        if since == Timestamp::default() && extent.is_untouched() {
            return Ok(None);
        }
        let Some(before) = extent.before(next) else {
            return Ok(too_short());
        };
        match self.published(stream, before).await? {
            Some(time) if time < since => self.deleted_after(before, extent).await,
            _ => Ok(too_short()),
        }
    }

    /// When a message was published, if it is there.
    async fn published(&self, stream: &Stream<()>, sequence: u64) -> Result<Option<Timestamp>, SourceError> {
        // The whole of it comes, which may take long.
        let found = select! {
            biased;
            found = stream.get_raw_message(sequence) => found,
            () = NatsConnection::stalled(self.client) => {
                let stream = &self.leader.stream;
                return Err(SourceError::new(format!("no answer about message {sequence} of stream {stream}")));
            }
        };
        match found {
            Ok(message) => Ok(Some(timestamp(message.time))),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            // That says nothing of the message: it is asked for again.
            Err(error) => {
                let cannot = format!("cannot look for message {sequence} of stream {}", self.leader.stream);
                Err(SourceError::new(cannot).because(error))
            }
        }
    }

    /// Why messages after this one may be missing from the midst of the stream.
    async fn deleted_after(&self, after: u64, extent: &Extent) -> Result<Option<String>, SourceError> {
        if extent.deleted == 0 || extent.last <= after {
            return Ok(None);
        }
        let is_missing = match extent.deleted {
            // Their numbers would take too long.
            many if many > MOST_DELETED => true,
            _ => {
                let info = self.leader.ask(true).await.map_err(|answer| answer.error)?;
                let deleted = info.state.deleted;
                deleted.is_none_or(|deleted| deleted.iter().any(|sequence| *sequence > after))
            }
        };
        Ok(is_missing.then(|| "messages were deleted from the stream".to_owned()))
    }

    fn consumer(&self, deliver_policy: DeliverPolicy) -> pull::Config {
        pull::Config {
            description: Some("tower-revocation".to_owned()),
            deliver_policy,
            filter_subject: self.filter.unwrap_or_default().to_owned(),
            // What is not settled comes again after the next opening: the loop remembers by itself how far it came.
            ack_policy: AckPolicy::None,
            inactive_threshold: INACTIVE_THRESHOLD,
            // It is not wanted any more after a restart of the server.
            memory_storage: true,
            ..pull::Config::default()
        }
    }
}

fn by_time(since: Timestamp) -> Result<DeliverPolicy, SourceError> {
    let nanos = i128::from(since.as_unix_millis()) * 1_000_000;
    let start_time = datetime::from_nanos(nanos)
        .map_err(|error| SourceError::new(format!("cannot read since {since}")).because(error))?;
    Ok(DeliverPolicy::ByStartTime { start_time })
}

/// After which a stream that seems to have lost its end is looked at once more.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// How long a large message may take to come over a slow link. The loop may give up before.
const LARGEST_ANSWER: Duration = Duration::from_secs(60);

/// The numbers of how many messages that are missing are asked for.
const MOST_DELETED: u64 = 50_000;

/// When the server forgets a consumer that nobody reads, such as that of a gateway that was killed. It may have to wait for the
/// list that makes up for a gap.
const INACTIVE_THRESHOLD: Duration = Duration::from_secs(5 * 60);
