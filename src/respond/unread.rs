//! Answers that are ready before their request was read.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT};
use http::{HeaderValue, Request, Response, Version};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep, timeout};

/// Resolves to the answer to a request whose body nobody wants, once that body was read and dropped.
///
/// Over HTTP/1, a server that answers an upload and closes the connection under it makes the kernel reset that connection. The
/// answer may be lost, and a proxy counts a failure of the server: nginx 1.22, as it comes, sent nobody to a server for ten
/// seconds after one such upload. So the body is read first: up to 1 MiB of it, for up to a second, and until nothing comes for 200 ms. If it
/// is longer or slower, the answer says `connection: close` ([RFC 9112 §9.6](https://www.rfc-editor.org/rfc/rfc9112#section-9.6)), and what still comes is
/// read in a task of its own, up to 16 MiB, for up to 5 seconds. The same if the client waits for `100 Continue` ([RFC 9110
/// §10.1.1](https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1)), but that nothing is read.
///
/// Over HTTP/2, which ends one stream and not the connection, the answer is ready at once, and what still comes is read behind it:
/// curl 7.88 and httpx 0.28 lose the answer where the server resets a stream to which they still send. Over HTTP/3 the answer is
/// ready at once as well, and nothing is read: its clients take both in.
///
/// The layer's refusals, the probes and the webhook are answered so. Whatever else answers before it has read, such as an
/// authentication layer of the host's own in front of this one, needs the same:
///
/// ```
/// use axum::{extract::Request, middleware::Next, response::Response};
/// use http::{StatusCode, header::AUTHORIZATION};
/// use tower_revocation::respond::AnswerUnread;
///
/// async fn authenticate(request: Request, next: Next) -> Response {
///     if request.headers().contains_key(AUTHORIZATION) {
///         return next.run(request).await;
///     }
///     let mut refusal = Response::default();
///     *refusal.status_mut() = StatusCode::UNAUTHORIZED;
///     AnswerUnread::new(request, refusal).await
/// }
/// ```
///
/// # Cancel safety
///
/// Dropping it before it is ready drops the body and the answer.
///
/// # Panics
///
/// Panics when it waits over HTTP/1 in a tokio runtime without a clock (`enable_time`). Outside a tokio runtime it waits for nothing.
///
/// # Security
///
/// What is held outside of it, such as a permit of a concurrency limit around the layer, is held while it waits. A limit for the
/// size of a body belongs inside the layer: where it breaks a refused body off, the rest is not read.
pub struct AnswerUnread<B, T> {
    response: Option<Response<T>>,
    unread: Option<UnreadBody<B>>,
}

/// A body that has not ended.
struct UnreadBody<B> {
    /// In a box, since it may move into a task.
    body: Pin<Box<Discard<B>>>,
    is_http1: bool,
    /// Once it has to be waited for.
    patience: Option<Patience>,
}

/// How long is waited for what comes next, and for all of it.
struct Patience {
    left: u64,
    until: Instant,
    next: Pin<Box<Sleep>>,
}

impl<B, T> AnswerUnread<B, T>
where
    B: Body + Send + 'static,
{
    /// Returns what answers `request` with `response`, which may get a header `connection: close`.
    pub fn new(request: Request<B>, mut response: Response<T>) -> Self {
        let is_http1 = request.version() <= Version::HTTP_11;
        let mut unread = None;
        if request.version() <= Version::HTTP_2 && !request.body().is_end_stream() {
            match is_continue_awaited(&request) {
                false => unread = Some(UnreadBody::new(request.into_body(), is_http1)),
                true if is_http1 => close_after(&mut response),
                true => {}
            }
        }
        Self {
            response: Some(response),
            unread,
        }
    }
}

impl<B, T> Future for AnswerUnread<B, T>
where
    B: Body + Send + 'static,
{
    type Output = Response<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response<T>> {
        let reached = match &mut self.unread {
            Some(unread) => ready!(unread.poll_read(context)),
            None => Reached::End,
        };
        let unread = self.unread.take();
        let mut response = self.response.take().expect("a future is not polled after it is ready");
        if let (Reached::Limit | Reached::Error, Some(unread)) = (reached, unread) {
            if unread.is_http1 {
                close_after(&mut response);
            }
            unread.linger();
        }
        Poll::Ready(response)
    }
}

// A pinned body is in a box, and a response is never pinned.
impl<B, T> Unpin for AnswerUnread<B, T> {}

impl<B: Body> UnreadBody<B> {
    fn new(body: B, is_http1: bool) -> Self {
        Self {
            body: Box::pin(Discard {
                body,
                left: READ_AT_MOST,
            }),
            is_http1,
            patience: None,
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Reached> {
        if !self.is_http1 || self.body.body.size_hint().lower() > READ_AT_MOST {
            return Poll::Ready(Reached::Limit);
        }
        if let Poll::Ready(reached) = self.body.as_mut().poll(context) {
            return Poll::Ready(reached);
        }
        if self.patience.is_none() && Handle::try_current().is_err() {
            return Poll::Ready(Reached::Limit);
        }
        let left = self.body.left;
        let patience = self.patience.get_or_insert_with(|| Patience::new(left));
        patience.poll(left, context).map(|()| Reached::Limit)
    }
}

impl Patience {
    fn new(left: u64) -> Self {
        Self {
            left,
            until: Instant::now() + READ_FOR,
            next: Box::pin(sleep(QUIET_FOR)),
        }
    }

    /// Ends when nothing came for a while, or when the time for all of it is over.
    fn poll(&mut self, left: u64, context: &mut Context<'_>) -> Poll<()> {
        if mem::replace(&mut self.left, left) != left {
            let next = (Instant::now() + QUIET_FOR).min(self.until);
            self.next.as_mut().reset(next);
        }
        self.next.as_mut().poll(context)
    }
}

impl<B> UnreadBody<B>
where
    B: Body + Send + 'static,
{
    /// Reads on behind the answer: a client that reads nothing before it has sent everything finds the answer then, and not a
    /// connection that was reset.
    fn linger(mut self) {
        if let Ok(runtime) = Handle::try_current() {
            self.body.as_mut().allow(LINGER_AT_MOST);
            // The timer is made in there: a runtime without one loses this task, and no connection.
            runtime.spawn(async move { timeout(LINGER_FOR, self.body).await });
        }
    }
}

impl<B, T> fmt::Debug for AnswerUnread<B, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerUnread")
            .field("is_unread", &self.unread.is_some())
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// Reads a body and drops what it reads, up to a limit.
    struct Discard<B> {
        #[pin]
        body: B,
        left: u64,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    End,
    /// It broke off: nobody can say where the next request begins.
    Error,
    Limit,
}

impl<B> Discard<B> {
    fn allow(self: Pin<&mut Self>, bytes: u64) {
        *self.project().left = bytes;
    }
}

impl<B: Body> Future for Discard<B> {
    type Output = Reached;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Reached> {
        let mut this = self.project();
        loop {
            let frame = match ready!(this.body.as_mut().poll_frame(context)) {
                Some(Ok(frame)) => frame,
                Some(Err(_)) => return Poll::Ready(Reached::Error),
                None => return Poll::Ready(Reached::End),
            };
            // Also an empty piece costs something; trailers come once.
            let length = frame.data_ref().map_or(0, |piece| piece.remaining().max(1));
            match this.left.checked_sub(length as u64) {
                Some(left) => *this.left = left,
                None => return Poll::Ready(Reached::Limit),
            }
        }
    }
}

/// Drops the body of an answer to `HEAD` ([RFC 9110 §9.3.2](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2)), and leaves
/// its length: over HTTP/2 hyper 1.12 does not drop it itself, and clients see an error of the protocol.
pub(crate) fn drop_body_of_head<T: Default + AsRef<[u8]>>(response: &mut Response<T>) {
    let text = mem::take(response.body_mut());
    let length = HeaderValue::from(text.as_ref().len());
    response.headers_mut().insert(CONTENT_LENGTH, length);
}

/// Announces the end of a connection of HTTP/1. Over HTTP/3, clients that see this header close, or see no answer.
pub(crate) fn close_after<T>(response: &mut Response<T>) {
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
}

/// Whether the client holds its body back until it is told to go on: an answer is what it waits for. Of HTTP/1.0 it is to be ignored.
fn is_continue_awaited<B>(request: &Request<B>) -> bool {
    let expected = request.headers().get(EXPECT).map(HeaderValue::as_bytes);
    let expected = expected.filter(|_| request.version() >= Version::HTTP_11);
    expected.is_some_and(|expected| expected.eq_ignore_ascii_case(b"100-continue"))
}

/// 1 MiB, which is also what nginx lets through unless told otherwise.
const READ_AT_MOST: u64 = 1 << 20;
const READ_FOR: Duration = Duration::from_secs(1);
const QUIET_FOR: Duration = Duration::from_millis(200);
const LINGER_AT_MOST: u64 = 16 << 20;
const LINGER_FOR: Duration = Duration::from_secs(5);
