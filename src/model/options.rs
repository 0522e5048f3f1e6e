//! The options of a layer: what it does with a decision.

use crate::model::last_words::LastWords;
use crate::model::reach::Reaches;

/// The options of one layer: what it does with its domain's decisions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LayerOptions {
    pub(crate) anonymous: Anonymous,
    pub(crate) unreadable: Unreadable,
    pub(crate) enforcement: Enforcement,
    pub(crate) status_extension: StatusExtension,
    pub(crate) guard_extension: GuardExtension,
    pub(crate) cut: Cut,
    pub(crate) running: Running,
    pub(crate) reaches: Reaches,
}

/// Says what to do with requests that present no credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Anonymous {
    /// Let them pass: authentication is the task of another layer. The default.
    #[default]
    Pass,
    /// Refuse them with a plain challenge: 401, without an error code. CORS preflights pass, and whatever else
    /// [`with_anonymous_allowed`](crate::RevocationLayer::with_anonymous_allowed) says.
    Challenge,
}

/// Says what to do with credentials that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Unreadable {
    /// Refuse them: nobody can show that they are not revoked. The default.
    #[default]
    Refuse,
    /// Let them pass, for stacks that also accept tokens of another format under the same scheme.
    ///
    /// # Security
    ///
    /// A revoked token that the authentication layer reads and this crate does not will pass.
    Pass,
}

/// Says whether to refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Enforcement {
    /// Refuse. The default.
    #[default]
    Enforce,
    /// Admit everything, and count and log what would be refused: for a first look in production.
    ///
    /// This concerns this layer alone. Readiness, concerns and the canary belong to the trust domain, and tell what is
    /// decided: with [`StalePolicy::FailClosed`](crate::StalePolicy::FailClosed) a replica without a fresh list is "not
    /// ready" although this layer would let everybody pass. Use [`StalePolicy::FailOpen`](crate::StalePolicy::FailOpen)
    /// during that first look, or leave readiness alone meanwhile.
    Observe,
}

/// Says whether admitted requests carry a [`ListFreshness`](crate::ListFreshness) in their extensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StatusExtension {
    /// Omit it: the admitted path stays free of allocations. The default.
    #[default]
    Omit,
    /// Insert it, at the cost of an allocation.
    Insert,
}

/// Says whether admitted requests carry a [`RevocationGuard`](crate::RevocationGuard) in their extensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum GuardExtension {
    /// Omit it: the admitted path stays free of allocations. The default.
    ///
    /// # Security
    ///
    /// An upgraded connection, or a task that a handler leaves behind, continues after its revocation.
    #[default]
    Omit,
    /// Insert it, at the cost of three allocations. For services with WebSockets or tasks that outlive their response.
    Insert,
}

/// Says how a response body ends if its credential is revoked while it is sent.
///
/// A stream of gRPC, gRPC-Web or Connect ends as its protocol says in each case, with `PERMISSION_DENIED`: upon `UNAUTHENTICATED`
/// clients get a new token and call again. A unary call of Connect
/// always ends as by [`Abort`](Self::Abort), because half of it would be a whole message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Cut {
    /// End with an error ([`StreamCut`](crate::StreamCut)): HTTP/2 resets the stream, HTTP/1.1 closes the connection
    /// without the last chunk, and the client knows that something is missing. The default.
    ///
    /// Over HTTP/1.0 only a response whose length is known shows that. Over HTTP/3 it is up to the adapter: `axum-h3` from 0.0.6
    /// and salvo 1.1 reset the stream, whereas `h3-axum` 0.3.1, and loops of one's own that leave by `?`, end it as if it were
    /// complete. [Limits](crate::guide::limits) has the line that mends such a loop.
    ///
    /// A body that gave a piece just now waits for some milliseconds before, so that the server can send the piece, or the head.
    /// It gives nothing more meanwhile. That needs a tokio runtime with timers, as `#[tokio::main]` and `#[tokio::test]` make it;
    /// elsewhere the body lets other tasks have one turn, and the client may see no head.
    #[default]
    Abort,
    /// End as if the body were complete. For clients that repeat the request at once after an error.
    ///
    /// # Security
    ///
    /// A response that does not state its length looks complete although it was cut.
    End,
    /// Say these last words, and end as if the body were complete: event streams, JSON in lines. The first whose content type is
    /// the response's is taken.
    ///
    /// A response of another content type ends as by [`Abort`](Self::Abort). So does one for which nothing can be added: its
    /// length is known, it has a `Content-Encoding`, or the last piece ended in the midst of a line (of an event, in an event
    /// stream).
    ///
    /// ```
    /// use tower_revocation::{Cut, LastWords, RevocationLayer, identify};
    ///
    /// let (layer, sink) = RevocationLayer::pair(identify::jwt(http::header::AUTHORIZATION, "Bearer"));
    /// // Clients of event streams come back after ten seconds, and not all of them at once.
    /// let layer = layer.with_cut(Cut::With(&[LastWords::EVENT_STREAM]));
    /// # let _ = (layer, sink);
    /// ```
    ///
    /// # Security
    ///
    /// A client that does not know the last words takes the response for complete.
    With(&'static [LastWords]),
}

/// Says what happens to a handler that is still running when its request's credential is revoked. In both cases its
/// response is withheld, and the client is told so ([`Refusal::Withheld`](crate::Refusal::Withheld)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Running {
    /// Drop it at once, at the point where it waits. What it had begun stays half done, as when its client goes away.
    /// If a handler has to wait, this costs an allocation, and a look-up for each key.
    ///
    /// It takes the unread rest of an upload with it: over HTTP/1 the connection ends, and a proxy may count a failure of the server
    /// ([Limits](crate::guide::limits)).
    Drop,
    /// Let it finish. The default.
    ///
    /// An upload, or the messages that a client of gRPC or Connect streams, is read on until the handler ends: only
    /// [`Drop`](Self::Drop) ends it at the revocation.
    #[default]
    Finish,
}
