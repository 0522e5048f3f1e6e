//! The probe that says whether requests should be sent here.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use crate::probe::answer::ProbeFuture;
use crate::probe::need::Need;
use crate::sink::EventSink;
use crate::status::{Concern, ConcernCode, JournalStart, Status};

/// Answers a readiness probe: 200 if requests are decided by what is known, otherwise 503.
///
/// It is not ready if the policy refuses everyone because no fresh list is there ([`Status::ready`]), even if a layer
/// only [observes](crate::Enforcement::Observe); nor if something is missing that it [needs](Self::with_need). The text
/// gives the reasons in words, and says how far the start has come:
///
/// ```text
/// not ready
/// - no-list: No revocation list was fetched yet. Until one is, credentials that nothing is known against are refused with 503.
/// also
/// - feed-connecting: The feed nats:REVOCATIONS has been connecting for 0.4 s. Revocations come with the list alone.
/// list: none
/// feed: connecting
/// journal: restored, 12 entries
/// ```
///
/// Costs what [`EventSink::status`] does. It does not block, except that a journal asks the file system for its size.
#[derive(Clone, Debug)]
pub struct Readyz {
    sink: EventSink,
    needs: BTreeSet<Need>,
    /// Whether the process leaves. All clones share it. A `Relaxed` flag: nothing else depends on it.
    leaves: Arc<AtomicBool>,
}

impl Readyz {
    /// Returns a probe of this sink's trust domain.
    #[must_use]
    pub fn new(sink: EventSink) -> Self {
        Self {
            sink,
            needs: BTreeSet::new(),
            leaves: Arc::default(),
        }
    }

    /// Sets one more thing that readiness depends on. Defaults to none.
    #[must_use]
    pub fn with_need(mut self, need: Need) -> Self {
        self.needs.insert(need);
        self
    }

    /// Answers 503 from now on, in all clones: the process is about to leave, and no more requests should be sent to it. Wait until the
    /// load balancer has noticed, and then [end the streams](EventSink::end_streams).
    pub fn leave(&self) {
        self.leaves.store(true, Ordering::Relaxed);
    }

    /// What is missing, and what else is wrong; both in words.
    fn report(&self, status: &Status) -> Report {
        let unmet: Vec<Need> = self.needs.iter().copied().filter(|need| !need.is_met(status)).collect();
        let is_to_blame = |concern: &&Concern| match concern.code {
            ConcernCode::JournalLost | ConcernCode::NoList | ConcernCode::FeedUnread | ConcernCode::ListStale => {
                !status.ready
            }
            code => unmet.iter().any(|need| need.concerns().contains(&code)),
        };
        let (missing, other): (Vec<_>, Vec<_>) = status.concerns.iter().partition(is_to_blame);
        let mut missing: Vec<_> = missing.into_iter().map(line).collect();
        let is_told = |need: &Need| {
            status
                .concerns
                .iter()
                .any(|known| need.concerns().contains(&known.code))
        };
        let untold = unmet.iter().filter(|need| !is_told(need));
        missing.extend(untold.map(|need| format!("- {}: {}", need.as_str(), need.unmet())));
        let leaves = self.leaves.load(Ordering::Relaxed);
        if leaves {
            missing.insert(0, LEAVING.to_owned());
        }
        Report {
            is_ready: status.ready && unmet.is_empty() && !leaves,
            missing,
            other: other.into_iter().map(line).collect(),
        }
    }
}

/// What there is to say.
struct Report {
    is_ready: bool,
    missing: Vec<String>,
    other: Vec<String>,
}

impl Report {
    fn write(&self, status: &Status) -> String {
        let verdict = if self.is_ready { "ready" } else { "not ready" };
        let mut lines = vec![verdict.to_owned()];
        lines.extend_from_slice(&self.missing);
        if !self.other.is_empty() {
            lines.push("also".to_owned());
            lines.extend_from_slice(&self.other);
        }
        lines.push(format!("list: {}", list(status)));
        lines.push(format!("feed: {}", status.feed.state.as_str()));
        lines.push(format!("journal: {}", journal(status)));
        lines.iter().fold(String::new(), |mut text, line| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{line}");
            text
        })
    }
}

impl<B> Service<Request<B>> for Readyz
where
    B: Body + Send + 'static,
{
    type Response = Response<String>;
    type Error = Infallible;
    type Future = ProbeFuture<B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ProbeFuture::new(request, || {
            let status = self.sink.status();
            let report = self.report(&status);
            let code = match report.is_ready {
                true => StatusCode::OK,
                false => StatusCode::SERVICE_UNAVAILABLE,
            };
            (code, report.write(&status))
        })
    }
}

/// One line for a concern. Parts of its words may come from outside, so control characters become blanks.
fn line(concern: &Concern) -> String {
    let words: String = concern
        .words
        .chars()
        .map(|it| if it.is_control() { ' ' } else { it })
        .collect();
    format!("- {}: {words}", concern.code.as_str())
}

const LEAVING: &str = "- leaving: The process is about to leave.";

/// Where the list in force comes from.
fn list(status: &Status) -> &'static str {
    let is_restored = status.journal.as_ref().is_some_and(|journal| journal.restored_list);
    match (&status.snapshot, status.poll.last_success_ms_ago) {
        (None, _) => "none",
        (Some(_), None) if is_restored => "restored",
        (Some(_), _) => "fetched",
    }
}

/// What was found of earlier processes.
fn journal(status: &Status) -> String {
    let Some(journal) = &status.journal else {
        return "none".to_owned();
    };
    let durable = if journal.durable { "" } else { ", cannot be written" };
    match journal.start {
        JournalStart::New => format!("new{durable}"),
        JournalStart::Restored => format!("restored, {} entries{durable}", journal.restored_entries),
        JournalStart::Lost => format!("lost{durable}"),
    }
}
