//! A body that has to come at a pace.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep};

pin_project! {
    /// A body that fails once it comes too slowly. However long it is: over a slow link, a large list takes its time.
    pub(crate) struct Paced<B> {
        #[pin]
        body: B,
        // Until when enough has to come.
        #[pin]
        end: Sleep,
        window: Duration,
        came: usize,
    }
}

impl<B> Paced<B> {
    /// In each such window, a kibibyte for each of its seconds has to come, or the end of the body.
    pub(crate) fn new(body: B, window: Duration) -> Self {
        Self {
            body,
            end: sleep(window),
            window,
            came: 0,
        }
    }
}

impl<B> Body for Paced<B>
where
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>>,
{
    type Data = B::Data;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Self::Error>>> {
        let mut this = self.project();
        let least = least(*this.window);
        if let Poll::Ready(frame) = this.body.poll_frame(context) {
            let length = |frame: &Frame<B::Data>| frame.data_ref().map_or(0, Buf::remaining);
            // Bounded by the size that is read at most, and what exceeds it ends the reading.
            *this.came = this
                .came
                .saturating_add(frame.as_ref().and_then(|frame| frame.as_ref().ok()).map_or(0, length));
            if *this.came >= least {
                *this.came = 0;
                this.end.as_mut().reset(Instant::now() + *this.window);
            } else if frame.is_some() && this.end.as_mut().poll(context).is_ready() {
                // Frames that are always there, and too small.
                return Poll::Ready(Some(Err(TooSlow {
                    least,
                    window: *this.window,
                }
                .into())));
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        ready!(this.end.poll(context));
        Poll::Ready(Some(Err(TooSlow {
            least,
            window: *this.window,
        }
        .into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Fewer bytes came than had to.
#[derive(Debug)]
pub(crate) struct TooSlow {
    least: usize,
    window: Duration,
}

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fewer than {} bytes came within {:?}", self.least, self.window)
    }
}

impl Error for TooSlow {}

fn least(window: Duration) -> usize {
    let bytes = window.as_millis().saturating_mul(LEAST_RATE) / 1_000;
    usize::try_from(bytes).unwrap_or(usize::MAX).max(1)
}

/// How many bytes a second have to come: 8 kbit/s, less than any link carries over which a fleet is fed.
const LEAST_RATE: u128 = 1024;

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use http_body_util::{BodyExt, StreamBody};
    use tokio_stream::StreamExt;

    use super::*;

    /// So many pieces of so many bytes, one at a time.
    async fn read(pieces: usize, size: usize, every: Duration) -> Result<usize, Box<dyn Error + Send + Sync>> {
        let piece = move |_| Ok::<_, Infallible>(Frame::data(Bytes::from(vec![b'x'; size])));
        let body = StreamBody::new(tokio_stream::iter((0..pieces).map(piece)).throttle(every));
        let body = Box::pin(Paced::new(body, Duration::from_secs(10)));
        Ok(body.collect().await?.to_bytes().len())
    }

    #[tokio::test(start_paused = true)]
    async fn takes_hours_if_it_comes_at_a_pace() {
        let started = Instant::now();
        let all = read(10_000, 3_000, Duration::from_secs(2)).await.unwrap();
        assert_eq!(all, 10_000 * 3_000);
        assert!(started.elapsed() > Duration::from_secs(19_000));
    }

    #[tokio::test(start_paused = true)]
    async fn ends_at_the_end_of_the_window_in_which_too_little_came() {
        let started = Instant::now();
        let late = read(10_000, 900, Duration::from_secs(1)).await.unwrap_err();
        assert!(late.is::<TooSlow>(), "{late}");
        assert_eq!(late.to_string(), "fewer than 10240 bytes came within 10s");
        assert!(started.elapsed() <= Duration::from_secs(11), "{:?}", started.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_body_need_not_be_long() {
        assert_eq!(read(5, 1, Duration::from_secs(1)).await.unwrap(), 5);
        assert!(read(12, 1, Duration::from_secs(1)).await.unwrap_err().is::<TooSlow>());
    }
}
