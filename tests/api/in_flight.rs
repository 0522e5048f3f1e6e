//! Work in flight ends with the revocation of its credential (invariant 10): bodies, handlers, guards. Without sockets, so
//! that each step can be seen; `streams` has them.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use tokio_test::{assert_pending, assert_ready, task};
use tower::{Service, service_fn};
use tower_layer::Layer;
use tower_revocation::status::InFlightStatus;
use tower_revocation::{
    Applied, BodyError, Credential, Cut, Effect, Enforcement, EventSink, GuardExtension, Key, KeyKind, Reach, Reason,
    Reinstatement, ResponseBody, Revocation, RevocationGuard, RevocationLayer, RevocationList, RevokedBy, Running,
    StreamCut, Timestamp,
};

use crate::support::{ByHeader, fresh_pair, once, presenting};

/// A body that its sender feeds, and that counts how often it is polled.
#[derive(Debug)]
struct Fed {
    pieces: mpsc::UnboundedReceiver<&'static str>,
    polls: Arc<AtomicUsize>,
}

/// The other end of it.
struct Feeder {
    pieces: mpsc::UnboundedSender<&'static str>,
    polls: Arc<AtomicUsize>,
}

impl Feeder {
    fn say(&self, piece: &'static str) {
        self.pieces.send(piece).unwrap();
    }

    fn polls(&self) -> usize {
        self.polls.load(Ordering::Relaxed)
    }

    fn is_heard(&self) -> bool {
        !self.pieces.is_closed()
    }
}

fn fed() -> (Feeder, Fed) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let polls = Arc::<AtomicUsize>::default();
    let feeder = Feeder {
        pieces: sender,
        polls: Arc::clone(&polls),
    };
    let pieces = receiver;
    (feeder, Fed { pieces, polls })
}

impl Body for Fed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        self.pieces
            .poll_recv(context)
            .map(|piece| Some(Ok(Frame::data(piece?.into()))))
    }
}

/// Opens a stream for `subject`, with an issue time if it is not zero.
fn open(layer: &RevocationLayer<ByHeader>, subject: &str, iat: u64) -> (Feeder, task::Spawn<ResponseBody<Fed>>) {
    let (feeder, body) = fed();
    let mut body = once(body);
    let mut service = layer.layer(service_fn(move |_: Request<String>| {
        let body = body();
        async { Ok::<_, Infallible>(Response::new(body)) }
    }));
    let mut request = presenting(subject);
    if iat > 0 {
        request.headers_mut().insert("x-iat", iat.into());
    }
    let mut call = task::spawn(service.call(request));
    let response = assert_ready!(call.poll()).unwrap();
    assert_eq!(response.status(), 200);
    (feeder, task::spawn(response.into_body()))
}

type Polled = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

/// Polls once; or twice if the body was cut, since without a runtime it lets others have one turn before it breaks off.
fn poll(body: &mut task::Spawn<ResponseBody<Fed>>) -> Polled {
    let once = body.enter(|context, body| body.poll_frame(context));
    match once.is_pending() && body.is_woken() {
        true => body.enter(|context, body| body.poll_frame(context)),
        false => once,
    }
}

/// The next piece, or how it was cut.
fn next(body: &mut task::Spawn<ResponseBody<Fed>>) -> Result<Bytes, StreamCut> {
    match assert_ready!(poll(body)).unwrap() {
        Ok(frame) => Ok(frame.into_data().unwrap()),
        Err(error) => Err(*error.cut().unwrap()),
    }
}

fn in_flight(sink: &EventSink) -> InFlightStatus {
    sink.status().in_flight
}

fn listing(iat: u64, entries: &[Revocation]) -> RevocationList {
    let mut list = RevocationList::builder(Timestamp::from_unix_secs(iat));
    entries.iter().for_each(|entry| list.push(entry));
    list.build()
}

/// The second after this one: later than the first list.
fn soon() -> u64 {
    Timestamp::now().as_unix_secs() + 1
}

#[test]
fn an_event_ends_the_streams_of_its_key_and_wakes_no_other() {
    let (layer, sink) = fresh_pair();
    let (alice, mut to_alice) = open(&layer, "alice", 0);
    let (mallory, mut to_mallory) = open(&layer, "mallory", 0);
    mallory.say("hello");
    assert_eq!(next(&mut to_mallory).unwrap(), "hello");
    assert_pending!(poll(&mut to_mallory));
    assert_pending!(poll(&mut to_alice));
    assert_eq!(in_flight(&sink).waiting, 2);

    sink.apply(Revocation::block(Key::subject("mallory")).because(Reason::KeyCompromise))
        .unwrap()
        .wait()
        .unwrap();
    assert!(to_mallory.is_woken() && !to_alice.is_woken());
    let cut = next(&mut to_mallory).unwrap_err();
    assert_eq!(
        (cut.why.kind, cut.why.effect, cut.why.source, cut.why.reason),
        (KeyKind::Subject, Effect::Block, RevokedBy::Event, Reason::KeyCompromise)
    );
    assert_eq!(
        cut.to_string(),
        "response cut: credential revoked meanwhile by a block of its subject"
    );
    assert!(!mallory.is_heard(), "whoever feeds it learns of it");
    assert!(assert_ready!(poll(&mut to_mallory)).is_none());
    assert!(to_mallory.is_end_stream());
    assert_eq!(to_mallory.size_hint().exact(), Some(0));

    assert_eq!(alice.polls(), 1, "not even looked at");
    alice.say("still here");
    assert_eq!(next(&mut to_alice).unwrap(), "still here");
    let status = in_flight(&sink);
    assert_eq!((status.waiting, status.woken, status.cut), (1, 1, 1));
}

#[test]
fn a_busy_stream_ends_before_its_next_piece_and_is_in_no_index() {
    let (layer, sink) = fresh_pair();
    let (feeder, mut body) = open(&layer, "mallory", 0);
    for piece in ["one", "two", "three"] {
        feeder.say(piece);
    }
    assert_eq!(next(&mut body).unwrap(), "one");
    sink.apply(Revocation::block(Key::subject("another")))
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(next(&mut body).unwrap(), "two");
    sink.apply(Revocation::block(Key::subject("mallory")))
        .unwrap()
        .wait()
        .unwrap();
    assert!(next(&mut body).is_err(), "what is ready is not given away any more");
    let status = in_flight(&sink);
    assert_eq!((status.waiting, status.woken, status.cut), (0, 0, 1));
}

#[test]
fn ends_like_any_other_if_the_host_says_so() {
    let (layer, sink) = fresh_pair();
    let (_feeder, mut body) = open(&layer.with_cut(Cut::End), "mallory", 0);
    assert_pending!(poll(&mut body));
    sink.apply(Revocation::block(Key::subject("mallory")))
        .unwrap()
        .wait()
        .unwrap();
    assert!(assert_ready!(poll(&mut body)).is_none());
    assert_eq!(in_flight(&sink).cut, 1);
}

#[test]
fn a_list_that_newly_carries_the_key_ends_it() {
    let (layer, sink) = fresh_pair();
    let (_alice, mut to_alice) = open(&layer, "alice", 0);
    let (_mallory, mut to_mallory) = open(&layer, "mallory", 0);
    assert_pending!(poll(&mut to_alice));
    assert_pending!(poll(&mut to_mallory));
    sink.install(listing(soon(), &[Revocation::block(Key::subject("another"))]))
        .unwrap();
    assert!(!to_alice.is_woken() && !to_mallory.is_woken());
    sink.install(listing(soon() + 1, &[Revocation::block(Key::subject("mallory"))]))
        .unwrap();
    assert!(!to_alice.is_woken() && to_mallory.is_woken());
    assert_eq!(next(&mut to_mallory).unwrap_err().why.source, RevokedBy::List);
    // A list may speak of everything as well.
    sink.install(listing(soon() + 2, &[Revocation::block(Key::everything())]))
        .unwrap();
    assert_eq!(next(&mut to_alice).unwrap_err().why.kind, KeyKind::Everything);
    assert_eq!(in_flight(&sink).woken, 2);
}

#[test]
fn a_cut_off_ends_what_was_issued_before_it() {
    let (layer, sink) = fresh_pair();
    let (_old, mut old) = open(&layer, "alice", 100);
    let (_new, mut new) = open(&layer, "alice", 101);
    let (_undated, mut undated) = open(&layer, "alice", 0);
    for body in [&mut old, &mut new, &mut undated] {
        assert_pending!(poll(body));
    }
    sink.apply(Revocation::cut_off(Key::subject("alice")).at(Timestamp::from_unix_secs(100)))
        .unwrap()
        .wait()
        .unwrap();
    assert!(old.is_woken() && !new.is_woken() && undated.is_woken());
    assert_eq!(next(&mut old).unwrap_err().why.effect, Effect::CutOff);
    assert!(next(&mut undated).is_err());
    assert_pending!(poll(&mut new));
}

#[test]
fn an_issuer_wide_cut_off_ends_what_it_concerns() {
    let (layer, sink) = fresh_pair();
    let (_old, mut old) = open(&layer, "alice", 100);
    let (_new, mut new) = open(&layer, "bob", 200);
    // A credential without keys is refused by nothing else.
    let (_bare, mut bare) = open(&layer, "", 100);
    for body in [&mut old, &mut new, &mut bare] {
        assert_pending!(poll(body));
    }
    sink.apply(Revocation::cut_off(Key::everything()).at(Timestamp::from_unix_secs(150)))
        .unwrap()
        .wait()
        .unwrap();
    assert!(old.is_woken() && !new.is_woken() && bare.is_woken());
    assert!(next(&mut old).is_err() && next(&mut bare).is_err());
    assert_pending!(poll(&mut new));
}

#[test]
fn an_ancestors_revocation_ends_it_and_wakes_once() {
    let (layer, sink) = fresh_pair();
    let (_feeder, mut body) = open(&layer, "agent parent grandparent", 0);
    assert_pending!(poll(&mut body));
    sink.apply_all(["parent", "grandparent"].map(|key| Revocation::block(Key::subject(key))))
        .unwrap()
        .wait()
        .unwrap();
    assert!(next(&mut body).is_err());
    assert_eq!(in_flight(&sink).woken, 1);
}

#[test]
fn a_batch_and_an_event_that_finds_no_room_end_what_they_revoke_and_nothing_else() {
    let (layer, sink) = fresh_pair();
    sink.configure(|config| config.with_capacity(std::num::NonZeroUsize::new(2).unwrap()));
    let mut bodies = ["a", "b", "c"].map(|subject| open(&layer, subject, 0));
    bodies.iter_mut().for_each(|(_, body)| assert_pending!(poll(body)));
    sink.apply_all(["a", "b", "c"].map(|key| Revocation::block(Key::subject(key))))
        .and_then(Applied::wait)
        .unwrap_err();
    let woken = bodies.each_ref().map(|(_, body)| body.is_woken());
    assert_eq!(woken, [true, true, false]);
}

#[test]
fn what_does_not_refuse_ends_nothing() {
    let (layer, sink) = fresh_pair();
    let (_feeder, mut body) = open(&layer, "alice", 300);
    assert_pending!(poll(&mut body));
    let at = Timestamp::from_unix_secs;
    sink.apply(Reinstatement::of(Key::subject("alice"), at(200)))
        .unwrap()
        .wait()
        .unwrap();
    // Late, and lifted already.
    sink.apply(Revocation::block(Key::subject("alice")).at(at(150)))
        .unwrap()
        .wait()
        .unwrap();
    sink.apply(Revocation::block(Key::token("alice")))
        .unwrap()
        .wait()
        .unwrap();
    sink.confirm().unwrap();
    assert!(!body.is_woken());
    assert_pending!(poll(&mut body));
    assert_eq!(in_flight(&sink).cut, 0);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_becomes_stale_ends_nothing() {
    let (layer, sink) = fresh_pair();
    let (feeder, mut body) = open(&layer, "alice", 0);
    assert_pending!(poll(&mut body));
    tokio::time::advance(2 * tower_revocation::DEFAULT_MAX_AGE).await;
    assert!(!sink.is_ready());
    sink.apply(Revocation::block(Key::subject("another")))
        .unwrap()
        .wait()
        .unwrap();
    feeder.say("still here");
    assert_eq!(next(&mut body).unwrap(), "still here");
}

#[test]
fn a_rotation_cuts_nothing_unless_the_host_says_so() {
    let (layer, sink) = fresh_pair();
    let rotation = Revocation::block(Key::subject("old")).because(Reason::Superseded);
    let kinds = [Reach::UnlessSuperseded, Reach::Always, Reach::Never];
    let mut bodies = kinds.map(|reach| open(&layer.clone().with_reach(KeyKind::Subject, reach), "old", 0));
    let mut poll_all = |feeding: &'static str| {
        bodies.each_mut().map(|(feeder, body)| {
            if feeder.is_heard() && !feeding.is_empty() {
                feeder.say(feeding);
            }
            poll(body).map(|piece| piece.is_some_and(|piece| piece.is_ok()))
        })
    };
    assert_eq!(poll_all(""), [Poll::Pending; 3]);
    // The list says so, as Clawdentity's does; and an event, later, the same.
    sink.install(listing(soon(), &[rotation])).unwrap();
    assert_eq!(in_flight(&sink).woken, 1);
    sink.apply(rotation).unwrap().wait().unwrap();
    assert_eq!(
        poll_all("going on"),
        [Poll::Ready(true), Poll::Ready(false), Poll::Ready(true)]
    );
    // Revoked in earnest: one goes, and the other was told not to.
    sink.apply(Revocation::block(Key::subject("old")).because(Reason::PrivilegeWithdrawn))
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(
        poll_all("going on"),
        [Poll::Ready(false), Poll::Ready(false), Poll::Ready(true)]
    );
    assert_eq!(in_flight(&sink).cut, 2);
}

/// A logout long ago once made every later rotation of its subject cut what was opened since.
#[test]
fn a_rotation_after_a_logout_is_still_a_rotation() {
    let (layer, sink) = fresh_pair();
    let at = Timestamp::from_unix_secs;
    let cut_off = |secs| Revocation::cut_off(Key::subject("alice")).at(at(secs));
    sink.apply(cut_off(100)).unwrap().wait().unwrap();
    let (feeder, mut body) = open(&layer, "alice", 150);
    assert_pending!(poll(&mut body));
    sink.apply(cut_off(200).because(Reason::Superseded))
        .unwrap()
        .wait()
        .unwrap();
    assert!(!body.is_woken());
    feeder.say("going on");
    assert_eq!(next(&mut body).unwrap(), "going on");
    sink.apply(cut_off(150)).unwrap().wait().unwrap();
    assert!(next(&mut body).is_err());
}

#[test]
fn an_event_for_a_key_that_many_share_ends_the_streams_that_present_it() {
    let (layer, sink) = RevocationLayer::pair(by_tenant as fn(&Request<String>) -> Option<Credential>);
    sink.install(crate::support::list_of_now()).unwrap();
    let (_a, mut a) = open(&layer, "a one", 0);
    let (_b, mut b) = open(&layer, "b one", 0);
    let (_c, mut c) = open(&layer, "c other", 0);
    for body in [&mut a, &mut b, &mut c] {
        assert_pending!(poll(body));
    }
    sink.apply(Revocation::block(Key::tenant("one")))
        .unwrap()
        .wait()
        .unwrap();
    assert!(a.is_woken() && b.is_woken() && !c.is_woken());
    assert_eq!(next(&mut a).unwrap_err().why.kind, KeyKind::Tenant);
    sink.install(listing(soon(), &[Revocation::block(Key::tenant("other"))]))
        .unwrap();
    assert!(next(&mut c).is_err());
    assert_eq!(in_flight(&sink).woken, 3);
}

/// A subject and a tenant.
fn by_tenant(request: &Request<String>) -> Option<Credential> {
    let (subject, tenant) = request.headers().get("x-subject")?.to_str().ok()?.split_once(' ')?;
    Some([Key::subject(subject), Key::tenant(tenant)].into())
}

/// With it the list's block is in force again, also for what was opened meanwhile.
#[tokio::test(start_paused = true)]
async fn a_reinstatement_that_is_forgotten_ends_what_it_let_in() {
    let (layer, sink) = fresh_pair();
    sink.configure(|config| config.with_retention(std::time::Duration::from_secs(60)));
    let at = Timestamp::from_unix_secs;
    sink.install(listing(soon(), &[Revocation::block(Key::subject("alice")).at(at(100))]))
        .unwrap();
    sink.apply(Reinstatement::of(Key::subject("alice"), at(200)))
        .unwrap()
        .wait()
        .unwrap();
    let (_feeder, mut body) = open(&layer, "alice", 300);
    assert_pending!(poll(&mut body));
    tokio::time::advance(std::time::Duration::from_secs(700)).await;
    sink.confirm().unwrap();
    sink.apply(Revocation::block(Key::subject("another")))
        .unwrap()
        .wait()
        .unwrap();
    assert!(body.is_woken());
    assert_eq!(next(&mut body).unwrap_err().why.source, RevokedBy::List);
}

#[test]
fn a_body_that_came_whole_is_not_cut() {
    let (layer, sink) = fresh_pair();
    let (feeder, mut body) = open(&layer, "mallory", 0);
    assert_pending!(poll(&mut body));
    drop(feeder);
    assert!(assert_ready!(poll(&mut body)).is_none());
    assert_eq!(in_flight(&sink).waiting, 0);
    sink.apply(Revocation::block(Key::subject("mallory")))
        .unwrap()
        .wait()
        .unwrap();
    assert!(assert_ready!(poll(&mut body)).is_none());
    assert_eq!(in_flight(&sink).cut, 0);
}

/// Trailers and errors are the last of a body, whatever it would do next.
#[tokio::test]
async fn a_body_that_said_its_last_is_not_cut() {
    use http_body_util::StreamBody;
    use tokio_stream::{StreamExt, iter, pending};

    for last in [Ok(Frame::trailers(http::HeaderMap::new())), Err("broken")] {
        let (layer, sink) = fresh_pair();
        let is_error = last.is_err();
        let mut body = once(StreamBody::new(iter([last]).chain(pending())));
        let mut service = layer.layer(service_fn(move |_: Request<String>| {
            std::future::ready(Ok::<_, Infallible>(Response::new(body())))
        }));
        let response = service.call(presenting("mallory")).await.unwrap();
        let mut body = task::spawn(response.into_body());
        let mut poll = || body.enter(|context, body| body.poll_frame(context));
        assert_eq!(assert_ready!(poll()).unwrap().is_err(), is_error);
        sink.apply(Revocation::block(Key::subject("mallory")))
            .unwrap()
            .wait()
            .unwrap();
        assert!(assert_ready!(poll()).is_none());
        assert_eq!(in_flight(&sink).cut, 0);
    }
}

/// What a waker does may lead back to the sink.
#[test]
fn whoever_is_woken_may_feed_the_sink() {
    struct Feeds(EventSink, AtomicUsize);

    impl std::task::Wake for Feeds {
        fn wake(self: Arc<Self>) {
            let nth = self.1.fetch_add(1, Ordering::Relaxed) as u64;
            let mallory = Revocation::block(Key::subject("mallory"));
            self.0.install(listing(soon() + 10 + nth, &[mallory])).unwrap();
            let another = self.0.apply(Revocation::block(Key::subject("another")));
            another.unwrap().wait().unwrap();
        }
    }

    let (layer, sink) = fresh_pair();
    let (_feeder, body) = open(&layer, "mallory", 0);
    let mut body = body.into_inner();
    let feeds = Arc::new(Feeds(sink.clone(), AtomicUsize::new(0)));
    let waker = Arc::clone(&feeds).into();
    assert_pending!(Pin::new(&mut body).poll_frame(&mut Context::from_waker(&waker)));
    sink.install(listing(soon(), &[Revocation::block(Key::subject("mallory"))]))
        .unwrap();
    assert_eq!(feeds.1.load(Ordering::Relaxed), 1);
}

#[test]
fn an_observer_cuts_nothing_and_counts_what_it_would_have_cut() {
    let (layer, sink) = fresh_pair();
    let layer = layer.with_enforcement(Enforcement::Observe);
    let (feeder, mut body) = open(&layer, "mallory", 0);
    assert_pending!(poll(&mut body));
    for reason in [Reason::KeyCompromise, Reason::PrivilegeWithdrawn] {
        sink.apply(Revocation::block(Key::subject("mallory")).because(reason))
            .unwrap()
            .wait()
            .unwrap();
        assert_pending!(poll(&mut body));
        feeder.say("still here");
        assert_eq!(next(&mut body).unwrap(), "still here");
    }
    // One that was only observed to be revoked already is not counted twice.
    let (_feeder, mut body) = open(&layer, "mallory", 0);
    sink.apply(Revocation::block(Key::subject("another")))
        .unwrap()
        .wait()
        .unwrap();
    assert_pending!(poll(&mut body));
    let status = sink.status();
    assert_eq!((status.in_flight.cut, status.in_flight.would_cut), (0, 1));
    assert_eq!((status.in_flight.waiting, status.would_refuse), (0, 1));
}

#[test]
fn anonymous_requests_are_not_watched() {
    let (layer, sink) = fresh_pair();
    let mut service = layer.layer(service_fn(async |_: Request<String>| {
        Ok::<_, Infallible>(Response::new(fed().1))
    }));
    let mut call = task::spawn(service.call(Request::new(String::new())));
    let response = assert_ready!(call.poll()).unwrap();
    let mut body = task::spawn(response.into_body());
    assert!(assert_ready!(poll(&mut body)).is_none(), "its feeder is gone");
    sink.apply(Revocation::block(Key::everything()))
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(in_flight(&sink).cut, 0);
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Fed>, &'static str>>>>;

/// A handler that goes on until it is let go, and says whether it was dropped before.
fn handler() -> (
    tokio::sync::oneshot::Sender<Response<Fed>>,
    impl FnMut(Request<String>) -> Answer + Clone,
) {
    let (done, wait) = tokio::sync::oneshot::channel();
    let mut wait = once(wait);
    let handle = move |_| {
        let wait = wait();
        Box::pin(async { wait.await.map_err(|_| "broken") }) as Answer
    };
    (done, handle)
}

/// The handler may have done its work. After 401 clients with a refresh token send a POST again, after 408, 421, 425, 429 and most of
/// 5xx others do by themselves, and none after 403.
fn assert_nobody_repeats<B>(response: &Response<B>) {
    assert_eq!(response.status(), 403);
    for invitation in ["www-authenticate", "retry-after"] {
        assert!(!response.headers().contains_key(invitation), "{invitation}");
    }
}

#[test]
fn the_response_of_a_running_handler_is_withheld() {
    let (layer, sink) = fresh_pair();
    let (done, handle) = handler();
    let mut call = task::spawn(layer.layer(service_fn(handle)).call(presenting("mallory")));
    assert_pending!(call.poll());
    sink.apply(Revocation::block(Key::subject("mallory")))
        .unwrap()
        .wait()
        .unwrap();
    assert!(!call.is_woken() && !done.is_closed(), "it may finish");
    assert_pending!(call.poll());
    done.send(Response::new(fed().1)).unwrap();
    let response = assert_ready!(call.poll()).unwrap();
    assert_nobody_repeats(&response);
    let status = in_flight(&sink);
    assert_eq!((status.cut, status.woken), (1, 0));
}

#[test]
fn a_running_handler_is_dropped_at_once_if_the_host_says_so() {
    let (layer, sink) = fresh_pair();
    let layer = layer.with_running(Running::Drop);
    let (done, handle) = handler();
    let mut call = task::spawn(layer.layer(service_fn(handle)).call(presenting("mallory")));
    assert_pending!(call.poll());
    sink.apply(Revocation::block(Key::subject("mallory")))
        .unwrap()
        .wait()
        .unwrap();
    assert!(call.is_woken());
    let response = assert_ready!(call.poll()).unwrap();
    assert_nobody_repeats(&response);
    assert!(done.is_closed(), "dropped before its future is");
    assert_eq!(in_flight(&sink).waiting, 0);
}

#[test]
fn a_handler_that_waited_hands_its_place_to_its_body() {
    let (layer, sink) = fresh_pair();
    let layer = layer.with_running(Running::Drop);
    let (done, handle) = handler();
    let mut call = task::spawn(layer.layer(service_fn(handle)).call(presenting("mallory")));
    assert_pending!(call.poll());
    let (feeder, body) = fed();
    done.send(Response::new(body)).unwrap();
    let response = assert_ready!(call.poll()).unwrap();
    drop(call);
    let mut body = task::spawn(response.into_body());
    feeder.say("hello");
    assert_eq!(next(&mut body).unwrap(), "hello");
    assert_pending!(poll(&mut body));
    assert_eq!(in_flight(&sink).waiting, 1);
    sink.apply(Revocation::block(Key::subject("mallory")))
        .unwrap()
        .wait()
        .unwrap();
    assert!(body.is_woken() && next(&mut body).is_err());
}

#[test]
fn an_error_of_the_handler_passes_as_it_is() {
    let (layer, sink) = fresh_pair();
    let (done, handle) = handler();
    let mut call = task::spawn(layer.layer(service_fn(handle)).call(presenting("mallory")));
    assert_pending!(call.poll());
    sink.apply(Revocation::block(Key::subject("mallory")))
        .unwrap()
        .wait()
        .unwrap();
    drop(done);
    assert_eq!(assert_ready!(call.poll()).unwrap_err(), "broken");
}

/// The guard that a request finds in its extensions.
fn guard(layer: &RevocationLayer<ByHeader>, request: Request<String>) -> Option<RevocationGuard> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut service = layer.layer(service_fn(move |request: Request<String>| {
        sender
            .send(request.extensions().get::<RevocationGuard>().cloned())
            .unwrap();
        async { Ok::<_, Infallible>(Response::new(fed().1)) }
    }));
    drop(service.call(request));
    receiver.recv().unwrap()
}

#[test]
fn a_guard_outlives_the_response() {
    let (layer, sink) = fresh_pair();
    assert!(guard(&layer, presenting("mallory")).is_none(), "only if asked for");
    let layer = layer.with_guard_extension(GuardExtension::Insert);
    let guarding = guard(&layer, presenting("mallory")).unwrap();
    let other = guarding.clone();
    let mut waits = [task::spawn(guarding.revoked()), task::spawn(other.revoked())];
    waits.iter_mut().for_each(|wait| assert_pending!(wait.poll()));
    assert!(!guarding.is_revoked());
    // Cancelled, and nothing is lost.
    let cancelled = task::spawn(guarding.revoked());
    drop(cancelled);
    sink.apply(Revocation::block(Key::subject("mallory")))
        .unwrap()
        .wait()
        .unwrap();
    assert!(guarding.is_revoked());
    for mut wait in waits {
        assert!(wait.is_woken());
        assert_eq!(assert_ready!(wait.poll()).kind, KeyKind::Subject);
    }
    assert_eq!(assert_ready!(task::spawn(other.revoked()).poll()).effect, Effect::Block);
    let status = in_flight(&sink);
    assert_eq!((status.waiting, status.cut), (0, 1));
}

#[test]
fn a_guard_without_a_credential_and_an_observers_tell_nothing() {
    let (layer, sink) = fresh_pair();
    let layer = layer.with_guard_extension(GuardExtension::Insert);
    let anonymous = guard(&layer, Request::new(String::new())).unwrap();
    let observer = layer.clone().with_enforcement(Enforcement::Observe);
    let observing = guard(&observer, presenting("mallory")).unwrap();
    let mut waits = [task::spawn(anonymous.revoked()), task::spawn(observing.revoked())];
    waits.iter_mut().for_each(|wait| assert_pending!(wait.poll()));
    sink.apply(Revocation::block(Key::everything()))
        .unwrap()
        .wait()
        .unwrap();
    waits.iter_mut().for_each(|wait| assert_pending!(wait.poll()));
    assert!(!anonymous.is_revoked() && !observing.is_revoked());
    // However often it is asked: one piece of work.
    assert_pending!(task::spawn(observing.clone().revoked()).poll());
    let status = in_flight(&sink);
    assert_eq!((status.cut, status.would_cut), (0, 1));
}

#[test]
fn a_sink_makes_guards_for_what_is_no_request() {
    let (_layer, sink) = fresh_pair();
    let job = sink.guard(Credential::from([Key::subject("mallory"), Key::session("s")]));
    let mut wait = task::spawn(job.revoked());
    assert_pending!(wait.poll());
    sink.apply(Revocation::block(Key::session("s")))
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(assert_ready!(wait.poll()).kind, KeyKind::Session);
}

/// Nobody may be able to tell the body of a whole response from one that never came near this crate.
#[tokio::test]
async fn a_whole_body_passes_untouched() {
    let (layer, sink) = fresh_pair();
    let (feeder, body) = open(&layer, "alice", 0);
    for piece in ["one ", "two ", "three"] {
        feeder.say(piece);
    }
    let polls = Arc::clone(&feeder.polls);
    drop(feeder);
    let whole = body.into_inner().collect().await.unwrap().to_bytes();
    assert_eq!(
        (whole, polls.load(Ordering::Relaxed)),
        (Bytes::from("one two three"), 4)
    );
    assert_eq!(in_flight(&sink).waiting, 0);
}

/// Writers, installs and streams that open, wait, go on and close: none stays open once it is revoked.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_a_storm_no_stream_is_left_open() {
    const STREAMS: usize = 2_000;
    let (layer, sink) = fresh_pair();
    let layer = layer.with_running(Running::Drop);
    let mut streams = tokio::task::JoinSet::new();
    let (go, _) = tokio::sync::watch::channel(false);
    for n in 0..STREAMS {
        let (layer, mut go) = (layer.clone(), go.subscribe());
        streams.spawn(async move {
            let _ = go.wait_for(|go| *go).await;
            let mut service = layer.layer(service_fn(async |_: Request<String>| {
                tokio::task::yield_now().await;
                let (feeder, body) = fed();
                // Says something now and then, and never ends by itself.
                tokio::spawn(async move {
                    while feeder.is_heard() {
                        let _ = feeder.pieces.send("piece");
                        tokio::task::yield_now().await;
                    }
                });
                Ok::<_, Infallible>(Response::new(body))
            }));
            let response = service
                .call(presenting(&format!("{n} family-{}", n % 50)))
                .await
                .unwrap();
            if matches!(response.status().as_u16(), 401 | 403) {
                return false;
            }
            let error = response.into_body().collect().await.unwrap_err();
            assert!(error.cut().is_some());
            true
        });
    }
    go.send(true).unwrap();
    let revoking = tokio::task::spawn_blocking({
        let sink = sink.clone();
        move || {
            let mut random = fastrand::Rng::with_seed(7);
            let mut order: Vec<_> = (0..STREAMS).collect();
            random.shuffle(&mut order);
            let second = soon();
            for (nth, n) in order.into_iter().enumerate() {
                let revocation = Revocation::block(Key::subject(&n.to_string()));
                match nth % 10 {
                    0 => sink.install(listing(second, &[revocation])).unwrap(),
                    1 => sink
                        .apply(Revocation::block(Key::subject(&format!("family-{}", n % 50))))
                        .unwrap()
                        .wait()
                        .unwrap(),
                    _ => sink.apply(revocation).unwrap().wait().unwrap(),
                }
            }
        }
    });
    revoking.await.unwrap();
    let all = async {
        let mut cut = 0;
        while let Some(was_open) = streams.join_next().await {
            cut += u64::from(was_open.unwrap());
        }
        cut
    };
    let cut = tokio::time::timeout(std::time::Duration::from_secs(60), all)
        .await
        .expect("every stream ends");
    let status = in_flight(&sink);
    assert!(status.cut >= cut && cut > 0, "{status:?}");
    assert_eq!(status.waiting, 0);
}

/// At shutdown, by choice: nothing is revoked.
#[tokio::test]
async fn the_host_ends_what_is_open_and_refuses_nobody() {
    let (layer, sink) = fresh_pair();
    let guard = sink.guard(Credential::from(Key::subject("a")));
    let mut told = task::spawn(guard.revoked());
    assert_pending!(told.poll());
    let (feeder, body) = fed();
    let mut service = layer.clone().layer(service_fn(once_ok(body)));
    let mut open = service.call(presenting("a")).await.unwrap().into_body();
    feeder.say("x");
    assert!(open.frame().await.unwrap().is_ok());
    sink.end_streams();
    assert_eq!(assert_ready!(told.poll()).source, RevokedBy::Host);
    assert!(open.frame().await.is_none_or(|end| end.is_err()));
    // Whoever comes later is admitted, and its stream goes on.
    let (feeder, body) = fed();
    let mut service = layer.layer(service_fn(once_ok(body)));
    let mut later = service.call(presenting("a")).await.unwrap().into_body();
    feeder.say("x");
    assert!(later.frame().await.unwrap().is_ok());
    drop(sink.apply(Revocation::block(Key::subject("b"))).unwrap());
    feeder.say("y");
    assert!(later.frame().await.unwrap().is_ok());
}

/// A handler that runs answers all the same, and a stream that it then begins ends.
#[tokio::test]
async fn a_handler_that_runs_answers_though_the_host_ends_streams() {
    for running in [Running::Finish, Running::Drop] {
        let (layer, sink) = fresh_pair();
        let (go, wait) = tokio::sync::oneshot::channel::<Fed>();
        let wait = Arc::new(std::sync::Mutex::new(Some(wait)));
        let handler = move |_: Request<String>| {
            let wait = wait.lock().unwrap().take().unwrap();
            async move { Ok::<_, Infallible>(Response::new(wait.await.unwrap())) }
        };
        let mut service = layer.with_running(running).layer(service_fn(handler));
        let mut answer = task::spawn(service.call(presenting("a")));
        assert_pending!(answer.poll());
        sink.end_streams();
        assert_pending!(answer.poll());
        let (_feeder, body) = fed();
        go.send(body).unwrap();
        let response = assert_ready!(answer.poll()).unwrap();
        assert_eq!(response.status(), 200, "{running:?}");
        let mut body = response.into_body();
        assert!(body.frame().await.is_none_or(|end| end.is_err()));
    }
}

fn once_ok(body: Fed) -> impl FnMut(Request<String>) -> std::future::Ready<Result<Response<Fed>, Infallible>> + Clone {
    let body = Arc::new(std::sync::Mutex::new(Some(body)));
    move |_| std::future::ready(Ok(Response::new(body.lock().unwrap().take().unwrap())))
}
