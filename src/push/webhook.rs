//! The service, and its builder.

use std::borrow::Cow;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tokio::time::{Instant, timeout, timeout_at};
use tower_service::Service;

use crate::common::bounded_body::{BELIEVED, Unread, read_bounded};
use crate::common::host_code::guarded;
use crate::common::log;
use crate::domain::ingest::ended;
use crate::domain::persistence::LONGEST_WAIT;
use crate::model::decode::{Decode, Disposition, Ended};
use crate::push::answer::{self, Form, Rejection};
use crate::push::batch::Messages;
use crate::push::binary::as_structured;
use crate::push::config::PushConfig;
use crate::push::secret::{ClaimedSecret, Secret};
use crate::respond::AnswerUnread;
use crate::sink::EventSink;
use crate::state::accept::ApplyError;

/// Takes in events that are pushed over HTTP. A cheap clone; see the [module](super) for requests and answers.
///
/// It limits how much it reads and for how long, but not how many requests there are at the same time: wrap it in a
/// layer that does, such as tower's `ConcurrencyLimit`. Over HTTP/1 also a request without the secret holds its place in it while
/// what it brings is read: for 200 ms if nothing comes, and for up to a second.
pub struct Push<D> {
    sink: EventSink,
    decode: Arc<D>,
    terms: Arc<PushConfig>,
}

impl<D> Push<D> {
    /// Returns a service that feeds `sink` with what `decode` reads in the messages of senders that know `secret`.
    #[must_use]
    pub fn new(sink: EventSink, decode: D, secret: Secret) -> Self {
        Self {
            sink,
            decode: Arc::new(decode),
            terms: Arc::new(PushConfig::new(secret)),
        }
    }

    /// Accepts another secret as well, of either kind: while the next secret replaces the old one, both are good.
    #[must_use]
    pub fn and(self, secret: Secret) -> Self {
        self.with(|terms| terms.secrets.all.push(secret))
    }

    /// Sets the header of the signature. Defaults to [`DEFAULT_SIGNATURE_HEADER`](super::DEFAULT_SIGNATURE_HEADER);
    /// GitHub's is `x-hub-signature-256`.
    #[must_use]
    pub fn with_signature_header(self, name: HeaderName) -> Self {
        self.with(|terms| terms.secrets.signature_header = name)
    }

    /// Sets how many bytes a body may have. Defaults to [`DEFAULT_BODY_CAP`](super::DEFAULT_BODY_CAP).
    #[must_use]
    pub fn with_body_cap(self, bytes: usize) -> Self {
        self.with(|terms| terms.body_cap = bytes)
    }

    /// Sets how long all of a body may take to arrive. Defaults to
    /// [`DEFAULT_BODY_TIMEOUT`](super::DEFAULT_BODY_TIMEOUT).
    #[must_use]
    pub fn with_body_timeout(self, timeout: Duration) -> Self {
        self.with(|terms| terms.body_timeout = timeout)
    }

    /// Sets how many messages a batch may have. Defaults to [`DEFAULT_BATCH_CAP`](super::DEFAULT_BATCH_CAP).
    #[must_use]
    pub fn with_batch_cap(self, messages: usize) -> Self {
        self.with(|terms| terms.batch_cap = messages)
    }

    /// Answers the handshake of senders that state this origin, such as `eventgrid.azure.net`; `*` stands for any. Called again, it
    /// adds another one. By default there are none, and `OPTIONS` is answered by 405.
    ///
    /// The handshake is that of [CloudEvents' webhooks, section
    /// 4](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md#4-abuse-protection): `OPTIONS` with
    /// `WebHook-Request-Origin` is answered by 200 with `WebHook-Allowed-Origin`, and any rate is allowed.
    ///
    /// # Security
    ///
    /// The handshake asks for no secret, and lets nobody push: each push needs one.
    #[must_use]
    pub fn with_allowed_origin(self, origin: impl Into<String>) -> Self {
        self.with(|terms| terms.origins.allow(origin.into()))
    }

    /// Sets a hook that is called with each message that can never be applied, and the reason. It must not block.
    /// Defaults to none. With or without it, the sender gets the reason as well, and a list is fetched, since the
    /// message may be a revocation.
    #[must_use]
    pub fn with_dead_letter_hook(self, hook: impl Fn(&[u8], &str) + Send + Sync + 'static) -> Self {
        self.with(|terms| terms.hook = Some(Arc::new(hook)))
    }

    fn with(mut self, change: impl FnOnce(&mut PushConfig)) -> Self {
        change(Arc::make_mut(&mut self.terms));
        self
    }
}

impl<D: Decode> Push<D> {
    async fn answer<B>(&self, head: &Parts, body: B) -> Result<Response<Bytes>, Rejection>
    where
        B: Body<Error: Into<Box<dyn Error + Send + Sync>>>,
    {
        let terms = &*self.terms;
        if let Some(answer) = terms.origins.answer(head) {
            return Ok(answer);
        }
        if head.method != Method::POST {
            return Err(Rejection::NotPosted);
        }
        let claim = terms.secrets.claim(&head.headers).map_err(Rejection::Unauthorized)?;
        // A body's size hint does not have to know what the header announced.
        if announced_length(&head.headers).is_some_and(|length| length > terms.body_cap as u64) {
            return Err(Rejection::TooLarge(terms.body_cap));
        }
        let body = timeout(terms.body_timeout, read_bounded(body, terms.body_cap, BELIEVED))
            .await
            .map_err(|_late| Rejection::TooSlow)?
            .map_err(|unread| match unread {
                Unread::Broken(cause) => {
                    log::debug!(error = %cause, "pushed body broke off");
                    Rejection::BrokenOff
                }
                Unread::TooLarge => Rejection::TooLarge(terms.body_cap),
            })?;
        let body = match claim {
            ClaimedSecret::Signed(signature) => {
                terms
                    .secrets
                    .verify(&body, &signature)
                    .map_err(Rejection::Unauthorized)?;
                // Nobody signed what is in the headers.
                Cow::from(&body[..])
            }
            _ => as_structured(&head.headers, &body),
        };
        let (dispositions, form) = match Messages::of(&body, terms.batch_cap) {
            Messages::TooMany => return Err(Rejection::TooMany(terms.batch_cap)),
            Messages::One => (self.take_in(&[&body]).await, Form::One),
            Messages::Batch(messages) => (self.take_in(&messages).await, Form::Batch),
            Messages::Unreadable(error) => {
                let words = format!("batch is not a JSON array: {error}");
                let dead = Ended::dead_letter("batch", words.into());
                (vec![self.disposed(dead, &body)], Form::One)
            }
        };
        self.mourn(&dispositions);
        self.sink.domain().look_for_lost_messages();
        Ok(answer::of(&dispositions, form))
    }

    /// Puts all messages in force in their order before it waits for any, so that they share one sync of the journal.
    async fn take_in(&self, messages: &[&[u8]]) -> Vec<Disposition> {
        let mut taken_in = Vec::with_capacity(messages.len());
        for some in messages.chunks(AT_A_STRETCH) {
            if !taken_in.is_empty() {
                give_way().await;
            }
            taken_in.extend(
                some.iter()
                    .map(|message| (message, self.sink.domain().take_in(&*self.decode, message))),
            );
        }
        // If the disk hangs, the sender waits once, and not once per message.
        let deadline = Instant::now() + LONGEST_WAIT;
        let mut dispositions = Vec::with_capacity(taken_in.len());
        for (message, taken_in) in taken_in {
            let ended = match taken_in {
                Ok(pending) => ended(timeout_at(deadline, pending.durable()).await.unwrap_or_else(|_late| {
                    let problem = "the disk did not answer in time".into();
                    Err(ApplyError::NotDurable { problem })
                })),
                Err(ended) => ended,
            };
            dispositions.push(self.disposed(ended, message));
        }
        dispositions
    }

    /// Notes what became of a message.
    fn disposed(&self, ended: Ended, message: &[u8]) -> Disposition {
        let disposition = self.sink.domain().disposed(ended, message.len());
        if let (Some(hook), Disposition::DeadLetter(reason)) = (&self.terms.hook, &disposition) {
            let _ = guarded(|| hook(message, reason));
        }
        disposition
    }

    /// Asks for a list if there are dead letters, since one of them may be a revocation.
    fn mourn(&self, dispositions: &[Disposition]) {
        let mut reasons = dispositions.iter().filter_map(|disposition| match disposition {
            Disposition::DeadLetter(reason) => Some(reason),
            _ => None,
        });
        if let Some(reason) = reasons.next() {
            let dead_letters = reasons.count() + 1;
            log::warn!(dead_letters, %reason, "pushed messages are dead letters");
            self.sink.domain().refresh();
        }
    }
}

impl<D, B> Service<Request<B>> for Push<D>
where
    D: Decode + Send + Sync + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = PushFuture;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    /// # Panics
    ///
    /// Panics when the future is polled outside a tokio runtime with its clock enabled.
    fn call(&mut self, request: Request<B>) -> PushFuture {
        let push = self.clone();
        PushFuture(Box::pin(async move {
            let (head, body) = request.into_parts();
            let mut body = Box::pin(body).fuse();
            let response = push.answer(&head, &mut body).await.unwrap_or_else(|rejection| {
                log::debug!(?rejection, "push not taken in");
                rejection.into_response(&head.method)
            });
            AnswerUnread::new(Request::from_parts(head, body), response.map(Full::new)).await
        }))
    }
}

impl<D> Clone for Push<D> {
    fn clone(&self) -> Self {
        Self {
            sink: self.sink.clone(),
            decode: Arc::clone(&self.decode),
            terms: Arc::clone(&self.terms),
        }
    }
}

impl<D> fmt::Debug for Push<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Push")
            .field("secrets", &self.terms.secrets.all.len())
            .field("body_cap", &self.terms.body_cap)
            .finish_non_exhaustive()
    }
}

/// Resolves to the answer to a push.
///
/// # Cancel safety
///
/// Events that are in force when it is dropped stay in force; they may not be counted.
pub struct PushFuture(Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send>>);

impl Future for PushFuture {
    type Output = Result<Response<Full<Bytes>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context).map(Ok)
    }
}

impl fmt::Debug for PushFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushFuture").finish_non_exhaustive()
    }
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Lets other tasks of this thread run.
async fn give_way() {
    let mut has_given_way = false;
    let turn = poll_fn(|context| {
        if mem::replace(&mut has_given_way, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    });
    turn.await;
}

/// How many messages are taken in before other tasks run: some 2 ms.
const AT_A_STRETCH: usize = 1_000;

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Mutex;

    use tokio::sync::oneshot;

    use super::*;
    use crate::domain::persistence::{Durable, Persist, PersistLists};
    use crate::domain::trust_domain::TrustDomain;
    use crate::model::decode::{DecodeError, Decoded};
    use crate::model::domain_config::DomainConfig;
    use crate::model::event::Revocation;
    use crate::model::key::Key;
    use crate::model::log_place::LogPosition;
    use crate::model::timestamp::Timestamp;
    use crate::state::entry::Entry;
    use crate::status::JournalStatus;

    /// A disk that syncs when it was asked to persist so many entries, and never again.
    struct Disk {
        syncs_at: usize,
        asked: Mutex<Vec<Option<oneshot::Sender<()>>>>,
    }

    impl Persist for Disk {
        fn persist(&self, _entries: Vec<Entry>, _whole: Option<LogPosition>) -> Durable {
            let (sync, synced) = oneshot::channel();
            let mut asked = self.asked.lock().unwrap();
            asked.push(Some(sync));
            if asked.len() == self.syncs_at {
                let syncs = asked.iter_mut().filter_map(Option::take);
                syncs.for_each(|sync| sync.send(()).unwrap());
            }
            Durable::new(async move {
                synced.await.unwrap();
                Ok(())
            })
        }

        fn persist_newest(&self, _issued_at: Timestamp) -> Durable {
            Durable::new(pending())
        }

        fn persist_resynced(&self) -> Durable {
            Durable::new(pending())
        }

        fn persist_feed_read(&self, _: Timestamp) -> Durable {
            Durable::new(pending())
        }

        fn lists(&self) -> &dyn PersistLists {
            unreachable!("no list is installed")
        }

        fn status(&self) -> JournalStatus {
            unreachable!("nobody asks")
        }
    }

    fn decode(message: &[u8]) -> Result<Decoded, DecodeError> {
        match message {
            b"7" => Err(DecodeError::new("message", "is a number")),
            text => Ok(Decoded::from(Revocation::block(Key::subject(
                &String::from_utf8_lossy(text),
            )))),
        }
    }

    async fn push(domain: &Arc<TrustDomain>, body: &'static str) -> (u16, String) {
        let mut push = Push::new(EventSink::new(Arc::clone(domain)), decode, Secret::bearer("token"));
        let request = Request::post("/").header("authorization", "Bearer token");
        let response = push
            .call(request.body(Full::<Bytes>::from(body)).unwrap())
            .await
            .unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn with_disk(syncs_at: usize) -> Arc<TrustDomain> {
        let domain = Arc::new(TrustDomain::new(DomainConfig::new()));
        let disk = Disk {
            syncs_at,
            asked: Mutex::default(),
        };
        assert!(domain.journal.set(Box::new(disk)).is_ok());
        domain
    }

    #[tokio::test]
    async fn other_tasks_have_their_turn_during_a_large_batch() {
        let domain = Arc::new(TrustDomain::new(DomainConfig::new()));
        let batch = (0..10_000).map(|number| format!("\"{number}\"")).collect::<Vec<_>>();
        let batch = format!("[{}]", batch.join(",")).leak();
        let turns = async {
            let mut turns = 0;
            loop {
                give_way().await;
                turns += 1;
                if domain.store.look(|state| state.overlay.len()) == 10_000 {
                    return turns;
                }
            }
        };
        let ((status, _), turns) = tokio::join!(push(&domain, batch), turns);
        assert_eq!((status, turns), (200, 10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_shares_a_sync() {
        let started = Instant::now();
        let (status, _) = push(&with_disk(3), r#"["a","b","c"]"#).await;
        assert_eq!((status, started.elapsed()), (200, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_hangs_is_waited_for_once() {
        let started = Instant::now();
        let (status, body) = push(&with_disk(2), r#"["a","b","c","d",7]"#).await;
        assert_eq!(status, 503);
        assert_eq!(started.elapsed(), LONGEST_WAIT);
        assert_eq!(body.matches("applied").count(), 2, "{body}");
        assert_eq!(body.matches("retry").count(), 2, "{body}");
        assert_eq!(body.matches("dead-letter").count(), 1, "{body}");
    }

    #[tokio::test]
    async fn has_a_list_fetched_for_what_may_be_a_missed_revocation() {
        let domain = Arc::new(TrustDomain::new(DomainConfig::new()));
        assert_eq!(push(&domain, r#"["a"]"#).await.0, 200);
        assert_eq!(*domain.requested.borrow(), 0);
        assert_eq!(push(&domain, r#"[7,"a",7]"#).await.0, 422);
        assert_eq!(*domain.requested.borrow(), 1);
    }
}
