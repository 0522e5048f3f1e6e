//! Headers of a megabyte.

use std::convert::Infallible;

use allocation_counter::measure;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response};
use tokio_test::block_on;
use tower::{Layer, ServiceExt, service_fn};
use tower_revocation::identify::{self, Jwt};
use tower_revocation::{DomainConfig, EventSink, Identify, ListPolicy, Revocation, RevocationLayer, Unreadable};

use crate::properties::claims::token_of_mallory;
use crate::properties::world;

const MEGABYTE: usize = 1 << 20;

fn jwt() -> Jwt {
    identify::jwt(AUTHORIZATION, "Claw")
}

fn pair() -> (RevocationLayer<Jwt>, EventSink) {
    let config = DomainConfig::new().with_lists(ListPolicy::NotUsed);
    let (layer, sink) = RevocationLayer::pair_with(config, jwt());
    sink.apply(Revocation::block(world::mallory())).unwrap().wait().unwrap();
    (layer, sink)
}

fn status(layer: &RevocationLayer<Jwt>, authorization: &str) -> u16 {
    let ok = service_fn(|_: Request<String>| async { Ok::<_, Infallible>(Response::new(String::new())) });
    let request = Request::builder()
        .header(AUTHORIZATION, authorization)
        .body(String::new())
        .unwrap();
    block_on(layer.layer(ok).oneshot(request)).unwrap().status().as_u16()
}

fn huge() -> Vec<String> {
    let part = "A".repeat(MEGABYTE / 3);
    vec![
        format!("Claw {}", "A".repeat(MEGABYTE)),
        format!("Claw {}", ".".repeat(MEGABYTE)),
        format!("Claw {part}.{part}.{part}"),
        format!("Claw e30.e30.{}", "A".repeat(MEGABYTE)),
        format!("Claw e30.e30.x{}", ", Claw e30.e30.x".repeat(MEGABYTE / 16)),
        format!("Claw e30.e30.x{}", " e30.e30.x".repeat(MEGABYTE / 10)),
        format!("Claw{}", " ".repeat(MEGABYTE)),
        ",".repeat(MEGABYTE),
        format!("Basic {}", "A".repeat(MEGABYTE)),
        // Where tokens may begin, and do not: a reader that tries each of them to the end would take hours.
        format!("{}.e30.x", "eyJ".repeat(MEGABYTE / 3)),
        format!("{}.e30.x", "=eyJ".repeat(MEGABYTE / 4)),
        format!("{}.e30.x", "ICAg".repeat(MEGABYTE / 4)),
        "e30.".repeat(MEGABYTE / 4),
        "~e30.e30".repeat(MEGABYTE / 8),
        "e30.e30.x\"".repeat(MEGABYTE / 10),
        format!("e30.e30.x{}", "~".repeat(MEGABYTE)),
        "Claw ".repeat(MEGABYTE / 5),
    ]
}

/// Tokens with as many keys as one may have, the same in each: to compare each with each takes long. And with places where it may begin.
fn full() -> [String; 2] {
    let ids: Vec<_> = (0..256).map(|id| id.to_string()).collect();
    let claims = format!(r#"{{"sub":[{}]}}"#, ids.join(","));
    let token = format!("e30.{}.x ", URL_SAFE_NO_PAD.encode(claims));
    ["", "eyJeyJeyJ"].map(|begin| format!("Claw {}", format!("{begin}{token}").repeat(MEGABYTE / 1_500)))
}

#[test]
fn a_revoked_token_is_found_beside_a_megabyte_of_anything() {
    let (layer, sink) = pair();
    let lenient = layer.clone().with_unreadable(Unreadable::Pass);
    let mallory = format!("Claw {}", token_of_mallory());
    assert_eq!(status(&layer, &mallory), 401);
    for huge in huge() {
        for value in [
            format!("{huge},{mallory}"),
            format!("{mallory},{huge}"),
            format!("{mallory} {huge}"),
        ] {
            assert_eq!(status(&lenient, &value), 401, "{}…", &huge[..20]);
        }
    }
    assert_eq!(sink.status().verdicts.revoked, 1 + 3 * huge().len() as u64);
    for full in full() {
        for value in [format!("{full},{mallory}"), format!("{mallory},{full}")] {
            assert_eq!(status(&lenient, &value), 401, "{}…", &full[..20]);
        }
    }
}

/// The same in a cookie and in a query, which cannot be longer than 64 KiB.
#[test]
fn a_revoked_token_is_found_beside_many_cookies_and_parameters() {
    let config = DomainConfig::new().with_lists(ListPolicy::NotUsed);
    let by_both = Jwt::new().with_cookie("sid").with_query("t");
    let (layer, sink) = RevocationLayer::pair_with(config, by_both);
    sink.apply(Revocation::block(world::mallory())).unwrap().wait().unwrap();
    let layer = layer.with_unreadable(Unreadable::Pass);
    let mallory = token_of_mallory();
    let status = |cookie: &str, query: &str| {
        let ok = service_fn(|_: Request<String>| async { Ok::<_, Infallible>(Response::new(String::new())) });
        let request = Request::get(format!("/?{query}")).header(http::header::COOKIE, cookie);
        let request = request.body(String::new()).unwrap();
        block_on(layer.layer(ok).oneshot(request)).unwrap().status().as_u16()
    };
    let length = 60 * 1024;
    for piece in [
        "sid=",
        "sid=;",
        "sid ",
        "sid=,",
        "sid=e30.e30.x;",
        "t=&",
        "t",
        "t=e30.e30.x&",
        "%74=%2E;",
        "\\\"=%2",
        "a%",
    ] {
        let many = piece.repeat(length / piece.len());
        assert_eq!(status(&many, ""), 200, "{piece}");
        assert_eq!(status(&format!("{many};sid={mallory}"), ""), 401, "{piece}");
        assert_eq!(status(&format!("sid={mallory};{many}"), ""), 401, "{piece}");
        let many = many.replace(['"', '\\', ' '], "+");
        assert_eq!(status("", &many), 200, "{piece}");
        assert_eq!(status("", &format!("{many}&t={mallory}")), 401, "{piece}");
        assert_eq!(status("", &format!("t={mallory}&{many}")), 401, "{piece}");
    }
}

/// A part beyond 64 KiB is not decoded, and what is decoded on the heap is let go of at once.
#[test]
fn a_megabyte_takes_no_more_memory_than_a_part_may_have() {
    for value in huge().into_iter().chain(full()) {
        let mut request = Request::new(String::new());
        let shown = value[..20].to_owned();
        request
            .headers_mut()
            .insert(AUTHORIZATION, HeaderValue::from_str(&value).unwrap());
        let jwt = jwt();
        let used = measure(|| drop(jwt.identify(&request)));
        assert!(used.bytes_max < 100 * 1024, "{shown}…: {used:?}");
    }
    // As many ids as a part has room for, which is as bad as it gets: 16 bytes for each.
    let ids = format!(r#"{{"sub":["a"{}]}}"#, r#","a""#.repeat(16_000));
    let identified = measure(|| drop(crate::properties::claims::identify_claims("{}", &ids)));
    assert!(identified.bytes_max < MEGABYTE as u64, "{identified:?}");
}
