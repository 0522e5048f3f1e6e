//! The parts of `src/source` that say from where a log is read, and a model of that.

#[path = "../../src/source/landmark.rs"]
mod landmark;
mod log;
#[path = "../../src/source/position.rs"]
mod position;
#[path = "../../src/source/driver/watermark.rs"]
mod watermark;
