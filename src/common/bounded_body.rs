//! Reading a body to its end within a bound.

#![cfg(any(
    feature = "cloudflare",
    feature = "crl-poll",
    feature = "http-push",
    feature = "jwks"
))]

use std::error::Error;
use std::pin::pin;

use bytes::Buf;
use http_body::Body;
use http_body_util::BodyExt;

/// Reads a body that may be endless into one piece, but never more of it than `cap`: small frames cost no more than
/// large ones. Allocates room at once for the announced length, up to `believed` bytes.
pub(crate) async fn read_bounded<B>(body: B, cap: usize, believed: usize) -> Result<Vec<u8>, Unread>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > cap {
        return Err(Unread::TooLarge);
    }
    let mut whole = Vec::with_capacity(announced.min(believed));
    let mut body = pin!(body);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|cause| Unread::Broken(cause.into()))?;
        let Ok(mut data) = frame.into_data() else { continue };
        if data.remaining() > cap - whole.len() {
            return Err(Unread::TooLarge);
        }
        while data.has_remaining() {
            let chunk = data.chunk();
            whole.extend_from_slice(chunk);
            let length = chunk.len();
            data.advance(length);
        }
    }
    Ok(whole)
}

/// Why a body was not read.
#[derive(Debug)]
pub(crate) enum Unread {
    Broken(Box<dyn Error + Send + Sync>),
    TooLarge,
}

/// The announced length that is believed at most, in bytes. Anybody can announce any length.
#[cfg(any(feature = "cloudflare", feature = "http-push"))]
pub(crate) const BELIEVED: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body::Frame;
    use http_body_util::{Full, StreamBody};

    use super::*;

    #[tokio::test]
    async fn reads_no_more_than_the_cap() {
        let body = |length: usize| Full::new(Bytes::from(vec![b'x'; length]));
        assert_eq!(read_bounded(body(10), 10, 10).await.unwrap().len(), 10);
        assert!(matches!(read_bounded(body(11), 10, 10).await, Err(Unread::TooLarge)));
        // A body that doesn't announce its length.
        let chunks = tokio_stream::iter((0..3).map(|_| Ok::<_, std::io::Error>(Frame::data(Bytes::from("1234")))));
        assert!(matches!(
            read_bounded(StreamBody::new(chunks), 10, 10).await,
            Err(Unread::TooLarge)
        ));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_none() {
        let frames = [
            Ok(Frame::data(Bytes::from("1234"))),
            Err(std::io::Error::other("connection reset")),
        ];
        let broken = read_bounded(StreamBody::new(tokio_stream::iter(frames)), 10, 10).await;
        assert!(matches!(broken, Err(Unread::Broken(_))));
    }
}
