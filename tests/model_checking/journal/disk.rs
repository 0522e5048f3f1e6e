//! What is on disk, as a value; and the crate's own journal, which says what becomes of it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use redb::backends::InMemoryBackend;

use crate::domain::trust_domain::TrustDomain;
use crate::journal::commit_count::CommitCount;
use crate::journal::database::{DIGEST, INCOMPLETE, ISSUED, JournalDatabase, LOST, NEWEST};
use crate::journal::digest::ListDigest;
use crate::journal::expiry::{Expiry, ExpiryRule};
use crate::journal::request::Item;
use crate::memory::{Held, Memory};
use crate::model::key_secrets::KeySecrets;
use crate::model::timestamp::Timestamp;
use crate::universe::{KEYS, KEYS_IN_USE, List, NOW, secs};

/// What the database holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Pages {
    pub(crate) rows: [Option<Held>; KEYS],
    /// When the newest list was issued that was ever installed.
    pub(crate) newest: Option<u8>,
    /// When the kept list was issued.
    pub(crate) issued: Option<u8>,
    /// Which one that is, as far as the database can tell.
    pub(crate) digest: Option<List>,
    /// When another list was issued that says more than the kept one.
    pub(crate) incomplete: Option<u8>,
}

/// What the writer is requested to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Order {
    Entry(usize, Held),
    Incomplete(u8),
    List(List),
    Newest(u8),
}

impl Pages {
    /// Has the crate write these requests in one commit, to a database in memory that holds this; once for each.
    pub(crate) fn after(self, requests: &[Order]) -> Self {
        type Known = Mutex<HashMap<(Pages, Vec<Order>), Pages>>;
        static KNOWN: LazyLock<Known> = LazyLock::new(Mutex::default);
        let question = (self, requests.to_vec());
        if let Some(known) = KNOWN.lock().unwrap().get(&question) {
            return *known;
        }
        let mut database = self.database();
        let items: Vec<_> = requests.iter().map(|request| request.item()).collect();
        database
            .write(|page| items.iter().try_for_each(|item| item.put(page)))
            .unwrap();
        let lists = requests.iter().filter_map(|request| match request {
            Order::List(list) => Some(*list),
            _ => None,
        });
        let after = Self::of(&database, self.digest.into_iter().chain(lists));
        KNOWN.lock().unwrap().insert(question, after);
        after
    }

    /// Has the crate let go of what it takes to be superfluous while `memory` is in force and `kept` is the list that is kept.
    pub(crate) fn swept(self, kept: Option<List>, memory: Memory) -> Self {
        type Known = Mutex<HashMap<(Pages, Option<List>, Memory), Pages>>;
        static KNOWN: LazyLock<Known> = LazyLock::new(Mutex::default);
        let question = (self, kept, memory);
        if let Some(known) = KNOWN.lock().unwrap().get(&question) {
            return *known;
        }
        let mut expiry = Expiry::default();
        if let Some(list) = kept {
            expiry.begin(Arc::new(list.snapshot()));
        }
        let rule = ExpiryRule {
            domain: &TrustDomain { store: memory.store() },
            now: secs(NOW),
        };
        let mut database = self.database();
        expiry.step(&mut database, &rule).unwrap();
        let after = Self::of(&database, self.digest);
        KNOWN.lock().unwrap().insert(question, after);
        after
    }

    /// A database that holds this.
    fn database(&self) -> JournalDatabase {
        let path = Path::new("in memory");
        let commit_count = CommitCount::new(path, tempfile::tempfile().unwrap());
        let mut database =
            JournalDatabase::create(path, InMemoryBackend::new(), commit_count, KeySecrets::in_use(), false).unwrap();
        let numbers = [
            (NEWEST, self.newest),
            (ISSUED, self.issued),
            (INCOMPLETE, self.incomplete),
        ];
        let written = database.write(|page| {
            for (key, held) in self.rows.iter().enumerate() {
                if let Some(held) = held {
                    page.set_entry(&held.entry(key))?;
                }
            }
            for (name, at) in numbers {
                if let Some(at) = at {
                    page.set_time(name, secs(at))?;
                }
            }
            if let Some(list) = &self.digest {
                page.texts.insert(DIGEST, digest(list).as_bytes())?;
            }
            Ok(())
        });
        written.unwrap();
        database
    }

    /// What this database holds, of which the digest is that of one of these lists.
    fn of(database: &JournalDatabase, lists: impl IntoIterator<Item = List>) -> Self {
        let entries = database.entries().unwrap();
        let row = |key| entries.iter().find(|entry| entry.key == key).map(Held::of_entry);
        let second = |at: Timestamp| at.as_unix_secs() as u8;
        let time = |name| database.time(name).unwrap().map(second);
        assert_eq!(database.time(LOST).unwrap(), None, "no database is damaged here");
        let stored = database
            .text(DIGEST)
            .unwrap()
            .and_then(|bytes| ListDigest::from_bytes(&bytes));
        Self {
            rows: KEYS_IN_USE.map(row),
            newest: time(NEWEST),
            issued: time(ISSUED),
            digest: lists.into_iter().find(|list| stored == Some(digest(list))),
            incomplete: time(INCOMPLETE),
        }
    }
}

impl Order {
    fn item(self) -> Item {
        match self {
            Self::Entry(key, held) => Item::Entries(vec![held.entry(key)]),
            Self::Incomplete(at) => Item::Incomplete(secs(at)),
            Self::List(list) => Item::List {
                list: Arc::new(list.snapshot()),
                digest: digest(&list),
                keys: None,
                accepted_at: secs(NOW),
            },
            Self::Newest(at) => Item::Newest(secs(at)),
        }
    }
}

/// As if its document were what it says.
fn digest(list: &List) -> ListDigest {
    ListDigest::of(format!("{list:?}").as_bytes())
}
