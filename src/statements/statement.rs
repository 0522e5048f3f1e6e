//! What an issuer says.

use crate::model::event::{Event, Reason, Reinstatement, Revocation};
use crate::model::timestamp::Timestamp;
use crate::statements::subject::Subject;

/// Says what an issuer revokes or reinstates, so that it can be sent to every gateway.
///
/// It is the [events](Self::events) that gateways apply, with ids in words.
///
/// ```
/// use tower_revocation::{Reason, Statement, Subject};
///
/// // The session ends, and so does whatever else was issued to the device.
/// let statement = Statement::block(Subject::session("s-1"))
///     .and(Subject::named("device", "d-17"))
///     .because(Reason::PrivilegeWithdrawn);
/// assert_eq!(statement.events().count(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    pub(crate) kind: StatementKind,
    pub(crate) subjects: Vec<Subject>,
    pub(crate) at: Timestamp,
    pub(crate) reason: Reason,
    pub(crate) forget_at: Option<Timestamp>,
    pub(crate) spared: Vec<Subject>,
}

/// Names what a statement does to its subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StatementKind {
    /// Refuses them, whenever they were issued: see [`Revocation::block`].
    Block,
    /// Refuses what was issued until its time: see [`Revocation::cut_off`].
    CutOff,
    /// Lifts earlier blocks: see [`Reinstatement`].
    Reinstate,
}

impl Statement {
    /// Refuses a subject, whenever it was issued, as of now.
    #[must_use]
    pub fn block(subject: Subject) -> Self {
        Self::of(StatementKind::Block, subject)
    }

    /// Refuses what was issued of a subject until now, and nothing that is issued later: "log out everywhere".
    #[must_use]
    pub fn cut_off(subject: Subject) -> Self {
        Self::of(StatementKind::CutOff, subject)
    }

    /// Lifts earlier blocks of a subject. What was issued before stays refused.
    #[must_use]
    pub fn reinstate(subject: Subject) -> Self {
        Self::of(StatementKind::Reinstate, subject)
    }

    /// Adds another subject.
    #[must_use]
    pub fn and(mut self, subject: Subject) -> Self {
        self.subjects.push(subject);
        self
    }

    /// Spares what was issued by the same act, or before, of another subject: "change the password, end all other sessions, keep this
    /// one". See [`Revocation::sparing`]: a cut-off spares up to [`Revocation::MOST_SPARED`] subjects, and anything else none.
    ///
    /// ```
    /// use tower_revocation::{Statement, Subject};
    ///
    /// let changed = Statement::cut_off(Subject::subject("alice")).sparing(Subject::session("s-1"));
    /// # assert_eq!(changed.spared(), [Subject::session("s-1")]);
    /// ```
    #[must_use]
    pub fn sparing(mut self, subject: Subject) -> Self {
        let has_room = self.spared.len() < Revocation::MOST_SPARED && !self.spared.contains(&subject);
        if self.kind == StatementKind::CutOff && has_room {
            self.spared.push(subject);
        }
        self
    }

    /// Sets when it took effect, by the issuer's clock. Defaults to when the statement was made.
    #[must_use]
    pub const fn at(mut self, at: Timestamp) -> Self {
        self.at = at;
        self
    }

    /// Sets why. Defaults to [`Reason::Unspecified`].
    #[must_use]
    pub const fn because(mut self, reason: Reason) -> Self {
        self.reason = reason;
        self
    }

    /// Sets when gateways may forget a block or a cut-off. Defaults to their own retention.
    ///
    /// # Security
    ///
    /// Some verifiers go on accepting a token for a minute after its `exp`: keep it for as long.
    #[must_use]
    pub const fn forget_at(mut self, forget_at: Timestamp) -> Self {
        self.forget_at = Some(forget_at);
        self
    }

    /// Returns what it does.
    #[must_use]
    pub const fn kind(&self) -> StatementKind {
        self.kind
    }

    /// Returns what it is about: one subject or more.
    #[must_use]
    pub fn subjects(&self) -> &[Subject] {
        &self.subjects
    }

    /// Returns what it spares.
    #[must_use]
    pub fn spared(&self) -> &[Subject] {
        &self.spared
    }

    /// Returns the events that a gateway applies: one for each subject.
    pub fn events(&self) -> impl Iterator<Item = Event> + '_ {
        self.subjects.iter().map(|subject| {
            let key = subject.key();
            let revocation = match self.kind {
                StatementKind::Block => Revocation::block(key),
                StatementKind::CutOff => Revocation::cut_off(key),
                StatementKind::Reinstate => return Reinstatement::of(key, self.at).into(),
            };
            let revocation = self
                .spared
                .iter()
                .map(Subject::key)
                .fold(revocation, Revocation::sparing);
            let revocation = revocation.at(self.at).because(self.reason);
            match self.forget_at {
                Some(forget_at) => revocation.forget_at(forget_at).into(),
                None => revocation.into(),
            }
        })
    }

    pub(crate) fn of(kind: StatementKind, subject: Subject) -> Self {
        Self {
            kind,
            subjects: vec![subject],
            at: Timestamp::now().to_the_millisecond(),
            reason: Reason::default(),
            forget_at: None,
            spared: Vec::new(),
        }
    }
}
