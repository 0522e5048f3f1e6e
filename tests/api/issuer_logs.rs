//! What an issuer's own numbers show, over a log in memory, a pipe and pushed messages.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tower_revocation::format::revocation::{LogWriter, RevocationEvents};
use tower_revocation::source::{self, Memory};
use tower_revocation::status::IssuerLogStatus;
use tower_revocation::{
    ConcernCode, EventSink, FeedState, LogId, LogPosition, RevocationList, Statement, Subject, Timestamp,
};

use crate::support::fresh_pair;

const SOURCE: &str = "https://auth.example.com";
const SECOND: Duration = Duration::from_secs(1);

/// An issuer that numbers what it says, and gives lists that cover it.
#[derive(Clone)]
struct Issuer(Arc<Mutex<LogWriter>>);

impl Issuer {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(LogWriter::begin(
            SOURCE,
            LogId::from_bytes([7; 16]),
            None,
        ))))
    }

    fn revoke(&self, session: &str) -> Vec<u8> {
        let statement = Statement::block(Subject::session(session));
        self.0.lock().unwrap().write(session, &statement)
    }

    fn heartbeat(&self) -> Vec<u8> {
        self.0.lock().unwrap().heartbeat(Timestamp::now(), SECOND)
    }

    fn position(&self) -> LogPosition {
        self.0.lock().unwrap().position()
    }

    /// A list of everything so far.
    fn list(&self) -> RevocationList {
        RevocationList::builder(Timestamp::now())
            .covering(self.position())
            .build()
    }

    /// Has the issuer speak each second.
    fn speak(&self, say: impl Fn(Vec<u8>) + Send + 'static) -> JoinHandle<()> {
        let issuer = self.clone();
        tokio::spawn(async move {
            loop {
                say(issuer.heartbeat());
                sleep(SECOND).await;
            }
        })
    }
}

fn decode() -> RevocationEvents {
    RevocationEvents::from_source(SOURCE)
}

fn log_of(sink: &EventSink) -> IssuerLogStatus {
    let logs = sink.status().issuer_logs;
    assert_eq!(logs.len(), 1, "{logs:?}");
    logs.into_iter().next().unwrap()
}

async fn until(sink: &EventSink, what: &str, is_so: impl Fn(&EventSink) -> bool) {
    let poll = async {
        while !is_so(sink) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let in_time = timeout(60 * SECOND, poll).await;
    assert!(in_time.is_ok(), "{what}: {:?}", sink.status());
}

async fn until_live(sink: &EventSink) {
    until(sink, "it is live", |sink| sink.status().feed.state == FeedState::Live).await;
}

/// A feed whose lists come from the issuer, as far as `gives` lets it.
fn read(log: &Memory, sink: &EventSink, issuer: &Issuer, gives: Arc<Mutex<bool>>) -> JoinHandle<()> {
    let (issuer, first) = (issuer.clone(), issuer.position());
    let resync = move |sink: EventSink| {
        let list = match *gives.lock().unwrap() {
            true => issuer.list(),
            false => RevocationList::builder(Timestamp::now()).covering(first).build(),
        };
        async move {
            sink.install(list)
                .map_err(|error| source::SourceError::new(error.to_string()))
        }
    };
    tokio::spawn(
        source::drive(log.source(), decode(), sink.clone())
            .with_resync(resync)
            .run(),
    )
}

#[tokio::test(start_paused = true)]
async fn a_message_that_the_broker_lost_is_a_gap_until_a_list_covers_it() {
    let (_layer, sink) = fresh_pair();
    let (log, issuer, gives) = (Memory::new("log"), Issuer::new(), Arc::new(Mutex::new(false)));
    log.publish(issuer.revoke("s-1"));
    let reading = read(&log, &sink, &issuer, Arc::clone(&gives));
    let speaking = issuer.speak({
        let log = log.clone();
        move |message| {
            log.publish(message);
        }
    });
    until_live(&sink).await;
    let before = sink.status().feed.gaps;
    assert_eq!((log_of(&sink).whole_to, log_of(&sink).known_to), (Some(1), 1));
    // Confirmed to the issuer, and lost.
    drop(issuer.revoke("s-2"));
    log.publish(issuer.revoke("s-3"));
    until(&sink, "it is missed", |sink| log_of(sink).is_lost).await;
    let status = sink.status();
    assert_eq!(status.feed.gaps, before + 1);
    assert!(status.feed.last_gap.unwrap().reason.contains("message 2 is missing") || log_of(&sink).known_to == 3);
    assert_ne!(status.feed.state, FeedState::Live);
    assert!(
        status
            .concerns
            .iter()
            .any(|concern| concern.code == ConcernCode::FeedGap)
    );
    // A list that does not cover it changes nothing.
    sleep(60 * SECOND).await;
    assert!(log_of(&sink).is_lost);
    assert_eq!(sink.status().feed.gaps, before + 1, "it is told once");
    *gives.lock().unwrap() = true;
    until_live(&sink).await;
    assert_eq!(log_of(&sink).whole_to, Some(3));
    assert!(!sink.status().feed.last_gap.unwrap().is_open);
    speaking.abort();
    reading.abort();
}

#[tokio::test(start_paused = true)]
async fn the_newest_message_that_was_lost_is_missed_at_the_next_heartbeat() {
    let (_layer, sink) = fresh_pair();
    let (log, issuer) = (Memory::new("log"), Issuer::new());
    let reading = read(&log, &sink, &issuer, Arc::new(Mutex::new(true)));
    let speaking = issuer.speak({
        let log = log.clone();
        move |message| {
            log.publish(message);
        }
    });
    until_live(&sink).await;
    let before = sink.status().feed.gaps;
    drop(issuer.revoke("s-1"));
    until(&sink, "it is missed", |sink| sink.status().feed.gaps > before).await;
    until_live(&sink).await;
    assert_eq!(sink.status().feed.gaps, before + 1);
    assert_eq!(log_of(&sink).whole_to, Some(1), "the list covers it");
    speaking.abort();
    reading.abort();
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_silent_takes_the_feed_down() {
    let (_layer, sink) = fresh_pair();
    let (log, issuer) = (Memory::new("log"), Issuer::new());
    let reading = read(&log, &sink, &issuer, Arc::new(Mutex::new(true)));
    let speaks = |log: &Memory| {
        let log = log.clone();
        issuer.speak(move |message| {
            log.publish(message);
        })
    };
    let speaking = speaks(&log);
    until_live(&sink).await;
    speaking.abort();
    until(&sink, "it is down", |sink| sink.status().feed.state == FeedState::Down).await;
    let status = sink.status();
    assert!(status.issuer_logs[0].is_silent);
    assert!(
        status
            .concerns
            .iter()
            .any(|concern| concern.code == ConcernCode::IssuerSilent)
    );
    assert!(status.feed.last_error.unwrap().contains("silent"));
    let speaking = speaks(&log);
    until_live(&sink).await;
    speaking.abort();
    reading.abort();
}

#[tokio::test(start_paused = true)]
async fn a_pipe_is_live_by_the_issuers_numbers_alone() {
    let (_layer, sink) = fresh_pair();
    let issuer = Issuer::new();
    let (inlet, pipe) = source::pipe("mqtt:revocations");
    let lists = issuer.clone();
    let resync = move |sink: EventSink| {
        let list = lists.list();
        async move {
            sink.install(list)
                .map_err(|error| source::SourceError::new(error.to_string()))
        }
    };
    let reading = tokio::spawn(source::drive(pipe, decode(), sink.clone()).with_resync(resync).run());
    sleep(SECOND).await;
    assert_eq!(sink.status().feed.opened, 0, "it waits until it is connected");
    inlet.connected();
    let settled = inlet.put(issuer.revoke("s-1")).await.unwrap();
    assert!(settled.settled().await.unwrap().is_none());
    assert_ne!(sink.status().feed.state, FeedState::Live);
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let speaking = issuer.speak(move |message| drop(tell.send(message)));
    let inlet = Arc::new(inlet);
    let putting = tokio::spawn({
        let inlet = Arc::clone(&inlet);
        async move {
            while let Some(message) = told.recv().await {
                drop(inlet.put(message).await);
            }
        }
    });
    until_live(&sink).await;
    assert_eq!(sink.status().feed.gaps, 0, "the first message of a log begins it");
    // Its session was lost with the broker, and with it what came meanwhile.
    inlet.disconnected("the broker is gone");
    drop(issuer.revoke("s-2"));
    until(&sink, "it is down", |sink| sink.status().feed.state == FeedState::Down).await;
    inlet.connected();
    until(&sink, "it is missed", |sink| sink.status().feed.gaps == 1).await;
    until_live(&sink).await;
    assert_eq!(log_of(&sink).whole_to, Some(2), "the list covers it");
    speaking.abort();
    putting.abort();
    // What cannot be read is for the host to put aside.
    let settled = inlet.put(&b"}"[..]).await.unwrap();
    assert!(settled.settled().await.unwrap().unwrap().reason.contains("body"));
    reading.abort();
    drop(reading.await);
    assert!(inlet.put(&b"}"[..]).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_pipe_without_the_issuers_numbers_is_a_gap() {
    let (_layer, sink) = fresh_pair();
    let (inlet, pipe) = source::pipe("mqtt:revocations");
    let reading = tokio::spawn(source::drive(pipe, decode(), sink.clone()).run());
    inlet.connected();
    until(&sink, "it is a gap", |sink| sink.status().feed.gaps == 1).await;
    assert_ne!(sink.status().feed.state, FeedState::Live);
    reading.abort();
}

/// Nobody reads a feed for them: they are pushed, or the host reads them by itself.
#[tokio::test(start_paused = true)]
async fn what_is_lost_between_pushed_messages_asks_for_a_list() {
    let (_layer, sink) = fresh_pair();
    let issuer = Issuer::new();
    let take_in = |message: Vec<u8>| drop(sink.ingest(&decode(), &message));
    take_in(issuer.revoke("s-1"));
    drop(issuer.revoke("s-2"));
    take_in(issuer.revoke("s-3"));
    sleep(3 * SECOND).await;
    take_in(issuer.heartbeat());
    let status = sink.status();
    assert!(status.issuer_logs[0].is_lost);
    assert_eq!(status.feed.gaps, 1);
    assert!(status.feed.last_gap.unwrap().is_open);
    sink.install(issuer.list()).unwrap();
    assert!(!log_of(&sink).is_lost);
    assert!(!sink.status().feed.last_gap.unwrap().is_open);
}

/// A list that does not say what it covers makes up for what was missed before it was issued.
#[tokio::test(start_paused = true)]
async fn any_later_list_closes_what_is_lost_between_pushed_messages() {
    let (_layer, sink) = fresh_pair();
    let before = Timestamp::now();
    let issuer = Issuer::new();
    drop(sink.ingest(&decode(), &issuer.revoke("s-1")));
    drop(issuer.revoke("s-2"));
    drop(sink.ingest(&decode(), &issuer.revoke("s-3")));
    sleep(3 * SECOND).await;
    drop(sink.ingest(&decode(), &issuer.heartbeat()));
    let list = |at| RevocationList::builder(at).build();
    // It may be older than what is lost.
    sink.install(list(before)).unwrap();
    assert!(log_of(&sink).is_lost);
    sink.install(list(Timestamp::now().saturating_add(2 * SECOND))).unwrap();
    assert!(!log_of(&sink).is_lost);
    assert!(!sink.status().feed.last_gap.unwrap().is_open);
}

/// It comes again, and is missing until then.
#[tokio::test(start_paused = true)]
async fn what_finds_no_room_is_not_whole() {
    let (_layer, sink) = fresh_pair();
    sink.configure(|config| config.with_capacity(std::num::NonZeroUsize::MIN));
    let issuer = Issuer::new();
    drop(sink.ingest(&decode(), &issuer.revoke("s-1")));
    let no_room = issuer.revoke("s-2");
    drop(sink.ingest(&decode(), &no_room));
    assert_eq!(log_of(&sink).whole_to, Some(1));
    sink.configure(|config| config.with_capacity(std::num::NonZeroUsize::new(9).unwrap()));
    drop(sink.ingest(&decode(), &no_room));
    assert_eq!(log_of(&sink).whole_to, Some(2));
}
