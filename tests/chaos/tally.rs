//! What was counted, and what must not have happened.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::faults::Fault;

/// The counters of a run.
pub(crate) struct Tally {
    pub(crate) seed: u64,
    started: Instant,
    pub(crate) requests: AtomicU64,
    pub(crate) admitted: AtomicU64,
    pub(crate) refused: AtomicU64,
    /// Requests with tokens whose revocation had been acknowledged before.
    pub(crate) forbidden: AtomicU64,
    /// Refusals that the policy calls for: no list that is fresh enough.
    pub(crate) unavailable: AtomicU64,
    /// Tokens that were from the future by the gateway's clock.
    pub(crate) too_young: AtomicU64,
    pub(crate) unanswered: AtomicU64,
    pub(crate) withdrawn: AtomicU64,
    pub(crate) acknowledged: AtomicU64,
    pub(crate) streams: AtomicU64,
    pub(crate) cut: AtomicU64,
    pub(crate) processes: AtomicU64,
    /// How often the list became too old, and a fresh one came.
    pub(crate) stale: AtomicU64,
    pub(crate) revoked_admitted: AtomicU64,
    pub(crate) healthy_refused: AtomicU64,
    faults: Mutex<BTreeMap<Fault, Inflicted>>,
    active: Mutex<Vec<Fault>>,
    violations: Mutex<Vec<String>>,
}

#[derive(Clone, Copy, Default)]
struct Inflicted {
    times: u64,
    seen: u64,
}

impl Tally {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            started: Instant::now(),
            requests: AtomicU64::new(0),
            admitted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            forbidden: AtomicU64::new(0),
            unavailable: AtomicU64::new(0),
            too_young: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            withdrawn: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            streams: AtomicU64::new(0),
            cut: AtomicU64::new(0),
            processes: AtomicU64::new(0),
            stale: AtomicU64::new(0),
            revoked_admitted: AtomicU64::new(0),
            healthy_refused: AtomicU64::new(0),
            faults: Mutex::default(),
            active: Mutex::default(),
            violations: Mutex::default(),
        }
    }

    pub(crate) fn begins(&self, fault: Fault) {
        self.active.lock().unwrap().push(fault);
        self.faults.lock().unwrap().entry(fault).or_default().times += 1;
    }

    pub(crate) fn ends(&self, fault: Fault, is_seen: bool) {
        self.active.lock().unwrap().retain(|active| *active != fault);
        self.faults.lock().unwrap().entry(fault).or_default().seen += u64::from(is_seen);
    }

    /// Whether a fault was ever inflicted, and had an effect.
    pub(crate) fn was_seen(&self, fault: Fault) -> bool {
        self.faults
            .lock()
            .unwrap()
            .get(&fault)
            .is_some_and(|inflicted| inflicted.seen > 0)
    }

    /// A revoked agent got something that it must not.
    pub(crate) fn revoked_admitted(&self, what: fmt::Arguments<'_>) {
        add(&self.revoked_admitted);
        self.violation(what);
    }

    /// A healthy agent did not get what it must.
    pub(crate) fn healthy_refused(&self, what: fmt::Arguments<'_>) {
        add(&self.healthy_refused);
        self.violation(what);
    }

    /// Anything else that must not happen, or one of the above.
    pub(crate) fn violation(&self, what: fmt::Arguments<'_>) {
        let active: Vec<String> = self.active.lock().unwrap().iter().map(|fault| fault.name()).collect();
        let at = self.started.elapsed();
        let mut violations = self.violations.lock().unwrap();
        violations.push(format!(
            "{:7.3} s: {what}; faults: {}",
            at.as_secs_f64(),
            active.join(", ")
        ));
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.violations.lock().unwrap().is_empty()
    }

    /// The first violations, a line each.
    pub(crate) fn violations(&self) -> String {
        let violations = self.violations.lock().unwrap();
        violations
            .iter()
            .take(SHOWN)
            .map(|violation| format!("{violation}\n"))
            .collect()
    }

    /// Fails unless everything is as it must be, and something has happened at all.
    pub(crate) fn assert(&self, minutes: f64) {
        let violations = self.violations.lock().unwrap().len();
        assert!(violations == 0, "CHAOS_SEED={}: {violations} violations", self.seed);
        for fault in Fault::ALL {
            assert!(
                self.was_seen(fault),
                "CHAOS_SEED={}: {} had no effect",
                self.seed,
                fault.name()
            );
        }
        let at_least = |what: &str, count: &AtomicU64, rate: f64| {
            let (count, least) = (get(count), (rate * minutes).ceil());
            assert!(
                count as f64 >= least,
                "CHAOS_SEED={}: no more than {count} {what}",
                self.seed
            );
        };
        at_least("requests", &self.requests, 5_000.0);
        at_least("admitted requests", &self.admitted, 1_000.0);
        at_least("refused requests", &self.refused, 1_000.0);
        at_least("requests after acknowledgement", &self.forbidden, 1_000.0);
        at_least("revocations acknowledged", &self.acknowledged, 60.0);
        at_least("streams", &self.streams, 20.0);
        at_least("streams cut", &self.cut, 5.0);
        at_least("requests refused for want of a list", &self.unavailable, 1.0);
        at_least("lists that became too old and fresh again", &self.stale, 1.0);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("requests", &self.requests),
            ("admitted", &self.admitted),
            ("refused as revoked", &self.refused),
            ("requests after acknowledgement", &self.forbidden),
            ("503 by policy", &self.unavailable),
            ("401, token younger than the clock", &self.too_young),
            ("no answer", &self.unanswered),
            ("tokens withdrawn", &self.withdrawn),
            ("of these acknowledged", &self.acknowledged),
            ("streams opened", &self.streams),
            ("streams cut by revocation", &self.cut),
            ("gateway processes", &self.processes),
            ("lists too old, and fresh again", &self.stale),
            ("revoked admitted after acknowledgement", &self.revoked_admitted),
            ("healthy refused outside policy", &self.healthy_refused),
        ];
        let lasted = Duration::from_secs(self.started.elapsed().as_secs());
        writeln!(f, "{:<42}{:>10}", "seed", self.seed)?;
        writeln!(f, "{:<42}{:>10}", "lasted", format!("{lasted:?}"))?;
        for (name, count) in rows {
            writeln!(f, "{name:<42}{:>10}", get(count))?;
        }
        writeln!(f, "{:<42}{:>10}{:>10}", "fault", "inflicted", "seen")?;
        for (fault, Inflicted { times, seen }) in &*self.faults.lock().unwrap() {
            writeln!(f, "  {:<40}{times:>10}{seen:>10}", fault.name())?;
        }
        Ok(())
    }
}

pub(crate) fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

fn get(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

const SHOWN: usize = 30;
