//! Ids of any length and of any characters.

use allocation_counter::measure;
use serde_json::json;
use tower_revocation::{Credential, Identity, Key, Revocation, RevocationLayer, RevocationList, Timestamp, Verdict};

use crate::properties::claims::identify_claims;
use crate::properties::world;

const MEGABYTE: usize = 1 << 20;

#[test]
fn a_key_is_as_small_for_a_megabyte_as_for_a_letter() {
    assert_eq!(size_of::<Key>(), 16);
    let id = "x".repeat(MEGABYTE);
    let make = || Key::subject(&id);
    let key = make();
    assert_eq!(measure(|| assert_eq!(make(), key)).count_total, 0);

    // What a thousand of them take, in events and in a list, to the byte.
    let ids = |length: usize| -> Vec<String> { (0..1_000).map(|number| format!("{number:0length$}")).collect() };
    let taken = |ids: &[String]| {
        let (_layer, sink) = RevocationLayer::pair(());
        let by_events = measure(|| {
            for id in ids {
                sink.apply(Revocation::block(Key::subject(id))).unwrap().wait().unwrap();
            }
        });
        let by_list = measure(|| {
            let mut list = RevocationList::builder(Timestamp::from_unix_secs(1));
            for id in ids {
                list.push(&Revocation::block(Key::token(id)));
            }
            drop(list.build());
        });
        (by_events.bytes_max, by_list.bytes_max, by_list.count_total)
    };
    let (short, long) = (taken(&ids(4)), taken(&ids(10_000)));
    // Where keys fall is random, and with it how much of a table is made anew with each.
    assert!(
        long.0 < short.0 * 3 / 2 && short.0 < long.0 * 3 / 2,
        "{short:?} {long:?}"
    );
    assert_eq!((long.1, long.2), (short.1, short.2));
}

#[test]
fn a_megabyte_is_told_apart_to_its_last_byte() {
    let sink = world::domain();
    let id = "x".repeat(MEGABYTE);
    sink.apply(Revocation::block(Key::subject(&id)))
        .unwrap()
        .wait()
        .unwrap();
    assert!(world::is_blocked(&sink, Key::subject(&id)));
    for other in [
        &id[1..],
        &format!("{id}x"),
        &format!("{}y", &id[1..]),
        &format!("y{}", &id[1..]),
    ] {
        assert!(!world::is_blocked(&sink, Key::subject(other)));
    }
}

/// A token's part may have 64 KiB. A longer one is not read, and refused as such; none is read as another.
#[test]
fn a_long_id_in_a_token_is_read_or_the_token_is_not() {
    let sink = world::domain();
    for length in [1_000, 60_000, 65_520, 70_000, MEGABYTE] {
        let id = "x".repeat(length);
        sink.apply(Revocation::block(Key::subject(&id)))
            .unwrap()
            .wait()
            .unwrap();
        match identify_claims("{}", json!({ "sub": id }).to_string()) {
            Identity::Presented(credential) => {
                assert!(credential.keys().eq([&Key::subject(&id)]) && length < 64 * 1024);
                assert!(matches!(sink.decide(&credential), Verdict::Revoked(_)));
            }
            Identity::Unreadable(problem) => {
                assert!(length > 64 * 1024 && problem.contains("64 KiB"), "{length}: {problem}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn ids_that_look_alike_are_different() {
    let alike = [
        "mallory",
        "Mallory",
        "mallory ",
        " mallory",
        "mallory\0",
        "\0mallory",
        "mallory\n",
        "m\u{430}llory",
        "mallory\u{200d}",
        "\u{feff}mallory",
        "mall\u{f6}ry",
        "mallo\u{308}ry",
        "\u{ff4d}allory",
        "mallor\u{443}",
        "mallory\u{202e}",
        "mallory\u{301}",
        "",
    ];
    for revoked in alike {
        let (_layer, sink) = RevocationLayer::pair(());
        sink.apply(Revocation::block(Key::subject(revoked)))
            .unwrap()
            .wait()
            .unwrap();
        for presented in alike {
            let is_same = presented == revoked;
            assert_eq!(
                world::is_blocked(&sink, Key::subject(presented)),
                is_same,
                "{revoked:?} {presented:?}"
            );
            // The same as a token states it, as it is and with all of it escaped.
            let escaped: String = presented.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            for payload in [
                json!({ "sub": presented }).to_string(),
                format!(r#"{{"sub":"{escaped}"}}"#),
            ] {
                let Identity::Presented(credential) = identify_claims("{}", &payload) else {
                    panic!("{payload}");
                };
                assert_eq!(
                    matches!(sink.decide(&credential), Verdict::Revoked(_)),
                    is_same,
                    "{payload}"
                );
            }
        }
        assert!(!world::is_blocked(&sink, Key::token(revoked)), "another kind");
    }
}

/// What is no text in one reader might be some text in another: it is no id at all.
#[test]
fn what_is_no_text_is_no_id() {
    for (header, payload) in [
        (&b"{}"[..], &b"{\"sub\":\"mallory\xff\"}"[..]),
        (b"{}", b"{\"sub\":\"\xed\xa0\x80\"}"),
        (b"{}", b"{\"sub\":\"\\ud800\"}"),
        (b"{\"kid\":\"\xff\"}", b"{}"),
    ] {
        let identity = identify_claims(header, payload);
        let Identity::Partial(credential, _) = identity else {
            panic!("{payload:?}: {identity:?}");
        };
        assert_eq!(credential.keys().count(), 0);
    }
    let identity = identify_claims("{}", b"\xff{\"sub\":\"x\"}");
    assert!(matches!(identity, Identity::Unreadable(_)), "{identity:?}");
}

/// Names and ids of a kind of the host's own do not run into each other.
#[test]
fn a_name_does_not_continue_in_an_id() {
    let (_layer, sink) = RevocationLayer::pair(());
    sink.apply(Revocation::block(Key::named("device", "d-17")))
        .unwrap()
        .wait()
        .unwrap();
    for (name, id) in [
        ("deviced", "-17"),
        ("devic", "ed-17"),
        ("", "deviced-17"),
        ("device\0", "d-17"),
    ] {
        let presented = Credential::from(Key::named(name, id));
        assert!(!matches!(sink.decide(&presented), Verdict::Revoked(_)), "{name} {id}");
    }
}
