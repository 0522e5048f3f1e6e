//! The handle by which the host feeds events and lists.

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
use crate::model::verdict::Verdict;
use crate::state::accept::{ApplyError, InstallError};
use crate::state::snapshot::RevocationList;
use crate::status::{FeedState, Status};

/// Feeds events and revocation lists into a trust domain, and tells the host about it. `RevocationLayer::pair` makes it
/// together with its layer.
///
/// A cheap clone: give one to every consumer. Calls from several threads take turns. No call but
/// [`refreshed`](Self::refreshed) waits for the network, and requests never wait for any call.
///
/// ```
/// use tower_revocation::{EventSink, Key, Revocation};
///
/// # fn demo(sink: &EventSink) -> Result<(), tower_revocation::ApplyError> {
/// // The queue says that an agent was revoked; from the next line on it is refused.
/// sink.apply(Revocation::block(Key::subject("did:cdi:registry.example.com:agent:01KDVDNA03XJ61A46WBY7B0EGN")))?.wait()?;
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
    /// With a journal (feature `journal`) the event is in force before it is durable: [`Applied`] waits for that. This
    /// call does not wait for a disk.
    ///
    /// Costs some hundred nanoseconds, or about a microsecond beside a million other entries, and one wake on this thread
    /// for each piece of work in flight that the event ends. An event for everything looks at all work that waits. Every ten
    /// minutes, or every second if room is short, one call searches all of the overlay for entries that may be
    /// forgotten.
    ///
    /// # Errors
    ///
    /// Returns [`ApplyError::AtCapacity`] if the event names a new key and the overlay is full. Nothing is evicted:
    /// deliver the event again later. Returns [`ApplyError::FromFuture`] if the event is a reinstatement whose time
    /// lies ahead.
    pub fn apply(&self, event: impl Into<Event>) -> Result<Applied, ApplyError> {
        self.domain.put_in_force(&[event.into()]).in_force()
    }

    /// Applies a batch of events in one publication: each decision sees all of them or none.
    ///
    /// # Errors
    ///
    /// Returns [`ApplyError::AtCapacity`] if some of the events found no room. The others are in force. Events may be
    /// repeated, so deliver the whole batch again later. Returns [`ApplyError::FromFuture`] if the times of some
    /// reinstatements lie ahead. The other events are in force. With a journal, apply those again without the
    /// reinstatements to learn when they are durable.
    pub fn apply_all<E: Into<Event>>(&self, events: impl IntoIterator<Item = E>) -> Result<Applied, ApplyError> {
        let events: Vec<Event> = events.into_iter().map(Into::into).collect();
        self.domain.put_in_force(&events).in_force()
    }

    /// Takes in one raw message of a queue. When this returns, what the message says is in force. [`Ingested::wait`],
    /// or in a task [`Ingested::durable`], says what became of the message, once that is durable.
    ///
    /// The outcome is counted, and shown in [`status`](Self::status). The caller acknowledges, retries or dead-letters
    /// the message accordingly: nothing is dropped without a trace.
    pub fn ingest(&self, decode: &impl Decode, message: &[u8]) -> Ingested {
        let taken_in = self.domain.take_in(decode, message);
        self.domain.look_for_lost_messages();
        Ingested::new(Arc::clone(&self.domain), taken_in, message.len())
    }

    /// Installs a newer revocation list in place of the installed one.
    ///
    /// Events still count: an overlay entry is removed only if the list carries the same key. A list of the same second
    /// as the installed one is joined with it, since nobody can tell which is newer.
    ///
    /// Takes time proportional to the overlay, and to the work in flight that waits unless the list is empty. For a
    /// list of the same second it also takes time proportional to both lists. The replaced list is freed before this
    /// returns.
    ///
    /// # Errors
    ///
    /// Returns an [`InstallError`] if the list is older than the installed one, or from the future. The installed one
    /// stays.
    ///
    /// # Security
    ///
    /// The caller has to check whether the issuer signed the list, and whether it has expired.
    ///
    /// A journal stores only the list's issue time, so that no older list can be installed after a restart; this blocks
    /// for a write to disk. It can store a list itself only as it was signed, which the poller does. A failure to write
    /// shows in [`status`](Self::status).
    pub fn install(&self, list: RevocationList) -> Result<(), InstallError> {
        self.domain.install(list)
    }

    /// Notes that the issuer has signed no list yet because it has revoked nothing. Counts as a fresh, empty list.
    ///
    /// # Errors
    ///
    /// Returns [`InstallError::Unsigned`] if a signed list was ever seen: an unsigned answer never removes anything.
    pub fn install_none(&self) -> Result<(), InstallError> {
        self.domain.install_none()
    }

    /// Notes that the installed list is still the newest (a `304 Not Modified`): its age starts again at zero.
    ///
    /// # Errors
    ///
    /// Returns [`InstallError::Expired`] if the list may not be fetched any more: otherwise an attacker between issuer
    /// and host could keep an old list in force for ever. Returns [`InstallError::NothingToConfirm`] before the first
    /// list.
    ///
    /// # Security
    ///
    /// Call it only after an answer that comes from the issuer.
    pub fn confirm(&self) -> Result<(), InstallError> {
        self.domain.confirm()
    }

    /// Asks the poller to fetch the list and the signing keys now. Returns at once; several calls at the same time cause one fetch.
    ///
    /// Does nothing if no poller runs.
    ///
    /// # Security
    ///
    /// A signing key that its issuer withdrew is believed until the keys are fetched anew: this is how not to wait for that.
    pub fn refresh(&self) {
        self.domain.want_keys();
        self.domain.refresh();
    }

    /// Asks the poller to fetch the list and the signing keys now, and waits until a fetch that began after this call has ended, with
    /// success or failure: see [`status`](Self::status). Waits for ever if no poller runs.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future withdraws nothing: the fetch continues.
    pub async fn refreshed(&self) {
        self.domain.want_keys();
        self.domain.refreshed().await;
    }

    /// Sets the state of the event feed. It decides the poller's pace, and [`status`](Self::status) shows it. A feed
    /// that becomes [live](FeedState::Live) may have skipped events before, so the list is fetched at once.
    pub fn set_feed(&self, state: FeedState) {
        self.domain.host_sets_feed(state);
    }

    /// Returns what is known of `credential` now, for work that is not a request, such as a job or a message. The
    /// caller decides what an unknown credential means. Counted nowhere.
    ///
    /// Costs the same as in the layer: no lock, no allocation. All of its keys are looked at, however many they are. An issue time that
    /// lies ahead of the clock by more than the leeway counts as unknown, whatever [`FutureIssuedAt`](crate::FutureIssuedAt) says.
    pub fn decide(&self, credential: &Credential) -> Verdict {
        self.domain.verdict(credential)
    }

    /// Returns a guard that watches over `credential`, for work that is not a request and lasts for a while: a
    /// subscription, a job. It has the options that a layer has by default: it enforces, even beside a layer that only
    /// observes, and does not tell of rotations.
    ///
    /// # Security
    ///
    /// It does not decide whether the work may begin: call [`decide`](Self::decide) first. `decide` refuses a
    /// credential that was rotated, and the guard never tells of that.
    #[must_use]
    pub fn guard(&self, credential: impl Into<Credential>) -> RevocationGuard {
        let enforcer = Enforcer {
            domain: Arc::clone(&self.domain),
            options: LayerOptions::default(),
        };
        let mut credential = credential.into();
        if self.domain.is_ahead(&credential) {
            credential.set_issued_at(None);
        }
        RevocationGuard::new(&Arc::new(enforcer), &credential, None)
    }

    /// Ends the streams that are open, and tells the guards that wait, as a revocation of everything would; and revokes nothing: for a
    /// process that leaves, so that it does not wait for its streams. They see [`RevokedBy::Host`](crate::RevokedBy::Host).
    ///
    /// Handlers that run answer as usual, and a stream that they begin ends at once. What is admitted from then on is not ended: call it
    /// when nobody sends requests here any more ([`Readyz::leave`](crate::probe::Readyz::leave)).
    pub fn end_streams(&self) {
        self.domain.store.end_streams();
    }

    /// Changes the configuration of the trust domain while it runs: for requests and events that begin afterwards.
    ///
    /// ```
    /// # use tower_revocation::{RevocationLayer, StalePolicy, identify};
    /// # let (_layer, sink) = RevocationLayer::pair(identify::jwt(http::header::AUTHORIZATION, "Bearer"));
    /// // An operator decides that an outage of the registry is worse than a revocation that comes late.
    /// sink.configure(|config| config.with_stale_policy(StalePolicy::FailOpen));
    /// ```
    ///
    /// Changes take turns: `change` must not call this function itself.
    pub fn configure(&self, change: impl FnOnce(DomainConfig) -> DomainConfig) {
        self.domain.configure(change);
    }

    /// Returns everything that an operator asks about, as of now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.domain.status()
    }

    /// Returns whether requests are answered by what is known. False if the policy refuses everyone because no fresh
    /// list is there. A readiness probe wants this.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.domain.is_ready()
    }

    #[cfg(any(
        feature = "crl-poll",
        feature = "http-push",
        feature = "journal",
        feature = "logout",
        feature = "metrics",
        feature = "source"
    ))]
    pub(crate) const fn domain(&self) -> &Arc<TrustDomain> {
        &self.domain
    }
}
