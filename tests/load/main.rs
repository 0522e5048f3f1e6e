//! Many live streams at once, over real sockets: revoking one ends it at once, wakes no other, and none of the others
//! misses an event. A program of its own, so that nothing else runs meanwhile.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod server;
mod streams;

use std::time::Duration;

use server::Server;
use streams::{Protocol, Streams};

/// Ten thousand over HTTP/2, on a hundred connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_thousand_streams_one_ends_and_no_other_is_touched() {
    let figures = revoke_some(Protocol::Http2 { per_connection: 100 }, 10_000, 200).await;
    assert!(figures.p99 < LIMIT, "{figures:?}");
}

/// Fewer over HTTP/1.1, a connection each: a process may often hold no more than a thousand files. `CROWD_HTTP1` says
/// how many where it may hold more (two for each).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_http1_a_stream_is_a_connection() {
    let count = std::env::var("CROWD_HTTP1").map_or(300, |count| count.parse().unwrap());
    let figures = revoke_some(Protocol::Http1, count, count.min(200)).await;
    assert!(figures.p99 < LIMIT, "{figures:?}");
}

#[derive(Debug)]
#[expect(dead_code, reason = "to be printed")]
struct Figures {
    streams: usize,
    revocations: usize,
    /// At streams that were not concerned.
    looks: usize,
    p50: Duration,
    p99: Duration,
    max: Duration,
}

async fn revoke_some(protocol: Protocol, count: usize, revocations: usize) -> Figures {
    let _one_at_a_time = ONE_AT_A_TIME.lock().await;
    let server = Server::start().await;
    let mut streams = Streams::open(&server, protocol, count).await;
    streams.hear(&server).await;

    let mut random = fastrand::Rng::with_seed(11);
    let mut order: Vec<_> = (0..count).collect();
    random.shuffle(&mut order);
    let mut windows = Vec::new();
    let mut looks = 0;
    for (nth, &which) in order[..revocations].iter().enumerate() {
        let polls = server.polls();
        let woken = server.sink.status().in_flight.woken;
        windows.push(streams.revoke(&server, which).await);
        assert_eq!(server.sink.status().in_flight.woken, woken + 1, "one wake, of {which}");
        looks += server.polls() - polls;
        if nth % (revocations / 4) == 0 {
            streams.hear(&server).await;
        }
    }
    // What was heard last may still have been looked after when the next one was revoked.
    assert!(looks <= revocations, "{looks} looks at streams that were not concerned");
    streams.hear(&server).await;
    let status = server.sink.status().in_flight;
    assert_eq!((status.waiting, status.cut), (count - revocations, revocations as u64));

    windows.sort_unstable();
    let at = |percent: usize| windows[(windows.len() * percent).div_ceil(100) - 1];
    let figures = Figures {
        streams: count,
        revocations,
        looks,
        p50: at(50),
        p99: at(99),
        max: at(100),
    };
    eprintln!("{figures:?}");
    figures
}

/// The two don't measure each other.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// From the call of `apply` to the client's seeing the end. What is to be shown is shown by a release build; another is
/// only to be quick.
const LIMIT: Duration = Duration::from_millis(if cfg!(debug_assertions) { 500 } else { 10 });
