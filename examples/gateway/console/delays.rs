//! How long revocations took: from their own time until they were in force here, until the agent was first refused, and until
//! its stream was cut.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use serde::Serialize;
use tokio::time::{Duration, Instant};

/// The latest revocations.
#[derive(Debug, Default)]
pub(crate) struct Delays {
    /// Numbered without a gap.
    cases: VecDeque<Case>,
    /// Each agent's latest.
    by_agent: HashMap<Arc<str>, u64>,
    next: u64,
}

/// One agent's revocation.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Case {
    pub(crate) seq: u64,
    agent: Arc<str>,
    /// When it was revoked, in milliseconds since the epoch.
    at_ms: u64,
    #[serde(skip)]
    began: Instant,
    in_force_ms: Option<f64>,
    refused_ms: Option<f64>,
    cut_ms: Option<f64>,
}

/// What a revocation comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Cut,
    InForce,
    Refused,
}

impl Delays {
    /// Opens a case, unless it is there already: messages come twice.
    pub(crate) fn open(&mut self, agent: &Arc<str>, at_ms: u64, began: Instant) -> Option<&Case> {
        let known = self.by_agent.get(agent).and_then(|seq| self.case(*seq));
        if known.is_some_and(|case| case.at_ms == at_ms) {
            return None;
        }
        if self.cases.len() == CASES
            && let Some(oldest) = self.cases.pop_front()
            && self.by_agent.get(&oldest.agent) == Some(&oldest.seq)
        {
            self.by_agent.remove(&oldest.agent);
        }
        let seq = self.next;
        self.next += 1;
        self.by_agent.insert(Arc::clone(agent), seq);
        self.cases.push_back(Case {
            seq,
            agent: Arc::clone(agent),
            at_ms,
            began,
            in_force_ms: None,
            refused_ms: None,
            cut_ms: None,
        });
        self.cases.back()
    }

    /// Notes that an agent's revocation came to this; the case, if it had not before.
    pub(crate) fn note(&mut self, agent: &str, phase: Phase, now: Instant) -> Option<&Case> {
        let seq = *self.by_agent.get(agent)?;
        let first = self.cases.front()?.seq;
        let case = self.cases.get_mut(usize::try_from(seq.checked_sub(first)?).ok()?)?;
        let took = millis(now.saturating_duration_since(case.began));
        let place = case.place(phase);
        if place.is_some() {
            return None;
        }
        *place = Some(took);
        // What it has led to shows that it is in force, sooner perhaps than we get round to looking.
        case.in_force_ms.get_or_insert(took);
        Some(case)
    }

    /// How long ago an agent was revoked, if it was.
    pub(crate) fn since(&self, agent: &str, now: Instant) -> Option<f64> {
        let case = self.case(*self.by_agent.get(agent)?)?;
        Some(millis(now.saturating_duration_since(case.began)))
    }

    pub(crate) fn cases(&self) -> &VecDeque<Case> {
        &self.cases
    }

    fn case(&self, seq: u64) -> Option<&Case> {
        let first = self.cases.front()?.seq;
        self.cases.get(usize::try_from(seq.checked_sub(first)?).ok()?)
    }
}

impl Case {
    const fn place(&mut self, phase: Phase) -> &mut Option<f64> {
        match phase {
            Phase::Cut => &mut self.cut_ms,
            Phase::InForce => &mut self.in_force_ms,
            Phase::Refused => &mut self.refused_ms,
        }
    }
}

/// In milliseconds, to the microsecond.
pub(crate) fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// As many as a chart can show.
const CASES: usize = 300;
