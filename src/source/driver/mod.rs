//! The one loop that reads any feed: it opens, settles, notices gaps and silence, and begins again.

mod drive;
mod run;
mod progress;
mod resync_task;
mod settle;
mod resync;
mod since;
mod watermark;

pub use drive::{Drive, drive};
pub use resync::{ByPoller, Resync};
