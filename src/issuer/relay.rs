//! The task that publishes.

use std::sync::Arc;
use std::time::Duration;

use tokio::select;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::common::backoff::Backoff;
use crate::common::error_text::error_text;
use crate::common::log;
use crate::issuer::broker_log::BrokerLog;
use crate::issuer::canary::make_canary;
use crate::issuer::pending::next_batch;
use crate::issuer::publisher::{OutgoingMessage, Publisher};
use crate::issuer::shared::IssuerShared;
use crate::issuer::trouble::{Trouble, in_time};
use crate::model::timestamp::Timestamp;

/// Publishes what the store holds, in order, and says each second where the log ends.
pub(super) struct Relay<P> {
    shared: Arc<IssuerShared>,
    broker: BrokerLog<P>,
    /// When it has to end.
    end: watch::Receiver<Option<Instant>>,
}

impl<P: Publisher> Relay<P> {
    pub(super) fn new(shared: Arc<IssuerShared>, publisher: P, end: watch::Receiver<Option<Instant>>) -> Self {
        shared.state.facts().publisher = Some(publisher.name().to_owned());
        Self {
            broker: BrokerLog::new(Arc::clone(&shared), publisher),
            shared,
            end,
        }
    }

    /// Publishes until it is told to end.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::jittered(SHORTEST_PAUSE, LONGEST_PAUSE);
        loop {
            let began = Instant::now();
            let Err(trouble) = self.session().await else {
                return;
            };
            if began.elapsed() > SETTLED {
                backoff = Backoff::jittered(SHORTEST_PAUSE, LONGEST_PAUSE);
            }
            self.note(&trouble);
            let pause = backoff.pause();
            select! {
                () = sleep(pause) => {}
                () = ended(&mut self.end) => return,
            }
        }
    }

    /// Connects, and publishes until something goes wrong, or it ends.
    async fn session(&mut self) -> Result<(), Trouble> {
        let mut end = self.end.clone();
        select! {
            done = self.connect() => done?,
            () = ended(&mut end) => return Ok(()),
        }
        let (mut beat, mut canary, mut swept) = (Instant::now(), Instant::now(), None::<Instant>);
        loop {
            let is_over = self.end.borrow_and_update().is_some();
            select! {
                drained = self.drain() => drained?,
                () = ended(&mut end) => return Ok(()),
            }
            if is_over {
                return Ok(());
            }
            let (heartbeat, canaries) = {
                let config = self.shared.config();
                (config.heartbeat.max(SHORTEST_HEARTBEAT), config.canary)
            };
            if let Some(every) = canaries.filter(|_| canary <= Instant::now()) {
                make_canary(&self.shared, every).await.map_err(Trouble::Store)?;
                canary = Instant::now() + every;
                continue;
            }
            if beat <= Instant::now() {
                self.beat(heartbeat).await?;
                beat = Instant::now() + heartbeat;
            }
            if swept.is_none_or(|at| at.elapsed() > SWEEP_EVERY) {
                self.sweep().await?;
                swept = Some(Instant::now());
            }
            let next = canaries.map_or(beat, |_| beat.min(canary));
            select! {
                () = self.shared.work.notified() => {}
                () = sleep_until(next) => {}
                _ = self.end.changed() => {}
            }
        }
    }

    async fn connect(&mut self) -> Result<(), Trouble> {
        let promise = in_time(self.broker.publisher.ensure()).await?;
        {
            let mut facts = self.shared.state.facts();
            for warning in promise.warnings.iter() {
                if !facts.promise.iter().any(|known| known.warnings.contains(warning)) {
                    log::warn!(%warning, "broker may lose what it confirms");
                }
            }
            facts.promise = Some(promise);
        }
        self.broker.look().await?;
        self.is_good();
        Ok(())
    }

    /// Publishes all that waits.
    async fn drain(&mut self) -> Result<(), Trouble> {
        loop {
            let Some(batch) = next_batch(&self.shared.store).map_err(Trouble::Store)? else {
                return Ok(());
            };
            let messages: Vec<_> = batch.iter().map(|next| next.message.clone()).collect();
            if !self.publish(&messages).await? {
                continue;
            }
            let places: Vec<_> = batch.iter().map(|next| (next.position, next.sequence)).collect();
            self.broker.is_published(places).await.map_err(Trouble::Store)?;
            self.is_good();
        }
    }

    /// Says where the log ends.
    async fn beat(&mut self, every: Duration) -> Result<(), Trouble> {
        let log = self.shared.store.log().map_err(Trouble::Store)?;
        let Some(writer) = log.writer(self.shared.store.source()) else {
            return Ok(());
        };
        let now = Timestamp::now();
        let position = writer.position();
        let message = OutgoingMessage {
            id: format!("{}:{}:{}", position.log, position.n, now.as_unix_millis()),
            payload: writer.heartbeat(now, every).into(),
        };
        if self.publish(&[message]).await? {
            self.is_good();
        }
        Ok(())
    }

    /// Publishes messages, and reads the last one back. Returns false if the broker's log was not as it should be: then it has been
    /// looked at, and what is to be published is to be asked for anew.
    async fn publish(&mut self, messages: &[OutgoingMessage]) -> Result<bool, Trouble> {
        let source = self.shared.store.source();
        match in_time(self.broker.publisher.publish(source, messages)).await {
            Ok(confirmed) => self.shared.state.facts().shortfall = confirmed.shortfall,
            Err(Trouble::Publisher(refusal)) if refusal.is_refusal() => {
                log::warn!(error = %error_text(&refusal), "the broker's log is not as it was left");
                self.broker.look().await?;
                return Ok(false);
            }
            Err(trouble) => return Err(trouble),
        }
        match self.broker.is_read_back(messages).await? {
            true => Ok(true),
            // It is looked at from the beginning, after a pause.
            false => Err(Trouble::NotReadBack),
        }
    }

    async fn sweep(&mut self) -> Result<(), Trouble> {
        let source = self.shared.store.source().to_owned();
        let now = Timestamp::now();
        let swept = self.shared.writer.write(move |page| page.forget(&source, now)).await;
        swept.map(drop).map_err(Trouble::Store)
    }

    fn is_good(&self) {
        let mut facts = self.shared.state.facts();
        facts.is_connected = true;
        facts.confirmed = Some(Instant::now());
    }

    fn note(&self, trouble: &Trouble) {
        let words = trouble.words();
        log::warn!(error = %words, "nothing is published for now");
        let mut facts = self.shared.state.facts();
        facts.is_connected = false;
        facts.last_error = Some(words);
    }
}

/// Waits until the time to end has come.
async fn ended(end: &mut watch::Receiver<Option<Instant>>) {
    // Nobody is left to tell it: then it has come.
    let Ok(told) = end.wait_for(Option::is_some).await.map(|told| *told) else {
        return;
    };
    if let Some(at) = told {
        sleep_until(at).await;
    }
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// After which time trouble counts as new.
const SETTLED: Duration = Duration::from_secs(10);

const SHORTEST_HEARTBEAT: Duration = Duration::from_millis(100);
const SWEEP_EVERY: Duration = Duration::from_secs(60);
