//! What a statement is about, in words.

use std::fmt;

use crate::model::key::{Key, KeyKind};

/// Names what an issuer revokes or reinstates: a kind and an id, as texts that can be sent to others.
///
/// A [`Key`] is the same as gateways hold it, hashed with a secret of their process; it cannot be sent.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    kind: KeyKind,
    name: Box<str>,
    id: Box<str>,
}

impl Subject {
    /// Returns one token, by its `jti`.
    #[must_use]
    pub fn token(jti: &str) -> Self {
        Self::of(KeyKind::Token, "", jti)
    }

    /// Returns a user or an agent, by its `sub`.
    #[must_use]
    #[expect(
        clippy::self_named_constructors,
        reason = "it is called as the key is: `Key::subject`"
    )]
    pub fn subject(sub: &str) -> Self {
        Self::of(KeyKind::Subject, "", sub)
    }

    /// Returns a session, by its `sid`.
    #[must_use]
    pub fn session(sid: &str) -> Self {
        Self::of(KeyKind::Session, "", sid)
    }

    /// Returns a client, by its `client_id`.
    #[must_use]
    pub fn client(client_id: &str) -> Self {
        Self::of(KeyKind::Client, "", client_id)
    }

    /// Returns all that was signed with one signing key, by its `kid`.
    #[must_use]
    pub fn signing_key(kid: &str) -> Self {
        Self::of(KeyKind::SigningKey, "", kid)
    }

    /// Returns all credentials of one tenant.
    #[must_use]
    pub fn tenant(id: &str) -> Self {
        Self::of(KeyKind::Tenant, "", id)
    }

    /// Returns what the host has a name of its own for, such as `Subject::named("device", "d-17")`.
    #[must_use]
    pub fn named(name: &str, id: &str) -> Self {
        Self::of(KeyKind::Named, name, id)
    }

    /// Returns everything that the issuer ever issued.
    #[must_use]
    pub fn everything() -> Self {
        Self::of(KeyKind::Everything, "", "")
    }

    /// Returns its kind.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Returns the host's name for its kind, if it is a [named](Self::named) one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        (self.kind == KeyKind::Named).then_some(&*self.name)
    }

    /// Returns its id; an empty text for [everything](Self::everything).
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the key of it in this process.
    #[must_use]
    pub fn key(&self) -> Key {
        match self.kind {
            KeyKind::Client => Key::client(&self.id),
            KeyKind::Named => Key::named(&self.name, &self.id),
            KeyKind::Session => Key::session(&self.id),
            KeyKind::SigningKey => Key::signing_key(&self.id),
            KeyKind::Subject => Key::subject(&self.id),
            KeyKind::Tenant => Key::tenant(&self.id),
            KeyKind::Token => Key::token(&self.id),
            KeyKind::Everything => Key::everything(),
        }
    }

    pub(crate) fn of(kind: KeyKind, name: &str, id: &str) -> Self {
        Self {
            kind,
            name: name.into(),
            id: id.into(),
        }
    }
}

impl fmt::Debug for Subject {
    /// Writes the kind alone: ids do not belong in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({})", self.kind)
    }
}
