//! Where the two sides meet: one atomic pointer to one state.

use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use crate::admission::{self, InstallError};
use crate::credential::Credential;
use crate::event::Event;
use crate::key::Key;
use crate::mark::Mark;
use crate::overlay::Full;
use crate::policy::Policy;
use crate::snapshot::Snapshot;
use crate::state::{Decision, State, Step};
use crate::timestamp::Timestamp;

/// The one truth, read by every request and written by one writer at a time.
///
/// Readers load a pointer, look, and let go: no lock, no allocation, nothing to free. The writer keeps a
/// second state that no reader can see. It brings that one up to date *in place*, publishes it with a single swap, and gets the
/// previous one back as the next second state. So a change costs what it changes, at any size, and costs
/// no copy; every decision sees one consistent view; and no request ever drops a state, because the
/// writer holds on to each until the last reader has left it.
///
/// The price is memory for two overlays, and a wait: before writing to a state that was just retired, the
/// writer lets the readers that are inside [`decide`](Self::decide) (some 100 ns) finish. Should one
/// not, it copies the published state rather than wait for ever.
pub(crate) struct Store {
    published: ArcSwap<State>,
    writer: Mutex<Writer>,
    /// Held while a list is checked against the installed one.
    installing: Mutex<()>,
    /// Zero of the clock that retention is counted on.
    epoch: Instant,
}

struct Writer {
    /// The state that isn't published.
    spare: Arc<State>,
    /// What the published state has seen and the spare one hasn't.
    behind: Vec<Step>,
    /// States given up because a reader would not leave them, kept so that no reader has to free them.
    abandoned: Vec<Arc<State>>,
    /// When expired entries were last looked for, in seconds since the store's epoch.
    forgot_at: u32,
}

impl Store {
    pub(crate) fn new(policy: Policy) -> Self {
        let state = State::new(policy);
        Self {
            writer: Mutex::new(Writer {
                spare: Arc::new(state.clone()),
                behind: Vec::new(),
                abandoned: Vec::new(),
                forgot_at: 0,
            }),
            installing: Mutex::default(),
            published: ArcSwap::from_pointee(state),
            epoch: Instant::now(),
        }
    }

    /// What is known of `credential`, and how fresh that is.
    pub(crate) fn decide(&self, credential: &Credential) -> Decision {
        let now = Instant::now();
        self.published.load().decide(credential, now)
    }

    /// Looks at the published state. `look` must be short: the writer waits for it.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.published.load())
    }

    pub(crate) fn configure(&self, change: impl FnOnce(&mut Policy)) {
        let mut writer = self.writer();
        let mut policy = self.published.load().policy;
        change(&mut policy);
        // Only a merge can be refused.
        let _ = self.publish(&mut writer, vec![Step::Configure(policy)]);
        self.settle(&mut writer);
    }

    /// Adds events, in one publication: when this returns, every decision that starts afterwards sees them all.
    ///
    /// # Errors
    ///
    /// How many events found no room. The others are in effect; all may be repeated.
    pub(crate) fn merge(&self, events: &[Event], arrival: Timestamp) -> Result<(), usize> {
        let mut writer = self.writer();
        let policy = self.published.load().policy;
        let now = self.seconds();
        let mut steps = Vec::with_capacity(events.len() + 1);
        if now.saturating_sub(writer.forgot_at) >= FORGET_EVERY {
            writer.forgot_at = now;
            steps.push(Step::Forget(now));
        }
        steps.extend(events.iter().map(|event| {
            let (key, forget_at) = self.retention(event, arrival, &policy);
            Step::Merge(key, Mark::of(event, arrival, forget_at))
        }));
        let mut full = self.publish(&mut writer, steps);
        if !full.is_empty() && now > writer.forgot_at {
            writer.forgot_at = now;
            full.insert(0, Step::Forget(now));
            full = self.publish(&mut writer, full);
        }
        if full.is_empty() { Ok(()) } else { Err(full.len()) }
    }

    /// Installs a list, or says why not.
    pub(crate) fn install(&self, offered: Snapshot, now: Timestamp) -> Result<(), InstallError> {
        // Comparing two lists takes its time. Events need not wait for it, other lists do.
        let _one_at_a_time = self.installing.lock().unwrap_or_else(PoisonError::into_inner);
        let (installed, leeway) = self.look(|state| (state.snapshot().cloned(), state.policy.leeway));
        let admitted = admission::admit(offered, installed.as_ref(), now, leeway)?;
        drop(installed);
        let mut writer = self.writer();
        let _ = self.publish(&mut writer, vec![Step::Install(admitted, Instant::now())]);
        self.settle(&mut writer);
        Ok(())
    }

    /// Notes that the installed list is still the newest.
    pub(crate) fn confirm(&self, now: Timestamp) -> Result<(), InstallError> {
        let mut writer = self.writer();
        self.look(|state| admission::confirm(state.snapshot(), now))?;
        let _ = self.publish(&mut writer, vec![Step::Refresh(Instant::now())]);
        Ok(())
    }

    /// Runs `steps` on the spare state, publishes it, and returns the steps that found no room.
    fn publish(&self, writer: &mut Writer, steps: Vec<Step>) -> Vec<Step> {
        let mut full = Vec::new();
        let spare = writer.spare(&self.published);
        for step in &steps {
            if spare.run(step) == Err(Full) {
                full.push(step.clone());
            }
        }
        writer.behind = steps;
        let published = Arc::clone(&writer.spare);
        writer.spare = self.published.swap(published);
        full
    }

    /// Brings the spare state up to date at once, so that what it alone still holds (a replaced list) is freed here
    /// and now.
    fn settle(&self, writer: &mut Writer) {
        writer.spare(&self.published);
    }

    fn retention(&self, event: &Event, arrival: Timestamp, policy: &Policy) -> (Key, u32) {
        let (key, keep) = match event {
            Event::Reinstate(reinstatement) => (*reinstatement.key(), policy.retention),
            Event::Revoke(revocation) => {
                let keep = revocation.forgotten_at().map_or(policy.retention, |at| {
                    at.saturating_since(arrival).saturating_add(policy.leeway)
                });
                (*revocation.key(), keep)
            }
        };
        let keep = u32::try_from(keep.as_secs()).unwrap_or(u32::MAX);
        // One more, since both ends are rounded down.
        (key, self.seconds().saturating_add(keep).saturating_add(1))
    }

    fn seconds(&self) -> u32 {
        u32::try_from(self.epoch.elapsed().as_secs()).unwrap_or(u32::MAX)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // A panic under the lock can only have come from a step, and steps may be run again.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// The spare state, up to date and with no reader left in it.
    fn spare(&mut self, published: &ArcSwap<State>) -> &mut State {
        self.abandoned.retain(|state| Arc::strong_count(state) > 1);
        let mut patience = PATIENCE;
        while Arc::get_mut(&mut self.spare).is_none() && patience > 0 {
            thread::yield_now();
            patience -= 1;
        }
        if Arc::get_mut(&mut self.spare).is_none() {
            let copy = Arc::new(State::clone(&published.load()));
            self.abandoned.push(mem::replace(&mut self.spare, copy));
            self.behind.clear();
        }
        let behind = mem::take(&mut self.behind);
        let spare = Arc::get_mut(&mut self.spare).expect("no reader has seen the spare state, or it has left");
        for step in &behind {
            // What found no room the first time finds none now.
            let _ = spare.run(step);
        }
        spare
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// How often expired entries are looked for while events come in, in seconds: it takes time proportional to the overlay.
const FORGET_EVERY: u32 = Duration::from_secs(600).as_secs() as u32;

/// How many times the writer yields to a reader before it copies the state instead. Readers leave within 1 µs
/// unless they are descheduled; a thousand yields outlast several time slices.
const PATIENCE: u32 = 1_000;
