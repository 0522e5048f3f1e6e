//! How a client proves who it is.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::common::host_code::{guarded, guarded_future};
use crate::source::error::SourceError;
use crate::source::kafka::scram::{Scram, ScramHash};
use crate::source::kafka::wire::{BrokerConnection, SaslAnswer, SaslAuthenticate, SaslHandshake};

/// How a client proves to brokers who it is (SASL), and who says as whom.
///
/// Credentials that change are asked for at each connection, and again before the session ends that they were good for.
#[derive(Clone)]
pub struct Sasl {
    mechanism: SaslMechanism,
    ask: Arc<AskCredentials>,
}

/// A way in which a client proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SaslMechanism {
    /// A token of an authorization server ([RFC 7628](https://www.rfc-editor.org/rfc/rfc7628)).
    OauthBearer,
    /// A name and a password that is sent as it is: over TLS alone.
    Plain,
    /// A name and a password that is proved and not sent, by SHA-256.
    ScramSha256,
    /// A name and a password that is proved and not sent, by SHA-512.
    ScramSha512,
}

/// As whom a client comes, and by what it proves that.
#[derive(Clone)]
pub struct SaslCredentials {
    user: String,
    secret: String,
}

type AskCredentials = dyn Fn() -> AskedCredentials + Send + Sync;
type AskedCredentials = Pin<Box<dyn Future<Output = Result<SaslCredentials, Box<dyn Error + Send + Sync>>> + Send>>;

impl Sasl {
    /// Returns a proof by a name and a password that never change, for [`Plain`](SaslMechanism::Plain) and SCRAM.
    #[must_use]
    pub fn password(mechanism: SaslMechanism, user: impl Into<String>, password: impl Into<String>) -> Self {
        let credentials = SaslCredentials::password(user, password);
        Self::asking(mechanism, move || {
            std::future::ready(Ok::<_, SourceError>(credentials.clone()))
        })
    }

    /// Returns a proof for which `ask` says the credentials of the moment, for any mechanism.
    ///
    /// It is asked at each connection to a broker, of which there are some for each, and when four fifths of a session are over
    /// that the broker limits. It may take [5 seconds](Self::ASK_TIMEOUT). If it fails, the feed is down and says so, and it is
    /// asked again.
    ///
    /// ```
    /// use tower_revocation::source::kafka::{Sasl, SaslCredentials, SaslMechanism};
    ///
    /// let password = || async { std::fs::read_to_string("/run/secrets/kafka").map(|text| SaslCredentials::password("gateway", text.trim())) };
    /// let by_password = Sasl::asking(SaslMechanism::ScramSha512, password);
    ///
    /// # async fn fetch_token() -> std::io::Result<String> { Ok(String::new()) }
    /// let by_token = Sasl::asking(SaslMechanism::OauthBearer, || async { fetch_token().await.map(SaslCredentials::token) });
    /// ```
    ///
    /// # Security
    ///
    /// The words of its errors end in logs and status: no secrets.
    #[must_use]
    pub fn asking<F, E>(mechanism: SaslMechanism, ask: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<SaslCredentials, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        Self {
            mechanism,
            ask: Arc::new(move || {
                let asked = ask();
                Box::pin(async move { asked.await.map_err(Into::into) })
            }),
        }
    }

    /// How long it may take to ask for credentials: 5 seconds.
    pub const ASK_TIMEOUT: Duration = Duration::from_secs(5);

    /// Proves it to a broker. Returns for how long that is good, if it ends.
    pub(super) async fn authenticate(
        &self,
        connection: &mut BrokerConnection,
    ) -> Result<Option<Duration>, SourceError> {
        let SaslCredentials { user, secret } = self.credentials().await?;
        let mechanism = self.mechanism.name();
        let (code, others) = connection.call(&SaslHandshake { mechanism }).await?;
        code.ok().map_err(|code| {
            SourceError::new(format!(
                "the broker does not take {mechanism}, but {}",
                others.join(", ")
            ))
            .because(code)
        })?;
        let answer = match self.mechanism {
            SaslMechanism::OauthBearer => step(connection, format!("n,,\x01auth=Bearer {secret}\x01\x01")).await?,
            SaslMechanism::Plain => step(connection, format!("\0{user}\0{secret}")).await?,
            SaslMechanism::ScramSha256 => scram(connection, ScramHash::Sha256, &user, &secret).await?,
            SaslMechanism::ScramSha512 => scram(connection, ScramHash::Sha512, &user, &secret).await?,
        };
        if self.mechanism == SaslMechanism::OauthBearer && !answer.bytes.is_empty() {
            return Err(refused(&text(&answer)?));
        }
        let lifetime = u64::try_from(answer.lifetime_ms).unwrap_or_default();
        Ok((lifetime > 0).then(|| Duration::from_millis(lifetime)))
    }
}

impl Sasl {
    async fn credentials(&self) -> Result<SaslCredentials, SourceError> {
        let failed = || SourceError::new("cannot get the credentials for the broker");
        let panicked = |message| failed().because(format!("who was asked panicked: {message}"));
        let asked = guarded(|| (self.ask)()).map_err(panicked)?;
        let late = |_| failed().because(format!("nobody said them within {:?}", Self::ASK_TIMEOUT));
        let said = timeout(Self::ASK_TIMEOUT, guarded_future(asked)).await.map_err(late)?;
        said.map_err(panicked)?.map_err(|cause| failed().because(cause))
    }
}

impl fmt::Debug for Sasl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sasl")
            .field("mechanism", &self.mechanism)
            .finish_non_exhaustive()
    }
}

impl SaslMechanism {
    const fn name(self) -> &'static str {
        match self {
            Self::OauthBearer => "OAUTHBEARER",
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl SaslCredentials {
    /// Returns a name and its password.
    #[must_use]
    pub fn password(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            secret: password.into(),
        }
    }

    /// Returns a token, for [`OauthBearer`](SaslMechanism::OauthBearer).
    #[must_use]
    pub fn token(token: impl Into<String>) -> Self {
        Self::password("", token)
    }
}

impl fmt::Debug for SaslCredentials {
    /// Writes the name, and no secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SaslCredentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

async fn scram(
    connection: &mut BrokerConnection,
    hash: ScramHash,
    user: &str,
    password: &str,
) -> Result<SaslAnswer, SourceError> {
    let mut nonce = [0; 24];
    getrandom::fill(&mut nonce)
        .map_err(|cause| SourceError::new("this machine has no random numbers").because(cause))?;
    let scram = Scram::new(hash, user, password, &nonce);
    let first = step(connection, scram.first_message()).await?;
    let (message, proof) = scram.final_message(&text(&first)?)?;
    let last = step(connection, message).await?;
    proof.check(&text(&last)?)?;
    Ok(last)
}

async fn step(connection: &mut BrokerConnection, message: String) -> Result<SaslAnswer, SourceError> {
    let bytes = message.into_bytes();
    let answer = connection.call(&SaslAuthenticate { bytes }).await?;
    match answer.code.ok() {
        Ok(()) => Ok(answer),
        Err(code) if answer.reason.is_empty() => Err(refused(&code.to_string())),
        Err(_) => Err(refused(&answer.reason)),
    }
}

fn text(answer: &SaslAnswer) -> Result<String, SourceError> {
    let text = String::from_utf8(answer.bytes.to_vec());
    text.map_err(|cause| SourceError::new("what the broker says of the credentials is no text").because(cause))
}

fn refused(reason: &str) -> SourceError {
    SourceError::new("the broker refuses the credentials").because(reason)
}
