//! Which revocations reach work that is already in flight.

use crate::model::key::KeyKind;

/// Says which revocations of a kind of key reach work in flight: response bodies, handlers, upgraded connections.
///
/// The next request with the credential is refused in each case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reach {
    /// All of them. A rotation cuts what was opened with the old credential.
    Always,
    /// None of them. For issuers that rotate credentials without saying so, and only for the kind that they rotate.
    ///
    /// # Security
    ///
    /// No revocation of a key of this kind closes a stream that is open.
    Never,
    /// All but rotations, which are revocations with the reason that a newer credential took this one's place
    /// ([`Reason::Superseded`](crate::Reason::Superseded)). The default.
    ///
    /// # Security
    ///
    /// The holder of a rotated token keeps the streams that the token opened, until a revocation of another of its keys
    /// reaches them. If tokens are rotated because they leaked, choose [`Always`](Self::Always).
    #[default]
    UnlessSuperseded,
}

/// A [`Reach`] for each kind of key.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reaches([Reach; KeyKind::COUNT]);

impl Reaches {
    pub(crate) const fn set(&mut self, kind: KeyKind, reach: Reach) {
        self.0[kind as usize] = reach;
    }

    pub(crate) const fn of(&self, kind: KeyKind) -> Reach {
        self.0[kind as usize]
    }
}
