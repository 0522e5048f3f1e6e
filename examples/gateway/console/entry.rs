//! A line of the log.

use std::sync::Arc;

use serde::Serialize;

/// Something that happened, in words.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    /// Counts up, so that a page can tell what it has.
    pub(crate) seq: u64,
    /// In milliseconds since the epoch.
    pub(crate) at_ms: u64,
    pub(crate) kind: Kind,
    /// Whom it concerns, as the message or the token named them: it may be any text.
    pub(crate) agent: Option<Arc<str>>,
    pub(crate) words: String,
}

/// What kind of thing it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// A stream was ended by a revocation.
    Cut,
    /// A message that could not be read.
    DeadLetter,
    /// The feed changed its state.
    Feed,
    /// A message that is none of our business.
    Ignored,
    /// A list was installed.
    List,
    /// Polls began to fail, or work again.
    Poll,
    /// A request was refused.
    Refused,
    Reinstated,
    Revoked,
}

impl Kind {
    /// What one more of the kind is called.
    pub(crate) const fn plural(self) -> &'static str {
        match self {
            Self::Cut => "streams cut",
            Self::Refused => "refusals",
            _ => "messages",
        }
    }
}

/// At most so much of a text that others wrote, cut between characters.
pub(crate) fn excerpt(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let mut end = bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

/// How much of a name or reason is shown: a DID has some 70 bytes.
pub(crate) const NAME_BYTES: usize = 160;
