//! What a cut-off spares: "change the password, end all other sessions, keep this one".

use proptest::prelude::*;
use tokio_test::{assert_pending, assert_ready, task};
use tower_revocation::{
    Credential, DomainConfig, Effect, EventSink, Identity, Key, ListPolicy, Reinstatement, Revocation, RevocationLayer,
    RevocationList, Timestamp, Verdict,
};

fn sink() -> EventSink {
    let domain = DomainConfig::new().with_lists(ListPolicy::NotUsed);
    RevocationLayer::pair_with(domain, |_: &()| Credential::new()).1
}

fn alice() -> Key {
    Key::subject("alice")
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_unix_millis(1_767_225_600_000 + millis)
}

/// A session of Alice that began then.
fn session(sid: &str, began: u64) -> Credential {
    Credential::from([Key::session(sid), alice()]).with_issued_at(at(began))
}

fn apply(sink: &EventSink, revocation: Revocation) {
    sink.apply(revocation).unwrap().wait().unwrap();
}

fn admits(sink: &EventSink, credential: &Credential) -> bool {
    matches!(sink.decide(credential), Verdict::Admit)
}

fn changed_password(millis: u64, kept: &str) -> Revocation {
    Revocation::cut_off(alice()).at(at(millis)).sparing(Key::session(kept))
}

#[test]
fn the_other_sessions_end_and_this_one_stays() {
    let sink = sink();
    apply(&sink, changed_password(5_250, "kept"));
    assert!(admits(&sink, &session("kept", 1_001)));
    assert!(admits(&sink, &session("kept", 5_250)));
    let undated = Credential::from([Key::session("kept"), alice()]);
    assert!(admits(&sink, &undated), "whenever it began");
    assert!(!admits(&sink, &session("other", 1_001)));
    assert!(!admits(&sink, &alice().into()));
    assert!(admits(&sink, &session("other", 5_251)));
}

#[test]
fn a_later_cut_off_that_does_not_spare_it_refuses_it() {
    let sink = sink();
    apply(&sink, changed_password(5_250, "kept"));
    apply(&sink, changed_password(6_250, "kept"));
    assert!(admits(&sink, &session("kept", 1_001)), "the password was changed twice");
    apply(&sink, Revocation::cut_off(alice()).at(at(7_250)));
    assert!(!admits(&sink, &session("kept", 1_001)));
    apply(&sink, changed_password(8_250, "kept"));
    assert!(!admits(&sink, &session("kept", 1_001)), "it does not come back to life");
    assert!(admits(&sink, &session("kept", 7_251)));
}

#[test]
fn an_earlier_one_that_arrives_late_refuses_it_too() {
    let sink = sink();
    apply(&sink, changed_password(5_250, "kept"));
    apply(&sink, Revocation::cut_off(alice()).at(at(3_250)));
    assert!(!admits(&sink, &session("kept", 1_001)));
    assert!(admits(&sink, &session("kept", 3_251)));
}

#[test]
fn nothing_but_cut_offs_of_that_key_spares_it() {
    for other in [
        Revocation::block(alice()).at(at(5_000)),
        Revocation::block(alice()).at(at(5_000)).sparing(Key::session("kept")),
        Revocation::block(Key::session("kept")).at(at(5_000)),
        Revocation::cut_off(Key::everything()).at(at(5_000)),
    ] {
        let sink = sink();
        apply(&sink, changed_password(5_250, "kept"));
        apply(&sink, other);
        assert!(!admits(&sink, &session("kept", 1_001)), "{other:?}");
    }
    let sink = sink();
    apply(&sink, changed_password(5_250, "kept"));
    let of_bob = Credential::from([Key::session("kept"), Key::subject("bob")]).with_issued_at(at(1_001));
    apply(&sink, Revocation::cut_off(Key::subject("bob")).at(at(5_000)));
    assert!(!admits(&sink, &of_bob));
    // A block that is lifted stays as a cut-off, and spares nothing.
    apply(&sink, Revocation::block(alice()).at(at(3_250)));
    sink.apply(Reinstatement::of(alice(), at(9_000)))
        .unwrap()
        .wait()
        .unwrap();
    assert!(!admits(&sink, &session("kept", 1_001)));
    assert!(admits(&sink, &session("kept", 3_251)));
}

#[test]
fn all_may_be_logged_out_but_one() {
    let sink = sink();
    let all = Revocation::cut_off(Key::everything()).at(at(5_250));
    apply(&sink, all.sparing(Key::session("admin")));
    assert!(admits(&sink, &session("admin", 1_001)));
    assert!(!admits(&sink, &session("kept", 1_001)));
}

/// Whoever holds the session that is spared must not bring a token with it that is not.
#[test]
fn what_is_presented_beside_it_is_not_spared() {
    let sink = sink();
    apply(&sink, changed_password(5_250, "kept"));
    let token = Credential::from([Key::token("old"), alice()]).with_issued_at(at(1_000));
    let mut both = Identity::from(session("kept", 1_001));
    both.merge(token.clone().into());
    let Identity::Presented(both) = both else {
        panic!("{both:?}")
    };
    assert!(!admits(&sink, &both));
    let mut merged = session("kept", 1_001);
    let _ = merged.merge(&token);
    assert!(!admits(&sink, &merged));
    // The same one in two places is one.
    let mut same = Identity::from(session("kept", 1_001));
    same.merge(session("kept", 1_001).into());
    let Identity::Presented(same) = same else {
        panic!("{same:?}")
    };
    assert!(admits(&sink, &same));
}

#[test]
fn no_more_are_spared_than_there_is_room_for() {
    let sids: Vec<_> = (0..=Revocation::MOST_SPARED).map(|number| number.to_string()).collect();
    let cut_off = Revocation::cut_off(alice()).at(at(5_250));
    let sink = sink();
    apply(
        &sink,
        sids.iter()
            .map(|sid| Key::session(sid))
            .fold(cut_off, Revocation::sparing),
    );
    for (number, sid) in sids.iter().enumerate() {
        assert_eq!(
            admits(&sink, &session(sid, 1_001)),
            number < Revocation::MOST_SPARED,
            "{sid}"
        );
    }
}

#[test]
fn the_stream_that_is_spared_goes_on_and_ends_with_the_next_one() {
    let sink = sink();
    let guards = ["kept", "other"].map(|sid| sink.guard(session(sid, 1_001)));
    let [mut kept, mut other] = guards.each_ref().map(|guard| task::spawn(guard.revoked()));
    assert_pending!(kept.poll());
    assert_pending!(other.poll());
    apply(&sink, changed_password(5_250, "kept"));
    assert!(other.is_woken() && !kept.is_woken());
    assert_ready!(other.poll());
    assert_pending!(kept.poll());
    apply(&sink, Revocation::cut_off(alice()).at(at(6_250)));
    assert!(kept.is_woken());
    assert_eq!(assert_ready!(kept.poll()).effect, Effect::CutOff);
}

#[test]
fn a_list_says_what_the_events_do() {
    let list = |entries: &[Revocation]| {
        let list = RevocationList::builder(at(100_000));
        entries.iter().fold(list, |list, entry| list.with_entry(entry)).build()
    };
    let spared = changed_password(5_250, "kept");
    let plain = Revocation::cut_off(alice()).at(at(3_250));
    for entries in [[spared, plain], [plain, spared]] {
        let sink = sink();
        sink.install(list(&entries)).unwrap();
        assert!(!admits(&sink, &session("kept", 3_250)));
        assert!(admits(&sink, &session("kept", 3_251)));
        assert!(!admits(&sink, &session("other", 3_251)));
    }
    // The list takes the events over, and does not bring back what they refuse.
    let sink = sink();
    apply(&sink, plain);
    apply(&sink, spared);
    sink.install(list(&[spared])).unwrap();
    assert_eq!(sink.status().overlay.entries, 1, "the list says less");
    assert!(!admits(&sink, &session("kept", 3_250)));
    sink.install(list(&[spared, plain])).unwrap();
    assert_eq!(sink.status().overlay.entries, 0);
    assert!(!admits(&sink, &session("kept", 3_250)) && admits(&sink, &session("kept", 3_251)));
    // An event of later, over the list.
    apply(&sink, Revocation::cut_off(alice()).at(at(9_250)));
    assert!(!admits(&sink, &session("kept", 3_251)));
}

fn said() -> impl Strategy<Value = (u64, Vec<usize>)> {
    (1..8_u64, prop::collection::vec(0..SIDS.len(), 0..4))
}

proptest! {
    /// Events and lists of any order: a session is refused by each cut-off of its second half that does not spare it, and by no other.
    #[test]
    fn a_session_is_refused_by_each_cut_off_that_does_not_spare_it(
        events in prop::collection::vec(said(), 0..5),
        listed in prop::collection::vec(said(), 0..4),
        is_late in any::<bool>(),
    ) {
        let revocation = |(half, spared): &(u64, Vec<usize>)| {
            let cut_off = Revocation::cut_off(alice()).at(at(half * 500));
            spared.iter().map(|sid| Key::session(SIDS[*sid])).fold(cut_off, Revocation::sparing)
        };
        let sink = sink();
        let install = |second| {
            let list = RevocationList::builder(at(second));
            listed.iter().fold(list, |list, said| list.with_entry(&revocation(said))).build()
        };
        if is_late {
            events.iter().for_each(|said| apply(&sink, revocation(said)));
        }
        sink.install(install(50_000)).unwrap();
        if !is_late {
            events.iter().for_each(|said| apply(&sink, revocation(said)));
        }
        for (number, sid) in SIDS.iter().enumerate() {
            for began in 0..10_u64 {
                // Half a second that is odd is no whole one.
                let reaches = |half: u64| if half.is_multiple_of(2) { half + 1 } else { half };
                let refuses = |(half, spared): &(u64, Vec<usize>)| began <= reaches(*half) && !spared.contains(&number);
                let is_refused = events.iter().chain(&listed).any(refuses);
                prop_assert_eq!(admits(&sink, &session(sid, began * 500)), !is_refused, "{} {}", sid, began);
            }
        }
    }
}

const SIDS: [&str; 4] = ["a", "b", "c", "d"];
