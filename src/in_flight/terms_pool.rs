//! A pool of terms, so that they can be used again.

use std::cell::RefCell;
use std::ops::Deref;

use crate::model::credential::Credential;
use crate::model::reach::Reaches;
use crate::state::terms::Terms;

/// The terms of one piece of work, on the heap: each move of a response moves a pointer instead of a hundred bytes, and
/// nothing is allocated as long as this thread's pool has terms.
#[derive(Debug)]
pub(crate) struct PooledTerms(Option<Box<Terms>>);

impl PooledTerms {
    /// The terms of work that presents `credential`.
    #[inline]
    pub(crate) fn terms(credential: &Credential, reaches: &Reaches) -> Self {
        // A thread that ends has no pool any more.
        let pooled = POOL.try_with(|pool| pool.borrow_mut().pop());
        let mut terms = pooled.ok().flatten().unwrap_or_default();
        terms.set(credential, reaches);
        Self(Some(terms))
    }

    /// Terms that are there already.
    pub(crate) fn of(terms: Terms) -> Self {
        Self(Some(Box::new(terms)))
    }

    /// Takes the terms themselves, for work that needs them for long.
    pub(crate) fn take(&mut self) -> Terms {
        let mut terms = *self.0.take().expect(NOT_TAKEN);
        terms.give_back();
        terms
    }
}

impl Deref for PooledTerms {
    type Target = Terms;

    fn deref(&self) -> &Terms {
        self.0.as_deref().expect(NOT_TAKEN)
    }
}

impl Drop for PooledTerms {
    #[inline]
    fn drop(&mut self) {
        let Some(terms) = self.0.take() else { return };
        let _ = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            if pool.len() < MOST && terms.keys().len() <= LONGEST {
                pool.push(terms);
            }
        });
    }
}

thread_local! {
    #[expect(clippy::vec_box, reason = "the boxes themselves are pooled")]
    static POOL: RefCell<Vec<Box<Terms>>> = const { RefCell::new(Vec::new()) };
}

const NOT_TAKEN: &str = "nothing reads terms after they are taken";

/// How many terms a thread pools: as many as the responses that it usually has in flight at the same time.
const MOST: usize = 64;

/// Terms with room for more keys than this are not pooled.
const LONGEST: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::key::Key;

    fn terms(keys: usize) -> PooledTerms {
        let mut credential = Credential::new();
        credential.extend((0..keys).map(|n| Key::token(&n.to_string())));
        PooledTerms::terms(&credential, &Reaches::default())
    }

    fn pooled() -> usize {
        POOL.with_borrow(Vec::len)
    }

    #[test]
    fn keeps_a_few_for_the_next_and_nothing_large() {
        let first = terms(3);
        let address = std::ptr::from_ref::<Terms>(&first);
        drop(first);
        assert_eq!(pooled(), 1);
        let second = terms(2);
        assert_eq!(std::ptr::from_ref::<Terms>(&second), address, "used again");
        assert_eq!((second.keys().len(), pooled()), (2, 0));
        drop((0..100).map(|_| terms(1)).collect::<Vec<_>>());
        assert_eq!(pooled(), MOST);
        drop((0..100).map(|_| terms(LONGEST + 1)).collect::<Vec<_>>());
        assert_eq!(pooled(), 0);
        let mut taken = terms(1);
        assert_eq!(taken.take().keys().len(), 1);
        drop(taken);
        assert_eq!(pooled(), 0);
    }
}
