//! One piece of work that waits.

use std::fmt;
use std::task::Waker;

use crate::state::sync::AtomicWaker;
use crate::state::terms::Terms;

/// One piece of work that waits to be woken.
pub(crate) struct Waiter {
    waker: AtomicWaker,
    terms: Terms,
}

impl Waiter {
    pub(crate) fn new(terms: Terms) -> Self {
        Self {
            waker: AtomicWaker::new(),
            terms,
        }
    }

    pub(crate) const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Makes the next call wake `waker`, in place of the one before.
    ///
    /// A caller that looks at the state *afterwards* sees every change: either the call finds this waker, or the look
    /// sees the change.
    pub(crate) fn wait(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// The waker to wake, if the change concerns this work and the work waits. Returned only once until it
    /// [waits](Self::wait) again.
    pub(crate) fn call(&self, concerns: impl Fn(&Terms) -> bool) -> Option<Waker> {
        if concerns(&self.terms) { self.waker.take() } else { None }
    }
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter")
            .field("terms", &self.terms)
            .finish_non_exhaustive()
    }
}
