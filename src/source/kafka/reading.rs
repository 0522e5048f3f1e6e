//! What is read ahead.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use std::vec;

use rskafka::client::Client;
use rskafka::record::RecordAndOffset;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::source::error::SourceError;
use crate::source::kafka::lane::{Batch, Ended, Opened};
use crate::source::kafka::partition::partitions;

/// What is read ahead by tasks, one for each partition, which end when this is dropped.
pub(super) struct Reading {
    _tasks: JoinSet<()>,
    pub(super) batches: mpsc::Receiver<Result<Batch, Ended>>,
    /// What is being given.
    pub(super) lane: u32,
    pub(super) records: vec::IntoIter<RecordAndOffset>,
    pub(super) end: i64,
    /// The lanes of which some records that were there at the opening were not given yet, and where those end.
    pub(super) old_until: BTreeMap<u32, i64>,
    pub(super) is_caught_up: bool,
}

impl Reading {
    pub(super) fn start(opened: Vec<Opened>, client: Arc<Client>, topic: String) -> Self {
        let (sender, batches) = mpsc::channel(AHEAD);
        let numbers: Vec<u32> = opened.iter().map(|opened| opened.lane.number).collect();
        let mut old_until = BTreeMap::new();
        let mut tasks = JoinSet::new();
        for opened in opened {
            old_until.extend(opened.old_until.map(|until| (opened.lane.number, until)));
            tasks.spawn(opened.lane.run(sender.clone()));
        }
        tasks.spawn(watch(client, topic, numbers, sender));
        Self {
            _tasks: tasks,
            batches,
            lane: 0,
            records: Vec::new().into_iter(),
            end: 0,
            old_until,
            is_caught_up: false,
        }
    }

    /// Notes that a lane was read up to there.
    pub(super) fn came_to(&mut self, lane: u32, next: i64) {
        if !self.old_until.is_empty() && self.old_until.get(&lane).is_some_and(|until| *until <= next) {
            self.old_until.remove(&lane);
        }
    }
}

/// Watches out for new partitions. That the broker is away is for the lanes to notice.
async fn watch(client: Arc<Client>, topic: String, known: Vec<u32>, sender: mpsc::Sender<Result<Batch, Ended>>) {
    loop {
        sleep(WATCH).await;
        if partitions(&client, &topic).await.is_ok_and(|found| found != known) {
            let error = SourceError::new(format!("the topic {topic} has other partitions than before"));
            let _ = sender.send(Err(error.into())).await;
            return;
        }
    }
}

/// How many batches are read ahead, beside the one that is being given and those that are being read.
const AHEAD: usize = 1;

/// How often it is looked whether there are more partitions.
const WATCH: Duration = Duration::from_secs(60);
