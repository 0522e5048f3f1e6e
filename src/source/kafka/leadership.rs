//! Who leads, as several brokers say.
//!
//! A leader that is cut off from the others answers as if nothing had happened, for minutes: its end stands still, and it names
//! itself as the leader. Meanwhile another one leads and takes in what is new. Nothing on a connection to the first one tells.
//! So all brokers that have a partition are asked again and again, and only a leader that most of them name is believed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use crate::source::error::SourceError;
use crate::source::kafka::broker::CONNECT_PATIENCE;
use crate::source::kafka::cluster::{Cluster, TopicView};
use crate::source::kafka::partition::Partition;
use crate::source::kafka::partition_end::FRESH;
use crate::source::kafka::wire::PartitionMetadata;

/// What brokers say of a topic. A cheap clone.
#[derive(Clone, Default)]
pub(super) struct Leadership {
    said: Arc<Mutex<SaidOfTopic>>,
}

#[derive(Default)]
struct SaidOfTopic {
    /// What each of them said last, and when it was asked.
    answers: HashMap<i32, (Instant, TopicView)>,
    /// The newest that was ever said of each partition.
    newest: HashMap<u32, PartitionMetadata>,
}

impl Leadership {
    /// Returns the newest that was said of a partition.
    pub(super) fn newest(&self, partition: u32) -> Option<PartitionMetadata> {
        self.said().newest.get(&partition).cloned()
    }

    /// Notes what one of them said on another occasion.
    pub(super) fn learn(&self, view: &TopicView) {
        self.said().learn(view);
    }

    /// Returns whether a leader that is read from was named a moment ago by most of the brokers that have all of the partition,
    /// itself among them.
    pub(super) fn is_confirmed(&self, at: &Partition) -> bool {
        let confirmed = self.said().confirmed(at.number, at.leader, at.epoch);
        confirmed.is_some_and(|asked| asked.elapsed() <= FRESH)
    }

    /// Returns whether a broker answered a moment ago.
    pub(super) fn has_heard_of(&self, broker: i32) -> bool {
        let said = self.said();
        said.answers
            .get(&broker)
            .is_some_and(|(asked, _)| asked.elapsed() <= FRESH)
    }

    /// Asks them all again and again, until the topic is another one or has more partitions than that.
    pub(super) async fn watch(self, cluster: Cluster, opened: TopicView) -> SourceError {
        let failed = || SourceError::new(format!("the topic {} changed", cluster.topic));
        // Whoever said something before the opening may be gone.
        self.said().answers.clear();
        let known = opened.numbers();
        let mut tasks = JoinSet::new();
        let mut asking: HashMap<i32, AbortHandle> = HashMap::new();
        loop {
            let wanted = self.said().wanted();
            asking.retain(|id, task| {
                let stays = wanted.contains(id);
                if !stays {
                    task.abort();
                    self.said().answers.remove(id);
                }
                stays
            });
            for id in wanted {
                asking
                    .entry(id)
                    .or_insert_with(|| tasks.spawn(ask(self.clone(), cluster.clone(), id)));
            }
            // Those that were aborted.
            while tasks.try_join_next().is_some() {}
            sleep(PACE).await;
            for (_, view) in self.said().answers.values() {
                if view.id != opened.id {
                    return failed().because("it was deleted, and made anew").as_loss();
                }
                // One that does not know of all of them yet has not heard the news.
                if !view.numbers().is_subset(&known) {
                    return failed().because("it has more partitions than before");
                }
            }
        }
    }

    fn said(&self) -> MutexGuard<'_, SaidOfTopic> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SaidOfTopic {
    fn learn(&mut self, view: &TopicView) {
        for partition in &view.partitions {
            let newest = self.newest.entry(partition.number).or_insert_with(|| partition.clone());
            if partition.epoch >= newest.epoch {
                newest.clone_from(partition);
            }
        }
    }

    fn note(&mut self, id: i32, asked: Instant, view: TopicView) {
        self.learn(&view);
        self.answers.insert(id, (asked, view));
    }

    /// The brokers that have all of some partition.
    fn wanted(&self) -> Vec<i32> {
        let mut wanted: Vec<_> = self.newest.values().flat_map(electorate).collect();
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    /// When most of the brokers that have all of the partition were asked last and named this leader, itself among them.
    fn confirmed(&self, number: u32, leader: i32, epoch: i32) -> Option<Instant> {
        let of = |id: &i32| {
            let (asked, view) = self.answers.get(id)?;
            let partition = view.partition(number)?;
            (partition.leader == leader && partition.epoch == epoch).then_some((*asked, partition))
        };
        let (asked_leader, by_leader) = of(&leader)?;
        // Nobody else can be the next leader but those that the leader counts as in sync: it is the leader that strikes them off.
        let electorate: Vec<_> = electorate(by_leader).collect();
        let mut agreed: Vec<_> = electorate.iter().filter_map(of).map(|(asked, _)| asked).collect();
        agreed.sort_unstable();
        let most = electorate.len() / 2 + 1;
        let asked_most = agreed.iter().rev().nth(most - 1)?;
        Some(asked_leader.min(*asked_most))
    }
}

/// The brokers that have all of a partition.
fn electorate(partition: &PartitionMetadata) -> impl Iterator<Item = i32> {
    let leader = Some(partition.leader).filter(|leader| *leader >= 0 && !partition.in_sync.contains(leader));
    partition.in_sync.iter().copied().chain(leader)
}

/// Asks one broker again and again.
async fn ask(leadership: Leadership, cluster: Cluster, id: i32) {
    loop {
        if let Ok(Ok(mut broker)) = timeout(CONNECT_PATIENCE, cluster.connect(id)).await {
            loop {
                let asked = Instant::now();
                let Ok(view) = cluster.ask(&mut broker).await else {
                    break;
                };
                leadership.said().note(id, asked, view);
                sleep(PACE).await;
            }
        }
        sleep(PACE).await;
    }
}

/// How often brokers are asked.
const PACE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::kafka::wire::ErrorCode;

    fn view(leader: i32, epoch: i32, in_sync: &[i32]) -> TopicView {
        TopicView {
            id: [7; 16],
            partitions: vec![PartitionMetadata {
                code: ErrorCode::NONE,
                number: 0,
                leader,
                epoch,
                in_sync: in_sync.to_vec(),
            }],
        }
    }

    fn said(answers: impl IntoIterator<Item = (i32, TopicView)>) -> (Leadership, Instant) {
        let asked = Instant::now();
        let leadership = Leadership::default();
        for (id, view) in answers {
            leadership.said().note(id, asked, view);
        }
        (leadership, asked)
    }

    #[test]
    fn a_leader_is_believed_that_most_of_its_replicas_name() {
        let old = || view(1, 4, &[1, 2, 3]);
        let (alone, asked) = said([(1, view(1, 4, &[1]))]);
        assert_eq!(alone.said().confirmed(0, 1, 4), Some(asked));
        let (most, asked) = said([(1, old()), (3, old())]);
        assert_eq!(most.said().confirmed(0, 1, 4), Some(asked));
        assert_eq!(most.said().confirmed(0, 1, 5), None);
        assert_eq!(most.said().confirmed(0, 2, 4), None);
        assert_eq!(most.said().confirmed(1, 1, 4), None);
        // Cut off with its clients.
        let (cut_off, _) = said([(1, old())]);
        assert_eq!(cut_off.said().confirmed(0, 1, 4), None);
        // It does not say so itself.
        let (others, _) = said([(2, old()), (3, old())]);
        assert_eq!(others.said().confirmed(0, 1, 4), None);
    }

    #[test]
    fn a_leader_that_was_replaced_is_not_believed_whatever_it_says() {
        let (old, new) = (view(1, 4, &[1, 2, 3]), view(2, 5, &[2, 3]));
        let (leadership, asked) = said([(1, old.clone()), (2, new.clone()), (3, new)]);
        assert_eq!(leadership.said().confirmed(0, 1, 4), None);
        assert_eq!(leadership.said().confirmed(0, 2, 5), Some(asked));
        // Also if it is heard last.
        leadership.learn(&old);
        assert_eq!(leadership.newest(0).unwrap().leader, 2);
    }

    #[test]
    fn it_is_as_old_as_the_oldest_answer_that_it_takes() {
        let (leadership, asked) = said([(1, view(1, 4, &[1, 2, 3])), (2, view(1, 4, &[1, 2, 3]))]);
        let later = asked + PACE;
        leadership.said().answers.insert(3, (later, view(1, 4, &[1, 2, 3])));
        assert_eq!(
            leadership.said().confirmed(0, 1, 4),
            Some(asked),
            "the leader itself was asked then"
        );
        leadership.said().answers.insert(1, (later, view(1, 4, &[1, 2, 3])));
        assert_eq!(leadership.said().confirmed(0, 1, 4), Some(later));
    }
}
