//! Which rows were given before their places were final.

use crate::source::postgres::place::OutboxPlace;

/// Remembers which rows were given early, by the transactions that were visible then: of a job that runs for hours, thousands may
/// commit behind it, and each has to be given once.
#[derive(Debug)]
pub(super) struct EarlyRows {
    /// All rows were given that are visible in this snapshot.
    given: String,
    /// Of those that are visible in this one, the rows up to a place.
    page: Option<String>,
    after: OutboxPlace,
}

impl EarlyRows {
    pub(super) fn new() -> Self {
        Self {
            given: NOTHING.to_owned(),
            page: None,
            after: OutboxPlace::default(),
        }
    }

    pub(super) fn given(&self) -> &str {
        &self.given
    }

    pub(super) fn page(&self) -> Option<&str> {
        self.page.as_deref()
    }

    pub(super) fn after(&self) -> OutboxPlace {
        self.after
    }

    /// Notes what a look found at a snapshot: whether there may be more than it was to bring, and the last row. Returns whether there
    /// is more.
    pub(super) fn pass(&mut self, now: &str, last: Option<OutboxPlace>, is_full: bool) -> bool {
        let page = self.page.take().unwrap_or_else(|| now.to_owned());
        match last {
            Some(last) if is_full => {
                self.after = last;
                self.page = Some(page);
                true
            }
            _ => {
                let is_all = page == now;
                (self.given, self.after) = (page, OutboxPlace::default());
                !is_all
            }
        }
    }
}

/// A snapshot in which nothing is visible.
const NOTHING: &str = "1:1:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_of_one_snapshot_and_what_came_meanwhile_is_asked_for_after() {
        let place = |n| OutboxPlace { xid: 7, n };
        let mut early = EarlyRows::new();
        assert!(early.pass("5:9:5", Some(place(2)), true));
        assert_eq!(
            (early.given(), early.page(), early.after()),
            (NOTHING, Some("5:9:5"), place(2))
        );
        // Others committed while this page was read.
        assert!(early.pass("5:12:5", Some(place(3)), false));
        assert_eq!(
            (early.given(), early.page(), early.after()),
            ("5:9:5", None, OutboxPlace::default())
        );
        assert!(!early.pass("5:12:5", None, false));
        assert_eq!(early.given(), "5:12:5");
    }
}
