//! A response that goes on, or a tunnel: whose it is, since when, and how it ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{Extensions, Method, Uri};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};
use tower_revocation::RevocationGuard;

use super::delays::millis;
use super::record::{Record, between, request};
use crate::refusal::agent;

/// One that is open; when it is dropped, it has ended. Until there is something to wait for it costs next to nothing.
pub(crate) struct Stream {
    record: Record,
    method: Method,
    uri: Uri,
    agent: Option<Arc<str>>,
    since: Instant,
    guard: Option<RevocationGuard>,
    /// Its place among those that pages show, once it has one.
    shown: Option<Arc<Flow>>,
    /// How it ended, if it said so.
    end: Option<End>,
}

/// What is shown of it.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) number: u64,
    agent: Option<Arc<str>>,
    what: String,
    pub(crate) since: Instant,
    bytes: AtomicU64,
}

/// How one ended.
#[derive(Debug)]
pub(crate) struct Ended {
    flow: Arc<Flow>,
    at: Instant,
    end: End,
    /// In milliseconds after its revocation.
    after: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The upstream broke off.
    Broken,
    /// By a revocation.
    Cut,
    /// The client went away.
    Left,
    /// As it should.
    Whole,
}

impl Stream {
    /// The answer to such a request; it is not shown yet.
    pub(crate) fn new(record: Record, method: Method, uri: Uri, extensions: &Extensions) -> Self {
        Self {
            record,
            method,
            uri,
            agent: agent(extensions),
            since: Instant::now(),
            guard: extensions.get().cloned(),
            shown: None,
            end: None,
        }
    }

    /// Shows it from now on: there is something to wait for.
    pub(crate) fn show(&mut self) {
        if self.shown.is_some() {
            return;
        }
        let (agent, what) = (self.agent.clone(), request(&self.method, self.uri.path()));
        let flow = self.record.chronicle().open(|number| Flow {
            number,
            agent,
            what,
            since: self.since,
            bytes: AtomicU64::new(0),
        });
        self.shown = Some(flow);
    }

    /// Counts what came through since it is shown.
    pub(crate) fn add(&self, bytes: usize) {
        if let Some(flow) = &self.shown {
            flow.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    pub(crate) const fn ends(&mut self, end: End) {
        self.end = Some(end);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // What was never waited for is no stream, but an answer.
        let Some(flow) = self.shown.take() else {
            return;
        };
        let is_revoked = || self.guard.as_ref().is_some_and(RevocationGuard::is_revoked);
        let end = match self.end {
            Some(end) => end,
            None if is_revoked() => End::Cut,
            None => End::Left,
        };
        let after = match end {
            End::Cut => self.record.cut(flow.agent.as_ref(), &flow.what),
            _ => None,
        };
        let at = Instant::now();
        let is_news = end == End::Cut || flow.age(at) >= WORTH_A_WORD;
        let number = flow.number;
        let ended = Ended { flow, at, end, after };
        self.record.chronicle().close(number, is_news.then_some(ended));
    }
}

impl Flow {
    pub(crate) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    pub(crate) fn show(&self, now: Instant) -> Value {
        let bytes = self.bytes.load(Ordering::Relaxed);
        json!({
            "number": self.number,
            "agent": self.agent,
            "what": self.what,
            "open_ms": millis(self.age(now)),
            "bytes": bytes,
        })
    }
}

impl Ended {
    /// As long as it is news.
    pub(crate) fn show(&self, now: Instant) -> Option<Value> {
        let ago = now.saturating_duration_since(self.at);
        let end = match self.end {
            End::Broken => "broken",
            End::Cut => "cut",
            End::Left => "left",
            End::Whole => "whole",
        };
        let mut shown = self.flow.show(now);
        shown["open_ms"] = between(self.flow.since, self.at).into();
        shown["ended_ms_ago"] = millis(ago).into();
        shown["end"] = end.into();
        shown["after_ms"] = self.after.into();
        (ago < NEWS).then_some(shown)
    }
}

/// Shorter ones are plain responses.
const WORTH_A_WORD: Duration = Duration::from_secs(1);
const NEWS: Duration = Duration::from_secs(60);
