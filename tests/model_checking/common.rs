//! The parts of `src/common` that the state calls.

#[path = "../../src/common/host_code.rs"]
pub(crate) mod host_code;
#[path = "../../src/common/log.rs"]
pub(crate) mod log;
