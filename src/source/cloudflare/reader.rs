//! Pulls from a queue.

use std::collections::VecDeque;
use std::future::Future;
use std::mem;
use std::time::Duration;

use tokio::select;
use tokio::time::{Instant, sleep_until};

use crate::source::cloudflare::acks::{BATCH, CloudflareAcks};
use crate::source::cloudflare::config::PullConfig;
use crate::source::cloudflare::connection::{ApiClient, Failure};
use crate::source::cloudflare::delivery::{CloudflareDelivery, QueueHandle};
use crate::source::cloudflare::under_way::{UnderWay, over};
use crate::source::cloudflare::wire::{Pulled, PulledMessage, Settlement};
use crate::source::error::SourceError;
use crate::source::event_source::{Continuity, Signal};

/// A queue that is pulled from.
pub(super) struct QueueReader<C> {
    pub(super) handle: QueueHandle<C>,
    pub(super) config: PullConfig,
    /// What was pulled and is to be handed out, and how many come behind all of it.
    inbox: VecDeque<PulledMessage>,
    behind: u64,
    /// After how many messages all those have come in that were there at the opening, or at a pull that emptied the queue.
    /// `None` once that is said.
    until_caught_up: Option<u64>,
    is_alive: bool,
    /// Cloudflare asked to be left alone until then.
    welcome_at: Instant,
    pull_at: Instant,
    pulling: Option<UnderWay<Result<Pulled, Failure>>>,
    acks: CloudflareAcks,
    /// When a pull last succeeded.
    answered_at: Option<Instant>,
}

impl<C> QueueReader<C> {
    pub(super) fn new(handle: QueueHandle<C>) -> Self {
        Self {
            handle,
            config: PullConfig::default(),
            inbox: VecDeque::new(),
            behind: 0,
            until_caught_up: None,
            is_alive: false,
            welcome_at: Instant::now(),
            pull_at: Instant::now(),
            pulling: None,
            acks: CloudflareAcks::new(),
            answered_at: None,
        }
    }
}

impl<C: ApiClient> QueueReader<C> {
    /// Pulls, to see that it works. Messages that were pulled before and not handed out stay: Cloudflare would not deliver them
    /// again before their leases end.
    pub(super) async fn open(&mut self) -> Result<Continuity, SourceError> {
        self.pulling = None;
        self.until_caught_up = None;
        let wait = self.welcome_at.saturating_duration_since(Instant::now());
        if wait > LONGEST_WAIT {
            return Err(SourceError::new(format!(
                "Cloudflare asked to be left alone for another {} seconds",
                wait.as_secs()
            )));
        }
        sleep_until(self.welcome_at).await;
        let before = self.answered_at;
        let pulled = self.pull().await;
        // All that are there, these and the others, though they may be counted twice.
        let old = pulled.as_ref().map_or(0, |pulled| {
            pulled.backlog().saturating_add(pulled.messages.len() as u64)
        });
        self.until_caught_up = Some(old.saturating_add(self.inbox.len() as u64));
        self.pulled(pulled)?;
        Ok(match before {
            None => Continuity::Gap("a queue cannot be read again from before this process began".to_owned()),
            Some(at) if at.elapsed() > self.config.retention => Continuity::Gap(format!(
                "the queue was not read for {} seconds, and keeps messages for {}",
                at.elapsed().as_secs(),
                self.config.retention.as_secs()
            )),
            Some(_) => Continuity::Complete,
        })
    }

    pub(super) async fn next(&mut self) -> Result<Signal<CloudflareDelivery<C>>, SourceError> {
        loop {
            if let Some(message) = self.inbox.pop_front() {
                let lag = self.inbox.len() as u64 + self.behind;
                self.until_caught_up = self.until_caught_up.map(|left| left.saturating_sub(1));
                return Ok(Signal::Message(CloudflareDelivery::new(
                    message,
                    lag,
                    self.handle.clone(),
                )));
            }
            if self.until_caught_up == Some(0) {
                self.until_caught_up = None;
                return Ok(Signal::CaughtUp);
            }
            if mem::take(&mut self.is_alive) {
                let lag = Some(self.behind);
                return Ok(Signal::Alive { lag });
            }
            self.begin_what_is_due();
            select! {
                biased;
                told = self.acks.told() => drop(self.acks.heard(&self.handle, told)),
                pulled = over(&mut self.pulling) => self.pulled(pulled)?,
                () = sleep_until(self.pull_at), if self.pulling.is_none() => {}
            }
        }
    }

    /// Tells what is left to be told, and gives back what was not handed out, so that the next process gets it at once.
    pub(super) async fn close(&mut self) {
        self.pulling = None;
        for message in mem::take(&mut self.inbox) {
            // One that was delivered too often would be thrown away.
            if message.attempts() < self.handle.max_retries {
                self.handle.outbox.push(Settlement {
                    lease: message.lease_id,
                    retry_in: Some(0),
                });
            }
        }
        while self.acks.begin(&self.handle) {
            let told = self.acks.told().await;
            if !self.acks.heard(&self.handle, told) {
                return;
            }
        }
    }

    fn pull(&self) -> impl Future<Output = Result<Pulled, Failure>> + Send + use<C> {
        self.handle
            .api
            .pull(&self.handle.queue, BATCH, self.config.visibility_timeout)
    }

    /// What became of messages is told whenever there are new ones to ask for, or enough to tell.
    fn begin_what_is_due(&mut self) {
        let is_pull_due = self.pulling.is_none() && Instant::now() >= self.pull_at;
        if is_pull_due {
            self.pulling = Some(Box::pin(self.pull()));
        }
        if (is_pull_due || self.handle.outbox.len() >= BATCH) && self.acks.may_begin() {
            self.acks.begin(&self.handle);
        }
    }

    fn pulled(&mut self, pulled: Result<Pulled, Failure>) -> Result<(), SourceError> {
        let now = Instant::now();
        let pulled = pulled.map_err(|failure| {
            self.welcome_at = now + failure.retry_after.unwrap_or_default();
            failure.error
        })?;
        let count = pulled.messages.len();
        self.answered_at = Some(now);
        self.behind = pulled.backlog().saturating_sub(count as u64);
        self.is_alive = count == 0;
        self.pull_at = now;
        if count < BATCH {
            self.pull_at += self.config.pace;
            self.until_caught_up = Some(0);
        }
        self.inbox.extend(pulled.messages);
        Ok(())
    }
}

/// For how long opening waits in silence when Cloudflare asks to be left alone.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
