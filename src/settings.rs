//! What a layer is told to do with what is decided.

/// What one layer does with what its domain decides.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) anonymous: Anonymous,
    pub(crate) unreadable: Unreadable,
    pub(crate) enforcement: Enforcement,
    pub(crate) status_extension: StatusExtension,
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
    Observe,
}

/// Whether admitted requests carry a [`RevocationStatus`](crate::RevocationStatus) in their extensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StatusExtension {
    /// They don't: the admitted path stays free of allocations. The default.
    #[default]
    Omit,
    /// They do, at the cost of an allocation.
    Insert,
}
