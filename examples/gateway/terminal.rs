//! Where the gateway talks to whoever started it. Logs are another matter: they go to stderr through `tracing`.

use std::fmt;
use std::io::{self, Write};

/// Where to say things.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Terminal {
    Stderr,
    Stdout,
}

impl Terminal {
    /// Says a line, at once. That nobody listens any more is no reason to stop serving.
    pub(crate) fn say(self, line: impl fmt::Display) {
        let _ = match self {
            Self::Stderr => writeln!(io::stderr(), "{line}"),
            Self::Stdout => writeln!(io::stdout(), "{line}"),
        };
    }
}
