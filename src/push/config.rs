//! What a host may set, and the defaults.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use crate::push::handshake::AllowedOrigins;
use crate::push::secret::{PushSecrets, Secret};

/// The configuration of one push service.
#[derive(Clone)]
pub(super) struct PushConfig {
    pub(super) secrets: PushSecrets,
    pub(super) body_cap: usize,
    pub(super) body_timeout: Duration,
    pub(super) batch_cap: usize,
    pub(super) hook: Option<RejectionHook>,
    pub(super) origins: AllowedOrigins,
}

/// Called with each dead letter.
pub(super) type RejectionHook = Arc<dyn Fn(&[u8], &str) + Send + Sync>;

impl PushConfig {
    pub(super) fn new(secret: Secret) -> Self {
        Self {
            secrets: PushSecrets {
                all: vec![secret],
                signature_header: DEFAULT_SIGNATURE_HEADER,
            },
            body_cap: DEFAULT_BODY_CAP,
            body_timeout: DEFAULT_BODY_TIMEOUT,
            batch_cap: DEFAULT_BATCH_CAP,
            hook: None,
            origins: AllowedOrigins::default(),
        }
    }
}

/// The default header of the signature: `x-signature-256`.
pub const DEFAULT_SIGNATURE_HEADER: HeaderName = HeaderName::from_static("x-signature-256");

/// How many bytes a body may have: 1 MiB.
pub const DEFAULT_BODY_CAP: usize = 1024 * 1024;

/// How long a body may take to come in: 10 seconds.
pub const DEFAULT_BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// How many messages a batch may have: 10,000.
pub const DEFAULT_BATCH_CAP: usize = 10_000;
