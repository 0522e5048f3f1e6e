//! The watch over one piece of admitted work.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::in_flight::enforcer::Enforcer;
use crate::in_flight::terms_pool::PooledTerms;
use crate::model::credential::Credential;
use crate::model::options::{Cut, Running};
use crate::model::verdict::Revoked;
use crate::state::terms::Terms;
use crate::state::waiters::Waiter;

/// Watches over one admitted request until its work is done, and tells when its credential is revoked.
///
/// [`Respond::admit`](crate::respond::Respond::admit) gets it, so that a protocol can end what it streams. The rule is:
/// ask [`revoked`](Self::revoked) before each piece, and [`poll_revoked`](Self::poll_revoked) if there is none yet.
/// Then every revocation is seen, in any order of the two. [`ResponseBody`](crate::ResponseBody) does so for HTTP.
///
/// It tells of one revocation, and ends with it. In observe-only mode it tells of none, but counts it. A list that
/// becomes stale ends nothing.
#[derive(Debug, Default)]
pub struct Watch(Option<WatchedWork>);

#[derive(Debug)]
struct WatchedWork {
    enforcer: Arc<Enforcer>,
    /// The version of the state that was looked at last.
    seen: u64,
    place: WaitPlace,
}

/// Where the terms are.
#[derive(Debug)]
enum WaitPlace {
    /// With the work. It has not had to wait yet.
    Moving(PooledTerms),
    /// In the index, where an event can wake it.
    Indexed(Arc<Waiter>),
}

impl Watch {
    /// Returns a watch over nothing. It never tells of a revocation.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Watches over what was admitted by the state of version `seen`.
    #[inline]
    pub(crate) fn new(enforcer: &Arc<Enforcer>, credential: &Credential, seen: u64) -> Self {
        Self(Some(WatchedWork {
            enforcer: Arc::clone(enforcer),
            seen,
            place: WaitPlace::Moving(PooledTerms::terms(credential, &enforcer.options.reaches)),
        }))
    }

    /// The watch over what is still to come of a response whose handler was allowed to finish. What was revoked until now does not end it,
    /// and what is revoked from now on does.
    pub(crate) fn not_ended(self) -> Self {
        self.0.as_ref().map_or_else(Self::none, WatchedWork::not_ended)
    }

    /// What [`revoked`](Self::revoked) returns for a handler that runs: the host's end of its streams is none of a handler, and is left
    /// to the stream that the handler may begin.
    pub(crate) fn handler_revoked(&mut self) -> Option<Revoked> {
        let watched = self.0.as_mut()?;
        match watched.enforcer.domain.store.has_changed_since(watched.seen) {
            false => None,
            true => watched.look_at_handler().and_then(|why| self.end(why)),
        }
    }

    /// What [`poll_revoked`](Self::poll_revoked) returns for a handler that runs.
    pub(crate) fn poll_handler_revoked(&mut self, context: &Context<'_>) -> Poll<Revoked> {
        let Some(watched) = self.0.as_mut() else {
            return Poll::Pending;
        };
        watched.wait(context);
        let found = watched.look_at_handler();
        found.and_then(|why| self.end(why)).map_or(Poll::Pending, Poll::Ready)
    }

    /// Returns why the credential has been revoked since the request was admitted, if it has.
    ///
    /// Costs one comparison while nothing changes, and as much as a decision after any change.
    #[inline]
    #[must_use = "it tells only once"]
    pub fn revoked(&mut self) -> Option<Revoked> {
        let watched = self.0.as_ref()?;
        match watched.enforcer.domain.store.has_changed_since(watched.seen) {
            false => None,
            true => self.look(),
        }
    }

    /// Returns what [`revoked`](Self::revoked) does; if the credential is not revoked, wakes the task when it is.
    ///
    /// The first call allocates, and enters the index of waiting work under each of the credential's own keys: a short
    /// lock for each, on one of many shards, and another when the watch ends. Each later call costs one look at the
    /// state.
    pub fn poll_revoked(&mut self, context: &mut Context<'_>) -> Poll<Revoked> {
        let why = ready!(self.poll_found(context));
        self.end(why).map_or(Poll::Pending, Poll::Ready)
    }

    /// What `poll_revoked` finds, without its consequences: a guard takes care of them itself.
    pub(crate) fn poll_found(&mut self, context: &Context<'_>) -> Poll<Revoked> {
        let Some(watched) = self.0.as_mut() else {
            return Poll::Pending;
        };
        watched.wait(context);
        // Looks afterwards, and not before: a change that is published from here on wakes the task.
        watched.look().map_or(Poll::Pending, Poll::Ready)
    }

    /// Returns how the host wants a body to end.
    #[inline]
    #[must_use]
    pub fn cut(&self) -> Cut {
        let options = self.0.as_ref().map(|watched| watched.enforcer.options.cut);
        options.unwrap_or_default()
    }

    /// What the host wants to happen to a handler that has to wait.
    pub(crate) fn running(&self) -> Running {
        let options = self.0.as_ref().map(|watched| watched.enforcer.options.running);
        options.unwrap_or_default()
    }

    fn look(&mut self) -> Option<Revoked> {
        let why = self.0.as_mut()?.look()?;
        self.end(why)
    }

    /// Ends the watch, and returns why unless the layer only observes.
    fn end(&mut self, why: Revoked) -> Option<Revoked> {
        self.0.take()?.enforcer.end(why)
    }
}

impl WatchedWork {
    fn look(&mut self) -> Option<Revoked> {
        let mut seen = self.seen;
        let why = self.enforcer.domain.store.stream_ending(self.terms(), &mut seen);
        self.seen = seen;
        why
    }

    /// Leaves it to the stream to look at the same state.
    fn look_at_handler(&self) -> Option<Revoked> {
        self.enforcer.domain.store.ending(self.terms(), &mut self.seen.clone())
    }

    fn terms(&self) -> &Terms {
        match &self.place {
            WaitPlace::Moving(terms) => terms,
            WaitPlace::Indexed(waiter) => waiter.terms(),
        }
    }

    fn not_ended(&self) -> Watch {
        let rest = self.enforcer.domain.store.not_ended(self.terms());
        Watch(rest.map(|rest| Self {
            enforcer: Arc::clone(&self.enforcer),
            // What was published since the look counts.
            seen: u64::MAX,
            place: WaitPlace::Moving(PooledTerms::of(rest)),
        }))
    }

    fn wait(&mut self, context: &Context<'_>) {
        match &mut self.place {
            WaitPlace::Indexed(waiter) => waiter.wait(context.waker()),
            WaitPlace::Moving(terms) => {
                let waiter = Arc::new(Waiter::new(terms.take()));
                waiter.wait(context.waker());
                self.enforcer.domain.store.waiters.enter(&waiter);
                self.place = WaitPlace::Indexed(waiter);
            }
        }
    }
}

impl Drop for WatchedWork {
    fn drop(&mut self) {
        if let WaitPlace::Indexed(waiter) = &self.place {
            self.enforcer.domain.store.waiters.leave(waiter);
        }
    }
}
