//! What the leader of a stream says of it.
//!
//! A server that is cut off from the others goes on answering: it has an old end, and a consumer on it sends heartbeats for
//! ever. Only a leader knows where its log ends, and only while most of the stream's servers follow it.

use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::context::RequestErrorKind;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::{ClusterInfo, Info, SourceInfo};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::common::error_text::error_text;
use crate::source::error::SourceError;

/// Asks the leader of one stream.
#[derive(Clone)]
pub(super) struct StreamLeader {
    pub(super) context: Context,
    pub(super) stream: String,
}

/// Where a stream ends, as its leader says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) last: u64,
    /// When the leader was asked.
    pub(super) asked: Instant,
}

impl StreamLeader {
    /// Returns what the leader says of the stream; with the sequences that are missing from its midst if wanted.
    ///
    /// # Errors
    ///
    /// There is no answer, or it is not one of a leader whom most of the stream's servers follow.
    pub(super) async fn ask(&self, with_deleted: bool) -> Result<Info, NoAnswer> {
        let cannot = || SourceError::new(format!("cannot look at stream {}", self.stream));
        let subject = format!("STREAM.INFO.{}", self.stream);
        let question = if with_deleted {
            json!({ "deleted_details": true })
        } else {
            json!({})
        };
        let answer: Response<Value> = match self.context.request(subject, &question).await {
            Ok(answer) => answer,
            // A server answers nothing to what is not permitted.
            Err(error) if error.kind() == RequestErrorKind::TimedOut => {
                let words = format!(
                    "no answer about stream {0}: it has no leader, or to publish to $JS.API.STREAM.INFO.{0} takes a permission",
                    self.stream
                );
                return Err(NoAnswer::leaderless(SourceError::new(words)));
            }
            Err(error) => return Err(NoAnswer::leaderless(cannot().because(error))),
        };
        let info = match answer {
            Response::Ok(info) => Info::deserialize(info).map_err(|error| cannot().because(error))?,
            Response::Err { error } if error.code() == UNAVAILABLE => {
                return Err(NoAnswer::leaderless(cannot().because(error)));
            }
            Response::Err { error } => return Err(cannot().because(error).into()),
        };
        match distrust(info.cluster.as_ref(), info.config.num_replicas) {
            None => Ok(info),
            Some(why) => Err(NoAnswer::leaderless(self.unknown(&why))),
        }
    }

    /// Returns where the stream ends now.
    async fn look(&self) -> Result<Look, SourceError> {
        let asked = Instant::now();
        let info = self.ask(false).await.map_err(|answer| answer.error)?;
        match info.mirror.iter().chain(&info.sources).find_map(behind) {
            None => Ok(Look {
                last: info.state.last_sequence,
                asked,
            }),
            Some(why) => Err(self.unknown(&why)),
        }
    }

    /// Looks at it every second, for as long as what is returned is not dropped.
    pub(super) fn watch(self) -> Looks {
        let (tell, looks) = watch::channel(None);
        let mut task = JoinSet::new();
        task.spawn(async move {
            loop {
                let next = Instant::now() + EVERY;
                let look = self.look().await.map_err(|error| error_text(&error).into_owned());
                if tell.send(Some(look)).is_err() {
                    return;
                }
                sleep_until(next).await;
            }
        });
        Looks { _task: task, looks }
    }

    fn unknown(&self, why: &str) -> SourceError {
        SourceError::new(format!("where stream {} ends is not known: {why}", self.stream))
    }
}

/// Why a stream's leader said nothing.
#[derive(Debug)]
pub(super) struct NoAnswer {
    pub(super) error: SourceError,
    /// Whether another server may have an answer.
    pub(super) is_leaderless: bool,
}

impl NoAnswer {
    const fn leaderless(error: SourceError) -> Self {
        Self {
            error,
            is_leaderless: true,
        }
    }
}

impl From<SourceError> for NoAnswer {
    fn from(error: SourceError) -> Self {
        Self {
            error,
            is_leaderless: false,
        }
    }
}

/// The leader's answers, the newest of them.
pub(super) struct Looks {
    _task: JoinSet<()>,
    looks: watch::Receiver<Option<Result<Look, String>>>,
}

impl Looks {
    /// Returns the newest answer, if it was not returned before.
    pub(super) fn news(&mut self) -> Option<Result<Look, String>> {
        match self.looks.has_changed() {
            Ok(true) => self.looks.borrow_and_update().clone(),
            _ => None,
        }
    }

    /// Waits until there is an answer that was not returned before.
    pub(super) async fn changed(&mut self) {
        if self.looks.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.looks.mark_changed();
    }
}

/// Returns why an answer is not to be believed.
///
/// A server that was the leader when it was cut off says for some 19 s that it is one, and for 10 s that the others are up to date.
/// When it last heard of them shows it at once: followers answer it every second.
fn distrust(cluster: Option<&ClusterInfo>, replicas: usize) -> Option<String> {
    // A server by itself.
    let cluster = cluster?;
    let servers = replicas.max(cluster.replicas.len() + 1);
    if cluster.leader.as_deref().is_none_or(str::is_empty) {
        return Some("it has no leader".to_owned());
    }
    let heard = cluster.replicas.iter().filter(|peer| peer.active < HEARD).count();
    let following = heard + 1;
    (following <= servers / 2).then(|| format!("its leader has heard of {heard} of {} others", servers - 1))
}

/// Returns why a stream that is copied from another one may lack what that one has.
fn behind(origin: &SourceInfo) -> Option<String> {
    match origin.active {
        _ if origin.lag > 0 => Some(format!("it is {} messages behind stream {}", origin.lag, origin.name)),
        None => Some(format!("it has never heard of stream {}", origin.name)),
        Some(active) if active > ORIGIN_HEARD => {
            Some(format!("it has not heard of stream {} for {active:.0?}", origin.name))
        }
        Some(_) => None,
    }
}

/// With what a server answers that cannot reach the others.
const UNAVAILABLE: usize = 503;

/// How often the leader is asked.
const EVERY: Duration = Duration::from_secs(1);

/// Within which the leader must have heard of a follower: three of their heartbeats.
const HEARD: Duration = Duration::from_secs(3);

/// Within which a mirror must have heard of its origin.
const ORIGIN_HEARD: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use async_nats::jetstream::stream::PeerInfo;

    use super::*;

    /// An answer of a server that takes itself for the leader, and when it heard of the others.
    fn answer(leader: Option<&str>, heard: &[u64]) -> ClusterInfo {
        let peer = |seconds: &u64| PeerInfo {
            active: Duration::from_secs(*seconds),
            // It says so for ten seconds more.
            current: true,
            ..PeerInfo::default()
        };
        ClusterInfo {
            leader: leader.map(str::to_owned),
            replicas: heard.iter().map(peer).collect(),
            ..ClusterInfo::default()
        }
    }

    #[test]
    fn believes_a_leader_whom_most_servers_follow() {
        let believes = |cluster: &ClusterInfo, replicas| distrust(Some(cluster), replicas).is_none();
        assert!(distrust(None, 1).is_none(), "a server by itself");
        assert!(believes(&answer(Some("n0"), &[]), 1), "the only copy");
        assert!(believes(&answer(Some("n0"), &[0, 0]), 3));
        assert!(believes(&answer(Some("n0"), &[0, 60]), 3), "two of three");
        assert!(!believes(&answer(Some("n0"), &[3, 60]), 3), "one of three");
        assert!(!believes(&answer(Some("n0"), &[]), 3), "it does not say who follows");
        assert!(!believes(&answer(Some("n0"), &[60]), 2));
        assert!(!believes(&answer(Some("n0"), &[0, 60, 60, 60]), 5));
        assert!(believes(&answer(Some("n0"), &[0, 0, 60, 60]), 5));
        for leader in [None, Some("")] {
            assert!(!believes(&answer(leader, &[0, 0]), 3), "nobody leads");
        }
    }

    #[test]
    fn a_copy_knows_the_end_only_as_long_as_it_hears_of_its_origin() {
        let origin = |lag, active| SourceInfo {
            name: "ORIGIN".to_owned(),
            lag,
            active,
            filter_subject: None,
            subject_transform_dest: None,
            subject_transforms: Vec::new(),
        };
        assert_eq!(behind(&origin(0, Some(Duration::from_secs(1)))), None);
        assert!(behind(&origin(1, Some(Duration::ZERO))).is_some());
        assert!(behind(&origin(0, Some(Duration::from_secs(4)))).is_some());
        assert!(behind(&origin(0, None)).is_some());
    }
}
