//! What is remembered of what happened; bounded in all its parts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};
use tower_revocation::Timestamp;

use super::delays::Delays;
use super::entry::{Entry, Kind};
use super::quota::Quota;
use super::stream::{Ended, Flow};

/// The latest of everything.
#[derive(Debug)]
pub(crate) struct Chronicle {
    next_entry: u64,
    /// Refusals by themselves, so that a flood of them does not wash away the rest.
    refusals: VecDeque<Entry>,
    others: VecDeque<Entry>,
    pub(crate) delays: Delays,
    /// By number, the longest open first.
    open: BTreeMap<u64, Arc<Flow>>,
    next_stream: u64,
    ended: VecDeque<Ended>,
    pub(crate) cuts: Quota,
    pub(crate) messages: Quota,
    pub(crate) refused: Quota,
}

impl Chronicle {
    pub(crate) fn new() -> Self {
        Self {
            next_entry: 0,
            refusals: VecDeque::new(),
            others: VecDeque::new(),
            delays: Delays::default(),
            open: BTreeMap::new(),
            next_stream: 0,
            ended: VecDeque::new(),
            cuts: Quota::new(A_SECOND),
            messages: Quota::new(A_SECOND),
            refused: Quota::new(A_SECOND),
        }
    }

    /// Writes an entry down.
    pub(crate) fn write(&mut self, kind: Kind, agent: Option<Arc<str>>, words: String) -> &Entry {
        let (ring, room) = match kind {
            Kind::Refused => (&mut self.refusals, REFUSALS),
            _ => (&mut self.others, OTHERS),
        };
        if ring.len() == room {
            ring.pop_front();
        }
        let seq = self.next_entry;
        self.next_entry += 1;
        ring.push_back(Entry {
            seq,
            at_ms: Timestamp::now().as_unix_millis(),
            kind,
            agent,
            words,
        });
        &ring[ring.len() - 1]
    }

    /// A stream is open from now on, under a number of its own.
    pub(crate) fn open(&mut self, stream: impl FnOnce(u64) -> Flow) -> Arc<Flow> {
        let flow = Arc::new(stream(self.next_stream));
        self.next_stream += 1;
        self.open.insert(flow.number, Arc::clone(&flow));
        flow
    }

    /// A stream has ended, in a way worth remembering or not.
    pub(crate) fn close(&mut self, number: u64, ended: Option<Ended>) {
        self.open.remove(&number);
        if ended.is_some() && self.ended.len() == ENDED {
            self.ended.pop_front();
        }
        self.ended.extend(ended);
    }

    /// How many of what were not written down since this was last asked.
    pub(crate) fn settle(&mut self, now: Instant) -> impl Iterator<Item = (Kind, u64)> + use<> {
        let withheld = [
            (Kind::Cut, self.cuts.settle(now)),
            (Kind::Ignored, self.messages.settle(now)),
            (Kind::Refused, self.refused.settle(now)),
        ];
        withheld.into_iter().filter_map(|(kind, count)| Some((kind, count?)))
    }

    /// Everything that changes by entries and points, for a page that knows nothing yet.
    pub(crate) fn picture(&self) -> String {
        let mut log: Vec<&Entry> = self.refusals.iter().chain(&self.others).collect();
        log.sort_unstable_by_key(|entry| entry.seq);
        json!({ "type": "picture", "log": log, "points": self.delays.cases() }).to_string()
    }

    /// The streams that are open for a while already, longest first, and those that ended lately.
    pub(crate) fn streams(&self, now: Instant) -> Value {
        let is_young = |flow: &&Arc<Flow>| flow.age(now) < NOTICEABLE;
        let young = self.open.values().rev().take_while(is_young).count();
        let old = self.open.len() - young;
        let open: Vec<Value> = self
            .open
            .values()
            .take(old.min(SHOWN))
            .map(|flow| flow.show(now))
            .collect();
        let more = old - open.len();
        let ended = self.ended.iter().rev().filter_map(|ended| ended.show(now));
        json!({ "open": open, "more": more, "ended": ended.collect::<Vec<_>>() })
    }
}

/// A change, as a line for every page.
pub(crate) fn line(kind: &str, what: &impl Serialize) -> String {
    json!({ "type": kind, kind: what }).to_string()
}

const REFUSALS: usize = 100;
const OTHERS: usize = 200;
const ENDED: usize = 20;

/// More entries of a kind within a second are counted and not written.
const A_SECOND: u32 = 50;

/// Streams shown, of however many there are.
const SHOWN: usize = 50;

/// Plain responses are over by then.
const NOTICEABLE: Duration = Duration::from_millis(200);
