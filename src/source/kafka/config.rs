//! How brokers are reached.

use std::fmt;
use std::sync::Arc;

use tokio_rustls::rustls::ClientConfig;

use crate::source::kafka::sasl::Sasl;

/// How the brokers of a cluster are reached: what a host sets. A cheap clone.
///
/// Nothing connects before the feed is [driven](crate::source::drive).
#[derive(Clone)]
pub struct KafkaConfig {
    /// Where some brokers are. They say where all of them are.
    pub(super) bootstrap: Arc<[String]>,
    pub(super) client_id: Arc<str>,
    pub(super) tls: Option<Arc<AskTls>>,
    pub(super) sasl: Option<Sasl>,
}

pub(super) type AskTls = dyn Fn() -> Arc<ClientConfig> + Send + Sync;

impl KafkaConfig {
    /// Returns how a cluster is reached of which some brokers are at these addresses, such as `kafka-1:9092`.
    ///
    /// Name several: any of them may be away.
    #[must_use]
    pub fn new(bootstrap: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            bootstrap: bootstrap.into_iter().map(Into::into).collect(),
            client_id: Self::DEFAULT_CLIENT_ID.into(),
            tls: None,
            sasl: None,
        }
    }

    /// Encrypts the connections, and checks who answers. By default they are not encrypted.
    ///
    /// A client certificate is in the configuration, too.
    #[must_use]
    pub fn with_tls(self, tls: impl Into<Arc<ClientConfig>>) -> Self {
        let tls = tls.into();
        self.with_tls_by(move || Arc::clone(&tls))
    }

    /// Encrypts the connections by what `ask` returns at each of them, so that certificates may be replaced. It must not block.
    #[must_use]
    pub fn with_tls_by(mut self, ask: impl Fn() -> Arc<ClientConfig> + Send + Sync + 'static) -> Self {
        self.tls = Some(Arc::new(ask));
        self
    }

    /// Proves to the brokers who the client is. By default it does not.
    #[must_use]
    pub fn with_sasl(mut self, sasl: Sasl) -> Self {
        self.sasl = Some(sasl);
        self
    }

    /// Sets the name by which the brokers' logs, metrics and quotas know the client. Defaults to
    /// [`tower-revocation`](Self::DEFAULT_CLIENT_ID).
    #[must_use]
    pub fn with_client_id(mut self, client_id: impl Into<Arc<str>>) -> Self {
        self.client_id = client_id.into();
        self
    }

    /// The name that clients have by default: `tower-revocation`.
    pub const DEFAULT_CLIENT_ID: &str = "tower-revocation";
}

impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaConfig")
            .field("bootstrap", &self.bootstrap)
            .field("client_id", &self.client_id)
            .field("is_encrypted", &self.tls.is_some())
            .field("sasl", &self.sasl)
            .finish()
    }
}
