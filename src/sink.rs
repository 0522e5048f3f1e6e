//! The handle through which the host feeds events and lists.

use std::sync::Arc;

use crate::domain::applied::Applied;
use crate::domain::ingested::Ingested;
use crate::domain::trust_domain::TrustDomain;
use crate::in_flight::enforcer::Enforcer;
use crate::in_flight::guard::RevocationGuard;
use crate::model::credential::Credential;
use crate::model::decode::Decode;
use crate::model::domain_config::DomainConfig;
use crate::model::event::Event;
use crate::model::options::LayerOptions;
use crate::model::timestamp::Timestamp;
use crate::model::verdict::Verdict;
use crate::state::accept::{ApplyError, InstallError};
use crate::state::snapshot::RevocationList;
use crate::state::view::State;
use crate::status::{FeedState, Status};

/// The handle through which the host feeds events and revocation lists; made together with its layer by
/// `RevocationLayer::pair`.
///
/// A cheap clone: give one to every consumer. Calls from many threads are taken one at a time. None of
/// them waits for the network, and requests never wait for any of them.
///
/// ```
/// use tower_revocation::{EventSink, Key, Revocation};
///
/// # fn demo(sink: &EventSink) -> Result<(), tower_revocation::ApplyError> {
/// // The queue says that an agent was revoked; from the next line on it is refused.
/// sink.apply(Revocation::block(Key::subject("did:cdi:registry.example.com:agent:01KDVDNA03XJ61A46WBY7B0EGN")))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct EventSink {
    domain: Arc<TrustDomain>,
}

impl EventSink {
    pub(crate) const fn new(domain: Arc<TrustDomain>) -> Self {
        Self { domain }
    }

    /// Applies an event. When this returns, every decision that starts afterwards sees it.
    ///
    /// With a journal (feature `journal`) the event is in force before it is durable: [`Applied`] waits for that. Nothing
    /// here waits for a disk.
    ///
    /// Costs some hundred nanoseconds, whatever the size of the overlay, and a wake for each piece of work in flight that it
    /// ends, on this thread; an event for everything looks at all work that waits. Every ten minutes, and every second
    /// where room is short, one call looks through all of the overlay for what may be forgotten.
    ///
    /// # Errors
    ///
    /// Returns [`ApplyError::AtCapacity`] if the event names a new key and the overlay is full. Nothing is evicted:
    /// deliver the event again later. Returns [`ApplyError::FromFuture`] if it is a reinstatement that lies ahead.
    pub fn apply(&self, event: impl Into<Event>) -> Result<Applied, ApplyError> {
        self.domain.put_in_force(&[event.into()]).in_force()
    }

    /// Applies a batch of events in one publication: no decision sees a part of it.
    ///
    /// # Errors
    ///
    /// Returns [`ApplyError::AtCapacity`] if some of the events found no room. The others are in force. Since events may be
    /// repeated, deliver the whole batch again later. Returns [`ApplyError::FromFuture`] if reinstatements in it lie ahead;
    /// the other events are in force. With a journal, apply those again without the reinstatements to learn when they are
    /// durable.
    pub fn apply_all<E: Into<Event>>(&self, events: impl IntoIterator<Item = E>) -> Result<Applied, ApplyError> {
        let events: Vec<Event> = events.into_iter().map(Into::into).collect();
        self.domain.put_in_force(&events).in_force()
    }

    /// Takes in one raw message of a queue: when this returns, what it says is in force. What became of it is said by
    /// [`Ingested::wait`], or to a task by [`Ingested::durable`], once it is durable.
    ///
    /// Counted and remembered for [`status`](Self::status). The caller acknowledges, retries or dead-letters
    /// accordingly: nothing is dropped without a trace.
    pub fn ingest(&self, decode: &impl Decode, message: &[u8]) -> Ingested {
        let taken_in = self.domain.take_in(decode, message);
        Ingested::new(Arc::clone(&self.domain), taken_in, message.len())
    }

    /// Installs a newer revocation list in place of the installed one.
    ///
    /// Events keep their say: an overlay entry yields only where the list carries the same key. A list of the same
    /// second as the installed one is joined with it, since nobody can tell which is newer.
    ///
    /// Takes time proportional to the overlay and, unless the list is empty, to the work in flight that waits; with a list of
    /// the same second also to both lists. The replaced list is freed before this returns.
    ///
    /// # Errors
    ///
    /// A list older than the installed one, or from the future. The installed one stays.
    ///
    /// # Security
    ///
    /// Whether the issuer signed the list, and whether it has expired, is for whoever read it to check.
    ///
    /// A journal keeps no more of it than when it was issued, so that no older one can be installed after a restart: it can
    /// keep a list only as it was signed, which the poller does. It blocks for a write to disk then. A failure shows in
    /// [`status`](Self::status).
    pub fn install(&self, list: RevocationList) -> Result<(), InstallError> {
        let issued_at = self.domain.accept_list(list)?.list.issued_at();
        self.domain.poll_succeeded();
        if let (Some(journal), Some(issued_at)) = (self.domain.journal.get(), issued_at) {
            if !self.domain.store.look(State::needs_list) {
                drop(journal.persist_resynced());
            }
            // The list is in force whatever comes of it, and whatever is kept next takes that along.
            let _ = journal.persist_newest(issued_at).wait();
        }
        Ok(())
    }

    /// Notes that the issuer has signed no list yet because it has revoked nothing: counts as a fresh, empty list.
    ///
    /// # Errors
    ///
    /// [`InstallError::Unsigned`] if a signed list was ever seen: an unsigned answer never removes anything.
    pub fn install_none(&self) -> Result<(), InstallError> {
        self.domain.store.install(RevocationList::empty(), Timestamp::now())?;
        self.domain.poll_succeeded();
        Ok(())
    }

    /// Notes that the installed list was found to be the newest still (a `304 Not Modified`): its age counts anew.
    ///
    /// # Errors
    ///
    /// [`InstallError::Expired`] if the list may not be fetched any more; otherwise whoever stands between could keep an
    /// old list in force for ever. [`InstallError::NothingToConfirm`] before the first list.
    ///
    /// # Security
    ///
    /// Call it only upon an answer that comes from the issuer.
    pub fn confirm(&self) -> Result<(), InstallError> {
        self.domain.store.confirm(Timestamp::now())?;
        self.domain.poll_succeeded();
        Ok(())
    }

    /// Asks the poller to fetch the list now. Returns at once; several calls at a time come to one fetch.
    ///
    /// Does nothing where no poller runs.
    pub fn refresh(&self) {
        self.domain.refresh();
    }

    /// Asks the poller to fetch the list now, and waits until a fetch that began after this call has ended, well
    /// or badly: see [`status`](Self::status). Where no poller runs it waits for ever.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future withdraws nothing: the fetch goes on.
    pub async fn refreshed(&self) {
        let mut mine = 0;
        self.domain.requested.send_modify(|count| {
            *count += 1;
            mine = *count;
        });
        let mut answered = self.domain.answered.subscribe();
        // The sender lives as long as the domain that this borrows.
        let _ = answered.wait_for(|answered| *answered >= mine).await;
    }

    /// Says how the event feed is. Decides the poller's pace; shown in [`status`](Self::status). A feed that comes
    /// [live](FeedState::Live) may have missed events, so the list is fetched at once.
    pub fn set_feed(&self, state: FeedState) {
        if self.domain.set_feed(state) && state == FeedState::Live {
            // Asked for here, since the poller sees only the latest state: not one that was down and is back already.
            self.refresh();
        }
        if state == FeedState::Live {
            self.domain.caught_up();
        }
    }

    /// What is known of `credential` now, for work that is not a request, such as a job or a message. What an unknown credential
    /// means is the caller's to decide. Counted nowhere.
    ///
    /// Costs what it costs the layer: no lock, no allocation.
    pub fn decide(&self, credential: &Credential) -> Verdict {
        self.domain.store.verdict(credential)
    }

    /// Watches over `credential` for work that is not a request, and goes on for a while: a subscription, a job. Under the
    /// settings that a layer has by default: it enforces, also beside a layer that only observes, and tells of no rotation.
    ///
    /// # Security
    ///
    /// It doesn't admit: [`decide`](Self::decide) first. A credential that was rotated is refused there, and never told of here.
    #[must_use]
    pub fn guard(&self, credential: impl Into<Credential>) -> RevocationGuard {
        let enforcer = Enforcer {
            domain: Arc::clone(&self.domain),
            options: LayerOptions::default(),
        };
        RevocationGuard::new(&Arc::new(enforcer), Some(&credential.into()))
    }

    /// Changes the settings of the trust domain while it runs: for requests and events that begin afterwards.
    ///
    /// ```
    /// # use tower_revocation::{RevocationLayer, StalePolicy, identify};
    /// # let (_layer, sink) = RevocationLayer::pair(identify::jwt(http::header::AUTHORIZATION, "Bearer"));
    /// // An operator decides that an outage of the registry is worse than a revocation that comes late.
    /// sink.configure(|config| config.with_stale_policy(StalePolicy::FailOpen));
    /// ```
    pub fn configure(&self, change: impl FnOnce(DomainConfig) -> DomainConfig) {
        self.domain.store.configure(change);
    }

    /// Returns everything an operator asks about, as of now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.domain.status()
    }

    /// Whether requests are answered by what is known: false if the policy refuses everyone for want of a fresh
    /// list. What a readiness probe wants.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.domain.is_ready()
    }

    #[cfg(any(
        feature = "crl-poll",
        feature = "http-push",
        feature = "journal",
        feature = "metrics",
        feature = "source"
    ))]
    pub(crate) const fn domain(&self) -> &Arc<TrustDomain> {
        &self.domain
    }
}
