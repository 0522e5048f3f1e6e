//! One state of everything: the broker, the process, its disk, and what is noted beside them to judge by.

use crate::journal::disk::Pages;
use crate::ledger::Ledger;
use crate::memory::{Memory, Terms};
use crate::universe::{List, Universe};

/// The most messages that a universe has.
pub(crate) const MESSAGES: usize = 4;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) messages: [Letter; MESSAGES],
    pub(crate) process: Process,
    pub(crate) disk: Disk,
    pub(crate) ledger: Ledger,
}

/// A message: what the broker has of it, and what the process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Letter {
    pub(crate) broker: AtBroker,
    pub(crate) hand: InHand,
}

/// The broker delivers what it holds again and again; it may also deliver what it was told to forget once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum AtBroker {
    /// Published perhaps. One whose publication fails is one that is never delivered.
    Held,
    Gone(Ending),
}

/// How a message ends. That it is tried again is no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ending {
    Applied,
    DeadLetter,
    Ignored,
}

/// `source/driver/settle.rs`: what becomes of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum InHand {
    Nothing,
    /// In force, and waits for the journal's answer.
    Waits,
    /// It found no room, or the journal could not keep it: it is tried again.
    Failed,
    /// Its end is known; the broker has not heard of it.
    Ended(Ending),
}

/// What a crash takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Process {
    pub(crate) memory: Memory,
    /// Whether the poller has looked for what an earlier process kept (`Poller::restore`). It fetches nothing before.
    pub(crate) is_restored: bool,
    pub(crate) keeping: Keeping,
    /// The order that the restored list gave of which the database knew nothing (`ListFile::restored`), until it is written.
    pub(crate) relisting: Option<usize>,
    /// The order of `persist_incomplete`, until it is written.
    pub(crate) incomplete: Option<u8>,
    /// `Known` of `journal/list_file.rs`: when the kept list was issued, or any other that was installed; and which it is.
    pub(crate) known_issued_at: Option<u8>,
    pub(crate) known_list: Option<usize>,
    /// And: the list that an earlier process kept and this one has not restored; and whether all is known with it.
    pub(crate) missed: Option<(u8, Option<List>)>,
    pub(crate) is_all: bool,
    /// `Expiry` of `journal/expiry.rs`: the list that is kept.
    pub(crate) tidies_by: Option<List>,
}

/// `ListFile::keep` of `journal/list_file.rs`. One at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Keeping {
    Nothing,
    /// The list of that number is to be written to its file.
    ToFile(usize),
    /// It is; the writer has the request to write what goes with it to the database.
    ToBook(usize),
}

/// What a crash leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Disk {
    pub(crate) pages: Pages,
    /// Which list is in the file.
    pub(crate) file: Option<usize>,
}

impl World {
    /// A first start, with an empty directory.
    pub(crate) fn new(universe: &Universe) -> Self {
        let terms = Terms {
            capacity: universe.capacity,
            has_lists: !universe.lists.is_empty(),
        };
        let nothing = Pages::default();
        Self {
            messages: [Letter::UNTOUCHED; MESSAGES],
            process: Process {
                memory: Memory::restored(terms, nothing.rows, (None, None), false),
                is_restored: true,
                keeping: Keeping::Nothing,
                relisting: None,
                incomplete: None,
                known_issued_at: None,
                known_list: None,
                missed: None,
                is_all: true,
                tidies_by: None,
            },
            disk: Disk::default(),
            ledger: Ledger::default(),
        }
    }
}

impl Letter {
    const UNTOUCHED: Self = Self {
        broker: AtBroker::Held,
        hand: InHand::Nothing,
    };
}
