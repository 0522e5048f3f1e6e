//! The poller of lists that are in the host's own database.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;

use crate::crl::kept::KeptForm;
use crate::crl::list_source::{ListSource, ask};
use crate::crl::open::encoded::is_forgotten;
use crate::crl::open::section::ListedRow;
use crate::crl::paces::Paces;
use crate::crl::persist::persist;
use crate::crl::poll_error::{PollError, PollProblem};
use crate::crl::poll_loop::{PollMethod, poll_for_ever};
use crate::crl::poller::DEFAULT_TIMEOUT;
use crate::crl::restore::{RestoreError, Restored, Restoring, restoring};
use crate::domain::observer::Polled;
use crate::domain::persistence::Fetched;
use crate::model::timestamp::Timestamp;
use crate::sink::EventSink;
use crate::state::accept::AcceptedList;
use crate::state::snapshot::RevocationList;
use crate::state::view::State;
use crate::statements::in_force::InForce;

/// Keeps a list fresh that is in the host's own database: the safety net under the event feed, without HTTP and without signatures.
///
/// It does what the [`Poller`](super::Poller) does, at the same two paces: it asks the [`ListSource`] again when the feed comes back, when
/// something is lost, and when the host [asks for it](EventSink::refresh). A failure of any kind changes nothing that is in force, and shows in
/// [`EventSink::status`].
///
/// The list counts as issued when the database began to be asked, by this machine's clock.
///
/// With a journal, what the database said is kept, so that a restart decides by it while the database is away: until the list is older than the
/// policy's `max_age`. It is kept with a checksum and unsigned, as all of the journal is.
///
/// ```no_run
/// use tower_revocation::crl::SourcePoller;
/// use tower_revocation::{InForce, Statement, Subject, Timestamp};
/// # use tower_revocation::{RevocationLayer, identify};
/// # async fn revoked_sessions() -> Result<Vec<(String, u64)>, std::io::Error> { Ok(Vec::new()) }
/// # let (layer, sink) = RevocationLayer::pair(identify::jwt(http::header::AUTHORIZATION, "Bearer"));
///
/// let source = || async {
///     let sessions = revoked_sessions().await?;
///     let block = |(id, at): &(String, u64)| Statement::block(Subject::session(id)).at(Timestamp::from_unix_secs(*at));
///     Ok::<_, std::io::Error>(InForce { statements: sessions.iter().map(block).collect(), covers: Vec::new() })
/// };
/// # async move {
/// tokio::spawn(SourcePoller::new(source, sink.clone()).run());
/// # };
/// ```
#[must_use = "a poller does nothing until it is run"]
pub struct SourcePoller<S> {
    source: S,
    sink: EventSink,
    paces: Paces,
    timeout: Duration,
    /// Whether the poller has looked for what an earlier process left.
    is_restored: bool,
    /// Whether the journal has the list that is in force.
    is_kept: bool,
}

impl<S: ListSource> SourcePoller<S> {
    /// Creates a poller that installs in `sink` what `source` says.
    pub fn new(source: S, sink: EventSink) -> Self {
        Self {
            source,
            sink,
            paces: Paces::default(),
            timeout: DEFAULT_TIMEOUT,
            is_restored: false,
            is_kept: true,
        }
    }

    /// Sets the pace while the event feed is live. Defaults to [`DEFAULT_SLOW_PACE`](super::DEFAULT_SLOW_PACE); a year at most.
    pub fn with_slow_pace(mut self, pace: Duration) -> Self {
        self.paces.set_slow(pace);
        self
    }

    /// Sets the pace while the event feed is not live. Defaults to [`DEFAULT_FAST_PACE`](super::DEFAULT_FAST_PACE); a year at most.
    pub fn with_fast_pace(mut self, pace: Duration) -> Self {
        self.paces.set_fast(pace);
        self
    }

    /// Sets how long the source may take to answer. Defaults to [`DEFAULT_TIMEOUT`](super::DEFAULT_TIMEOUT).
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Puts the list in force that an earlier process kept in the sink's journal (`EventSink::keep_in`, feature `journal`). So requests
    /// are decided at once, even if the database cannot be reached. Does nothing without a journal. [`run`](Self::run) does the same first if
    /// nobody has called this.
    ///
    /// The list does not become younger by that: [`max_age`](crate::DomainConfig::with_max_age) counts from when the database was last read.
    ///
    /// # Errors
    ///
    /// Fails if the list is missing or damaged, or was kept by another kind of poller. Then nothing is put in force. With a journal that was
    /// opened by `Journal::open_or_start_empty`, everybody is refused instead, until the database is read.
    pub fn restore(&mut self) -> Result<(), RestoreError> {
        let restored = restoring(&Arc::new(KeptForm), &self.sink)();
        self.adopt(restored)
    }

    /// Polls until the future is dropped: spawn it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops a question under way; a list that is being indexed may still be installed.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with its clock enabled.
    pub async fn run(self) -> Infallible {
        poll_for_ever(self).await
    }

    /// Indexes what the source said, and puts it in force unless it is. Returns what is to be kept.
    async fn install(&self, in_force: InForce, issued_at: Timestamp) -> Result<Option<Installed>, PollProblem> {
        let (sink, is_kept) = (self.sink.clone(), self.is_kept);
        let installing = spawn_blocking(move || {
            let list = index(&in_force, issued_at);
            if is_kept && is_in_force(&sink, &list) && sink.confirm().is_ok() {
                return Ok(None);
            }
            let accepted = sink.domain().accept_list(list).map_err(PollProblem::Install)?;
            let document = match sink.domain().journal.get() {
                Some(_) => KeptForm::write(&in_force, issued_at).map_err(|error| PollProblem::Source(error.into()))?,
                None => Vec::new(),
            };
            Ok(Some(Installed { accepted, document }))
        });
        installing.await.map_err(PollProblem::Lost)?
    }

    async fn ask_and_install(&mut self) -> Result<Polled, PollProblem> {
        // Before the database is asked: whatever happens from now on may be missing.
        let now = Timestamp::now();
        let known = self.sink.domain().store.look(|state| state.snapshot()?.issued_at());
        // It was read just now, whatever the clock did since the last time.
        let issued_at = known.map_or(now, |known| now.max(known.saturating_add(Duration::from_millis(1))));
        let in_force = ask(&self.source, self.timeout)
            .await
            .ok_or(PollProblem::Timeout(self.timeout))?
            .map_err(PollProblem::Source)?;
        let Some(Installed { accepted, document }) = self.install(in_force, issued_at).await? else {
            if let Some(journal) = self.sink.domain().journal.get() {
                // Nothing waits for this: if it fails, a restart takes the list to be older than it is.
                drop(journal.lists().persist_confirmed(now));
            }
            return Ok(Polled::Confirmed);
        };
        let fetched = Fetched {
            document,
            keys: None,
            accepted_at: now,
        };
        self.is_kept = false;
        persist(&self.sink, self.timeout.min(self.paces.fast), fetched, accepted).await?;
        self.is_kept = true;
        if self.sink.domain().store.look(State::needs_list) {
            return Err(PollProblem::NotAll);
        }
        self.sink.domain().poll_succeeded();
        Ok(Polled::Installed)
    }
}

impl<S: ListSource> PollMethod for SourcePoller<S> {
    fn sink(&self) -> &EventSink {
        &self.sink
    }

    fn paces(&self) -> Paces {
        self.paces
    }

    fn restoring(&self) -> Option<Restoring> {
        (!self.is_restored).then(|| restoring(&Arc::new(KeptForm), &self.sink))
    }

    fn adopt(&mut self, restored: Restored) -> Result<(), RestoreError> {
        self.is_restored = true;
        RestoreError::of(restored.problem)
    }

    async fn poll(&mut self) -> Result<Polled, PollError> {
        // There are no keys; and whoever asks for them asks for the list.
        self.ask_and_install().await.map_err(|problem| PollError {
            place: "list source".to_owned(),
            problem,
        })
    }

    async fn is_asked(&mut self) {
        pending().await
    }

    async fn answer(&mut self) {}
}

impl<S> fmt::Debug for SourcePoller<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourcePoller")
            .field("paces", &self.paces)
            .finish_non_exhaustive()
    }
}

/// A list that was put in force, and what is to be kept of it.
struct Installed {
    accepted: AcceptedList,
    document: Vec<u8>,
}

fn index(in_force: &InForce, issued_at: Timestamp) -> RevocationList {
    let mut list = RevocationList::builder(issued_at);
    for position in &in_force.covers {
        list = list.covering(*position);
    }
    let rows = in_force.statements.iter().flat_map(ListedRow::of);
    for row in rows.filter(|row| !is_forgotten(row, issued_at)) {
        list.push(&row.revocation());
    }
    list.build()
}

/// Whether the installed list says the same, and is young enough to stand for this one. An old one would have the feed read from long ago after
/// a restart.
fn is_in_force(sink: &EventSink, list: &RevocationList) -> bool {
    let installed = sink.domain().store.look(|state| state.snapshot().cloned());
    installed.is_some_and(|installed| {
        let at = |list: &RevocationList| list.issued_at().unwrap_or_default();
        at(list).saturating_since(at(&installed)) < STANDS_FOR && installed.says_the_same_as(list)
    })
}

/// How long a list stands for later ones that say the same: 1 hour.
const STANDS_FOR: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;
    use crate::middleware::RevocationLayer;
    use crate::model::credential::Credential;
    use crate::statements::statement::Statement;
    use crate::statements::subject::Subject;

    fn sink() -> EventSink {
        RevocationLayer::pair(|_: &()| None::<Credential>).1
    }

    fn installed(sink: &EventSink) -> Arc<RevocationList> {
        sink.domain().store.look(|state| state.snapshot().cloned()).unwrap()
    }

    fn of(ids: usize) -> InForce {
        let at = Timestamp::from_unix_secs(1_000);
        let block = |id: usize| Statement::block(Subject::session(&id.to_string())).at(at);
        InForce {
            statements: (0..ids).map(block).collect(),
            covers: Vec::new(),
        }
    }

    /// If the time were taken when the answer is there, the feed would be read from then on: what was revoked meanwhile would be missing.
    #[tokio::test]
    async fn a_list_is_issued_when_the_database_begins_to_be_asked() {
        let (sink, asked) = (sink(), Arc::new(Mutex::new(None)));
        let begun = Arc::clone(&asked);
        let source = move || {
            *begun.lock().unwrap() = Some(Timestamp::now());
            thread::sleep(Duration::from_millis(3));
            async { Ok::<_, std::io::Error>(of(1)) }
        };
        let running = tokio::spawn(SourcePoller::new(source, sink.clone()).run());
        sink.refreshed().await;
        assert!(installed(&sink).issued_at() <= *asked.lock().unwrap());
        running.abort();
    }

    #[tokio::test]
    async fn what_is_in_force_already_is_confirmed_and_nothing_else() {
        let (sink, rows) = (sink(), Arc::new(AtomicUsize::new(2)));
        let known = Arc::clone(&rows);
        let source = move || {
            let rows = known.load(Ordering::Relaxed);
            async move { Ok::<_, std::io::Error>(of(rows)) }
        };
        let mut poller = SourcePoller::new(source, sink.clone());
        assert_eq!(poller.poll().await.unwrap(), Polled::Installed);
        let first = installed(&sink);
        assert_eq!(poller.poll().await.unwrap(), Polled::Confirmed);
        assert!(Arc::ptr_eq(&first, &installed(&sink)));
        rows.store(1, Ordering::Relaxed);
        assert_eq!(poller.poll().await.unwrap(), Polled::Installed);
        assert_eq!(installed(&sink).entries(), 1, "the host took it back");
        // An old one does not stand for a new one.
        let old = self::sink();
        let issued_at = Timestamp::now().saturating_sub(STANDS_FOR);
        old.install(index(&of(1), issued_at)).unwrap();
        poller.sink = old.clone();
        assert_eq!(poller.poll().await.unwrap(), Polled::Installed);
        assert!(installed(&old).issued_at() > Some(issued_at));
        // One that could not be kept is kept the next time.
        poller.is_kept = false;
        assert_eq!(poller.poll().await.unwrap(), Polled::Installed);
    }

    /// It was read just now: a clock that was set back does not make it old.
    #[tokio::test]
    async fn a_clock_that_was_set_back_makes_no_list_older_than_the_last() {
        let sink = sink();
        let ahead = Timestamp::now().saturating_add(Duration::from_secs(50));
        sink.install(index(&of(1), ahead)).unwrap();
        let mut poller = SourcePoller::new(|| async { Ok::<_, std::io::Error>(of(2)) }, sink.clone());
        assert_eq!(poller.poll().await.unwrap(), Polled::Installed);
        assert_eq!(installed(&sink).entries(), 2);
    }
}
