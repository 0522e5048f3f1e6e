//! What a layer is told to do with what is decided.

use crate::model::reach::Reaches;

/// What one layer does with what its domain decides.
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

/// What to do with requests that present no credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Anonymous {
    /// Let them pass: authentication is somebody else's task. The default.
    #[default]
    Pass,
    /// Refuse them with a plain challenge: 401, without an error code.
    Challenge,
}

/// What to do with credentials that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Unreadable {
    /// Refuse them: they can't be shown not to be revoked. The default.
    #[default]
    Refuse,
    /// Let them pass, for stacks that also take tokens of another format under the same scheme.
    ///
    /// # Security
    ///
    /// A revoked token that the authentication layer reads and this crate does not will pass.
    Pass,
}

/// Whether to refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Enforcement {
    /// Refuse. The default.
    #[default]
    Enforce,
    /// Admit everything, and count and log what would be refused: for a first look in production.
    ///
    /// It is this layer's alone. Readiness, concerns and the canary are the trust domain's, and speak of what is decided: with
    /// [`StalePolicy::FailClosed`](crate::StalePolicy::FailClosed) a replica without a fresh list is "not ready" although this layer
    /// would let everybody pass. Look with [`StalePolicy::FailOpen`](crate::StalePolicy::FailOpen), or leave readiness alone meanwhile.
    Observe,
}

/// Whether admitted requests carry a [`ListFreshness`](crate::ListFreshness) in their extensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StatusExtension {
    /// They don't: the admitted path stays free of allocations. The default.
    #[default]
    Omit,
    /// They do, at the cost of an allocation.
    Insert,
}

/// Whether admitted requests carry a [`RevocationGuard`](crate::RevocationGuard) in their extensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum GuardExtension {
    /// They don't: the admitted path stays free of allocations. The default.
    ///
    /// # Security
    ///
    /// An upgraded connection, or a task that a handler leaves behind, goes on after its revocation.
    #[default]
    Omit,
    /// They do, at the cost of two allocations. For services with WebSockets or tasks that outlive their response.
    Insert,
}

/// How a response body ends whose credential is revoked on its way.
///
/// A gRPC response ends with trailers that say `UNAUTHENTICATED` under either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Cut {
    /// With an error ([`StreamCut`](crate::StreamCut)): HTTP/2 resets the stream, HTTP/1 closes the connection without the
    /// last chunk, and the client knows that something is missing. The default.
    #[default]
    Abort,
    /// As if it were over. For clients that take an error for a reason to repeat the request at once.
    ///
    /// # Security
    ///
    /// A response of no stated length that was cut passes for a whole one.
    End,
}

/// What becomes of a handler that is still running when its request's credential is revoked. Its response is
/// withheld under either, and the client gets the refusal that its next request would get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Running {
    /// It is dropped at once, wherever it waits. What it had begun stays half done, as when its client goes away. Costs an
    /// allocation and a look-up by each key where a handler has to wait.
    Drop,
    /// It may finish. The default.
    #[default]
    Finish,
}
