//! What events said.

use std::num::NonZeroUsize;
use std::time::Duration;

use tower_revocation::format::clawdentity::ClawdentityEvents;
use tower_revocation::format::revocation::{LogWriter, RevocationEvents};
use tower_revocation::status::JournalStart;
use tower_revocation::{
    Applied, ApplyError, Credential, Disposition, DomainConfig, Effect, InstallError, Key, LogId, Reason,
    Reinstatement, Revocation, RevocationList, Statement, Subject, Timestamp, Verdict,
};

use crate::support::{Process, ago, new_directory, open, secs};

#[tokio::test(start_paused = true)]
async fn what_a_cut_off_spares_is_spared_after_a_restart() {
    let directory = new_directory();
    let alice = Key::subject("alice");
    let session = |sid: &str, began| Credential::from([Key::session(sid), alice]).with_issued_at(ago(began));
    let is_revoked = |process: &Process, sid: &str| matches!(process.decide(session(sid, 100)), Verdict::Revoked(_));
    let apply = |process: &Process, revocation: Revocation| process.sink.apply(revocation).unwrap().wait().unwrap();
    let process = Process::start(directory.path());
    apply(
        &process,
        Revocation::cut_off(alice).at(ago(20)).sparing(Key::session("kept")),
    );
    drop(process);
    // Each process knows of the other's only what is on disk.
    let process = Process::start(directory.path());
    assert!(!is_revoked(&process, "kept") && is_revoked(&process, "other"));
    apply(
        &process,
        Revocation::cut_off(alice).at(ago(30)).sparing(Key::session("kept")),
    );
    drop(process);
    let process = Process::start(directory.path());
    assert!(!is_revoked(&process, "kept") && is_revoked(&process, "other"));
    apply(&process, Revocation::cut_off(alice).at(ago(40)));
    drop(process);
    let process = Process::start(directory.path());
    assert!(is_revoked(&process, "kept"));
    let later = Credential::from([Key::session("kept"), alice]).with_issued_at(ago(39));
    assert!(!matches!(process.decide(later), Verdict::Revoked(_)));
}

/// The place in the issuer's log is written with the events: a restart goes on exactly there, and misses what came meanwhile.
#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_with_the_issuers_log() {
    let directory = new_directory();
    let decode = RevocationEvents::from_source("issuer");
    let mut log = LogWriter::begin("issuer", LogId::from_bytes([7; 16]), None);
    let mut revoke = |id: &str| log.write(id, &Statement::block(Subject::session(id)));
    let whole = |process: &Process| {
        let logs = process.sink.status().issuer_logs;
        (logs[0].whole_to, logs[0].is_lost)
    };
    let process = Process::start(directory.path());
    for id in ["a", "b"] {
        assert_eq!(process.sink.ingest(&decode, &revoke(id)).wait(), Disposition::Applied);
    }
    // What is no event is known too. Nobody waits for it.
    let unknown = revoke("c");
    let unknown = String::from_utf8(unknown)
        .unwrap()
        .replace("tower-revocation.block", "tower-revocation.other");
    drop(process.sink.ingest(&decode, unknown.as_bytes()));
    drop(process);

    let process = Process::start(directory.path());
    assert_eq!(whole(&process), (Some(3), false));
    drop(process.sink.ingest(&decode, &revoke("d")));
    // The digest of what was read is not that of what its issuer says it wrote.
    assert_eq!(whole(&process), (Some(3), true));
    drop(process);

    let directory = new_directory();
    let process = Process::start(directory.path());
    let mut log = LogWriter::begin("issuer", LogId::from_bytes([8; 16]), None);
    let mut revoke = |id: &str| log.write(id, &Statement::block(Subject::session(id)));
    assert_eq!(process.sink.ingest(&decode, &revoke("a")).wait(), Disposition::Applied);
    drop(process);
    let _lost = revoke("b");
    let process = Process::start(directory.path());
    assert_eq!(process.sink.ingest(&decode, &revoke("c")).wait(), Disposition::Applied);
    assert_eq!(whole(&process), (Some(1), false));
    tokio::time::sleep(Duration::from_secs(3)).await;
    drop(process.sink.ingest(&decode, &revoke("d")));
    assert_eq!(whole(&process), (Some(1), true));
    assert!(process.is_revoked(Key::session("d")));
}

#[test]
fn a_restart_forgets_nothing() {
    let directory = new_directory();
    let process = Process::start_without_lists(directory.path());
    assert_eq!(process.journal().start, JournalStart::New);
    let (agent, lifted, device) = (Key::subject("agent"), Key::subject("lifted"), Key::named("device", "d"));
    process
        .sink
        .apply_all([
            Revocation::block(agent).at(secs(100)).because(Reason::KeyCompromise),
            Revocation::block(lifted).at(secs(100)),
            Revocation::cut_off(device).at(secs(200)),
            Revocation::cut_off(Key::everything()).at(secs(50)),
            Revocation::block(Key::signing_key("k")),
        ])
        .unwrap()
        .wait()
        .unwrap();
    process
        .sink
        .apply(Reinstatement::of(lifted, secs(150)))
        .unwrap()
        .wait()
        .unwrap();
    let decide = |process: &Process| {
        let issued = |key, at| process.decide(Credential::from(key).with_issued_at(secs(at)));
        [
            issued(agent, 300),
            issued(lifted, 99),
            issued(lifted, 151),
            issued(device, 200),
            issued(device, 201),
            issued(Key::token("t"), 50),
            issued(Key::token("t"), 51),
            issued(Key::signing_key("k"), 300),
        ]
    };
    let before = decide(&process);
    assert!(matches!(before[0], Verdict::Revoked(why) if why.reason == Reason::KeyCompromise));
    assert!(matches!(before[1], Verdict::Revoked(why) if why.effect == Effect::CutOff));
    assert_eq!(before[2], Verdict::Admit);
    drop(process);

    let process = Process::start_without_lists(directory.path());
    assert_eq!(decide(&process), before);
    let journal = process.journal();
    assert_eq!((journal.start, journal.restored_entries), (JournalStart::Restored, 5));
    drop(process);
    let process = Process::start_without_lists(directory.path());
    assert_eq!(decide(&process), before, "nor does the next one");
}

#[test]
fn what_was_said_before_and_after_a_restart_is_joined() {
    let directory = new_directory();
    let process = Process::start_without_lists(directory.path());
    let key = Key::subject("s");
    let issued = |at| Credential::from(key).with_issued_at(secs(at));
    process
        .sink
        .apply(Revocation::block(key).at(secs(100)))
        .unwrap()
        .wait()
        .unwrap();
    drop(process);
    let process = Process::start_without_lists(directory.path());
    process
        .sink
        .apply(Reinstatement::of(key, secs(200)))
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(process.decide(issued(150)), Verdict::Admit);
    drop(process);
    let process = Process::start_without_lists(directory.path());
    assert_eq!(process.decide(issued(150)), Verdict::Admit);
    assert!(matches!(process.decide(issued(100)), Verdict::Revoked(_)));
    process
        .sink
        .apply(Revocation::block(key).at(secs(50)))
        .unwrap()
        .wait()
        .unwrap();
    drop(process);
    let process = Process::start_without_lists(directory.path());
    assert_eq!(
        process.decide(issued(150)),
        Verdict::Admit,
        "a late event weakens nothing"
    );
}

#[tokio::test]
async fn tasks_wait_without_blocking_and_share_a_write() {
    let directory = new_directory();
    let process = Process::start_without_lists(directory.path());
    let keys: Vec<_> = (0..200).map(|id| Key::token(&format!("{id}"))).collect();
    let all = keys
        .iter()
        .map(|key| process.sink.apply(Revocation::block(*key)).unwrap().durable());
    let outcomes = futures_util::future::join_all(all).await;
    assert!(outcomes.into_iter().all(|outcome| outcome == Ok(())));
    process
        .sink
        .apply_all([
            Revocation::block(Key::subject("a")),
            Revocation::block(Key::subject("b")),
        ])
        .unwrap()
        .durable()
        .await
        .unwrap();
    let commits = commits(directory.path());
    assert!(commits < 100, "{commits} commits for 201 calls");
    drop(process);
    let process = Process::start_without_lists(directory.path());
    assert!(keys.into_iter().all(|key| process.is_revoked(key)));
    assert!(process.is_revoked(Key::subject("b")));
}

/// It used to wait for ever: tokio's channels hold an answer back from a task that has got too many without a pause, and a
/// task that blocks never pauses.
#[tokio::test]
async fn blocking_calls_may_be_made_by_tasks_too() {
    let directory = new_directory();
    let process = Process::start_without_lists(directory.path());
    for id in 0..500 {
        process
            .sink
            .apply(Revocation::block(Key::token(&format!("{id}"))))
            .unwrap()
            .wait()
            .unwrap();
    }
    process.until_kept(500);
}

/// The consumer of a queue acknowledges by what this says.
#[tokio::test]
async fn a_message_is_applied_when_it_is_durable() {
    let directory = new_directory();
    let process = Process::start_without_lists(directory.path());
    let did = |agent: &str| format!("did:cdi:registry.example.com:agent:01KDVDNA03XJ61A46WBY7B0EG{agent}");
    let message = |agent| {
        format!(
            r#"{{"type":"agent.auth.revoked","data":{{"agentId":"{}"}}}}"#,
            did(agent)
        )
    };
    let decode = ClawdentityEvents::new();
    assert_eq!(
        process.sink.ingest(&decode, message("N").as_bytes()).wait(),
        Disposition::Applied
    );
    let disposition = process.sink.ingest(&decode, message("M").as_bytes()).durable().await;
    assert_eq!(disposition, Disposition::Applied);
    let other = process.sink.ingest(&decode, br#"{"type":"other"}"#).durable().await;
    assert!(matches!(other, Disposition::Ignored(_)));
    assert!(matches!(
        process.sink.ingest(&decode, b"]").durable().await,
        Disposition::DeadLetter(_)
    ));
    assert_eq!(process.sink.status().dispositions.applied, 2);
    drop(process);
    let process = Process::start_without_lists(directory.path());
    assert!(process.is_revoked(Key::subject(&did("N"))) && process.is_revoked(Key::subject(&did("M"))));
}

#[test]
fn what_found_no_room_is_not_kept_either_and_what_is_kept_always_finds_room() {
    let directory = new_directory();
    let narrow = |config: DomainConfig| config.with_capacity(NonZeroUsize::new(2).unwrap());
    let process = Process::with(open(directory.path()), narrow);
    let [a, b, c] = ["a", "b", "c"].map(Key::token);
    let all = [a, b, c].map(Revocation::block);
    assert_eq!(
        process.sink.apply_all(all).and_then(Applied::wait),
        Err(ApplyError::AtCapacity { refused: 1 })
    );
    process.until_kept(2);
    drop(process);
    let narrower = |config: DomainConfig| config.with_capacity(NonZeroUsize::MIN);
    let process = Process::with(open(directory.path()), narrower);
    assert!(process.is_revoked(a) && process.is_revoked(b) && !process.is_revoked(c));
    assert_eq!(
        process.sink.apply(Revocation::block(c)).and_then(Applied::wait),
        Err(ApplyError::AtCapacity { refused: 1 })
    );
}

/// What the host installs by itself is kept as a word: no older one may follow.
#[test]
fn a_restart_rolls_no_list_back() {
    let directory = new_directory();
    let process = Process::start(directory.path());
    process.sink.install(RevocationList::builder(ago(60)).build()).unwrap();
    process.sink.install(RevocationList::builder(ago(30)).build()).unwrap();
    drop(process);
    let process = Process::start(directory.path());
    let older = process.sink.install(RevocationList::builder(ago(40)).build());
    assert!(matches!(older, Err(InstallError::Rollback { .. })), "{older:?}");
    let none = process.sink.install_none();
    assert!(matches!(none, Err(InstallError::Unsigned { .. })), "{none:?}");
    process.sink.install(RevocationList::builder(ago(20)).build()).unwrap();
    assert!(process.sink.is_ready());
}

/// An entry that yielded to a list which nobody kept is all that is left of it after a restart.
#[test]
fn an_entry_stays_until_the_list_itself_is_kept() {
    let directory = new_directory();
    let process = Process::start(directory.path());
    let key = Key::token("t");
    process
        .sink
        .apply(Revocation::block(key).at(ago(100)))
        .unwrap()
        .wait()
        .unwrap();
    let list = RevocationList::builder(ago(30))
        .with_entry(&Revocation::block(key).at(ago(50)))
        .build();
    process.sink.install(list).unwrap();
    assert_eq!(process.sink.status().overlay.entries, 0, "the list took it over");
    drop(process);
    let process = Process::start(directory.path());
    assert!(process.is_revoked(key));
}

#[test]
fn what_is_over_is_kept_for_a_while_after_a_restart() {
    let directory = new_directory();
    let process = Process::start_without_lists(directory.path());
    let over = Revocation::block(Key::token("t")).forget_at(Timestamp::from_unix_secs(5));
    process.sink.apply(over).unwrap().wait().unwrap();
    drop(process);
    let process = Process::start_without_lists(directory.path());
    assert!(process.is_revoked(Key::token("t")), "the clock may be wrong");
}

/// How many commits the journal has seen.
fn commits(directory: &std::path::Path) -> u64 {
    std::fs::read_to_string(directory.join("sequence"))
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}
