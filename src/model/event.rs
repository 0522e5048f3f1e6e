//! What an issuer says: revocations and reinstatements.

use crate::model::key::Key;
use crate::model::timestamp::Timestamp;

/// Holds one thing that an issuer said about one key.
///
/// Events may be fed to a sink in any order, late and repeatedly: the decision depends only on which events were seen.
/// For each key the latest block, the greatest cut-off and the latest reinstatement count, and a tie refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A block is lifted.
    Reinstate(Reinstatement),
    /// A key is revoked.
    Revoke(Revocation),
}

impl Event {
    /// Returns the key that the event is about.
    #[must_use]
    pub const fn key(&self) -> &Key {
        match self {
            Self::Reinstate(reinstatement) => reinstatement.key(),
            Self::Revoke(revocation) => revocation.key(),
        }
    }
}

impl From<Revocation> for Event {
    fn from(revocation: Revocation) -> Self {
        Self::Revoke(revocation)
    }
}

impl From<Reinstatement> for Event {
    fn from(reinstatement: Reinstatement) -> Self {
        Self::Reinstate(reinstatement)
    }
}

/// Revokes a key: for good ([`block`](Self::block)) or up to a time ([`cut_off`](Self::cut_off)).
///
/// Which of the two to use: a disabled or revoked account, agent or token is a **block**. A logout, a changed password
/// or a rotated credential is a **cut-off**: the subject continues with a new token. A block in place of a cut-off
/// locks people out until someone reinstates them.
///
/// ```
/// use tower_revocation::{Effect, Event, Key, Reason, Revocation, Timestamp};
///
/// let stolen = Revocation::block(Key::token("01KDVDNA070CJJ00Y0RKYJW2XC")).because(Reason::KeyCompromise);
/// let logout = Revocation::cut_off(Key::subject("alice")).at(Timestamp::from_unix_secs(1_767_225_600));
/// assert_eq!(logout.effect(), Effect::CutOff);
/// let events = [Event::from(stolen), Event::from(logout)];
/// # let _ = events;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    key: Key,
    effect: Effect,
    at: Option<Timestamp>,
    reason: Reason,
    forget_at: Option<Timestamp>,
    spared: [Key; Self::MOST_SPARED],
    spared_len: u8,
}

impl Revocation {
    /// How many keys a cut-off spares at most: 4.
    pub const MOST_SPARED: usize = 4;

    /// Returns a block: nothing that presents `key` passes until it is reinstated.
    #[must_use]
    pub const fn block(key: Key) -> Self {
        Self::new(key, Effect::Block)
    }

    /// Returns a cut-off: nothing that presents `key` and was issued at or before the revocation's time passes.
    ///
    /// The token's own `iat` is compared, in milliseconds where both sides state them. An `iat` in whole seconds is refused in the
    /// second of the cut-off, since it cannot say on which side of it the token lies; and so is whatever was issued in that second if
    /// the cut-off is on a whole one, which stands for all of it. Without [`at`](Self::at), the time of arrival counts to the
    /// millisecond.
    ///
    /// # Security
    ///
    /// A cut-off in the future refuses all tokens until then. It cannot be taken back, since the greatest cut-off
    /// counts.
    #[must_use]
    pub const fn cut_off(key: Key) -> Self {
        Self::new(key, Effect::CutOff)
    }

    /// Spares what presents `key`, although it was issued before this cut-off: "change the password, end all other sessions, keep this
    /// one". Defaults to none. A block spares nothing.
    ///
    /// Another cut-off of the same key that does not spare it refuses it as usual, whether it came before or comes later. Only this
    /// cut-off is meant: a block of the same key and revocations of other keys count. What a request presents beside another
    /// credential ([`Credential::merge`](crate::Credential::merge)) is not spared, since the other one may not be.
    ///
    /// Up to [`MOST_SPARED`](Self::MOST_SPARED) keys are spared. Those beyond are refused.
    ///
    /// ```
    /// use tower_revocation::{Key, Revocation};
    ///
    /// // The session in which the password was changed stays.
    /// let changed = Revocation::cut_off(Key::subject("alice")).sparing(Key::session("s-1"));
    /// assert_eq!(changed.spared(), [Key::session("s-1")]);
    /// ```
    ///
    /// # Security
    ///
    /// Spare what one credential alone presents, such as a session or a token.
    #[must_use]
    pub fn sparing(mut self, key: Key) -> Self {
        let count = usize::from(self.spared_len);
        if self.effect == Effect::CutOff && count < Self::MOST_SPARED && !self.spared().contains(&key) {
            self.spared[count] = key;
            self.spared_len += 1;
        }
        self
    }

    /// Returns what it spares.
    #[must_use]
    pub fn spared(&self) -> &[Key] {
        &self.spared[..usize::from(self.spared_len)]
    }

    /// Sets when the revocation took effect. Defaults to its arrival at the sink.
    ///
    /// Set it if the issuer states it. A time that depends on the arrival makes a redelivered message look newer than
    /// it is, so that the message would undo a reinstatement.
    #[must_use]
    pub const fn at(mut self, at: Timestamp) -> Self {
        self.at = Some(at);
        self
    }

    /// Sets the reason. Defaults to [`Reason::Unspecified`].
    #[must_use]
    pub const fn because(mut self, reason: Reason) -> Self {
        self.reason = reason;
        self
    }

    /// Sets when the revocation may be forgotten, such as the `exp` of a revoked token; the clock leeway is added.
    /// Defaults to the domain's retention, counted from the arrival.
    ///
    /// # Security
    ///
    /// If the time is before the last token under the key has expired, that token passes again.
    #[must_use]
    pub const fn forget_at(mut self, forget_at: Timestamp) -> Self {
        self.forget_at = Some(forget_at);
        self
    }

    /// Returns the key that is revoked.
    #[must_use]
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// Returns whether this blocks or cuts off.
    #[must_use]
    pub const fn effect(&self) -> Effect {
        self.effect
    }

    /// Returns when it took effect, if the issuer said so.
    #[must_use]
    pub const fn effective_at(&self) -> Option<Timestamp> {
        self.at
    }

    /// Returns the reason, as far as the issuer said it.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// Returns when it may be forgotten, if the issuer said so.
    #[must_use]
    pub const fn forgotten_at(&self) -> Option<Timestamp> {
        self.forget_at
    }

    const fn new(key: Key, effect: Effect) -> Self {
        Self {
            key,
            effect,
            at: None,
            reason: Reason::Unspecified,
            forget_at: None,
            spared: [Key::everything(); Self::MOST_SPARED],
            spared_len: 0,
        }
    }
}

/// Lifts a block, in the order of times.
///
/// It lifts the blocks on its own key that are strictly older, and nothing else. Cut-offs stay, and so do revocations
/// of other keys: a reinstated subject's revoked tokens and sessions stay revoked. The lifted block stays as a cut-off
/// at its own time: what was issued before it does not come back. A token can therefore never be reinstated: its `iat`
/// lies before its revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reinstatement {
    key: Key,
    at: Timestamp,
}

impl Reinstatement {
    /// Returns a reinstatement of `key` as of `at`, the issuer's time.
    ///
    /// Unlike a revocation it must have a time: without one, a reinstatement that is delivered late could lift a newer
    /// block.
    ///
    /// A sink refuses a reinstatement from the future: it would lift the blocks that come until then.
    #[must_use]
    pub const fn of(key: Key, at: Timestamp) -> Self {
        Self { key, at }
    }

    /// Returns the key that is reinstated.
    #[must_use]
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// Returns as of when it is reinstated.
    #[must_use]
    pub const fn effective_at(&self) -> Timestamp {
        self.at
    }
}

/// Says what a revocation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Nothing under the key passes until it is reinstated.
    Block,
    /// Nothing that was issued at or before a time passes.
    CutOff,
}

impl Effect {
    /// Returns the name for logs: `block` or `cut-off`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::CutOff => "cut-off",
        }
    }
}

/// Says why a key was revoked, by the reasons of X.509 ([RFC 5280
/// §5.3.1](https://www.rfc-editor.org/rfc/rfc5280#section-5.3.1)).
///
/// It is a code and not a text, so that a list of a million entries holds no strings. It informs, and decides only one
/// thing: [`Superseded`](Self::Superseded) does not end work in flight, unless the layer is told otherwise
/// ([`Reach`](crate::Reach)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Reason {
    /// The issuer gave no reason, or none of these.
    #[default]
    Unspecified,
    /// The account or agent ended.
    CessationOfOperation,
    /// A secret is known or suspected to be in the wrong hands.
    KeyCompromise,
    /// The holder lost the right.
    PrivilegeWithdrawn,
    /// A newer credential took this one's place: a rotation.
    Superseded,
}

impl Reason {
    /// Returns the name for logs: `unspecified`, `key-compromise`, ….
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::CessationOfOperation => "cessation-of-operation",
            Self::KeyCompromise => "key-compromise",
            Self::PrivilegeWithdrawn => "privilege-withdrawn",
            Self::Superseded => "superseded",
        }
    }

    /// Whether it says more than that a newer credential took this one's place.
    pub(crate) const fn withdraws(self) -> bool {
        !matches!(self, Self::Superseded)
    }
}
