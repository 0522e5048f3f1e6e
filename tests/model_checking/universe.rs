//! What there is in a model: a few keys, messages and lists.

use std::sync::LazyLock;
use std::time::Duration;

use crate::model::event::{Event, Reinstatement, Revocation};
use crate::model::key::Key;
use crate::model::timestamp::Timestamp;
use crate::state::snapshot::RevocationList;

/// One small world. Whatever is in it may come at any time, in any order, again and again, or never.
#[derive(Debug)]
pub(crate) struct Universe {
    pub(crate) messages: &'static [Message],
    /// What the registry ever signed. Any of them may be fetched at any time: a CDN holds copies of all.
    pub(crate) lists: &'static [List],
    /// For how many keys events find room.
    pub(crate) capacity: usize,
    /// Whether what was said long ago may be forgotten.
    pub(crate) forgets: bool,
    /// Whether the kept list may be damaged when a process starts.
    pub(crate) loses_list: bool,
    /// Whether a message may be given up after so many attempts.
    pub(crate) gives_up: bool,
}

/// A message on the queue.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Message {
    Says(Saying),
    /// Of a type that concerns nobody here.
    Foreign,
    Malformed,
}

/// What an event says of a key, at a time in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Saying {
    pub(crate) key: usize,
    pub(crate) what: What,
    pub(crate) at: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum What {
    Block,
    CutOff,
    Reinstatement,
}

/// A list: when it was signed, and since when each key is blocked, in seconds. One that nobody signed says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct List {
    pub(crate) issued_at: Option<u8>,
    pub(crate) blocks: [Option<u8>; KEYS],
}

/// A request: by which key, with a token of which second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe {
    pub(crate) key: usize,
    pub(crate) issued_at: u8,
}

impl Universe {
    pub(crate) fn saying(&self, message: usize) -> Option<Saying> {
        match self.messages[message] {
            Message::Says(saying) => Some(saying),
            Message::Foreign | Message::Malformed => None,
        }
    }

    /// When the newest list was signed that is not from the future.
    pub(crate) fn newest(&self) -> u8 {
        let times = self.lists.iter().filter_map(|list| list.issued_at);
        times.filter(|at| *at <= NOW + LEEWAY).max().unwrap_or_default()
    }
}

impl Saying {
    /// Whether it is a reinstatement that lies further ahead than clocks differ.
    pub(crate) fn is_from_future(self) -> bool {
        self.what == What::Reinstatement && self.at > u16::from(NOW + LEEWAY) * 1000
    }

    pub(crate) fn event(self) -> Event {
        let (key, at) = (KEYS_IN_USE[self.key], Timestamp::from_unix_millis(self.at.into()));
        match self.what {
            What::Block => Revocation::block(key).at(at).into(),
            What::CutOff => Revocation::cut_off(key).at(at).into(),
            What::Reinstatement => Reinstatement::of(key, at).into(),
        }
    }
}

impl List {
    pub(crate) const UNSIGNED: Self = Self {
        issued_at: None,
        blocks: [None; KEYS],
    };

    pub(crate) fn snapshot(&self) -> RevocationList {
        let Some(issued_at) = self.issued_at else {
            return RevocationList::empty();
        };
        let mut list = RevocationList::builder(secs(issued_at));
        for (key, at) in KEYS_IN_USE.iter().zip(self.blocks) {
            if let Some(at) = at {
                list.push(&Revocation::block(*key).at(secs(at)));
            }
        }
        list.build()
    }
}

pub(crate) fn secs(secs: u8) -> Timestamp {
    Timestamp::from_unix_secs(secs.into())
}

pub(crate) const TOKEN: usize = 0;
pub(crate) const SUBJECT: usize = 1;
pub(crate) const EVERYTHING: usize = 2;
pub(crate) const KEYS: usize = 3;

pub(crate) static KEYS_IN_USE: LazyLock<[Key; KEYS]> =
    LazyLock::new(|| [Key::token("t"), Key::subject("s"), Key::everything()]);

/// Of each of both keys a token from before all events, and one from after them.
pub(crate) const PROBES: [Probe; 4] = [
    Probe {
        key: TOKEN,
        issued_at: 1,
    },
    Probe {
        key: TOKEN,
        issued_at: 39,
    },
    Probe {
        key: SUBJECT,
        issued_at: 1,
    },
    Probe {
        key: SUBJECT,
        issued_at: 39,
    },
];

/// The time, in seconds: it stands still. How old a list is, and when it expires, is not in the model.
pub(crate) const NOW: u8 = 40;
pub(crate) const LEEWAY: u8 = 5;
pub(crate) const LEEWAY_SECS: Duration = Duration::from_secs(LEEWAY as u64);
