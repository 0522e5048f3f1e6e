//! What a host may set, and its defaults.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::source::dead_letter::{DeadLetter, DeadLetterPolicy};

/// How a feed is read.
pub(super) struct DriverConfig {
    pub(super) silence: Duration,
    pub(super) open_timeout: Duration,
    pub(super) margin: Duration,
    pub(super) patience: Duration,
    pub(super) attempts: NonZeroU32,
    pub(super) heartbeat: Option<Duration>,
    pub(super) dead_letters: DeadLetterPolicy,
    pub(super) replica: String,
    pub(super) hook: Option<Hook>,
}

/// Is told of each dead letter.
pub(super) type Hook = Arc<dyn Fn(&DeadLetter) + Send + Sync>;

impl Default for DriverConfig {
    fn default() -> Self {
        Self {
            silence: DEFAULT_SILENCE,
            open_timeout: DEFAULT_OPEN_TIMEOUT,
            margin: DEFAULT_MARGIN,
            patience: DEFAULT_PATIENCE,
            attempts: DEFAULT_ATTEMPTS,
            heartbeat: None,
            dead_letters: DeadLetterPolicy::default(),
            replica: replica(),
            hook: None,
        }
    }
}

impl fmt::Debug for DriverConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DriverConfig")
            .field("silence", &self.silence)
            .field("replica", &self.replica)
            .finish_non_exhaustive()
    }
}

/// The host's name, as containers are told theirs, and otherwise the process's number.
fn replica() -> String {
    match std::env::var("HOSTNAME") {
        Ok(name) if !name.is_empty() => name,
        _ => format!("process {}", std::process::id()),
    }
}

/// How long a feed may give no sign of life before it is taken for dead: 4 seconds. Adapters give one every second, and two
/// may be late.
pub const DEFAULT_SILENCE: Duration = Duration::from_secs(4);

/// How long opening may take: 10 seconds.
pub const DEFAULT_OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// By how much the feed is read from before the list was issued: 1 minute, by which the clocks of issuer and broker may differ.
pub const DEFAULT_MARGIN: Duration = Duration::from_secs(60);

/// How long events wait for the list after a gap: 5 seconds. A registry that is away must not hold up revocations for ever.
pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(5);

/// How often a message is tried before it is put aside: 20 times, which takes some 7 minutes where the loop itself waits
/// between them, from a quarter of a second up to half a minute.
pub const DEFAULT_ATTEMPTS: NonZeroU32 = NonZeroU32::new(20).expect("not zero");

/// How long it may take to tell the broker what became of a message: 1 minute. An acknowledgement that takes longer is given up: the
/// event is in force, and should it come again, nothing happens. A dead letter is stored again, and a message that the broker should
/// deliver again is tried again by the loop.
pub const SETTLE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long messages that were taken in may take to settle once the feed is told to end: 3 seconds.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);
