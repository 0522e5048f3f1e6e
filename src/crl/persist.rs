//! Has the journal keep a fetched list.

use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::crl::poll_error::PollProblem;
use crate::domain::persistence::Fetched;
use crate::sink::EventSink;
use crate::state::accept::AcceptedList;

/// Has the journal keep a list that was installed. Gives up waiting after `patience` if the disk hangs: a longer wait would make the
/// next list late.
pub(super) async fn persist(
    sink: &EventSink,
    patience: Duration,
    fetched: Fetched,
    accepted: AcceptedList,
) -> Result<(), PollProblem> {
    let Some(journal) = sink.domain().journal.get() else {
        return Ok(());
    };
    if !accepted.is_as_offered {
        // In memory, two lists of one second are joined; on disk they cannot be. The next list takes the place of both.
        let kept = journal.lists().persist_incomplete(&accepted.list).answer().await;
        return kept.map_err(PollProblem::NotKept);
    }
    let sink = sink.clone();
    let persisting = spawn_blocking(move || match sink.domain().journal.get() {
        Some(journal) => journal.lists().persist(&fetched, &accepted.list).map(|is_all| {
            if is_all {
                sink.domain().store.set_needs_list(false);
            }
        }),
        None => Ok(()),
    });
    match timeout(patience, persisting).await {
        Ok(Ok(kept)) => kept.map_err(PollProblem::NotKept),
        Ok(Err(lost)) => Err(PollProblem::Lost(lost)),
        Err(_) => Err(PollProblem::NotKept("the disk has not answered in time".into())),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{Ready, pending, ready};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll};
    use std::thread;
    use std::time::Duration;

    use bytes::Bytes;
    use http::{Request, Response, Uri};
    use http_body_util::{Empty, Full};
    use tower_service::Service;

    use super::*;
    use crate::crl::{KeySet, ListError, ListFormat, Poller};
    use crate::domain::persistence::{Durable, KeptList, Persist, PersistLists, Unusable};
    use crate::middleware::RevocationLayer;
    use crate::model::credential::Credential;
    use crate::model::log_place::LogPosition;
    use crate::model::timestamp::Timestamp;
    use crate::state::entry::Entry;
    use crate::state::snapshot::RevocationList;
    use crate::status::{JournalStart, JournalStatus};

    /// A journal whose disk never answers.
    struct Hung;

    impl Persist for Hung {
        fn persist(&self, _: Vec<Entry>, _: Option<LogPosition>) -> Durable {
            Durable::new(pending())
        }

        fn persist_newest(&self, _: Timestamp) -> Durable {
            Durable::new(pending())
        }

        fn persist_resynced(&self) -> Durable {
            Durable::new(pending())
        }

        fn persist_feed_read(&self, _: Timestamp) -> Durable {
            Durable::new(pending())
        }

        fn lists(&self) -> &dyn PersistLists {
            self
        }

        fn status(&self) -> JournalStatus {
            JournalStatus::new(String::new(), JournalStart::New)
        }
    }

    impl PersistLists for Hung {
        fn persist(&self, _: &Fetched, _: &Arc<RevocationList>) -> Result<bool, Arc<str>> {
            // Much longer than the test takes.
            thread::park_timeout(Duration::from_secs(5));
            Ok(false)
        }

        fn persist_incomplete(&self, _: &RevocationList) -> Durable {
            Durable::new(pending())
        }

        fn persist_confirmed(&self, _: Timestamp) -> Durable {
            Durable::new(pending())
        }

        fn persist_keys(&self, _: &[u8]) -> Durable {
            Durable::new(pending())
        }

        fn kept(&self) -> Result<Option<KeptList>, Unusable> {
            Ok(None)
        }

        fn refuse(&self, _: &Unusable) -> Result<(), Arc<str>> {
            Ok(())
        }

        fn restored(&self, _: &KeptList, _: &Arc<RevocationList>) -> bool {
            true
        }
    }

    /// Counts what is fetched, and says nothing.
    #[derive(Clone, Default)]
    struct Server(Arc<AtomicUsize>);

    impl Service<Request<Empty<Bytes>>> for Server {
        type Response = Response<Full<Bytes>>;
        type Error = Infallible;
        type Future = Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<Empty<Bytes>>) -> Self::Future {
            self.0.fetch_add(1, Ordering::Relaxed);
            ready(Ok(Response::default()))
        }
    }

    /// An empty list, issued when it is read.
    struct Empties;

    impl ListFormat for Empties {
        fn read_list(&self, _: &[u8], _: &KeySet, now: Timestamp) -> Result<RevocationList, ListError> {
            Ok(RevocationList::builder(now).build())
        }

        fn read_keys(&self, _: &[u8]) -> Result<KeySet, ListError> {
            Ok(KeySet::default())
        }
    }

    /// The poller used to wait with the disk, and the list became stale while the registry was well.
    #[tokio::test]
    async fn a_disk_that_hangs_keeps_no_list_from_being_fetched() {
        let (_layer, sink) = RevocationLayer::pair(|_: &()| None::<Credential>);
        assert!(sink.domain().journal.set(Box::new(Hung)).is_ok());
        let server = Server::default();
        let uri = |path| Uri::from_static(path);
        let poller = Poller::new(
            server.clone(),
            Empties,
            uri("http://r/list"),
            uri("http://r/keys"),
            sink.clone(),
        )
        .with_timeout(Duration::from_millis(20))
        .with_fast_pace(Duration::from_millis(1));
        let running = tokio::spawn(poller.run());
        for failures in 1..3 {
            sink.refreshed().await;
            let status = sink.status();
            assert!(status.ready, "the list is in force");
            assert!(status.poll.failures >= failures, "and somebody should look at the disk");
            let error = status.poll.last_error.unwrap();
            assert!(error.contains("the disk has not answered in time"), "{error}");
        }
        assert!(server.0.load(Ordering::Relaxed) >= 3);
        #[cfg(feature = "source")]
        crate::source::Resync::resync(&crate::source::ByPoller, &sink)
            .await
            .expect("it makes up for a gap all the same");
        running.abort();
    }
}
