//! Two layers around one service, each of a domain of its own: neither takes the place of what the other one has to say.

use std::convert::Infallible;
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::time::{Instant, advance};
use tokio_test::{assert_pending, assert_ready, task};
use tower::{Layer, Service, service_fn};
use tower_revocation::{
    Credential, DomainConfig, Enforcement, EventSink, Freshness, GuardExtension, Key, KeyKind, ListFreshness,
    ListPolicy, Revocation, RevocationGuard, RevocationLayer, RevocationList, StalePolicy, StatusExtension, Timestamp,
};

use crate::support::list_of_now;

type ByHeader = fn(&Request<String>) -> Option<Credential>;
type Domain = (RevocationLayer<ByHeader>, EventSink);

fn staff_of(request: &Request<String>) -> Option<Credential> {
    let id = request.headers().get("x-staff")?.to_str().ok()?;
    Some(Credential::from(Key::subject(id)))
}

fn customer_of(request: &Request<String>) -> Option<Credential> {
    let id = request.headers().get("x-customer")?.to_str().ok()?;
    Some(Credential::from(Key::session(id)))
}

fn domain(by: ByHeader) -> Domain {
    let config = DomainConfig::new().with_stale_policy(StalePolicy::FailOpen);
    let (layer, sink) = RevocationLayer::pair_with(config, by);
    let layer = layer
        .with_guard_extension(GuardExtension::Insert)
        .with_status_extension(StatusExtension::Insert);
    (layer, sink)
}

/// Staff's domain and that of customers.
fn domains() -> (Domain, Domain) {
    (domain(staff_of), domain(customer_of))
}

/// A request with these headers.
fn presenting(names: &[&str]) -> Request<String> {
    let mut request = Request::get("/");
    for name in names {
        request = request.header(*name, "mallory");
    }
    request.body(String::new()).unwrap()
}

/// What a handler finds behind these two.
fn found(
    outer: &RevocationLayer<ByHeader>,
    inner: &RevocationLayer<ByHeader>,
    request: Request<String>,
) -> (Option<RevocationGuard>, Option<ListFreshness>) {
    let (sender, receiver) = mpsc::channel();
    let handler = service_fn(move |request: Request<String>| {
        let extensions = request.extensions();
        sender
            .send((extensions.get().cloned(), extensions.get().copied()))
            .unwrap();
        async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) }
    });
    drop(outer.layer(inner.layer(handler)).call(request));
    receiver.recv().unwrap()
}

fn guard(outer: &Domain, inner: &Domain, request: Request<String>) -> RevocationGuard {
    found(&outer.0, &inner.0, request).0.unwrap()
}

fn revoke(domain: &Domain, key: Key) {
    domain.1.apply(Revocation::block(key)).unwrap().wait().unwrap();
}

/// The inner layer once put a guard of nothing in the place of the outer one's, so that a WebSocket of the outer domain never ended.
#[test]
fn a_guard_hears_of_the_domain_that_knows_the_credential_whichever_layer_is_outside() {
    for is_staff_outside in [true, false] {
        for header in ["x-staff", "x-customer"] {
            let (staff, customers) = domains();
            let (outer, inner) = match is_staff_outside {
                true => (&staff, &customers),
                false => (&customers, &staff),
            };
            let guard = guard(outer, inner, presenting(&[header]));
            let mut wait = task::spawn(guard.revoked());
            assert_pending!(wait.poll());
            // Of the other domain, where nobody presented anything.
            revoke(if header == "x-staff" { &customers } else { &staff }, Key::everything());
            assert_pending!(wait.poll());
            assert!(!guard.is_revoked());
            let (domain, key) = match header {
                "x-staff" => (&staff, Key::subject("mallory")),
                _ => (&customers, Key::session("mallory")),
            };
            revoke(domain, key);
            assert!(wait.is_woken(), "{header}, {is_staff_outside}");
            assert_eq!(assert_ready!(wait.poll()).kind, key.kind());
            assert!(guard.is_revoked());
            assert_eq!(domain.1.status().in_flight.cut, 1);
        }
    }
}

#[test]
fn a_guard_of_two_credentials_tells_of_the_first_that_is_revoked() {
    for is_outer_first in [true, false] {
        let (staff, customers) = domains();
        let guard = guard(&staff, &customers, presenting(&["x-staff", "x-customer"]));
        let clone = guard.clone();
        let mut waits = [task::spawn(guard.revoked()), task::spawn(clone.revoked())];
        waits.iter_mut().for_each(|wait| assert_pending!(wait.poll()));
        assert_eq!(
            (
                staff.1.status().in_flight.waiting,
                customers.1.status().in_flight.waiting
            ),
            (2, 2)
        );
        match is_outer_first {
            true => revoke(&staff, Key::subject("mallory")),
            false => revoke(&customers, Key::session("mallory")),
        }
        let kind = if is_outer_first {
            KeyKind::Subject
        } else {
            KeyKind::Session
        };
        for wait in &mut waits {
            assert!(wait.is_woken());
            assert_eq!(assert_ready!(wait.poll()).kind, kind);
        }
        assert!(guard.is_revoked());
        drop(waits);
        let [staff, customers] = [staff, customers].map(|domain| domain.1.status().in_flight);
        assert_eq!((staff.waiting, customers.waiting), (0, 0));
        assert_eq!((staff.cut, customers.cut), if is_outer_first { (1, 0) } else { (0, 1) });
    }
}

#[test]
fn an_observers_domain_counts_and_the_other_one_tells() {
    for is_observer_inside in [true, false] {
        let (staff, (customers, sink)) = domains();
        let observing = (customers.with_enforcement(Enforcement::Observe), sink);
        let (outer, inner) = match is_observer_inside {
            true => (&staff, &observing),
            false => (&observing, &staff),
        };
        let guard = guard(outer, inner, presenting(&["x-staff", "x-customer"]));
        let mut wait = task::spawn(guard.revoked());
        assert_pending!(wait.poll());
        revoke(&observing, Key::session("mallory"));
        assert_pending!(wait.poll());
        assert_pending!(wait.poll());
        assert!(!guard.is_revoked());
        revoke(&staff, Key::subject("mallory"));
        assert_ready!(wait.poll());
        drop(wait);
        assert_eq!(
            (staff.1.status().in_flight.cut, staff.1.status().in_flight.waiting),
            (1, 0)
        );
        assert_eq!(observing.1.status().in_flight.would_cut, 1);
    }
}

#[test]
fn without_a_credential_there_is_a_guard_that_tells_nothing() {
    let (staff, customers) = domains();
    let guard = guard(&staff, &customers, presenting(&[]));
    revoke(&staff, Key::everything());
    revoke(&customers, Key::everything());
    assert_pending!(task::spawn(guard.revoked()).poll());
    assert!(!guard.is_revoked());
}

/// What is found of the freshness, with staff's layer outside and inside: it has to be the same.
fn freshness(staff: &Domain, customers: &Domain, names: &[&str]) -> (Freshness, Option<Duration>) {
    let found = |outer: &Domain, inner: &Domain| {
        let (_, list) = found(&outer.0, &inner.0, presenting(names));
        let list = list.unwrap();
        (list.freshness, list.snapshot_age)
    };
    let outside = found(staff, customers);
    assert_eq!(outside, found(customers, staff), "{names:?}");
    outside
}

#[tokio::test(start_paused = true)]
async fn the_freshness_is_of_the_domain_that_knows_the_credential_and_of_several_the_least() {
    let (staff, customers) = domains();
    let (only_staff, only_customer, both): (&[_], &[_], &[_]) =
        (&["x-staff"], &["x-customer"], &["x-staff", "x-customer"]);
    // Of staff nothing is known.
    customers.1.configure(|config| config.with_lists(ListPolicy::NotUsed));
    assert_eq!(freshness(&staff, &customers, only_staff), (Freshness::NoSnapshot, None));
    assert_eq!(freshness(&staff, &customers, only_customer), (Freshness::Fresh, None));
    assert_eq!(freshness(&staff, &customers, both), (Freshness::NoSnapshot, None));
    // Of staff a list is known, and of customers an older one, which is still good.
    customers.1.configure(|config| config.with_lists(ListPolicy::Expected));
    let began = Instant::now();
    customers.1.install(list_of_now()).unwrap();
    let minute = Duration::from_secs(60);
    advance(minute).await;
    staff
        .1
        .install(RevocationList::builder(Timestamp::now()).build())
        .unwrap();
    assert_eq!(
        freshness(&staff, &customers, only_staff),
        (Freshness::Fresh, Some(Duration::ZERO))
    );
    assert_eq!(
        freshness(&staff, &customers, only_customer),
        (Freshness::Fresh, Some(minute))
    );
    assert_eq!(freshness(&staff, &customers, both), (Freshness::Fresh, Some(minute)));
    // A list that is too old, of a domain that knows nothing of the request, counts for nothing.
    staff
        .1
        .configure(|config| config.with_max_age(Duration::from_millis(1)));
    advance(minute).await;
    assert_eq!(
        freshness(&staff, &customers, only_customer),
        (Freshness::Fresh, Some(began.elapsed()))
    );
    assert_eq!(
        freshness(&staff, &customers, only_staff),
        (Freshness::Stale, Some(minute))
    );
    assert_eq!(
        freshness(&staff, &customers, both),
        (Freshness::Stale, Some(minute)),
        "although the other is older"
    );
}
