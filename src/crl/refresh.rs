//! Fetching one list, and the keys that verify it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::common::error_text::error_text;
use crate::common::log;
use crate::crl::list::{ListError, ListFormat};
use crate::crl::persist::persist;
use crate::crl::poll_error::{PollError, PollProblem};
use crate::crl::poller::{KEY_FETCH_GAP, KEYS_MAX_AGE, Poller};
use crate::domain::observer::Polled;
use crate::domain::persistence::Fetched;
use crate::fetch::exchange::{Answer, HttpClient, JSON, Limits, Plain, get};
use crate::model::timestamp::Timestamp;
use crate::state::accept::AcceptedList;
use crate::state::view::State;

impl<C: HttpClient, F: ListFormat> Poller<C, F> {
    /// Fetches the list, unless it is still the newest, and puts it in force.
    pub(super) async fn fetch_list(&mut self) -> Result<Polled, PollError> {
        let are_wanted = self.sink.domain().wants_keys.swap(false, Ordering::AcqRel);
        if are_wanted || self.keys_fetched_at.is_none_or(|at| at.elapsed() >= KEYS_MAX_AGE) {
            let fetched = self.fetch_keys().await;
            // Old keys are better than none: only the issuer can have signed what they verify.
            if self.keys.borrow().is_empty() {
                fetched?;
            } else if let Err(error) = fetched {
                log::warn!(error = %error_text(&error), "signing keys could not be fetched anew");
            }
        }
        // An expired list cannot be confirmed: the request has to be for the whole of the newest.
        let is_current = self.sink.domain().store.may_confirm(Timestamp::now());
        let validator = self.validator.as_ref().filter(|_| is_current);
        let is_conditional = validator.is_some();
        match get(
            &mut self.client,
            &self.list_uri,
            self.format.accept(),
            validator,
            self.limits,
        )
        .await?
        {
            Answer::Document { body, validator } => {
                self.install(body).await?;
                self.validator = validator;
                Ok(Polled::Installed)
            }
            Answer::NotModified if !is_conditional => Err(self.failed(PollProblem::NothingToModify)),
            Answer::NotModified => {
                let confirmed = self.sink.confirm().map_err(|error| {
                    // The next request is for the whole list.
                    self.validator = None;
                    self.failed(PollProblem::Install(error))
                });
                if let (Ok(()), Some(journal)) = (&confirmed, self.sink.domain().journal.get()) {
                    // Nothing waits for this: if it fails, a restart takes the list to be older than it is.
                    drop(journal.lists().persist_confirmed(Timestamp::now()));
                }
                confirmed.map(|()| Polled::Confirmed)
            }
            Answer::Other { status, body, .. } if self.format.is_none_yet(status, &body) => self
                .sink
                .install_none()
                .map(|()| Polled::NoneYet)
                .map_err(|error| self.failed(PollProblem::Install(error))),
            Answer::Other {
                status, retry_after, ..
            } => Err(self.failed(PollProblem::Status { status, retry_after })),
        }
    }

    /// Verifies, indexes and installs a list, and has the journal keep it. Fetches the keys again if the list names an unknown
    /// one.
    async fn install(&mut self, body: Vec<u8>) -> Result<(), PollError> {
        let accepted_at = Timestamp::now();
        let (body, outcome) = self.try_install(body, accepted_at).await?;
        let (body, outcome) = match outcome {
            Err(PollProblem::List(ListError::UnknownKey { .. })) if self.may_fetch_keys() => {
                self.fetch_keys().await?;
                self.try_install(body, accepted_at).await?
            }
            outcome => (body, outcome),
        };
        let accepted = outcome.map_err(|problem| self.failed(problem))?;
        let fetched = Fetched {
            document: body,
            keys: self.keys_document.clone(),
            accepted_at,
        };
        let patience = self.limits.timeout.min(self.paces.fast);
        let kept = persist(&self.sink, patience, fetched, accepted).await;
        kept.map_err(|problem| {
            // A later `304 Not Modified` would confirm a list that the journal does not have.
            self.validator = None;
            self.failed(problem)
        })?;
        if self.needs_list() {
            return Err(self.failed(PollProblem::NotAll));
        }
        self.sink.domain().poll_succeeded();
        Ok(())
    }

    /// Returns the body as well: it may be needed once more.
    async fn try_install(
        &mut self,
        body: Vec<u8>,
        now: Timestamp,
    ) -> Result<(Vec<u8>, Result<AcceptedList, PollProblem>), PollError> {
        let format = Arc::clone(&self.format);
        let keys = self.handle.current();
        let sink = self.sink.clone();
        let read_and_install = move || {
            let outcome = format
                .read_list(&body, &keys, now)
                .map_err(PollProblem::List)
                .and_then(|list| sink.domain().accept_list(list).map_err(PollProblem::Install));
            (body, outcome)
        };
        spawn_blocking(read_and_install)
            .await
            .map_err(|lost| self.failed(PollProblem::Lost(lost)))
    }

    /// Fetches the keys because somebody has seen a token with an unknown one.
    pub(super) async fn refetch_keys(&mut self) {
        if self.may_fetch_keys()
            && let Err(error) = self.fetch_keys().await
        {
            log::warn!(error = %error_text(&error), "signing keys could not be fetched anew");
        }
    }

    async fn fetch_keys(&mut self) -> Result<(), PollError> {
        let fetched = self.try_fetch_keys().await;
        let count = self.keys.borrow().len();
        let last_error = fetched.as_ref().err().map(|error| error_text(error).into_owned());
        self.sink.domain().signing_keys(|keys| {
            keys.count = count;
            keys.fetched = self.keys_fetched_at;
            keys.last_error = last_error;
        });
        fetched
    }

    async fn try_fetch_keys(&mut self) -> Result<(), PollError> {
        self.keys_tried_at = Some(Instant::now());
        let failed = |problem| PollError {
            place: Plain(&self.keys_uri).to_string(),
            problem,
        };
        // The keys are read on an async thread, so there must not be many of them.
        let limits = Limits {
            size: self.limits.size.min(LARGEST_KEYS),
            ..self.limits
        };
        let keys = match get(&mut self.client, &self.keys_uri, JSON, None, limits).await? {
            Answer::Document { body, .. } => {
                let keys = self.format.read_keys(&body);
                let keys = keys.map_err(|error| failed(PollProblem::List(error)))?;
                if let Some(journal) = self.sink.domain().journal.get() {
                    // Nothing waits for this: the keys are kept with the next list as well.
                    drop(journal.lists().persist_keys(&body));
                }
                self.keys_document = Some(body.into());
                keys
            }
            Answer::NotModified => return Err(failed(PollProblem::NothingToModify)),
            Answer::Other {
                status, retry_after, ..
            } => return Err(failed(PollProblem::Status { status, retry_after })),
        };
        self.keys.send_replace(Arc::new(keys));
        self.keys_fetched_at = Some(Instant::now());
        Ok(())
    }

    fn may_fetch_keys(&self) -> bool {
        self.keys_tried_at.is_none_or(|at| at.elapsed() >= KEY_FETCH_GAP)
    }

    /// Returns whether something is lost that no list has made up for.
    fn needs_list(&self) -> bool {
        self.sink.domain().store.look(State::needs_list)
    }

    fn failed(&self, problem: PollProblem) -> PollError {
        PollError {
            place: Plain(&self.list_uri).to_string(),
            problem,
        }
    }
}

/// The largest key set that is read, in bytes: some 400 keys.
const LARGEST_KEYS: usize = 64 * 1024;
