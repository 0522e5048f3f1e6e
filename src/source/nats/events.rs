//! What a client tells of its connection.

use std::collections::BTreeSet;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::{ConnectOptions, Event, Server};
use tokio::time::Instant;

use crate::source::error::SourceError;

/// Why a client cannot connect, or what it is not permitted.
///
/// A client keeps that to itself, and to callbacks that its host sets: have them [watched](Self::watch), and give the source
/// [the events](super::NatsSource::with_events). Then the status says so, as in `invalid peer certificate: UnknownIssuer`.
#[derive(Clone, Debug, Default)]
pub struct NatsEvents {
    told: Arc<Mutex<WhatWentWrong>>,
}

/// What was told last, and when.
#[derive(Debug, Default)]
struct WhatWentWrong {
    /// By an event: in few words.
    event: Option<(Instant, String)>,
    /// Of each server that could not be connected to: exactly.
    servers: Option<(Instant, String)>,
}

impl NatsEvents {
    /// Returns events of a client that is yet to be connected.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the options, with what makes the client that is connected by them tell what happens to it. That takes the place of the callbacks
    /// [for events](ConnectOptions::event_callback) and [for reconnecting](ConnectOptions::reconnect_to_server_callback); a server is
    /// chosen as without the latter.
    #[must_use]
    pub fn watch(&self, options: ConnectOptions) -> ConnectOptions {
        let (events, servers) = (self.clone(), self.clone());
        let on_event = move |event| {
            events.note(&event);
            ready(())
        };
        let on_attempt = move |pool: Vec<Server>, _| {
            servers.note_servers(&pool);
            ready(None)
        };
        options
            .event_callback(on_event)
            .reconnect_to_server_callback(on_attempt)
    }

    fn note(&self, event: &Event) {
        let words = match event {
            Event::Connected => return *self.lock() = WhatWentWrong::default(),
            Event::ClientError(error) => error.to_string(),
            Event::ServerError(error) => error.to_string(),
            _ => return,
        };
        self.lock().event = Some((Instant::now(), words));
    }

    /// Notes what went wrong when these servers were last tried. Their addresses may hold passwords.
    fn note_servers(&self, pool: &[Server]) {
        let errors: BTreeSet<_> = pool.iter().filter_map(|server| server.last_error.as_deref()).collect();
        if !errors.is_empty() {
            let words = errors.into_iter().collect::<Vec<_>>().join("; ");
            self.lock().servers = Some((Instant::now(), words));
        }
    }

    /// Returns an error that says what was told since a time as well, if anything was.
    pub(super) fn explain(&self, error: SourceError, since: Instant) -> SourceError {
        let told = self.lock();
        let is_new = |told: &&(Instant, String)| told.0 >= since;
        match told
            .servers
            .as_ref()
            .filter(is_new)
            .or_else(|| told.event.as_ref().filter(is_new))
        {
            Some((_, words)) => SourceError::new(words.clone()).because(error),
            None => error,
        }
    }

    fn lock(&self) -> MutexGuard<'_, WhatWentWrong> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
