//! What recorders are told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use metrics_util::MetricKind;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tower_revocation::metrics::Exporter;
use tower_revocation::{
    Applied, Canary, DecodeError, Decoded, Disposition, Enforcement, FeedState, Key, Revocation, RevocationList,
    Timestamp, canary as the_canary,
};

use crate::support::{fresh_pair, presenting, send, status_of, until};

/// An id that is to be found nowhere.
const ID: &str = "did:cdi:registry.example.com:agent:01KDVDNA03XJ61A46WBY7B0EGN";

/// A recorder of this test's own, and what it was told.
struct Told {
    recorder: DebuggingRecorder,
    snapshotter: Snapshotter,
}

impl Told {
    fn new() -> Self {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        Self { recorder, snapshotter }
    }

    /// Runs something whose metrics go here.
    fn by<T>(&self, run: impl FnOnce() -> T) -> T {
        metrics::with_local_recorder(&self.recorder, run)
    }

    /// What it was told since this was last asked.
    fn values(&self) -> Values {
        let told = self.snapshotter.snapshot().into_vec();
        let named = told.into_iter().map(|(key, _, help, value)| {
            let name = key.key().name().to_owned();
            assert!(help.is_some(), "{name} was not described");
            let ending = match key.kind() {
                MetricKind::Counter => name.ends_with("_total"),
                MetricKind::Gauge => !name.ends_with("_total"),
                MetricKind::Histogram => name.ends_with("_seconds"),
            };
            assert!(ending, "{name} is not named as its kind is");
            let labels: Vec<_> = key
                .key()
                .labels()
                .map(|it| format!("{}={}", it.key(), it.value()))
                .collect();
            (format!("{name}{{{}}}", labels.join(",")), value)
        });
        Values(named.collect())
    }
}

/// By `name{label=value,…}`.
struct Values(BTreeMap<String, DebugValue>);

impl Values {
    fn count(&self, name: &str) -> u64 {
        match self.0.get(name) {
            Some(DebugValue::Counter(count)) => *count,
            other => panic!("{name}: {other:?}"),
        }
    }

    fn gauge(&self, name: &str) -> f64 {
        match self.0.get(name) {
            Some(DebugValue::Gauge(value)) => value.into_inner(),
            other => panic!("{name}: {other:?}"),
        }
    }

    fn times(&self, name: &str) -> Vec<f64> {
        match self.0.get(name) {
            Some(DebugValue::Histogram(values)) => values.iter().map(|value| value.into_inner()).collect(),
            None => Vec::new(),
            other => panic!("{name}: {other:?}"),
        }
    }
}

fn decode(message: &[u8]) -> Result<Decoded, DecodeError> {
    match message {
        b"own words" => Ok(Decoded::Ignored("not ours".into())),
        [b'?', about @ ..] => Ok(Decoded::Ignored(format!("not about {}", about.len()).into())),
        [b'!', at @ ..] => Err(DecodeError::new(
            if at.is_empty() { "data.id" } else { "body" },
            "is missing",
        )),
        id => Ok(Revocation::block(Key::subject(&String::from_utf8_lossy(id))).into()),
    }
}

#[tokio::test]
async fn requests_are_counted_by_verdict_and_source() {
    let told = Told::new();
    let (layer, sink) = fresh_pair();
    let exporter = told.by(|| Exporter::new(sink.clone()));
    let listed = RevocationList::builder(Timestamp::now().saturating_add(Duration::from_secs(1)))
        .with_entry(&Revocation::block(Key::subject("listed")));
    sink.install(listed.build()).unwrap();
    sink.apply(Revocation::block(Key::subject("told")))
        .unwrap()
        .wait()
        .unwrap();
    for (subject, times) in [("alice", 4), ("listed", 3), ("told", 2)] {
        for _ in 0..times {
            status_of(&layer, subject).await;
        }
    }
    send(&layer, http::Request::new(String::new())).await;
    let observing = layer.with_enforcement(Enforcement::Observe);
    assert_eq!(status_of(&observing, "told").await, 200);
    told.by(|| exporter.export());
    let values = told.values();
    let of = |verdict, source| {
        values.count(&format!(
            "revocation_decisions_total{{verdict={verdict},source={source}}}"
        ))
    };
    assert_eq!(of("admit", "none"), 4);
    assert_eq!(of("revoked", "list"), 3);
    assert_eq!(of("revoked", "event"), 3);
    assert_eq!(of("anonymous", "none"), 1);
    assert_eq!(of("unknown", "none"), 0);
    assert_eq!(of("unreadable", "none"), 0);
    assert_eq!(values.count("revocation_would_refuse_total{}"), 1);
    let verdicts = sink.status().verdicts;
    assert_eq!(
        (verdicts.revoked, verdicts.revoked_by_event, verdicts.revoked_by_list),
        (6, 3, 3)
    );

    // They go on, and never back.
    status_of(&observing, "alice").await;
    told.by(|| exporter.export());
    let admitted = "revocation_decisions_total{verdict=admit,source=none}";
    assert_eq!(told.values().count(admitted), 5);
}

#[tokio::test]
async fn messages_are_counted_by_reasons_that_no_message_makes_up() {
    let told = Told::new();
    let (layer, sink) = fresh_pair();
    sink.configure(|config| config.with_capacity(std::num::NonZeroUsize::MIN));
    let exporter = told.by(|| Exporter::new(sink.clone()));
    let messages: [&[u8]; 9] = [
        b"alice",
        b"own words",
        b"?a",
        b"?bb",
        b"!",
        b"!x",
        b"!xx",
        b"bob",
        b"alice",
    ];
    for message in messages {
        let _: Disposition = sink.ingest(&decode, message).wait();
    }
    told.by(|| exporter.export());
    let values = told.values();
    let of = |disposition, reason| {
        values.count(&format!(
            "revocation_messages_total{{disposition={disposition},reason={reason}}}"
        ))
    };
    assert_eq!(of("applied", "none"), 2);
    assert_eq!(of("ignored", "not ours"), 1);
    assert_eq!(of("ignored", "other"), 2);
    assert_eq!(of("dead-letter", "data.id"), 1);
    assert_eq!(of("dead-letter", "body"), 2);
    assert_eq!(of("retry", "at-capacity"), 1);
    assert_eq!(values.count("revocation_events_applied_total{}"), 2);
    drop(layer);
}

/// A decoder whose names of fields never end.
#[test]
fn no_decoder_makes_labels_without_end() {
    let told = Told::new();
    let (_layer, sink) = fresh_pair();
    let exporter = told.by(|| Exporter::new(sink.clone()));
    let decode = |message: &[u8]| -> Result<Decoded, DecodeError> {
        let field = String::from_utf8_lossy(message).into_owned();
        Err(DecodeError::new(Box::leak(field.into_boxed_str()), "is made up"))
    };
    for number in 0..200 {
        let _: Disposition = sink.ingest(&decode, format!("field-{number}").as_bytes()).wait();
    }
    told.by(|| exporter.export());
    let Values(values) = told.values();
    let reasons = values.keys().filter(|name| name.contains("disposition=dead-letter"));
    assert_eq!(reasons.count(), 65);
    let other = "revocation_messages_total{disposition=dead-letter,reason=other}";
    assert!(matches!(values[other], DebugValue::Counter(136)), "{:?}", values[other]);
}

#[test]
fn the_time_from_the_issuer_to_here_is_recorded_as_it_happens_and_apart_while_catching_up() {
    let told = Told::new();
    let (_layer, sink) = fresh_pair();
    let _exporter = told.by(|| Exporter::new(sink.clone()));
    let ago = |secs| Timestamp::now().saturating_sub(Duration::from_secs(secs));
    let apply = |id: &str, secs| {
        told.by(|| {
            sink.apply(Revocation::block(Key::subject(id)).at(ago(secs)))
                .and_then(Applied::wait)
        })
        .unwrap()
    };
    let times = |phase: &str| {
        told.values()
            .times(&format!("revocation_enforcement_delay_seconds{{phase={phase}}}"))
    };
    apply("a", 3);
    let [delay] = times("live")[..] else { panic!("one") };
    assert!((3.0..4.0).contains(&delay), "{delay}");
    // From a clock that is ahead.
    told.by(|| {
        sink.apply(Revocation::block(Key::subject("b")).at(Timestamp::now().saturating_add(Duration::from_secs(9))))
            .and_then(Applied::wait)
    })
    .unwrap();
    assert_eq!(times("live"), [0.0]);
    for state in [FeedState::Connecting, FeedState::CatchingUp, FeedState::Down] {
        told.by(|| sink.set_feed(state));
        apply("c", 100);
        assert_eq!(times("catch-up").len(), 1, "{state:?}");
    }
    sink.set_feed(FeedState::Live);
    told.by(|| {
        sink.apply_all(["d", "e"].map(|id| Revocation::block(Key::subject(id)).at(ago(1))))
            .and_then(Applied::wait)
    })
    .unwrap();
    // One that does not say when it happened.
    told.by(|| sink.apply(Revocation::block(Key::subject("f"))).and_then(Applied::wait))
        .unwrap();
    assert_eq!(times("live").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_so_is_one_and_what_is_not_is_zero() {
    let told = Told::new();
    let (_layer, sink) = fresh_pair();
    let exporter = told.by(|| Exporter::new(sink.clone()));
    let export = || {
        told.by(|| exporter.export());
        told.values()
    };
    let states = ["unknown", "connecting", "catching-up", "live", "down"];
    for (at, state) in [
        FeedState::Unknown,
        FeedState::Connecting,
        FeedState::CatchingUp,
        FeedState::Live,
        FeedState::Down,
    ]
    .into_iter()
    .enumerate()
    {
        sink.set_feed(state);
        let values = export();
        let shown = states.map(|state| values.gauge(&format!("revocation_feed_state{{state={state}}}")));
        let expected: [f64; 5] = std::array::from_fn(|other| f64::from(u8::from(other == at)));
        assert_eq!(shown, expected, "{state:?}");
    }
    let values = export();
    assert_eq!(
        (values.gauge("revocation_ready{}"), values.gauge("revocation_fresh{}")),
        (1.0, 1.0)
    );
    tokio::time::advance(tower_revocation::DEFAULT_MAX_AGE + Duration::from_millis(1)).await;
    let values = export();
    assert_eq!(
        (values.gauge("revocation_ready{}"), values.gauge("revocation_fresh{}")),
        (0.0, 0.0)
    );
    sink.configure(|config| config.with_stale_policy(tower_revocation::StalePolicy::FailOpen));
    let values = export();
    assert_eq!(
        (values.gauge("revocation_ready{}"), values.gauge("revocation_fresh{}")),
        (1.0, 0.0)
    );
}

/// So that an exporter that is stuck cannot make anything look fresh.
#[tokio::test(start_paused = true)]
async fn ages_are_times_that_stand_still_while_nothing_happens() {
    let told = Told::new();
    let (_layer, sink) = fresh_pair();
    sink.configure(|config| config.with_canary(Canary::every(Duration::from_secs(10))));
    let exporter = told.by(|| Exporter::new(sink.clone()));
    sink.apply(the_canary::revocation(Timestamp::now()))
        .unwrap()
        .wait()
        .unwrap();
    let export = || told.by(|| exporter.export());
    let names = [
        "revocation_snapshot_refreshed_timestamp_seconds{}",
        "revocation_canary_proof_timestamp_seconds{}",
        "revocation_feed_event_timestamp_seconds{}",
    ];
    export();
    let values = told.values();
    let before = names.map(|name| values.gauge(name));
    let now = Timestamp::now().as_unix_secs() as f64;
    assert!(
        before.iter().all(|at| (now - 5.0..now + 2.0).contains(at)),
        "{before:?}"
    );
    // The wall clock goes on by itself meanwhile; the difference is what counts.
    tokio::time::advance(Duration::from_secs(50)).await;
    export();
    let values = told.values();
    let after = names.map(|name| values.gauge(name));
    let wall = Timestamp::now().as_unix_secs() as f64 - now;
    for (before, after) in before.iter().zip(after) {
        let aged = before - after;
        assert!((49.0 - wall..51.0).contains(&aged), "{aged}: older by what passed");
    }
    assert_eq!(values.gauge("revocation_canary_overdue{}"), 1.0);
}

#[tokio::test]
async fn names_are_those_that_are_documented_and_no_label_names_anybody() {
    let told = Told::new();
    let everything = full_domain(&told).await;
    let documented = documented();
    let mut names = BTreeSet::new();
    for shown in everything.keys() {
        assert!(
            !shown.contains(ID) && !shown.contains("01KDVDNA03XJ61A46WBY7B0EGN"),
            "{shown}"
        );
        names.insert(shown.split('{').next().unwrap().to_owned());
    }
    assert_eq!(names, documented);
}

/// A rule about a name that is exported no more would never fire.
#[test]
fn rules_and_manual_know_the_names_that_there_are() {
    let documented = documented();
    let mut known = 0;
    for file in [
        "docs/prometheus/rules.yml",
        "docs/prometheus/rules.test.yml",
        "docs/OPERATING.md",
        "README.md",
    ] {
        let path = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let words = text.split(|it: char| !(it.is_ascii_alphanumeric() || it == '_' || it == ':'));
        for name in words.filter(|word| word.starts_with("revocation_")) {
            let name = ["_bucket", "_count", "_sum"]
                .iter()
                .find_map(|part| name.strip_suffix(part).filter(|it| it.ends_with("_seconds")))
                .unwrap_or(name);
            assert!(documented.contains(name), "{file}: {name}");
            known += 1;
        }
    }
    assert!(known > 50, "{known}");
}

/// Whoever is woken at night follows the link.
#[test]
fn each_alert_is_explained_and_tested_to_fire_and_not_to_fire() {
    let read = |file| std::fs::read_to_string(format!("{}/docs/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let (manual, rules, tests) = (
        read("OPERATING.md"),
        read("prometheus/rules.yml"),
        read("prometheus/rules.test.yml"),
    );
    let alerts: Vec<&str> = rules.split("- alert: ").skip(1).collect();
    assert!(alerts.len() > 15, "{}", alerts.len());
    for alert in &alerts {
        let name = alert.lines().next().unwrap();
        let anchor = format!("runbook_url: docs/OPERATING.md#{}\n", name.to_lowercase());
        assert!(alert.contains(&anchor), "{name} leads elsewhere");
        let severity = match alert.contains("labels: {severity: page}") {
            true => "**Page.**",
            false => "**Ticket.**",
        };
        let section = format!("\n### {name}\n\n{severity} ");
        assert!(
            manual.contains(&section),
            "{name} has no section that begins {severity}"
        );
        for outcome in ["[]\n", "\n"] {
            let tested = format!(
                "alertname: {name}\n        exp_alerts:{}{outcome}",
                if outcome == "\n" { "" } else { " " }
            );
            assert!(tests.contains(&tested), "{name} is not tested with {outcome:?}");
        }
    }
    let explained = manual.matches("\n### Revocation").count();
    assert_eq!(explained, alerts.len(), "what is explained is there");

    // And within the manual links lead somewhere.
    let anchors: BTreeSet<String> = manual
        .lines()
        .filter_map(|line| line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")))
        .map(|title| {
            let kept = title
                .chars()
                .filter(|it| it.is_ascii_alphanumeric() || " -".contains(*it));
            kept.collect::<String>().to_lowercase().replace(' ', "-")
        })
        .collect();
    for link in manual.split("](#").skip(1) {
        let link = link.split(')').next().unwrap();
        assert!(anchors.contains(link), "#{link}");
    }
}

/// The first column of the table in the module's documentation.
fn documented() -> BTreeSet<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/metrics/mod.rs");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | `revocation_"));
    rows.map(|row| format!("revocation_{}", row.split('`').next().unwrap()))
        .collect()
}

/// What a domain tells that has everything: a journal, a feed that fails and lags, lists, a canary, and an id in all of it.
async fn full_domain(told: &Told) -> BTreeMap<String, DebugValue> {
    use std::future::{Ready, ready};

    use bytes::Bytes;
    use http::{Request, Response, StatusCode, Uri};
    use http_body_util::{Empty, Full};
    use tower::service_fn;
    use tower_revocation::crl::Poller;
    use tower_revocation::crl::clawdentity::ClawdentityList;
    use tower_revocation::source::{self, Memory};

    let (layer, sink) = fresh_pair();
    sink.configure(|config| config.with_canary(Canary::every(Duration::from_secs(10))));
    let exporter = told.by(|| Exporter::labelled(sink.clone(), "issuer", "one"));
    let _guard = metrics::set_default_local_recorder(&told.recorder);
    let log = Memory::new("revocations");
    log.publish(tower_revocation::format::heartbeat(Timestamp::now()));
    log.publish(ID);
    let heartbeats = tower_revocation::format::Heartbeats::beside(decode as fn(&[u8]) -> _);
    tokio::spawn(source::drive(log.source(), heartbeats, sink.clone()).run());
    // An issuer that has revoked nothing.
    let client = service_fn(
        |request: Request<Empty<Bytes>>| -> Ready<Result<_, std::convert::Infallible>> {
            let keys = include_str!("../vectors/clawdentity/keys/claw-keys.json");
            let (status, body) = match request.uri().path() {
                "/keys" => (StatusCode::OK, keys),
                _ => (StatusCode::NOT_FOUND, r#"{"error":{"code":"CRL_NOT_FOUND"}}"#),
            };
            let response = Response::builder()
                .status(status)
                .body(Full::new(Bytes::from_static(body.as_bytes())));
            ready(Ok(response.unwrap()))
        },
    );
    let format = ClawdentityList::new("https://registry.example.com");
    let uri = |path: &str| format!("http://{ID}.example{path}").parse::<Uri>();
    let at = |path| uri(path).unwrap_or_else(|_| Uri::try_from(format!("http://example.com{path}?{ID}")).unwrap());
    tokio::spawn(Poller::new(client, format, at("/list"), at("/keys"), sink.clone()).run());
    sink.apply(the_canary::revocation(Timestamp::now()))
        .unwrap()
        .wait()
        .unwrap();
    sink.apply(Revocation::block(Key::subject(ID)).at(Timestamp::now()))
        .unwrap()
        .wait()
        .unwrap();
    let _: Disposition = sink.ingest(&decode, format!("?{ID}").as_bytes()).wait();
    let _: Disposition = sink.ingest(&decode, format!("!{ID}").as_bytes()).wait();
    assert_eq!(status_of(&layer, ID).await, 401);
    send(&layer, presenting(ID)).await;
    until("everything is told of", || {
        let status = sink.status();
        status.poll.signing_keys.is_some_and(|keys| keys.count > 0)
            && status.feed.last_heartbeat_ms_ago.is_some()
            && status.feed.lag.is_some()
            && (status.poll.failures > 0 || status.poll.last_success_ms_ago.is_some())
    })
    .await;
    exporter.export();
    let Values(mut everything) = told.values();
    // A journal takes a process of its own (its secrets come before any key): its part is tested in `tests/journal`.
    for name in ["durable", "entries", "bytes", "failures_total"] {
        everything.insert(format!("revocation_journal_{name}{{}}"), DebugValue::Counter(0));
    }
    for shown in everything.keys().filter(|name| !name.contains("_journal_")) {
        assert!(shown.contains("{issuer=one"), "{shown}");
    }
    everything
}

#[tokio::test(start_paused = true)]
async fn it_writes_so_often_by_itself() {
    let told = Told::new();
    let (_layer, sink) = fresh_pair();
    let exporter = told
        .by(|| Exporter::new(sink.clone()))
        .with_interval(Duration::from_secs(3));
    let _guard = metrics::set_default_local_recorder(&told.recorder);
    let running = tokio::spawn(exporter.run());
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(told.values().gauge("revocation_ready{}"), 1.0);
    sink.apply(Revocation::block(Key::subject("alice")))
        .unwrap()
        .wait()
        .unwrap();
    tokio::time::sleep(Duration::from_millis(2_900)).await;
    assert_eq!(told.values().gauge("revocation_overlay_entries{}"), 0.0);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(told.values().gauge("revocation_overlay_entries{}"), 1.0);
    running.abort();
}
