//! What a fleet asks of its registry: ten thousand pollers, as gateways run them, on a clock that jumps to whatever comes next.
//!
//! ```text
//! cargo run --release --example fleet
//! cargo run --release --example fleet -- 2000
//! ```
//!
//! For each of the moments at which a fleet might fetch in step it prints how many fetches of the list came in the busiest second,
//! the busiest ten, and in all. `docs/OPERATING.md` says what that means in bandwidth.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::ETAG;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{Empty, Full};
use tokio::time::{Instant, sleep};
use tower::service_fn;
use tower_revocation::crl::{DEFAULT_FAST_PACE, DEFAULT_SLOW_PACE, KeySet, ListError, ListFormat, Poller, PublicKey};
use tower_revocation::{Credential, EventSink, FeedState, RevocationLayer, RevocationList, Timestamp};

fn main() -> io::Result<()> {
    let gateways = std::env::args()
        .nth(1)
        .and_then(|count| count.parse().ok())
        .unwrap_or(10_000);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    runtime.block_on(run(gateways))
}

async fn run(gateways: usize) -> io::Result<()> {
    let registry = Registry::default();
    let started = Instant::now();
    let fleet: Vec<EventSink> = (0..gateways).map(|_| start(&registry)).collect();
    let mut out = io::stdout();
    writeln!(out, "{gateways} gateways: fetches of the list")?;
    writeln!(out, "{:<58}{:>10}{:>10}{:>10}", "", "in 1 s", "in 10 s", "in all")?;
    let mut show = |what: &str, since: Instant| {
        let (second, ten, all) = registry.busiest(since);
        writeln!(out, "{what:<58}{second:>10}{ten:>10}{all:>10}")
    };

    sleep(Duration::from_secs(60)).await;
    show("all start at once, a minute", started)?;
    let tell = |state| fleet.iter().for_each(|sink| sink.set_feed(state));
    tell(FeedState::Live);
    // Until they are as far apart as they get.
    sleep(4 * DEFAULT_SLOW_PACE).await;

    let since = Instant::now();
    sleep(DEFAULT_SLOW_PACE).await;
    show("feeds live, a quarter of an hour", since)?;

    let since = Instant::now();
    tell(FeedState::Down);
    sleep(2 * DEFAULT_FAST_PACE).await;
    show("the broker dies, a minute from there", since)?;
    let since = Instant::now();
    sleep(Duration::from_secs(600)).await;
    show("it is away, ten minutes", since)?;

    registry.set_away(true);
    sleep(Duration::from_secs(300)).await;
    let since = Instant::now();
    sleep(Duration::from_secs(300)).await;
    show("the registry is away as well, five minutes", since)?;
    let since = Instant::now();
    registry.set_away(false);
    sleep(Duration::from_secs(120)).await;
    show("the registry is back, two minutes from there", since)?;

    let since = Instant::now();
    tell(FeedState::Live);
    sleep(Duration::from_secs(60)).await;
    show("every feed is back at once and asks for a list, a minute", since)
}

/// A gateway, as far as a registry can see.
fn start(registry: &Registry) -> EventSink {
    let (_layer, sink) = RevocationLayer::pair(|_: &()| Credential::new());
    let uri = |path| Uri::from_static(path);
    let registry = registry.clone();
    let client = service_fn(move |request: Request<Empty<Bytes>>| registry.answer(&request));
    let poller = Poller::new(
        client,
        Plain,
        uri("http://registry/list"),
        uri("http://registry/keys"),
        sink.clone(),
    );
    tokio::spawn(poller.run());
    sink
}

/// Notes when its list is asked for. It has one list, and says by its tag that it has not changed.
#[derive(Clone, Default)]
struct Registry(Arc<Mutex<Log>>);

#[derive(Default)]
struct Log {
    fetches: Vec<Instant>,
    is_away: bool,
}

impl Registry {
    fn answer(&self, request: &Request<Empty<Bytes>>) -> Ready<Result<Response<Full<Bytes>>, Infallible>> {
        let mut log = self.0.lock().expect("nobody panics with it");
        let is_list = request.uri().path() == "/list";
        if is_list {
            log.fetches.push(Instant::now());
        }
        let status = match (log.is_away, request.headers().contains_key("if-none-match")) {
            (true, _) => StatusCode::SERVICE_UNAVAILABLE,
            (false, true) => StatusCode::NOT_MODIFIED,
            (false, false) => StatusCode::OK,
        };
        let response = Response::builder().status(status).header(ETAG, "\"1\"");
        ready(Ok(response.body(Full::default()).expect("a response")))
    }

    fn set_away(&self, is_away: bool) {
        self.0.lock().expect("nobody panics with it").is_away = is_away;
    }

    /// The most fetches within a second and within ten, and all of them, since then.
    fn busiest(&self, since: Instant) -> (usize, usize, usize) {
        let log = self.0.lock().expect("nobody panics with it");
        let fetches: Vec<Instant> = log.fetches.iter().copied().filter(|at| *at >= since).collect();
        let within = |span: Duration| {
            let mut first = 0;
            let counts = fetches.iter().enumerate().map(|(last, at)| {
                while *at - fetches[first] >= span {
                    first += 1;
                }
                last - first + 1
            });
            counts.max().unwrap_or(0)
        };
        (
            within(Duration::from_secs(1)),
            within(Duration::from_secs(10)),
            fetches.len(),
        )
    }
}

/// A format of no lists to speak of: it is about when they are fetched.
struct Plain;

impl ListFormat for Plain {
    fn read_list(&self, _: &[u8], _: &KeySet, _: Timestamp) -> Result<RevocationList, ListError> {
        Ok(RevocationList::builder(Timestamp::from_unix_secs(1)).build())
    }

    fn read_keys(&self, _: &[u8]) -> Result<KeySet, ListError> {
        // Any point will do: nothing is verified by it.
        let key = PublicKey::from_ed25519(
            &ed25519_dalek::SigningKey::from_bytes(&[1; 32])
                .verifying_key()
                .to_bytes(),
        );
        Ok(KeySet::default().with_key("1", key.expect("a real key")))
    }
}
