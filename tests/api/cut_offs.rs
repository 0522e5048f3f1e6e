//! What a cut-off refuses, to the millisecond.
//!
//! A login in the second of a "log out everywhere" was once refused for as long as the cut-off was kept: it was born revoked.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Request, header::AUTHORIZATION};
use tower_revocation::{
    Credential, DomainConfig, EventSink, Identify, Identity, Key, ListPolicy, Revocation, RevocationLayer,
    RevocationList, Timestamp, Verdict, identify,
};

fn sink() -> EventSink {
    let domain = DomainConfig::new().with_lists(ListPolicy::NotUsed);
    RevocationLayer::pair_with(domain, |_: &()| Credential::new()).1
}

fn alice() -> Key {
    Key::subject("alice")
}

fn millis(millis: u64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

fn admits(sink: &EventSink, credential: &Credential) -> bool {
    matches!(sink.decide(credential), Verdict::Admit)
}

fn is_admitted(cut_off: u64, began: u64) -> bool {
    let by_event = sink();
    let revocation = Revocation::cut_off(alice()).at(millis(cut_off));
    by_event.apply(revocation).unwrap().wait().unwrap();
    let by_list = sink();
    let list = RevocationList::builder(millis(SECOND + 5_000)).with_entry(&revocation);
    by_list.install(list.build()).unwrap();
    let session = Credential::from(alice()).with_issued_at(millis(began));
    let is_admitted = admits(&by_event, &session);
    assert_eq!(
        admits(&by_list, &session),
        is_admitted,
        "a list says what the event does"
    );
    is_admitted
}

#[test]
fn what_began_after_it_passes() {
    assert!(is_admitted(SECOND + 250, SECOND + 251));
    assert!(is_admitted(SECOND + 250, SECOND + 999));
}

#[test]
fn what_began_before_it_or_with_it_is_refused() {
    assert!(!is_admitted(SECOND + 250, SECOND + 249));
    assert!(!is_admitted(SECOND + 250, SECOND + 250));
}

#[test]
fn a_token_of_whole_seconds_is_refused_in_that_second() {
    assert!(!is_admitted(SECOND + 250, SECOND));
    assert!(is_admitted(SECOND + 250, SECOND + 1_000));
}

#[test]
fn a_cut_off_of_a_whole_second_stands_for_all_of_it() {
    assert!(!is_admitted(SECOND, SECOND + 1));
    assert!(!is_admitted(SECOND, SECOND + 999));
    assert!(is_admitted(SECOND, SECOND + 1_000));
}

#[test]
fn a_session_that_begins_on_a_whole_second_is_not_taken_for_one_without_milliseconds() {
    let began = millis(SECOND).to_the_millisecond();
    assert!(is_admitted(SECOND - 1, began.as_unix_millis()));
    let cut_off = millis(SECOND).to_the_millisecond();
    assert!(!is_admitted(cut_off.as_unix_millis(), began.as_unix_millis()));
    assert!(is_admitted(cut_off.as_unix_millis(), SECOND + 2));
}

/// By the clock of the sink, which knows milliseconds.
#[test]
fn without_a_time_it_is_as_of_its_arrival_to_the_millisecond() {
    let sink = sink();
    sink.apply(Revocation::cut_off(alice())).unwrap().wait().unwrap();
    let arrived = Timestamp::now();
    let session = |at: Timestamp| Credential::from(alice()).with_issued_at(at.to_the_millisecond());
    let second = std::time::Duration::from_secs(1);
    assert!(!admits(&sink, &session(arrived.saturating_sub(second))));
    assert!(admits(&sink, &session(arrived.saturating_add(second / 500))));
}

#[test]
fn the_fraction_of_a_token_counts() {
    let read = |iat: &str| {
        let claims = format!(r#"{{"sub":"alice","iat":{iat}}}"#);
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        let request = Request::builder().header(AUTHORIZATION, format!("Bearer {token}"));
        match identify::jwt(AUTHORIZATION, "Bearer").identify(&request.body(()).unwrap()) {
            Identity::Presented(credential) => credential,
            other => panic!("{other:?}"),
        }
    };
    let sink = sink();
    let revocation = Revocation::cut_off(alice()).at(millis(SECOND + 250));
    sink.apply(revocation).unwrap().wait().unwrap();
    for (iat, is_admitted) in [
        ("1767225600", false),
        ("1767225600.25", false),
        ("1767225600.251", true),
        ("\"1767225600.251\"", true),
        ("\"2026-01-01T00:00:00.250999Z\"", false),
        ("\"2026-01-01T00:00:00.251Z\"", true),
        ("1767225601", true),
    ] {
        assert_eq!(admits(&sink, &read(iat)), is_admitted, "{iat}");
    }
}

const SECOND: u64 = 1_767_225_600_000;
