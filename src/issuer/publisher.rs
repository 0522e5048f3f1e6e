//! How messages get to a broker.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Publishes the messages of an issuer's log to one broker, in order.
///
/// The relay of an [`Issuer`](super::Issuer) is its only user: it calls one function at a time, and each within
/// [10 seconds](super::ATTEMPT_TIMEOUT), or drops the call.
///
/// What makes a publisher a good one: it says [refused](PublishError::refused) when the newest message of this issuer on the broker
/// is not the one that it read back or published last. A broker that lost confirmed messages then shows itself at once. Where the
/// broker cannot be asked for that, the relay notices it by what is read back: after each publication, heartbeats included.
pub trait Publisher: Send + 'static {
    /// Returns its name, such as `nats:revocations`, for status and logs. It holds no secret.
    fn name(&self) -> &str;

    /// Connects, makes what has to exist on the broker, and says what a confirmation is worth there. What exists is left as it is.
    ///
    /// It is called at the start, and again after each failure.
    ///
    /// # Errors
    ///
    /// Says what cannot be reached, made or looked at.
    fn ensure(&mut self) -> impl Future<Output = Result<Promise, PublishError>> + Send;

    /// Returns the newest messages of the issuer `source` that the broker holds, the oldest first, and `most` at most: see
    /// [`is_from`]. From then on, the newest of them is what the next publication expects.
    ///
    /// It reads what the broker would give to any reader, and as its leader has it: what was confirmed before is there.
    ///
    /// # Errors
    ///
    /// Says why it cannot be read.
    fn read_back(&mut self, source: &str, most: usize)
    -> impl Future<Output = Result<Vec<Bytes>, PublishError>> + Send;

    /// Returns whether a publication is refused that is not behind what is expected. Defaults to false: then the relay reads back each time
    /// what lies before its messages as well.
    fn is_conditional(&self) -> bool {
        false
    }

    /// Publishes messages in this order behind what is expected, and returns once the broker has confirmed all of them, with as
    /// many copies as it promises.
    ///
    /// # Errors
    ///
    /// [Refused](PublishError::refused) if the newest message is not what is expected; [failed](PublishError::failed) for whatever
    /// else. After both nobody knows which of the messages are there: the relay reads that back.
    fn publish(
        &mut self,
        source: &str,
        messages: &[OutgoingMessage],
    ) -> impl Future<Output = Result<Confirmed, PublishError>> + Send;
}

/// A message to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// The same whenever this very message is published again, and for no other message: for a broker that drops repetitions.
    pub id: String,
    /// The message.
    pub payload: Bytes,
}

/// Says that messages are published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confirmed {
    /// In what the confirmation falls short of the [promise](Promise), if it does: fewer copies have the messages for now.
    pub shortfall: Option<PromiseWarning>,
}

/// Says what a broker's confirmation is worth.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Promise {
    /// How many servers have a message once it is confirmed, as far as that is known.
    pub copies: Option<u32>,
    /// The settings that lose confirmed messages.
    pub warnings: Vec<PromiseWarning>,
}

impl Promise {
    /// Returns the promise of so many copies, without a warning.
    #[must_use]
    pub const fn of_copies(copies: u32) -> Self {
        Self {
            copies: Some(copies),
            warnings: Vec::new(),
        }
    }

    /// Adds a warning about a setting, by its name.
    pub fn warn(&mut self, setting: &'static str, words: impl Into<String>) {
        self.warnings.push(PromiseWarning {
            setting,
            words: words.into(),
        });
    }
}

/// Names a setting of a broker that loses confirmed messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PromiseWarning {
    /// The setting, as the broker calls it.
    pub setting: &'static str,
    /// What it is set to, and what is lost by that.
    pub words: String,
}

impl fmt::Display for PromiseWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.words)
    }
}

/// Says why something was not published.
#[derive(Debug)]
pub struct PublishError {
    is_refusal: bool,
    what: String,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl PublishError {
    /// Returns the error of a broker whose newest message of this issuer is not the expected one.
    #[must_use]
    pub fn refused(what: impl Into<String>) -> Self {
        Self {
            is_refusal: true,
            what: what.into(),
            cause: None,
        }
    }

    /// Returns any other error: the relay tries again.
    #[must_use]
    pub fn failed(what: impl Into<String>) -> Self {
        Self {
            is_refusal: false,
            what: what.into(),
            cause: None,
        }
    }

    /// Adds the cause, as [`source`](Error::source).
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Returns whether the log is not as it was expected to be.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        self.is_refusal
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for PublishError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.cause {
            Some(cause) => Some(cause.as_ref()),
            None => None,
        }
    }
}

/// Returns whether a message states this `source`: whether it is one of the issuer with this name.
#[must_use]
pub fn is_from(source: &str, message: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Stated<'m> {
        #[serde(borrow)]
        source: Cow<'m, str>,
    }
    serde_json::from_slice::<Stated<'_>>(message).is_ok_and(|stated| stated.source == source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_from_whom_it_states() {
        assert!(is_from(
            "https://a.example",
            br#"{"source":"https:\/\/a.example","data":{"source":"x"}}"#
        ));
        for other in [&br#"{"source":"b"}"#[..], br#"{"a":1}"#, b"", b"[]", br#"{"source":1}"#] {
            assert!(!is_from("https://a.example", other));
        }
    }
}
