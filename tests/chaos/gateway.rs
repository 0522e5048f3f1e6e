//! One process of the gateway.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::server::Child;
use crate::wall_clock::tidy_up_after;

/// A running gateway.
pub(crate) struct Gateway {
    /// Which of the round's processes it is.
    pub(crate) number: u32,
    pub(crate) url: String,
    pub(crate) admin: String,
    max_age: Duration,
    output: PathBuf,
    child: Mutex<Child>,
    is_doomed: AtomicBool,
    fresh: Mutex<Option<Span>>,
}

/// From when until when its list is certainly fresh enough.
#[derive(Clone, Copy)]
struct Span {
    from: Instant,
    until: Instant,
}

impl Gateway {
    /// Waits until it listens. `is_fresh` if it has to have a fresh list from its start.
    ///
    /// # Panics
    /// If it ends before, with its words.
    pub(crate) async fn started(
        number: u32,
        mut child: Child,
        output: PathBuf,
        max_age: Duration,
        is_fresh: bool,
    ) -> Self {
        let started = Instant::now();
        let (url, admin) = loop {
            let words = fs::read_to_string(&output).expect("its output is in a file");
            let line = |name: &str| {
                words
                    .lines()
                    .find_map(|line| line.strip_prefix(name))
                    .map(str::to_owned)
            };
            if let (Some(url), Some(admin)) = (line("listening "), line("admin "))
                && words.ends_with('\n')
            {
                break (url, admin);
            }
            assert!(child.is_running(), "gateway {number} does not start:\n{words}");
            assert!(
                started.elapsed() < PATIENCE,
                "gateway {number} takes too long to start:\n{words}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        tidy_up_after(&child);
        let fresh = is_fresh.then(|| Span {
            from: started,
            until: started + max_age / 2,
        });
        Self {
            number,
            url,
            admin,
            max_age,
            output,
            child: Mutex::new(child),
            is_doomed: AtomicBool::new(false),
            fresh: Mutex::new(fresh),
        }
    }

    /// Takes in what it said of itself: from the answer on, the list can become no older than by the clock.
    pub(crate) fn said(&self, status: &Value, asked: Instant) {
        let age = status["snapshot"]["age_ms"].as_u64().map(Duration::from_millis);
        let (Some(age), true) = (age, status["freshness"] == "fresh") else {
            return;
        };
        let until = asked + self.max_age.saturating_sub(age + ROUNDING);
        let mut fresh = self.fresh.lock().unwrap();
        let now = Instant::now();
        match &mut *fresh {
            Some(span) if span.until >= now => span.until = span.until.max(until),
            span => *span = Some(Span { from: now, until }),
        }
    }

    /// Whether the policy allowed no refusal for want of a list in all of this time.
    pub(crate) fn is_fresh(&self, from: Instant, until: Instant) -> bool {
        let fresh = *self.fresh.lock().unwrap();
        fresh.is_some_and(|span| span.from <= from && until <= span.until)
    }

    /// Kills it as `kill -9` does.
    pub(crate) fn kill(&self) {
        self.is_doomed.store(true, Ordering::Relaxed);
        self.child.lock().unwrap().kill();
    }

    /// Whether it was killed, or is about to be. Its connections break.
    pub(crate) fn is_doomed(&self) -> bool {
        self.is_doomed.load(Ordering::Relaxed)
    }

    /// Whether it ended by itself; what it said last.
    pub(crate) fn has_died(&self) -> Option<String> {
        let mut child = self.child.lock().unwrap();
        (!self.is_doomed() && !child.is_running()).then(|| self.words())
    }

    pub(crate) fn words(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }

    pub(crate) fn freeze(&self) {
        self.child.lock().unwrap().freeze();
    }

    pub(crate) fn thaw(&self) {
        self.child.lock().unwrap().thaw();
    }
}

const PATIENCE: Duration = Duration::from_secs(20);

/// Ages are told in whole milliseconds.
const ROUNDING: Duration = Duration::from_millis(20);
