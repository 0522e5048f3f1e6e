//! What is noted beside the state, to judge it by: what was said, by whom, and what is owed for it. Naive on purpose: sets of
//! events and lists, no states of keys, no maps, no order.

use crate::memory::{Answer, Memory};
use crate::universe::{EVERYTHING, KEYS, List, PROBES, Probe, Saying, Universe, What};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Ledger {
    /// Which events are in force in this process by themselves: no list has taken them over.
    pub(crate) heard: Set,
    /// Which lists are in force: one, or several of one second.
    pub(crate) lists: Set,
    /// Which events' rows are on disk.
    pub(crate) rows: Set,
    /// Whether a message was acknowledged that was not durable.
    pub(crate) is_early: bool,
    /// Which durable events nothing has excused yet; and which lists are known on disk, whole or by their second.
    pub(crate) bound: Set,
    pub(crate) filed: Set,
    /// Which probes were refused, and may not be admitted as long as nothing excuses that.
    pub(crate) owed: [bool; PROBES.len()],
    /// Up to which second lists that were installed or kept blocked each key.
    pub(crate) carried: [Option<u8>; KEYS],
    /// When the newest list was issued: of those installed in this process and those known on disk when it began; and of those
    /// known on disk now.
    pub(crate) newest: u8,
    pub(crate) newest_on_disk: u8,
    pub(crate) newest_in_file: u8,
    /// Of which keys the time is over.
    pub(crate) over: [bool; KEYS],
}

/// A set of messages or lists, by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Set(pub(crate) u8);

impl Ledger {
    /// An event is in force.
    pub(crate) fn heard(&mut self, universe: &Universe, message: usize, memory: &Memory) {
        let saying = universe.saying(message).expect("only events are in force");
        // Newer than all that is known against its key: an excuse.
        let blocks = facts(universe, self.heard, self.lists, saying.key);
        let lifts = saying.what == What::Reinstatement && blocks.block.is_none_or(|block| block < saying.at);
        self.heard.put(message);
        self.settle(universe, memory, lifts.then_some(saying.key));
    }

    /// A list is installed that may be: by its time it is no rollback. It takes over what it says at least as strictly, and ends
    /// what older ones said.
    pub(crate) fn installed(&mut self, universe: &Universe, list: usize, memory: &Memory) {
        let issued_at = universe.lists[list].issued_at.expect("only signed lists are numbered");
        let is_same_second = self
            .lists
            .of(universe.lists.len())
            .any(|known| universe.lists[known].issued_at == Some(issued_at));
        if !is_same_second {
            self.lists = Set::default();
        }
        self.lists.put(list);
        // What another of its second said, it does not take back.
        let mut beside = self.filed;
        beside.keep(universe, |known| known.issued_at == Some(issued_at));
        self.newest = self.newest.max(issued_at);
        for key in 0..KEYS {
            let (listed, beside) = (listed(universe, self.lists, key), listed(universe, beside, key));
            let events = self.heard.events(universe, key);
            match listed {
                Some(at) => {
                    if events.iter().all(|(_, saying)| is_covered(saying, at)) {
                        self.heard.take(&events);
                    }
                    self.carried[key] = self.carried[key].max(Some(at));
                    self.settle(universe, memory, None);
                }
                None if beside.is_none() => {
                    // What a list once carried, this one takes back.
                    if let Some(at) = self.carried[key] {
                        let mut events = self.bound.events(universe, key);
                        events.retain(|(_, saying)| is_covered(saying, at));
                        self.bound.take(&events);
                    }
                    self.settle(universe, memory, self.carried[key].map(|_| key));
                }
                None => self.settle(universe, memory, None),
            }
        }
    }

    /// A list is kept.
    pub(crate) fn filed(&mut self, universe: &Universe, list: usize) {
        let issued_at = universe.lists[list].issued_at;
        self.filed.keep(universe, |known| known.issued_at == issued_at);
        self.filed.put(list);
    }

    /// An event is durable.
    pub(crate) fn durable(&mut self, message: usize) {
        self.rows.put(message);
        self.bound.put(message);
    }

    /// The time of a key's entries is over: they may be forgotten, or not yet.
    pub(crate) fn over(&mut self, universe: &Universe, key: usize) {
        self.over[key] = true;
        let mut events = self.bound.events(universe, key);
        // A reinstatement that is forgotten, or not yet, brings nobody back.
        events.retain(|(_, saying)| saying.what != What::Reinstatement);
        self.bound.take(&events);
    }

    /// What is over was forgotten in memory.
    pub(crate) fn forgotten(&mut self, universe: &Universe, key: usize, memory: &Memory) {
        let events = self.heard.events(universe, key);
        self.heard.take(&events);
        self.settle(universe, memory, Some(key));
    }

    /// A key's row was let go.
    pub(crate) fn let_go(&mut self, universe: &Universe, key: usize) {
        let events = self.rows.events(universe, key);
        self.rows.take(&events);
    }

    /// Another process: what is owed is what was durable.
    pub(crate) fn restarted(&mut self, universe: &Universe) {
        self.heard = self.rows;
        self.lists = Set::default();
        self.newest = self.newest_on_disk;
        self.owed = PROBES.map(|probe| is_refused(universe, self.bound, self.filed, probe));
    }

    /// Notes what is refused now, whatever was excused for `key`.
    pub(crate) fn settle(&mut self, universe: &Universe, memory: &Memory, excused: Option<usize>) {
        for (at, probe) in PROBES.into_iter().enumerate() {
            if excused.is_some_and(|key| key == probe.key || key == EVERYTHING) {
                self.owed[at] &= is_refused(universe, self.heard, self.lists, probe);
            }
            self.owed[at] |= memory.answers[at] == Answer::Revoked;
        }
    }
}

impl Set {
    pub(crate) fn of_those(numbers: impl IntoIterator<Item = usize>) -> Self {
        let mut set = Self::default();
        numbers.into_iter().for_each(|number| set.put(number));
        set
    }

    pub(crate) fn put(&mut self, number: usize) {
        self.0 |= 1 << number;
    }

    pub(crate) const fn has(self, number: usize) -> bool {
        self.0 & 1 << number != 0
    }

    /// Leaves those lists alone that are so.
    fn keep(&mut self, universe: &Universe, is_so: impl Fn(&List) -> bool) {
        *self = Self::of_those(
            self.of(universe.lists.len())
                .filter(|list| is_so(&universe.lists[*list])),
        );
    }

    fn of(self, all: usize) -> impl Iterator<Item = usize> {
        (0..all).filter(move |number| self.has(*number))
    }

    /// The events about a key among these messages.
    fn events(self, universe: &Universe, key: usize) -> Vec<(usize, Saying)> {
        let events = self.of(universe.messages.len());
        let events = events.filter_map(|message| Some((message, universe.saying(message)?)));
        events.filter(|(_, saying)| saying.key == key).collect()
    }

    fn take(&mut self, events: &[(usize, Saying)]) {
        for (message, _) in events {
            self.0 &= !(1 << message);
        }
    }
}

/// Whether somebody is refused who was told all of this, by DESIGN.md's words: per key the latest block, the greatest cut-off, the
/// latest reinstatement; a tie refuses; a lifted block stays as a cut-off; the most restrictive of all scopes wins.
pub(crate) fn is_refused(universe: &Universe, events: Set, lists: Set, probe: Probe) -> bool {
    [probe.key, EVERYTHING].into_iter().any(|key| {
        let facts = facts(universe, events, lists, key);
        let is_blocked = facts
            .block
            .is_some_and(|block| facts.reinstated.is_none_or(|at| block >= at));
        let cut_off = facts.block.max(facts.cut_off);
        is_blocked || cut_off.is_some_and(|at| u16::from(probe.issued_at) <= at / 1000)
    })
}

/// The latest of each that is known of a key, in milliseconds.
struct Facts {
    block: Option<u16>,
    cut_off: Option<u16>,
    reinstated: Option<u16>,
}

fn facts(universe: &Universe, events: Set, lists: Set, key: usize) -> Facts {
    let events = events.events(universe, key);
    let latest = |what| {
        let said = events.iter().filter(|(_, saying)| saying.what == what);
        said.map(|(_, saying)| saying.at).max()
    };
    let listed = listed(universe, lists, key).map(end_of_second);
    Facts {
        block: latest(What::Block).max(listed),
        cut_off: latest(What::CutOff),
        reinstated: latest(What::Reinstatement),
    }
}

/// Since when the newest of these lists block a key.
fn listed(universe: &Universe, lists: Set, key: usize) -> Option<u8> {
    let numbers = lists.of(universe.lists.len());
    let lists: Vec<_> = numbers.map(|number| universe.lists[number]).collect();
    let newest = lists.iter().filter_map(|list| list.issued_at).max();
    let newest = lists.iter().filter(|list| list.issued_at == newest);
    newest.filter_map(|list| list.blocks[key]).max()
}

/// Whether a list that blocks since that second says as much.
fn is_covered(saying: &Saying, listed: u8) -> bool {
    saying.what != What::Reinstatement && saying.at <= end_of_second(listed)
}

/// A list's second stands for all of it.
const fn end_of_second(secs: u8) -> u16 {
    secs as u16 * 1000 + 999
}
