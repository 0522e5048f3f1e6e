//! Logins at two replicas that race with "log out everywhere" and "change my password". `LOGINS=10000` has more of them.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, mpsc};
use std::thread;

use tower_revocation::identify::LoginMark;
use tower_revocation::{
    Credential, DomainConfig, Event, EventSink, Key, ListPolicy, RevocationLayer, Statement, Subject, Timestamp,
    Verdict,
};

fn sink() -> EventSink {
    let domain = DomainConfig::new().with_lists(ListPolicy::NotUsed);
    RevocationLayer::pair_with(domain, |_: &()| Credential::new()).1
}

fn is_refused(sink: &EventSink, mark: &LoginMark) -> bool {
    let presented = LoginMark::credential(Some(mark), Key::subject("alice"));
    !matches!(sink.decide(&presented), Verdict::Admit)
}

/// Something that read the clock between two numbers of one sequence.
struct Timed<T> {
    what: T,
    began: usize,
    ended: usize,
}

/// A cut-off: when it took effect, and what it spares.
struct CutOff {
    at: Timestamp,
    spares: Option<String>,
}

#[test]
fn who_came_before_is_refused_and_who_came_after_is_not_and_nobody_comes_back() {
    let logins: usize = std::env::var("LOGINS").map_or(400, |logins| logins.parse().unwrap());
    let replicas = [sink(), sink()];
    let sequence = AtomicUsize::new(0);
    let number = || sequence.fetch_add(1, SeqCst);
    let sessions: Mutex<Vec<Timed<LoginMark>>> = Mutex::default();
    let cut_offs: Mutex<Vec<Timed<CutOff>>> = Mutex::default();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let mut feeds = Vec::new();
        for replica in &replicas {
            let (feed, events) = mpsc::channel::<Vec<Event>>();
            feeds.push(feed);
            scope.spawn(move || {
                for events in events {
                    replica.apply_all(events).unwrap().wait().unwrap();
                }
            });
        }
        // What either replica has refused once, it goes on refusing.
        for replica in &replicas {
            let (sessions, is_over) = (&sessions, &is_over);
            scope.spawn(move || {
                let mut refused = HashSet::new();
                while !is_over.load(SeqCst) {
                    let known: Vec<_> = sessions.lock().unwrap().iter().map(|it| it.what.clone()).collect();
                    for mark in known {
                        match is_refused(replica, &mark) {
                            true => drop(refused.insert(mark.sid().to_owned())),
                            false => assert!(!refused.contains(mark.sid()), "it came back to life"),
                        }
                    }
                }
            });
        }
        let at_each: Vec<_> = (0..2)
            .map(|_| {
                let (sessions, number) = (&sessions, &number);
                scope.spawn(move || {
                    for _ in 0..logins / 2 {
                        let (began, what, ended) = (number(), LoginMark::begin(), number());
                        sessions.lock().unwrap().push(Timed { what, began, ended });
                        thread::yield_now();
                    }
                })
            })
            .collect();
        let mut turn = 0;
        while at_each.iter().any(|login| !login.is_finished()) {
            if sessions.lock().unwrap().len() <= turn {
                thread::yield_now();
                continue;
            }
            let kept = sessions
                .lock()
                .unwrap()
                .last()
                .map(|session| session.what.sid().to_owned());
            // Every other act is a change of password in the newest session.
            let spares = kept.filter(|_| turn % 2 == 0);
            let began = number();
            let statement = Statement::cut_off(Subject::subject("alice"));
            let ended = number();
            let statement = match &spares {
                Some(sid) => statement.sparing(Subject::session(sid)),
                None => statement,
            };
            let events: Vec<Event> = statement.events().collect();
            let Event::Revoke(revocation) = events[0] else {
                unreachable!()
            };
            let at = revocation.effective_at().unwrap();
            cut_offs.lock().unwrap().push(Timed {
                what: CutOff { at, spares },
                began,
                ended,
            });
            // The other replica hears of it in the other order, twice.
            feeds[turn % 2].send(events.clone()).unwrap();
            feeds[(turn + 1) % 2].send(events.clone()).unwrap();
            feeds[(turn + 1) % 2].send(events).unwrap();
            turn += 1;
        }
        is_over.store(true, SeqCst);
        drop(feeds);
    });
    let (sessions, cut_offs) = (sessions.into_inner().unwrap(), cut_offs.into_inner().unwrap());
    assert_eq!(sessions.len(), logins / 2 * 2);
    let (mut refused, mut admitted) = (0, 0);
    for session in &sessions {
        let concerns = |cut_off: &&Timed<CutOff>| cut_off.what.spares.as_deref() != Some(session.what.sid());
        let mut concerning = cut_offs.iter().filter(concerns);
        let came_before = concerning.clone().any(|cut_off| session.ended < cut_off.began);
        // Of the same millisecond, or one more where a clock stood on a whole second.
        let reaches = |cut_off: &Timed<CutOff>| session.what.since() <= cut_off.what.at;
        let may_be_refused = concerning.any(reaches);
        for replica in &replicas {
            let is_refused = is_refused(replica, &session.what);
            assert!(is_refused || !came_before, "who came before is refused");
            assert!(!is_refused || may_be_refused, "who came after is not");
            *if is_refused { &mut refused } else { &mut admitted } += 1;
        }
        let after_all = cut_offs.iter().all(|cut_off| cut_off.ended < session.began);
        let later = std::time::Duration::from_millis(2);
        let is_later = cut_offs
            .iter()
            .all(|cut_off| session.what.since() >= cut_off.what.at.saturating_add(later));
        assert!(!(after_all && is_later && is_refused(&replicas[0], &session.what)));
    }
    eprintln!("{} cut-offs, {refused} refused, {admitted} admitted", cut_offs.len());
    // One more login, a moment later, is good at both.
    let last = cut_offs.iter().map(|cut_off| cut_off.what.at).max().unwrap();
    let new = std::iter::repeat_with(LoginMark::begin)
        .find(|mark| mark.since() > last)
        .unwrap();
    assert!(replicas.iter().all(|replica| !is_refused(replica, &new)));
    assert!(refused > 0);
}
