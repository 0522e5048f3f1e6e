//! Random histories: brokers and stores that go back, restarts, lists; and a reader that trusts arithmetic alone.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::env;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tower_revocation::format::revocation::RevocationEvents;
use tower_revocation::issuer::{
    Confirmed, Issuer, MemoryPublisher, OutgoingMessage, Promise, PublishError, Publisher, is_from,
};
use tower_revocation::source::Memory;
use tower_revocation::{Decode, LogDigest, LogId, LogPlace, LogPosition};

use crate::{Home, SOURCE, all_published, block};

/// What happens.
#[derive(Clone, Copy, Debug)]
enum Happening {
    /// So many statements are made, and published.
    State(usize),
    /// The reader reads.
    Read,
    /// The broker loses so many of its newest messages.
    SetBack(usize),
    /// The broker loses everything.
    Wipe,
    /// The issuer restarts.
    Restart,
    /// A copy of the issuer's database is kept.
    Keep,
    /// The issuer restarts with that copy.
    PutBack,
    /// A list is published.
    List,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (1_usize..4).prop_map(Happening::State),
        4 => Just(Happening::Read),
        2 => (1_usize..8).prop_map(Happening::SetBack),
        1 => Just(Happening::Wipe),
        1 => Just(Happening::Restart),
        1 => Just(Happening::Keep),
        1 => Just(Happening::PutBack),
        1 => Just(Happening::List),
    ]
}

/// Publishes behind whatever is there, as Kafka and RabbitMQ do.
struct Unconditional(Memory);

impl Publisher for Unconditional {
    fn name(&self) -> &str {
        "unconditional"
    }

    async fn ensure(&mut self) -> Result<Promise, PublishError> {
        Ok(Promise::of_copies(1))
    }

    async fn read_back(&mut self, source: &str, most: usize) -> Result<Vec<Bytes>, PublishError> {
        let mut own = self.0.messages();
        own.retain(|message| is_from(source, message));
        Ok(own.split_off(own.len().saturating_sub(most)))
    }

    async fn publish(&mut self, _source: &str, messages: &[OutgoingMessage]) -> Result<Confirmed, PublishError> {
        for message in messages {
            self.0.publish(message.payload.clone());
        }
        Ok(Confirmed::default())
    }
}

/// A reader without lists: once it has a gap, it says so for ever.
#[derive(Default)]
struct StrictReader {
    /// The digests that it knows, of each log up to where it is whole.
    logs: HashMap<LogId, BTreeMap<u64, LogDigest>>,
    ids: HashSet<String>,
    gap: Option<String>,
    /// Whether both the issuer's database and the broker may have gone back: then the issuer cannot know which numbers it gave, and it is
    /// the reader that finds it out.
    may_repeat: bool,
}

impl StrictReader {
    fn read(&mut self, log: &Memory) {
        let decode = RevocationEvents::from_source(SOURCE);
        for message in log.messages() {
            let place = decode.decode_placed(&message).place.unwrap();
            let LogPlace::Entry { position, prev, after } = place else {
                continue;
            };
            let event: serde_json::Value = serde_json::from_slice(&message).unwrap();
            self.ids.insert(event["id"].as_str().unwrap().to_owned());
            self.take(position, prev, after);
        }
    }

    fn take(&mut self, position: LogPosition, prev: LogDigest, after: Option<LogPosition>) {
        let is_first = self.logs.is_empty();
        let known = |at: LogPosition| {
            let log = self.logs.get(&at.log)?;
            Some(log.get(&at.n) == Some(&at.digest) || at.n == 0)
        };
        let is_next = match position.n {
            1 => after.map_or(is_first, |after| known(after) == Some(true)),
            n => {
                known(LogPosition {
                    n: n - 1,
                    digest: prev,
                    ..position
                }) == Some(true)
            }
        };
        let is_known = self
            .logs
            .get(&position.log)
            .is_some_and(|log| log.contains_key(&position.n));
        if !is_next && !is_known {
            self.gap.get_or_insert_with(|| format!("{position:?} after {after:?}"));
        }
        let digests = self.logs.entry(position.log).or_default();
        let known = *digests.entry(position.n).or_insert(position.digest);
        if known != position.digest {
            assert!(self.may_repeat, "two messages have one number");
            self.gap
                .get_or_insert_with(|| format!("{position:?} is another message"));
        }
    }
}

async fn run(history: &[Happening], is_conditional: bool) -> (bool, usize) {
    let (home, log) = (Home::new(), Memory::new("broker"));
    let open = || -> Issuer {
        let issuer = home.open().with_heartbeat(Duration::from_secs(3600));
        match is_conditional {
            true => issuer.publishing_to(MemoryPublisher::new(&log)),
            false => issuer.publishing_to(Unconditional(log.clone())),
        }
    };
    let mut issuer = open();
    let mut reader = StrictReader::default();
    let mut stated: Vec<String> = Vec::new();
    // How many statements the copy has.
    let mut kept: Option<HashSet<String>> = None;
    let mut names = 0..;
    let mut turn = 0;
    for happening in history {
        turn += 1;
        match *happening {
            Happening::State(count) => {
                for _ in 0..count {
                    stated.push(block(&issuer, &format!("s-{}", names.next().unwrap())).await);
                }
                all_published(&issuer).await;
            }
            Happening::Read => reader.read(&log),
            Happening::SetBack(count) => log.set_back(log.messages().len().saturating_sub(count)),
            Happening::Wipe => log.wipe(),
            Happening::List => {
                let covers = issuer.in_force().await.unwrap().covers;
                issuer.covered(&covers).await.unwrap();
            }
            Happening::Restart | Happening::Keep | Happening::PutBack => {
                assert_eq!(issuer.end(Duration::from_secs(30)).await.unwrap(), 0);
                match happening {
                    Happening::Keep => {
                        home.keep();
                        kept = Some(stated.iter().cloned().collect());
                    }
                    Happening::PutBack if kept.is_some() => {
                        // What neither the copy nor the broker has, nobody has.
                        let mut there = StrictReader::default();
                        there.read(&log);
                        let kept = kept.as_ref().unwrap();
                        stated.retain(|id| kept.contains(id) || there.ids.contains(id));
                        home.put_back();
                        reader.may_repeat = true;
                    }
                    _ => {}
                }
                issuer = open();
                // It has read what the broker has, and said where its log ends: what happens next happens to that.
                crate::until(&issuer, |status| status.last_confirmed_ms_ago.is_some()).await;
            }
        }
    }
    // It finds out by the next message.
    stated.push(block(&issuer, "last").await);
    all_published(&issuer).await;
    reader.read(&log);
    let in_force = issuer.in_force().await.unwrap();
    assert_eq!(in_force.statements.len(), stated.len(), "the issuer forgot something");
    let missing: Vec<_> = stated.iter().filter(|id| !reader.ids.contains(*id)).collect();
    assert!(
        reader.gap.is_some() || missing.is_empty(),
        "whole, and {missing:?} are missing"
    );
    (reader.gap.is_none(), turn)
}

fn cases() -> u32 {
    env::var("ISSUER_HISTORIES").map_or(24, |cases| cases.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn a_reader_that_is_whole_has_everything(
        history in prop::collection::vec(happening(), 0..14),
        is_conditional in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(&history, is_conditional));
    }
}

/// What was published next was taken, although what came before it was lost.
#[tokio::test]
async fn a_broker_that_takes_no_condition_is_found_out_all_the_same() {
    for heartbeat in [Duration::from_secs(3600), Duration::from_millis(100)] {
        let (home, log) = (Home::new(), Memory::new("broker"));
        let issuer = home
            .open()
            .with_heartbeat(heartbeat)
            .publishing_to(Unconditional(log.clone()));
        let mut ids = Vec::new();
        for i in 0..5 {
            ids.push(block(&issuer, &format!("s-{i}")).await);
        }
        all_published(&issuer).await;
        let messages = log.messages();
        let third = messages.iter().position(|message| read_ids(message) == ids[2]).unwrap();
        log.set_back(third + 1);
        if heartbeat > Duration::from_secs(1) {
            ids.push(block(&issuer, "s-5").await);
        }
        crate::until(&issuer, |status| status.logs_begun == 1 && status.pending == 0).await;
        let decode = RevocationEvents::from_source(SOURCE);
        let mut again = Vec::new();
        for message in log.messages() {
            if let Some(LogPlace::Entry { position, after, .. }) = decode.decode_placed(&message).place
                && Some(position.log.to_string()) == issuer.status().unwrap().log
            {
                assert!(position.n > 1 || after.unwrap().n == 3, "{after:?}");
                again.push(read_ids(&message));
            }
        }
        assert_eq!(again, ids[3..]);
    }
}

fn read_ids(message: &[u8]) -> String {
    let event: serde_json::Value = serde_json::from_slice(message).unwrap();
    event["id"].as_str().unwrap().to_owned()
}

/// The test before would say nothing if every reader had a gap.
#[tokio::test]
async fn a_reader_that_was_there_all_the_time_has_no_gap() {
    use Happening::{List, Read, Restart, SetBack, State, Wipe};
    let history = [
        State(3),
        Read,
        SetBack(2),
        State(2),
        Read,
        Restart,
        State(1),
        Read,
        Wipe,
        State(2),
        Read,
        List,
        State(2),
        Read,
        SetBack(1),
    ];
    for is_conditional in [true, false] {
        assert_eq!(
            run(&history, is_conditional).await,
            (true, history.len()),
            "{is_conditional}"
        );
    }
}
