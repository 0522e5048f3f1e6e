//! Random histories: what a reader says of a log, beside what really happened.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;

use crate::issuer_log::IssuerLogs;
use crate::issuer_log::missing::LONGEST_WAIT;
use crate::model::log_place::{LogDigest, LogId, LogPlace, LogPosition};
use crate::model::timestamp::Timestamp;

/// A message, and the event that it carries. A heartbeat carries none.
#[derive(Clone, Copy, Debug)]
struct Message {
    place: LogPlace,
    event: Option<u32>,
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("histories are short")
}

/// An issuer, and everything that it wrote, log by log.
#[derive(Clone, Debug)]
struct Issuer {
    position: LogPosition,
    after: Option<LogPosition>,
    /// All events that are in its database.
    events: BTreeSet<u32>,
    /// Those behind `after`, to be said in the present log.
    unsaid: Vec<u32>,
    sent: u64,
}

fn digest_of(value: impl Hash) -> LogDigest {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    LogDigest::from_bytes(u128::from(hasher.finish() | 1).to_be_bytes())
}

impl Issuer {
    fn begin(rng: &mut Rng, after: Option<LogPosition>, events: BTreeSet<u32>, unsaid: Vec<u32>, sent: u64) -> Self {
        Self {
            position: LogPosition::beginning(LogId::from_bytes(rng.u128(..).to_be_bytes())),
            after,
            events,
            unsaid,
            sent,
        }
    }

    fn write(&mut self, event: u32) -> Message {
        let prev = self.position.digest;
        let n = self.position.n + 1;
        let digest = digest_of((self.position.log, n, prev, event));
        self.position = LogPosition {
            n,
            digest,
            ..self.position
        };
        self.events.insert(event);
        Message {
            place: LogPlace::Entry {
                position: self.position,
                prev,
                after: self.after.filter(|_| n == 1),
            },
            event: Some(event),
        }
    }

    fn heartbeat(&mut self) -> Message {
        self.sent += 1;
        Message {
            place: LogPlace::End {
                position: self.position,
                after: self.after.filter(|_| self.position.n == 0),
                every: Duration::from_secs(1),
            },
            event: None,
        }
    }
}

/// A reader, what it took in, and what its journal keeps.
struct Reader {
    logs: IssuerLogs,
    has: BTreeSet<u32>,
    losses: Vec<String>,
}

struct History {
    rng: Rng,
    now: Instant,
    issuer: Issuer,
    /// The log that each log continues.
    after: BTreeMap<LogId, LogPosition>,
    /// What each log says, by number.
    said: BTreeMap<LogId, Vec<u32>>,
    /// What lies on the broker, in its order, and up to where the reader read.
    broker: Vec<Message>,
    read: usize,
    reader: Reader,
    next_event: u32,
}

impl History {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut logs = IssuerLogs::default();
        logs.settle();
        Self {
            issuer: Issuer::begin(&mut rng, None, BTreeSet::new(), Vec::new(), 0),
            rng,
            now: Instant::now(),
            after: BTreeMap::new(),
            said: BTreeMap::new(),
            broker: Vec::new(),
            read: 0,
            reader: Reader {
                logs,
                has: BTreeSet::new(),
                losses: Vec::new(),
            },
            next_event: 0,
        }
    }

    fn publish(&mut self, message: Message) {
        if let (LogPlace::Entry { position, after, .. }, Some(event)) = (message.place, message.event) {
            let said = self.said.entry(position.log).or_default();
            said.truncate(index(position.n) - 1);
            said.push(event);
            self.after.extend(after.map(|after| (position.log, after)));
        } else if let LogPlace::End {
            position,
            after: Some(after),
            ..
        } = message.place
        {
            self.after.insert(position.log, after);
        }
        self.broker.push(message);
    }

    fn revoke(&mut self) {
        let event = match self.issuer.unsaid.pop() {
            Some(event) => event,
            None => {
                self.next_event += 1;
                self.next_event
            }
        };
        let message = self.issuer.write(event);
        self.publish(message);
    }

    fn beat(&mut self) {
        let message = self.issuer.heartbeat();
        self.publish(message);
    }

    /// The issuer begins a new log behind a number of the present one: it knows of no more that was published.
    fn begin_anew(&mut self, behind: u64) {
        let old = self.issuer.position;
        let said = self.said.get(&old.log).cloned().unwrap_or_default();
        let behind = behind.min(said.len() as u64);
        if old.n == 0 || behind == 0 {
            return;
        }
        let mut known = LogPosition::beginning(old.log);
        for event in &said[..index(behind)] {
            let n = known.n + 1;
            let digest = digest_of((known.log, n, known.digest, *event));
            known = LogPosition { n, digest, ..known };
        }
        let mut unsaid = said[index(behind)..].to_vec();
        unsaid.append(&mut self.issuer.unsaid);
        let events = self.issuer.events.clone();
        self.issuer = Issuer::begin(&mut self.rng, Some(known), events, unsaid, self.issuer.sent);
    }

    fn take(&mut self, message: Message) {
        self.reader.has.extend(message.event);
        let sent = message
            .event
            .is_none()
            .then(|| Timestamp::from_unix_millis(self.issuer.sent));
        self.reader.logs.note(&message.place, sent, self.now);
        self.count_losses();
    }

    fn count_losses(&mut self) {
        if let Some(loss) = self.reader.logs.take_loss() {
            self.reader.losses.push(loss);
        }
    }

    fn read_one(&mut self) {
        if let Some(message) = self.broker.get(self.read).copied() {
            self.read += 1;
            self.take(message);
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.reader.logs.look(self.now);
        self.count_losses();
    }

    /// The reader gets the issuer's list. What waits to be said in a new log is in it too.
    fn list(&mut self) {
        let events = self.issuer.events.clone();
        self.reader.has.extend(events);
        let covers = [self.issuer.position];
        self.reader.logs.covered(&covers, self.now);
        self.count_losses();
    }

    /// The reader starts again from what its journal kept.
    fn restart(&mut self) {
        let known: BTreeSet<LogId> = self.said.keys().copied().collect();
        let whole: Vec<_> = known
            .into_iter()
            .filter_map(|log| self.reader.logs.whole(log))
            .collect();
        let mut logs = IssuerLogs::default();
        logs.restore(whole, self.now);
        logs.settle();
        self.reader.logs = logs;
    }

    /// Whatever it says is whole, it has.
    fn check(&self, what: &str) {
        for (log, said) in &self.said {
            let Some(whole) = self.reader.logs.whole(*log) else {
                continue;
            };
            // Under a number that was given twice, what the issuer says now is not what it said then.
            let now_says: LogPosition =
                said.iter()
                    .take(index(whole.n))
                    .fold(LogPosition::beginning(*log), |known, event| LogPosition {
                        n: known.n + 1,
                        digest: digest_of((known.log, known.n + 1, known.digest, *event)),
                        ..known
                    });
            if now_says == whole {
                for event in &said[..index(whole.n)] {
                    assert!(self.reader.has.contains(event), "{what}: {event} of {log} is not there");
                }
            }
            if let Some(after) = self.after.get(log) {
                for event in &self.said[&after.log][..index(after.n).min(self.said[&after.log].len())] {
                    assert!(
                        self.reader.has.contains(event),
                        "{what}: {event} before {log} is not there"
                    );
                }
            }
        }
    }

    fn whole(&self) -> bool {
        self.reader.logs.whole(self.issuer.position.log) == Some(self.issuer.position) && !self.reader.logs.is_lost()
    }
}

#[test]
fn whatever_is_said_to_be_whole_was_read_or_is_in_a_list() {
    let mut losses = 0;
    for seed in 0..10_000 {
        let mut history = History::new(seed);
        for step in 0..60 {
            let what = history.rng.u32(..100);
            match what {
                0..35 => history.revoke(),
                35..45 => history.beat(),
                45..70 => history.read_one(),
                // Lost on the way.
                70..75 => history.read = (history.read + 1).min(history.broker.len()),
                // Comes again, from anywhere.
                75..79 if !history.broker.is_empty() => {
                    let index = history.rng.usize(..history.broker.len());
                    history.take(history.broker[index]);
                }
                // Swapped.
                79..83 if history.read + 1 < history.broker.len() => {
                    history.broker.swap(history.read, history.read + 1)
                }
                // Set back, and gone on with: the issuer does not notice.
                83..85 => {
                    let keep = history.rng.usize(..=history.broker.len());
                    history.broker.truncate(keep);
                    history.read = history.read.min(keep);
                }
                85..88 => {
                    let time = Duration::from_millis(history.rng.u64(..3_000));
                    history.wait(time);
                }
                88..91 => {
                    let behind = history.rng.u64(..=history.issuer.position.n);
                    history.begin_anew(behind);
                }
                91..94 => history.begin_anew(u64::MAX),
                94..96 => history.list(),
                96..98 => history.restart(),
                // Another life of the same log.
                98 if history.issuer.position.n > 1 => {
                    let n = history.rng.u64(2..=history.issuer.position.n);
                    let position = LogPosition {
                        n,
                        digest: digest_of((n, "another life")),
                        ..history.issuer.position
                    };
                    let place = LogPlace::Entry {
                        position,
                        prev: digest_of((n - 1, "another life")),
                        after: None,
                    };
                    history.take(Message { place, event: None });
                }
                _ => history.wait(LONGEST_WAIT),
            }
            history.check(&format!("seed {seed}, step {step}, {what}"));
        }
        losses += history.reader.losses.len();
        // In the end everything is known again: by a list that covers it.
        history.beat();
        while history.read < history.broker.len() {
            history.read_one();
        }
        // A log of which something came just now may be another issuer's.
        history.wait(2 * LONGEST_WAIT);
        history.list();
        assert!(history.whole(), "seed {seed}: {:?}", history.reader.logs);
        history.check(&format!("seed {seed}, at the end"));
    }
    assert!(losses > 5_000, "{losses}: the histories lose things");
}

#[test]
fn nothing_counts_as_lost_that_only_comes_twice_or_out_of_order() {
    for seed in 0..2_000 {
        let mut history = History::new(seed);
        for _ in 0..60 {
            match history.rng.u32(..100) {
                0..40 => history.revoke(),
                40..50 => history.beat(),
                50..75 => history.read_one(),
                75..85 if !history.broker.is_empty() && history.read > 0 => {
                    let index = history.rng.usize(..history.read);
                    history.take(history.broker[index]);
                }
                85..90 if history.read + 1 < history.broker.len() => {
                    history.broker.swap(history.read, history.read + 1);
                    history.read_one();
                    history.read_one();
                }
                90..93 => history.begin_anew(u64::MAX),
                93..96 => {
                    history.restart();
                    // The feed is read again from the time of a list on.
                    history.read = 0;
                }
                _ => {
                    let time = Duration::from_millis(history.rng.u64(..500));
                    history.wait(time);
                }
            }
        }
        history.beat();
        while history.read < history.broker.len() {
            history.read_one();
        }
        history.wait(LONGEST_WAIT);
        assert_eq!(history.reader.losses, [""; 0], "seed {seed}");
        assert!(history.whole(), "seed {seed}: {:?}", history.reader.logs);
    }
}

/// A list names no log that has no message. It used to end such a log for good, if the feed was cut off meanwhile: its issuer's silence never
/// showed again, and a feed that needs its heartbeats as a proof was never live again.
#[test]
fn a_log_that_a_list_does_not_name_goes_on_when_its_issuer_speaks_again() {
    let every = Duration::from_secs(1);
    let former = LogPosition {
        n: 7,
        digest: digest_of(7),
        ..LogPosition::beginning(LogId::from_bytes([1; 16]))
    };
    let place = LogPlace::End {
        position: LogPosition::beginning(LogId::from_bytes([2; 16])),
        after: Some(former),
        every,
    };
    let (mut logs, start) = (IssuerLogs::default(), Instant::now());
    let sent = |secs| Some(Timestamp::from_unix_secs(secs));
    logs.note(&place, sent(1), start);
    let cut_off = start + 10 * every;
    logs.covered(&[former], cut_off);
    assert_eq!(
        logs.silent_for(cut_off),
        None,
        "it may be that of an issuer that is gone"
    );
    // The same heartbeat, read again, says nothing.
    logs.note(&place, sent(1), cut_off);
    assert!(!logs.are_at_end(start, cut_off));
    let back = cut_off + every;
    logs.note(&place, sent(12), back);
    assert!(logs.are_at_end(back, back));
    assert!(logs.silent_for(back + 10 * every).is_some());
}

/// Two of three servers of NATS were set back: the issuer began a new log, the reader read the old one anew, and a list made up for all
/// that was missing before the old log was quiet. The feed was down for ever after, since the old log's issuer was silent.
#[test]
fn a_log_that_a_list_leaves_out_is_left_once_its_issuer_speaks_in_another() {
    let every = Duration::from_secs(1);
    let sent = |secs| Some(Timestamp::from_unix_secs(secs));
    let end = |log: u8, n: u64| LogPosition {
        n,
        digest: digest_of((log, n)),
        ..LogPosition::beginning(LogId::from_bytes([log; 16]))
    };
    let beat = |position| LogPlace::End {
        position,
        after: None,
        every,
    };
    let (former, next) = (end(1, 5), end(2, 2));
    let (mut logs, start) = (IssuerLogs::default(), Instant::now());
    logs.note(&beat(former), sent(1), start);
    logs.covered(&[next], start + every);
    assert_eq!(logs.silent_for(start + every), None);
    let mut now = start + every;
    for second in 2..=10 {
        now += every;
        logs.note(&beat(next), sent(second), now);
        // What is read once more is no sign of life.
        logs.note(&beat(former), sent(1), now);
    }
    assert_eq!(logs.silent_for(now), None);
    assert!(logs.are_at_end(start + every, now));
    assert!(
        logs.silent_for(now + 10 * every).is_some(),
        "the issuer is expected to speak in the new one"
    );
    // It is the same log if it goes on after all.
    logs.note(&beat(former), sent(20), now);
    assert!(logs.silent_for(now + 10 * every).is_some());

    // The same if the list names both.
    let mut logs = IssuerLogs::default();
    logs.note(&beat(former), sent(1), start);
    logs.covered(&[former, next], start + every);
    let mut now = start + every;
    for second in 2..=10 {
        now += every;
        logs.note(&beat(next), sent(second), now);
    }
    assert_eq!(logs.silent_for(now), None);
    assert!(logs.are_at_end(start + every, now));

    // What is missing of a log is missing until a list makes up for it.
    let mut logs = IssuerLogs::default();
    logs.note(&beat(former), sent(1), start);
    logs.covered(&[former, next], start);
    logs.note(&beat(end(1, 6)), sent(2), start);
    for second in 2..=10 {
        logs.note(&beat(next), sent(second.into()), start + second * every);
    }
    assert!(logs.is_lost());
    logs.covered(&[end(1, 6), next], start + 10 * every);
    assert!(!logs.is_lost());

    // An issuer that goes on in a log that the list does not name yet, and dies, is silent.
    let mut logs = IssuerLogs::default();
    logs.note(&beat(former), sent(1), start);
    logs.covered(&[former], start);
    logs.note(&beat(next), sent(2), start + every);
    for second in 2..=10 {
        logs.note(&beat(former), sent(1), start + second * every);
    }
    assert!(logs.silent_for(start + 10 * every).is_some());
}
