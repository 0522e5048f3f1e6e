//! The list, as the issuer signed it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use http::StatusCode;
use redb::{Database, Table, TableDefinition};
use tempfile::TempDir;
use tower_revocation::crl::clawdentity::ClawdentityList;
use tower_revocation::crl::{KeySet, ListError, ListFormat, PublicKey};
use tower_revocation::journal::Journal;
use tower_revocation::status::JournalStart;
use tower_revocation::{
    ConcernCode, DEFAULT_MAX_AGE, DomainConfig, Freshness, ListPolicy, Revocation, RevocationList, StalePolicy,
    Timestamp, Unknown, Verdict,
};

use crate::registry::{A, B, C, ISSUER, Registry, list, token};
use crate::support::{Process, ago, new_directory, open, secs, until_closed};

const K1: (&str, u8) = ("k1", 7);

fn now() -> u64 {
    Timestamp::now().as_unix_secs()
}

/// A directory in which a process kept a list that names [`A`], and an event that names it as well.
async fn kept_list() -> (TempDir, Registry, u64) {
    let directory = new_directory();
    let registry = Registry::new();
    let process = Process::start(directory.path());
    let iat = now() - 10;
    registry.publish(list(iat, iat + 390, &[A], K1));
    process
        .sink
        .apply(Revocation::block(token(A)).at(ago(60)))
        .unwrap()
        .wait()
        .unwrap();
    process
        .sink
        .apply(Revocation::block(token(B)).at(ago(60)))
        .unwrap()
        .wait()
        .unwrap();
    registry.fetch_for(&process.sink).await;
    // The list has taken one of them over.
    process.until_kept(1);
    drop(process);
    until_closed(directory.path());
    (directory, registry, iat)
}

#[tokio::test]
async fn is_in_force_after_a_restart_while_the_registry_is_away() {
    let (directory, registry, iat) = kept_list().await;
    registry.go_away();
    let process = Process::start(directory.path());
    assert!(process.is_revoked(token(B)), "by its event, already");
    assert!(!process.sink.is_ready());
    let mut poller = registry.poller(&process.sink);
    poller.restore().unwrap();
    assert!(process.is_revoked(token(A)), "the list itself is what is left");
    assert_eq!(process.decide(token("other")), Verdict::Admit);
    assert!(poller.keys().current().contains("k1"), "tokens can be verified");
    let status = process.sink.status();
    assert_eq!(status.snapshot.unwrap().iat, Some(iat));
    assert!(status.ready && status.poll.last_success_ms_ago.is_none());
    assert!(process.journal().restored_list);
    poller.restore().unwrap();
}

#[tokio::test]
async fn is_restored_by_a_poller_that_runs_as_well() {
    let (directory, registry, _) = kept_list().await;
    registry.go_away();
    let process = Process::start(directory.path());
    let running = registry.run(&process.sink);
    process.sink.refreshed().await;
    assert!(process.is_revoked(token(A)) && process.sink.is_ready());
    running.abort();
}

#[tokio::test]
async fn yields_to_a_newer_one_alone() {
    let (directory, registry, iat) = kept_list().await;
    let process = Process::start(directory.path());
    registry.restore(&process.sink).unwrap();
    registry.publish(list(iat - 1, iat + 390, &[C], K1));
    let running = registry.run(&process.sink);
    process.sink.refreshed().await;
    let error = process.sink.status().poll.last_error.unwrap();
    assert!(error.contains("rollback"), "{error}");
    assert!(process.is_revoked(token(A)));
    registry.publish(list(iat + 1, iat + 390, &[C], K1));
    process.sink.refreshed().await;
    assert!(!process.is_revoked(token(A)), "the issuer took it back");
    running.abort();
    let _ = running.await;
    drop(process);
    registry.go_away();
    let process = Process::start(directory.path());
    registry.restore(&process.sink).unwrap();
    assert!(!process.is_revoked(token(A)) && process.is_revoked(token(B)));
}

/// Its `exp` says until when it may be fetched, `max_age` until when it may be used.
#[tokio::test]
async fn may_have_expired_since_it_was_fetched() {
    let (directory, registry, _) = kept_list().await;
    // As if all that had been a quarter of an hour ago; it was confirmed since.
    let iat = now() - 900;
    fs::write(directory.path().join("list"), list(iat, iat + 390, &[A], K1)).unwrap();
    for name in ["newest list", "list issued", "list accepted"] {
        set_time(directory.path(), name, secs(iat));
    }
    set_time(directory.path(), "list refreshed", ago(30));
    let process = Process::start(directory.path());
    registry.restore(&process.sink).unwrap();
    assert!(process.is_revoked(token(A)) && process.sink.is_ready());
    let age = process.sink.status().snapshot.unwrap().age_ms;
    assert!((30_000..60_000).contains(&age), "{age}");
}

/// The host installed a newer one by itself, which nobody kept: what is kept is out of date, and no damage.
#[tokio::test]
async fn that_is_out_of_date_is_left_out() {
    let (directory, registry, iat) = kept_list().await;
    let process = Process::start(directory.path());
    process
        .sink
        .install(RevocationList::builder(secs(iat + 5)).build())
        .unwrap();
    registry.restore(&process.sink).unwrap();
    assert!(process.sink.is_ready() && !process.is_revoked(token(A)));
    drop(process);
    let process = Process::start(directory.path());
    registry.restore(&process.sink).unwrap();
    assert!(!process.sink.is_ready() && !process.is_revoked(token(A)));
    registry.publish(list(iat + 6, iat + 390, &[A], K1));
    registry.fetch_for(&process.sink).await;
    assert!(process.sink.is_ready() && process.is_revoked(token(A)));
}

/// Whatever it took over from the events is known by nobody else.
#[tokio::test]
async fn that_is_not_restored_leaves_everybody_out() {
    let (directory, registry, _) = kept_list().await;
    for lists in [ListPolicy::Expected, ListPolicy::NotUsed] {
        let policy = |config: DomainConfig| config.with_stale_policy(StalePolicy::FailOpen).with_lists(lists);
        let process = Process::with(open(directory.path()), policy);
        assert!(matches!(process.decide(token(A)), Verdict::Unknown(_)) && !process.sink.is_ready());
        registry.restore(&process.sink).unwrap();
        assert!(process.is_revoked(token(A)) && process.sink.is_ready());
    }
}

/// A crash may come between the list's file and what the database says of it. The next process used to remove entries because
/// of such a list, and the one after that did not know that the list was lost: failing open, it admitted revoked credentials.
#[tokio::test]
async fn that_its_file_alone_tells_of_is_missed_as_well() {
    let (directory, registry, iat) = kept_list().await;
    change_times(directory.path(), |times| {
        for name in ["list issued", "list accepted", "list refreshed"] {
            times.remove(name).unwrap();
        }
    });
    let process = Process::start(directory.path());
    process
        .sink
        .apply(Revocation::block(token(A)).at(ago(60)))
        .unwrap()
        .wait()
        .unwrap();
    registry.restore(&process.sink).unwrap();
    // The list has taken it over.
    process.until_kept(1);
    let newer = RevocationList::builder(secs(iat + 5)).with_entry(&Revocation::block(token(A)));
    process.sink.install(newer.build()).unwrap();
    drop(process);
    let policy = |config: DomainConfig| config.with_stale_policy(StalePolicy::FailOpen);
    let process = Process::with(open(directory.path()), policy);
    registry.restore(&process.sink).unwrap();
    assert!(
        !process.sink.is_ready(),
        "the kept list is out of date, and what it said is known by nobody"
    );
}

#[tokio::test]
async fn is_as_old_as_it_is() {
    let (directory, registry, _) = kept_list().await;
    let two_hours = 2 * 60 * 60;
    set_time(directory.path(), "list refreshed", ago(two_hours));
    let process = Process::start(directory.path());
    registry.restore(&process.sink).unwrap();
    let status = process.sink.status();
    assert_eq!(status.freshness, Freshness::Stale);
    let age = Duration::from_millis(status.snapshot.unwrap().age_ms);
    assert!(
        age >= Duration::from_secs(two_hours) && age < DEFAULT_MAX_AGE * 3,
        "{age:?}"
    );
    assert!(matches!(
        process.decide(token("other")),
        Verdict::Unknown(Unknown::Stale { .. })
    ));
    assert!(process.is_revoked(token(A)), "what it says is known still");
    registry.fetch_for(&process.sink).await;
    assert!(process.sink.is_ready());
}

/// The wall clock was set back since it was fetched.
#[tokio::test]
async fn is_never_younger_than_new() {
    let (directory, registry, _) = kept_list().await;
    set_time(directory.path(), "list refreshed", secs(now() + 300));
    let process = Process::start(directory.path());
    registry.restore(&process.sink).unwrap();
    let age = process.sink.status().snapshot.unwrap().age_ms;
    assert!(age < 20_000, "{age}");
}

/// A list that was let in stays in, whatever the clock says afterwards.
#[tokio::test]
async fn is_in_force_although_the_clock_was_set_back() {
    let directory = new_directory();
    let registry = Registry::new();
    let process = Process::start(directory.path());
    let iat = now() + 50;
    registry.publish(list(iat, iat + 390, &[A], K1));
    registry.fetch_for(&process.sink).await;
    drop(process);
    // As much as if the clock had gone back by a day.
    let later = list(iat + 86_400, iat + 90_000, &[A], K1);
    fs::write(directory.path().join("list"), later).unwrap();
    let process = Process::start(directory.path());
    registry.restore(&process.sink).unwrap();
    assert!(process.is_revoked(token(A)));
}

#[tokio::test]
async fn ages_from_its_last_confirmation() {
    let (directory, registry, _) = kept_list().await;
    set_time(directory.path(), "list refreshed", ago(600));
    let process = Process::start(directory.path());
    let running = registry.run(&process.sink);
    process.sink.refreshed().await;
    registry.say_unchanged(true);
    process.sink.refreshed().await;
    assert_eq!(process.sink.status().poll.last_error, None);
    running.abort();
    let _ = running.await;
    drop(process);
    let process = Process::start(directory.path());
    registry.restore(&process.sink).unwrap();
    assert!(process.sink.status().snapshot.unwrap().age_ms < 20_000);
}

/// Nothing but what the issuer signed.
#[tokio::test]
async fn is_refused_if_it_is_not_what_was_signed() {
    for (name, forge) in [
        (
            "another signature",
            &(|iat: u64| Some(list(iat + 5, iat + 390, &[C], ("k1", 8)))) as &dyn Fn(u64) -> Option<String>,
        ),
        ("an older list", &|iat: u64| Some(list(iat - 1, iat + 390, &[C], K1))),
        ("no list", &|_| Some("{}".to_owned())),
        ("nothing in it", &|_| Some(String::new())),
        ("nothing", &|_| None),
    ] {
        let (directory, registry, iat) = kept_list().await;
        let path = directory.path().join("list");
        match forge(iat) {
            Some(forged) => fs::write(&path, forged).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let policy = |config: DomainConfig| config.with_stale_policy(StalePolicy::FailOpen);
        let process = Process::with(open(directory.path()), policy);
        let error = registry.restore(&process.sink).unwrap_err().to_string();
        assert!(error.starts_with(path.to_str().unwrap()), "{name}: {error}");
        assert_ne!(process.decide(token(A)), Verdict::Admit, "{name}");
        assert!(!process.sink.is_ready(), "{name}: it fails closed under any policy");
        assert_eq!(
            process.sink.status().concerns[0].code,
            ConcernCode::JournalLost,
            "{name}"
        );
        drop(process);

        let process = Process::with(Journal::open_or_start_empty(directory.path()).unwrap(), policy);
        registry.restore(&process.sink).unwrap();
        assert!(process.is_revoked(token(B)), "{name}: events are known");
        assert!(!process.sink.is_ready(), "{name}");
        let journal = process.journal();
        assert_eq!(journal.start, JournalStart::Lost);
        assert!(
            journal.last_error.unwrap().starts_with(path.to_str().unwrap()),
            "{name}"
        );
        registry.fetch_for(&process.sink).await;
        assert!(process.is_revoked(token(A)) && process.sink.is_ready(), "{name}");
    }
}

/// It used to be made up for by any list of its second, such as one that a cache had from before the last revocation.
#[tokio::test]
async fn that_is_lost_is_made_up_for_by_itself_or_a_later_one() {
    let (directory, registry, iat) = kept_list().await;
    let start = || {
        until_closed(directory.path());
        let journal = Journal::open_or_start_empty(directory.path()).unwrap();
        Process::with(journal, |config| config.with_stale_policy(StalePolicy::FailOpen))
    };
    damage(directory.path());
    registry.publish(list(iat, iat + 390, &[C], K1));
    // Nor does the next process find it in the place of the lost one.
    for _ in 0..2 {
        let process = start();
        registry.fetch_in_vain_for(&process.sink).await;
        assert!(process.is_revoked(token(C)) && !process.sink.is_ready());
        assert!(
            matches!(process.decide(token(A)), Verdict::Unknown(_)),
            "it was revoked"
        );
        assert_eq!(process.journal().list_iat, None);
    }
    for (issued_at, names) in [(iat, A), (iat + 1, C)] {
        let process = start();
        assert!(!process.sink.is_ready());
        registry.publish(list(issued_at, iat + 390, &[names], K1));
        registry.fetch_for(&process.sink).await;
        assert!(process.is_revoked(token(names)) && process.sink.is_ready());
        // From here on all is as if it had never been lost.
        let more = "01KDVDNA09Q5HAD7MTF0000001";
        registry.publish(list(issued_at, iat + 390, &[names, more], K1));
        registry.fetch_for(&process.sink).await;
        drop(process);
        let process = Process::start(directory.path());
        registry.restore(&process.sink).unwrap();
        assert!(process.is_revoked(token(names)) && process.is_revoked(token(more)));
        assert!(process.sink.is_ready());
        drop(process);
        damage(directory.path());
    }
}

/// A crash may come between the file of a list and what the database says of it, also when it says more than one of its second that
/// was kept before. Entries used to go because of it, and if it was lost then, the other one would have made up for it.
#[tokio::test]
async fn that_its_file_alone_tells_of_is_no_other_of_its_second() {
    let (directory, registry, iat) = kept_list().await;
    fs::write(directory.path().join("list"), list(iat, iat + 390, &[A, B], K1)).unwrap();
    let process = Process::start(directory.path());
    registry.restore(&process.sink).unwrap();
    process.until_kept(0);
    drop(process);
    damage(directory.path());
    let process = Process::with(Journal::open_or_start_empty(directory.path()).unwrap(), |layer| layer);
    registry.fetch_in_vain_for(&process.sink).await;
    assert!(process.is_revoked(token(A)) && !process.sink.is_ready());
    assert!(
        matches!(process.decide(token(B)), Verdict::Unknown(_)),
        "it was revoked"
    );
}

/// The issuer has withdrawn the key that signed it: that is no damage, but it is no list either.
#[tokio::test]
async fn is_left_out_once_its_signing_key_is_withdrawn() {
    let (directory, registry, iat) = kept_list().await;
    registry.publish_keys(&[("k1", 7, "revoked"), ("k2", 8, "active")]);
    // It cannot be fetched with these keys; they are kept all the same.
    let process = Process::start(directory.path());
    let running = registry.run(&process.sink);
    process.sink.refreshed().await;
    running.abort();
    let _ = running.await;
    drop(process);
    let policy = |config: DomainConfig| config.with_stale_policy(StalePolicy::FailOpen);
    let process = Process::with(open(directory.path()), policy);
    registry.restore(&process.sink).unwrap();
    assert!(!process.sink.is_ready());
    assert!(matches!(process.decide(token(A)), Verdict::Unknown(_)));
    registry.publish(list(iat + 2, iat + 390, &[A], ("k2", 8)));
    registry.fetch_for(&process.sink).await;
    assert!(process.is_revoked(token(A)) && process.sink.is_ready());
}

/// A host that trusts no keys but its own.
struct Pinned(ClawdentityList, KeySet);

impl ListFormat for Pinned {
    fn read_list(&self, body: &[u8], _: &KeySet, now: Timestamp) -> Result<RevocationList, ListError> {
        self.0.read_list(body, &self.1, now)
    }

    fn read_keys(&self, body: &[u8]) -> Result<KeySet, ListError> {
        self.0.read_keys(body)
    }

    fn is_none_yet(&self, status: StatusCode, body: &[u8]) -> bool {
        self.0.is_none_yet(status, body)
    }
}

/// Somebody who can write to the directory can put another list there, and its keys beside it. A host may rule that out.
#[tokio::test]
async fn is_worth_nothing_by_keys_that_the_host_does_not_trust() {
    let directory = new_directory();
    let forger = Registry::new();
    forger.publish_keys(&[("k1", 9, "active")]);
    let process = Process::start(directory.path());
    forger.publish(list(now() - 10, now() + 390, &[C], ("k1", 9)));
    forger.fetch_for(&process.sink).await;
    drop(process);
    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key();
    let keys = KeySet::default().with_key("k1", PublicKey::from_ed25519(key.as_bytes()).unwrap());
    let process = Process::start(directory.path());
    let format = Pinned(ClawdentityList::new(ISSUER), keys);
    assert!(forger.poller_by(format, &process.sink).restore().is_err());
    assert!(!process.sink.is_ready());
}

/// Of two lists of one second only one can be kept. It must not be the one that says less.
#[tokio::test]
async fn of_one_second_the_one_that_says_less_is_not_kept() {
    let (directory, registry, iat) = kept_list().await;
    let process = Process::start(directory.path());
    registry.restore(&process.sink).unwrap();
    registry.publish(list(iat, iat + 390, &[B], K1));
    registry.fetch_for(&process.sink).await;
    assert_eq!(process.sink.status().snapshot.unwrap().entries, 2);
    drop(process);
    let process = Process::start(directory.path());
    registry.restore(&process.sink).unwrap();
    assert!(process.is_revoked(token(A)));
    assert!(!process.sink.is_ready(), "more was said");
    registry.publish(list(iat, iat + 390, &[A], K1));
    registry.fetch_in_vain_for(&process.sink).await;
    assert!(!process.sink.is_ready(), "more than this one says, too");
    drop(process);
    damage(directory.path());
    let process = Process::with(Journal::open_or_start_empty(directory.path()).unwrap(), |layer| layer);
    registry.fetch_in_vain_for(&process.sink).await;
    assert!(!process.sink.is_ready(), "also when it was lost");
    registry.publish(list(iat + 1, iat + 390, &[A, B], K1));
    registry.fetch_for(&process.sink).await;
    drop(process);
    registry.go_away();
    let process = Process::start(directory.path());
    registry.restore(&process.sink).unwrap();
    assert!(process.is_revoked(token(A)) && process.is_revoked(token(B)) && process.sink.is_ready());
}

/// A cache may have one from before, or another gateway's. It used to be taken to say more, and the next start waited for a later one.
#[tokio::test]
async fn of_one_second_the_one_that_says_all_stays_kept_beside_others() {
    let (directory, registry, iat) = kept_list().await;
    let process = Process::start(directory.path());
    registry.restore(&process.sink).unwrap();
    for names in [&[A, C][..], &[C], &[A]] {
        registry.publish(list(iat, iat + 390, names, K1));
        registry.fetch_for(&process.sink).await;
    }
    drop(process);
    registry.go_away();
    let process = Process::start(directory.path());
    registry.restore(&process.sink).unwrap();
    assert!(process.is_revoked(token(A)) && process.is_revoked(token(C)) && process.sink.is_ready());
}

/// It used to be missed only if the one that says less had been kept: if neither was, a start that fails open knew of nothing.
#[tokio::test]
async fn of_one_second_neither_was_kept_and_both_are_missed() {
    let (directory, registry, iat) = kept_list().await;
    change_times(directory.path(), |times| {
        for name in ["list issued", "list accepted", "list refreshed"] {
            times.remove(name).unwrap();
        }
        times.insert("list incomplete", iat * 1000).unwrap();
    });
    fs::remove_file(directory.path().join("list")).unwrap();
    let policy = |config: DomainConfig| config.with_stale_policy(StalePolicy::FailOpen);
    let process = Process::with(open(directory.path()), policy);
    registry.restore(&process.sink).unwrap();
    assert!(!process.sink.is_ready());
    registry.fetch_in_vain_for(&process.sink).await;
    assert!(!process.sink.is_ready(), "more was said than this one says");
    registry.publish(list(iat + 1, iat + 390, &[A, B], K1));
    registry.fetch_for(&process.sink).await;
    assert!(process.sink.is_ready());
}

#[tokio::test]
async fn entries_that_it_carries_are_let_go_of() {
    let directory = new_directory();
    let registry = Registry::new();
    let process = Process::start(directory.path());
    let tokens: Vec<String> = (0..5_000)
        .map(|number| format!("01KDVDNA09Q5HAD7MTF000{number:04}"))
        .collect();
    let events = tokens.iter().map(|jti| Revocation::block(token(jti)).at(ago(60)));
    process.sink.apply_all(events).unwrap().wait().unwrap();
    process.sink.apply(Revocation::block(token(B))).unwrap().wait().unwrap();
    process.until_kept(5_001);
    let all: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let iat = now() - 10;
    registry.publish(list(iat, iat + 390, &all, K1));
    registry.fetch_for(&process.sink).await;
    process.until_kept(1);
    drop(process);
    registry.go_away();
    let process = Process::start(directory.path());
    registry.restore(&process.sink).unwrap();
    assert!(tokens.iter().all(|jti| process.is_revoked(token(jti))) && process.is_revoked(token(B)));
}

/// Leaves nothing of the list to the next process.
fn damage(directory: &Path) {
    until_closed(directory);
    fs::write(directory.join("list"), "{").unwrap();
}

/// Changes a time in a journal that no process holds.
fn set_time(directory: &Path, name: &str, at: Timestamp) {
    change_times(directory, |times| {
        times.insert(name, at.as_unix_millis()).unwrap();
    });
}

fn change_times(directory: &Path, change: impl FnOnce(&mut Table<'_, &str, u64>)) {
    until_closed(directory);
    let database = Database::open(directory.join("journal.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut numbers = transaction
            .open_table(TableDefinition::<&str, u64>::new("numbers"))
            .unwrap();
        change(&mut numbers);
    }
    transaction.commit().unwrap();
}
