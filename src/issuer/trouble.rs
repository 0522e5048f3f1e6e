//! Why nothing is published for now.

use tokio::time::timeout;

use crate::common::error_text::error_text;
use crate::issuer::config::ATTEMPT_TIMEOUT;
use crate::issuer::error::IssuerError;
use crate::issuer::publisher::PublishError;

/// Why nothing is published for now.
#[derive(Debug)]
pub(super) enum Trouble {
    Publisher(PublishError),
    Store(IssuerError),
    Late,
    /// What was confirmed is not what is read back.
    NotReadBack,
}

impl Trouble {
    pub(super) fn words(&self) -> String {
        match self {
            Self::Publisher(error) => error_text(error).into_owned(),
            Self::Store(error) => error_text(error).into_owned(),
            Self::Late => format!("the broker does not answer within {ATTEMPT_TIMEOUT:?}"),
            Self::NotReadBack => "the broker does not give out what it confirmed".to_owned(),
        }
    }
}

/// Waits for a call of the publisher, for a while.
pub(super) async fn in_time<T>(call: impl Future<Output = Result<T, PublishError>>) -> Result<T, Trouble> {
    match timeout(ATTEMPT_TIMEOUT, call).await {
        Ok(done) => done.map_err(Trouble::Publisher),
        Err(_late) => Err(Trouble::Late),
    }
}
