//! What each action does: the crate's own code wherever it decides something, and between that the order in which the crate
//! calls it. The place of each step in the crate is named at it.

use crate::journal::disk::Order;
use crate::ledger::Set;
use crate::machine::{Action, Bug, Handover};
use crate::memory::{Deed, Held, Memory, Outcome};
use crate::state::key_state::KeyState;
use crate::universe::{KEYS, LEEWAY, List, Message, NOW, Saying, What, secs};
use crate::world::{AtBroker, Ending, InHand, Keeping, Process, World};

impl Handover {
    pub(crate) fn step(&self, world: &mut World, action: Action) {
        match action {
            Action::Deliver(message) => self.deliver(world, message),
            Action::Tell(message) => self.tell(world, message),
            Action::TellInVain(message) => world.messages[message].hand = InHand::Nothing,
            // `RequestQueue::judged` of `source/driver/settle.rs`. A feed that is told so goes for a list; the model fetches any at any time.
            Action::GiveUp(message) => {
                let may = self.universe.gives_up;
                world.messages[message].hand = if may {
                    InHand::Ended(Ending::DeadLetter)
                } else {
                    InHand::Nothing
                };
            }
            Action::Commit => {
                self.write(world);
                self.answer(world, true);
            }
            Action::FailToCommit { is_written } => {
                if is_written {
                    self.write(world);
                }
                self.answer(world, false);
            }
            Action::Fetch(list) => self.fetch(world, list),
            Action::WriteFile => self.write_file(world),
            Action::FailToWriteFile => world.process.keeping = Keeping::Nothing,
            Action::ExpiryPass => self.sweep(world),
            Action::TimeIsOver(key) => self.time_is_over(world, key),
            Action::Forget => self.forget(world),
            Action::Crash => self.crash(world),
            Action::LoseList => self.lose_list(world),
            Action::Restore => self.restore(world),
        }
    }

    /// `EventSink::take_in` of `sink.rs`: decoded, put in force, and then to be kept. What the writer has not written is told
    /// by the messages that wait for it.
    fn deliver(&self, world: &mut World, message: usize) {
        world.messages[message].hand = match self.universe.messages[message] {
            Message::Malformed if self.has(Bug::DropsNonsense) => InHand::Ended(Ending::Ignored),
            Message::Malformed => InHand::Ended(Ending::DeadLetter),
            Message::Foreign => InHand::Ended(Ending::Ignored),
            Message::Says(saying) => {
                let memory = &mut world.process.memory;
                let (after, outcome) = self.hear(*memory, saying);
                *memory = after;
                // `disposition` of `sink.rs`.
                match outcome {
                    Outcome::InForce(entry) => {
                        assert_eq!(entry, saying.entry(), "it is the same whenever it comes");
                        world.ledger.heard(self.universe, message, &after);
                        InHand::Waits
                    }
                    Outcome::AtCapacity if self.universe.gives_up => InHand::Failed,
                    Outcome::AtCapacity => InHand::Nothing,
                    Outcome::FromFuture => InHand::Ended(Ending::DeadLetter),
                    other => unreachable!("{other:?}"),
                }
            }
        };
    }

    fn hear(&self, memory: Memory, saying: Saying) -> (Memory, Outcome) {
        let mut changed = memory;
        match self.bug {
            Some(Bug::LastWriteWins) if changed.said[saying.key].is_some() => changed.said[saying.key] = None,
            Some(Bug::LiftsNewer) if saying.what == What::Reinstatement => {
                if let Some(held) = &mut changed.said[saying.key] {
                    held.moments[0] = 0;
                }
            }
            Some(Bug::Evicts) if memory.after(Deed::Hear(saying)).1 == Outcome::AtCapacity => {
                let other = (0..KEYS).find(|key| changed.said[*key].is_some());
                changed.said[other.expect("something is held")] = None;
            }
            _ => return memory.after(Deed::Hear(saying)),
        }
        changed.looked_at().after(Deed::Hear(saying))
    }

    /// `acknowledged` and `put_aside` of `source/driver/settle.rs`. A dead letter is stored before the broker is told.
    fn tell(&self, world: &mut World, message: usize) {
        let letter = &mut world.messages[message];
        world.ledger.is_early |= letter.hand == InHand::Waits;
        match letter.hand {
            InHand::Ended(ending) => {
                letter.broker = AtBroker::Gone(ending);
                letter.hand = InHand::Nothing;
            }
            // A bug: it goes on waiting.
            _ => letter.broker = AtBroker::Gone(Ending::Applied),
        }
    }

    /// `JournalWriter::write` of `journal/writer.rs`: all requests in one commit, and with them when the installed list was issued.
    fn write(&self, world: &mut World) {
        let process = &world.process;
        let mut orders = Vec::new();
        for message in 0..self.universe.messages.len() {
            if world.messages[message].hand == InHand::Waits {
                let saying = self.universe.saying(message).expect("nothing else waits");
                if self.has(Bug::ReplacesRows) {
                    world.disk.pages.rows[saying.key] = None;
                }
                orders.push(Order::Entry(saying.key, saying.entry()));
                world.ledger.durable(message);
            }
        }
        if let Some(list) = process.relisting {
            orders.push(Order::List(self.universe.lists[list]));
            world.ledger.filed(self.universe, list);
        }
        if let Some(at) = process.incomplete {
            orders.push(Order::Incomplete(at));
            world.ledger.filed.0 |= world.ledger.lists.0;
        }
        if let Keeping::ToBook(list) = process.keeping {
            orders.push(Order::List(self.universe.lists[list]));
        }
        let newest = process.memory.list.and_then(|list| list.issued_at);
        orders.extend(newest.map(Order::Newest));
        world.disk.pages = world.disk.pages.after(&orders);
        let ledger = &mut world.ledger;
        ledger.newest_on_disk = ledger.newest_on_disk.max(newest.unwrap_or_default());
        if let Keeping::ToBook(list) = process.keeping {
            ledger.filed(self.universe, list);
        }
    }

    /// The rest of `JournalWriter::write`, and what those do who waited: `ListFile::keep` of `journal/list_file.rs`, `RequestQueue::settle`.
    fn answer(&self, world: &mut World, is_durable: bool) {
        for letter in &mut world.messages {
            if letter.hand == InHand::Waits {
                letter.hand = match is_durable {
                    true => InHand::Ended(Ending::Applied),
                    false if self.universe.gives_up => InHand::Failed,
                    false => InHand::Nothing,
                };
            }
        }
        let process = &mut world.process;
        process.incomplete = None;
        if let Some(list) = process.relisting.take()
            && is_durable
        {
            process.tidies_by = Some(self.universe.lists[list]);
        }
        if let Keeping::ToBook(list) = process.keeping {
            process.keeping = Keeping::Nothing;
            if is_durable {
                process.tidies_by = Some(self.universe.lists[list]);
                process.known_list = Some(list);
                process.known_issued_at = self.universe.lists[list].issued_at;
                let missed = process.missed.take();
                // `Poller::keep`: it is the one that was missed.
                if process.is_all && missed.is_some_and(|(at, _)| process.known_issued_at <= Some(at)) {
                    process.memory = process.memory.after(Deed::Lose(false)).0;
                }
            }
        }
    }

    /// `Poller::install` of `crl/poller.rs`, `Poller::keep` of `crl/persist.rs`, and how `ListFile::keep` begins.
    fn fetch(&self, world: &mut World, list: Option<usize>) {
        let process = &mut world.process;
        let offered = list.map_or(List::UNSIGNED, |list| self.universe.lists[list]);
        let (memory, outcome) = self.install(process.memory, offered);
        let Outcome::Installed { is_as_offered } = outcome else {
            return;
        };
        process.memory = memory;
        let Some(list) = list else {
            // There is nothing to keep.
            world.ledger.settle(self.universe, &memory, None);
            return;
        };
        world.ledger.installed(self.universe, list, &memory);
        if !is_as_offered {
            // `ListFile::persist_incomplete`: what is kept may say it all.
            let kept = world.disk.file.map(|file| self.universe.lists[file]);
            if kept != process.memory.list {
                process.incomplete = offered.issued_at;
            }
            return;
        }
        let is_older = offered.issued_at < process.known_issued_at;
        let missed = process.missed.filter(|(at, _)| offered.issued_at <= Some(*at));
        if missed.is_some_and(|(_, missed)| missed != Some(offered)) && !self.has(Bug::KeepsAnother) {
            return;
        }
        // One that is being written still keeps any other from being kept.
        if process.keeping == Keeping::Nothing && !is_older && process.known_list != Some(list) {
            process.keeping = Keeping::ToFile(list);
            if self.has(Bug::LetsGoEarly) {
                process.tidies_by = Some(offered);
            }
        }
    }

    fn install(&self, memory: Memory, offered: List) -> (Memory, Outcome) {
        let mut changed = memory;
        match self.bug {
            Some(Bug::TakesUnsigned) if offered.issued_at.is_none() => {
                changed.list = None;
                changed.newest = None;
            }
            Some(Bug::ReplacesWithinSecond) if memory.list.is_some_and(|list| list.issued_at == offered.issued_at) => {
                changed.list = None;
                changed.newest = offered.issued_at;
            }
            Some(Bug::BelievesTheFuture) if offered.issued_at.is_some_and(|at| at > NOW + LEEWAY) => {
                changed.list = Some(offered);
                return (changed.looked_at(), Outcome::Installed { is_as_offered: true });
            }
            Some(Bug::YieldsToAny) => {
                let (mut after, outcome) = memory.after(Deed::Install(offered));
                if outcome != Outcome::Refused {
                    after.said = [None; KEYS];
                }
                return (after.looked_at(), outcome);
            }
            _ => return memory.after(Deed::Install(offered)),
        }
        changed.looked_at().after(Deed::Install(offered))
    }

    /// `ListFile::write` of `journal/list_file.rs`: the file first, by a rename.
    fn write_file(&self, world: &mut World) {
        let Keeping::ToFile(list) = world.process.keeping else {
            unreachable!("nothing is to be written");
        };
        world.process.keeping = Keeping::ToBook(list);
        world.process.known_list = None;
        world.disk.file = Some(list);
        let ledger = &mut world.ledger;
        let issued_at = self.universe.lists[list].issued_at.unwrap_or_default();
        ledger.newest_on_disk = ledger.newest_on_disk.max(issued_at);
        ledger.newest_in_file = ledger.newest_in_file.max(issued_at);
    }

    /// `JournalWriter::tidy` of `journal/writer.rs`: as a list is kept, and now and then.
    fn sweep(&self, world: &mut World) {
        let process = &world.process;
        let kept = match self.has(Bug::SweepsByInstalled) {
            true => process.memory.list,
            false => process.tidies_by,
        };
        let after = world.disk.pages.swept(kept, process.memory);
        for key in 0..KEYS {
            if after.rows[key].is_none() {
                world.ledger.let_go(self.universe, key);
            }
        }
        world.disk.pages = after;
    }

    /// By both clocks at once. What is under way to the disk is not so old.
    fn time_is_over(&self, world: &mut World, key: usize) {
        let waits = |message: usize| world.messages[message].hand == InHand::Waits;
        let about = |message: usize| self.universe.saying(message).is_some_and(|saying| saying.key == key);
        if (0..self.universe.messages.len()).any(|message| waits(message) && about(message)) {
            return;
        }
        let (said, row) = (&mut world.process.memory.said[key], &mut world.disk.pages.rows[key]);
        if said.is_none() && row.is_none() {
            return;
        }
        for held in [said, row].into_iter().flatten() {
            held.is_due = true;
        }
        world.process.memory = world.process.memory.looked_at();
        world.ledger.over(self.universe, key);
    }

    /// `Step::Forget` of `state.rs`, which goes with a batch of events now and then.
    fn forget(&self, world: &mut World) {
        let before = world.process.memory;
        let after = before.after(Deed::Forget).0;
        world.process.memory = after;
        for key in 0..KEYS {
            if before.said[key].is_some() && after.said[key].is_none() {
                world.ledger.forgotten(self.universe, key, &after);
            }
        }
    }

    fn crash(&self, world: &mut World) {
        for letter in &mut world.messages {
            letter.hand = InHand::Nothing;
        }
        let pages = world.disk.pages;
        let newest = pages.newest.filter(|_| !self.has(Bug::ForgetsNewest));
        let incomplete = pages.incomplete.filter(|_| !self.has(Bug::ForgetsIncomplete));
        // `EventSink::keep_in` of `journal/handle.rs`. "list refreshed" is written whenever "list issued" is.
        let needs_list = match self.bug {
            Some(Bug::OpensEarly) => false,
            Some(Bug::MissesTheKeptAlone) => pages.issued.is_some(),
            _ => pages.issued.is_some() || incomplete.is_some(),
        };
        let missed = match self.has(Bug::MakesGoodByAnother) {
            true => incomplete,
            false => incomplete.max(pages.issued),
        };
        let terms = world.process.memory.terms;
        world.process = Process {
            memory: Memory::restored(terms, pages.rows, (newest, missed), needs_list),
            is_restored: self.universe.lists.is_empty(),
            keeping: Keeping::Nothing,
            relisting: None,
            incomplete: None,
            known_issued_at: newest,
            known_list: None,
            missed: pages.issued.map(|at| (at, pages.digest)),
            is_all: incomplete.is_none(),
            tidies_by: None,
        };
        world.ledger.restarted(self.universe);
        world.ledger.settle(self.universe, &world.process.memory, None);
    }

    /// `ListFile::kept` of `journal/list_file.rs` finds out. One of which its file alone told is known by nobody any more.
    fn lose_list(&self, world: &mut World) {
        world.disk.file = None;
        let newest = world.disk.pages.newest.unwrap_or_default();
        let ledger = &mut world.ledger;
        (ledger.newest, ledger.newest_on_disk, ledger.newest_in_file) = (newest, newest, newest);
    }

    /// `restore` and `put_in_force` of `crl/restore.rs`, and `ListFile::restored`.
    fn restore(&self, world: &mut World) {
        let process = &mut world.process;
        process.is_restored = true;
        let Some(file) = world.disk.file else {
            if world.disk.pages.issued.is_some() {
                process.memory = process.memory.after(Deed::Lose(true)).0;
            }
            return;
        };
        let list = self.universe.lists[file];
        if list.issued_at < world.disk.pages.issued {
            process.memory = process.memory.after(Deed::Lose(true)).0;
            return;
        }
        let (memory, outcome) = process.memory.after(Deed::InstallKept(list));
        if outcome == Outcome::Refused {
            // A newer one was installed than the kept one: closed until one is fetched.
            return;
        }
        process.memory = memory;
        let is_the_missed = match self.bug {
            Some(Bug::TrustsTheFile) => true,
            Some(Bug::TrustsTheSecond) => list.issued_at == world.disk.pages.issued,
            _ => process.missed == list.issued_at.map(|at| (at, Some(list))),
        };
        match is_the_missed {
            true => {
                process.tidies_by = Some(list);
                world.ledger.filed(self.universe, file);
            }
            // The last process got no further than its file.
            false => process.relisting = Some(file),
        }
        process.missed = None;
        if process.is_all {
            process.memory = memory.after(Deed::Lose(false)).0;
        }
        world.ledger.installed(self.universe, file, &process.memory);
    }
}

impl Saying {
    /// What there is to keep of it.
    fn entry(self) -> Held {
        Held::of(&KeyState::of(&self.event(), secs(NOW), u32::MAX))
    }
}
