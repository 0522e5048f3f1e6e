//! The model: what may happen next.

use stateright::{Model, Property};

use crate::properties;
use crate::universe::{KEYS, Universe};
use crate::world::{AtBroker, InHand, Keeping, World};

/// A universe in which anything may happen at any time, to the code as it is or with one bug in it.
#[derive(Clone, Debug)]
pub(crate) struct Handover {
    pub(crate) universe: &'static Universe,
    pub(crate) bug: Option<Bug>,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A message is delivered, for the first time or again, and taken in.
    Deliver(usize),
    /// The broker is told what became of a message.
    Tell(usize),
    /// It is told so, and does not hear it.
    TellInVain(usize),
    /// A message was tried often enough.
    GiveUp(usize),
    /// The writer writes all that it was asked to, in one commit.
    Commit,
    /// It cannot; or it could, and was told otherwise.
    FailToCommit {
        is_written: bool,
    },
    /// The poller fetches a list, from the registry or out of a cache; or an answer that nobody signed.
    Fetch(Option<usize>),
    /// A list takes the place of another in its file.
    WriteFile,
    FailToWriteFile,
    /// The writer removes rows.
    ExpiryPass,
    /// What is held of a key may be forgotten from now on.
    TimeIsOver(usize),
    /// The store forgets what may be forgotten.
    Forget,
    /// The process ends, and another one begins with what is on disk (`EventSink::keep_in`).
    Crash,
    /// The kept list is damaged.
    LoseList,
    /// Its poller puts the kept list in force (`Poller::restore`).
    Restore,
}

/// A bug that the code does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// A message is acknowledged before it is durable.
    AcknowledgesEarly,
    /// A message that cannot be read is acknowledged, and nobody hears of it.
    DropsNonsense,
    /// At capacity another key makes room.
    Evicts,
    /// A list from the future is installed.
    BelievesTheFuture,
    /// A restart does not know that a list says more than the kept one.
    ForgetsIncomplete,
    /// A restart does not know when the newest list was issued.
    ForgetsNewest,
    /// The latest to arrive counts, not the latest by its time.
    LastWriteWins,
    /// A reinstatement lifts newer blocks as well.
    LiftsNewer,
    /// Another list of its second takes the place of one that is lost, on disk.
    KeepsAnother,
    /// And in memory it makes up for it.
    MakesGoodByAnother,
    /// Rows go as soon as a list is to be kept, before it is.
    LetsGoEarly,
    /// A restart misses what two lists said only if one of them was kept.
    MissesTheKeptAlone,
    /// A restart admits before the kept list is in force.
    OpensEarly,
    /// A row takes the place of another of its key.
    ReplacesRows,
    /// Another list of the same second takes the place of the installed one.
    ReplacesWithinSecond,
    /// Rows go because of what is installed, kept or not.
    SweepsByInstalled,
    /// Rows go because of a list of which nothing but its file tells.
    TrustsTheFile,
    /// Or of which the database knows the second alone.
    TrustsTheSecond,
    /// An unsigned answer clears the list.
    TakesUnsigned,
    /// What events said yields to any list.
    YieldsToAny,
}

impl Model for Handover {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self.universe)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let process = &world.process;
        for message in 0..self.universe.messages.len() {
            match world.messages[message].hand {
                InHand::Nothing => actions.push(Action::Deliver(message)),
                InHand::Failed => {
                    actions.push(Action::Deliver(message));
                    actions.push(Action::GiveUp(message));
                }
                InHand::Waits if self.has(Bug::AcknowledgesEarly) => actions.push(Action::Tell(message)),
                InHand::Waits => {}
                InHand::Ended(_) => actions.extend([Action::Tell(message), Action::TellInVain(message)]),
            }
        }
        if world.has_orders() {
            actions.push(Action::Commit);
            actions.extend([true, false].map(|is_written| Action::FailToCommit { is_written }));
        }
        if process.is_restored && !self.universe.lists.is_empty() {
            actions.push(Action::Fetch(None));
            actions.extend((0..self.universe.lists.len()).map(|list| Action::Fetch(Some(list))));
        }
        if let Keeping::ToFile(_) = process.keeping {
            actions.extend([Action::WriteFile, Action::FailToWriteFile]);
        }
        actions.push(Action::ExpiryPass);
        if self.universe.forgets {
            actions.extend((0..KEYS).map(Action::TimeIsOver));
            actions.push(Action::Forget);
        }
        if !process.is_restored {
            actions.push(Action::Restore);
            if self.universe.loses_list && world.disk.file.is_some() {
                actions.push(Action::LoseList);
            }
        }
        actions.push(Action::Crash);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        self.step(&mut next, action);
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

impl Handover {
    pub(crate) fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }
}

impl World {
    /// Whether the writer has something to write.
    pub(crate) fn has_orders(&self) -> bool {
        let waits = self.messages.iter().any(|letter| letter.hand == InHand::Waits);
        waits
            || self.process.relisting.is_some()
            || self.process.incomplete.is_some()
            || matches!(self.process.keeping, Keeping::ToBook(_))
    }

    /// Whether the broker has forgotten all of these messages, and nobody is about to tell it anything.
    pub(crate) fn is_settled(&self, messages: usize) -> bool {
        let letters = &self.messages[..messages];
        letters
            .iter()
            .all(|letter| letter.broker != AtBroker::Held && letter.hand == InHand::Nothing)
    }
}
