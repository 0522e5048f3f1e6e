//! `src/model`, as far as the models need it.

#[path = "../../src/model/credential.rs"]
pub(crate) mod credential;
#[path = "../../src/model/canary.rs"]
pub(crate) mod canary;
#[path = "../../src/model/domain_config.rs"]
pub(crate) mod domain_config;
#[path = "../../src/model/event.rs"]
pub(crate) mod event;
#[path = "../../src/model/key.rs"]
pub(crate) mod key;
#[path = "../../src/model/log_place.rs"]
pub(crate) mod log_place;
#[path = "../../src/model/key_secrets.rs"]
pub(crate) mod key_secrets;
#[path = "../../src/model/policy.rs"]
pub(crate) mod policy;
#[path = "../../src/model/reach.rs"]
pub(crate) mod reach;
#[path = "../../src/model/refusal.rs"]
pub(crate) mod refusal;
#[path = "../../src/model/timestamp.rs"]
pub(crate) mod timestamp;
#[path = "../../src/model/verdict.rs"]
pub(crate) mod verdict;
