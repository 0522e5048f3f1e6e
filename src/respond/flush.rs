//! Time for a server to send what it was given, before a body breaks off.

use std::mem;
use std::panic::catch_unwind;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep_until};

/// Waits until a server has sent what it was given: the head of the response, or its last piece.
///
/// A server throws away what it has not sent when a body fails. HTTP/1 then closes the connection without a byte, and HTTP/2
/// and HTTP/3 reset a stream that has no head: clients and proxies send such requests again, and proxies count a failure of
/// the server. Only time helps against that, since no body can see what was sent. Hyper writes to an HTTP/1 connection once the
/// body is pending. Over HTTP/2 the head waits in a queue until another task writes it, and a reset empties that queue (`h2`
/// 0.4: `Send::send_reset`, `Prioritize::clear_queue`). `h2` spares the head of a stream whose handle is dropped, but hyper keeps
/// the handle, and the code would be CANCEL, which some clients take for an end. QUIC throws away what it has not sent, too
/// ([RFC 9000 §3.1](https://www.rfc-editor.org/rfc/rfc9000#section-3.1)).
///
/// Afterwards other tasks get one more turn: where the whole process stood still, the timer ran out, and nothing was sent.
#[derive(Debug)]
pub(crate) struct Flush {
    timer: Option<Pin<Box<Sleep>>>,
    has_turn: bool,
}

impl Flush {
    fn start(rest: Duration) -> Self {
        // A runtime may have been built without timers. Nobody can ask it, and tokio panics.
        let timer = || catch_unwind(|| Box::pin(sleep_until(Instant::now() + rest))).ok();
        Self {
            timer: Handle::try_current().ok().and_then(|_| timer()),
            has_turn: true,
        }
    }

    const fn done() -> Self {
        Self {
            timer: None,
            has_turn: false,
        }
    }

    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(timer) = &mut self.timer {
            ready!(timer.as_mut().poll(context));
            self.timer = None;
        }
        match mem::take(&mut self.has_turn) {
            true => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            false => Poll::Ready(()),
        }
    }
}

/// Since when a body has had nothing to give: from then on its server had nothing else to do than to send the rest.
///
/// In milliseconds since an epoch that all bodies share, and never 0; 0 is "it gave something just now". Each open stream has
/// one, and an `Instant` would take four times as much. It wraps after 49 days: a stream that has been idle for just so long
/// waits for the flush once more.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IdleSince(u32);

impl IdleSince {
    /// Returns the state of a body that nobody has looked at.
    pub(crate) const fn new() -> Self {
        Self(0)
    }

    #[inline]
    pub(crate) const fn reset(&mut self) {
        self.0 = 0;
    }

    /// Looks at the clock, at the first time since the last piece.
    #[inline]
    pub(crate) fn start(&mut self) {
        if self.0 == 0 {
            self.0 = millis().max(1);
        }
    }

    /// Returns what is still to be waited for until the body may break off.
    pub(crate) fn flush(self) -> Flush {
        let waited = match self.0 {
            0 => 0,
            since => millis().wrapping_sub(since),
        };
        match FLUSH_MILLIS.saturating_sub(waited) {
            0 => Flush::done(),
            rest => Flush::start(Duration::from_millis(rest.into())),
        }
    }
}

/// Milliseconds since the first look at the clock, which counts as 1.
#[expect(
    clippy::cast_possible_truncation,
    reason = "only the differences count, and they wrap"
)]
fn millis() -> u32 {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    let now = Instant::now();
    let epoch = *EPOCH.get_or_init(|| now);
    let since = match now.checked_duration_since(epoch) {
        Some(since) => since.as_millis() as u32,
        // The clock of a test that has paused it may lie before that of another.
        None => (epoch.duration_since(now).as_nanos().div_ceil(1_000_000) as u32).wrapping_neg(),
    };
    since.wrapping_add(1)
}

/// How long a body that was cut waits since it gave its last piece.
///
/// Measured on two cores on 2026-11-30, by responses that were cut before their first piece, and by how many had a head. HTTP/1.1 and
/// HTTP/2 beside eight busy threads: 12,000 of 12,000 over each, on one thread and on four, with 5 ms and the turn (without any wait:
/// none; by a turn alone, beside no load: 947 of 1,000 over HTTP/2 on four threads). HTTP/3 (`axum-h3` 0.0.6) without load: 2,940 of
/// 3,000 with 5 ms, and 3,000 with 10 ms. Under load some of its clients see none with 50 ms either; whether that is the server's doing or the reader's was not found
/// out.
const FLUSH_MILLIS: u32 = 10;
