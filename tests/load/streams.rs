//! The clients.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tower_revocation::Revocation;

use crate::server::{Server, subject};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Protocol {
    Http1,
    Http2 { per_connection: usize },
}

/// All streams, and what comes of them.
pub(crate) struct Streams {
    news: mpsc::UnboundedReceiver<News>,
    open: usize,
    round: usize,
}

/// What a client has to tell.
#[derive(Debug)]
#[expect(dead_code, reason = "what is wrong is printed")]
enum News {
    /// It is still there, and heard this.
    Event(Bytes),
    /// Its stream was cut, and when it saw that.
    Cut { which: usize, at: Instant },
    /// Its stream ended as if it were whole.
    End { which: usize },
}

impl Streams {
    /// Opens streams with the numbers from zero.
    pub(crate) async fn open(server: &Server, protocol: Protocol, count: usize) -> Self {
        let (told, news) = mpsc::unbounded_channel();
        let per_connection = match protocol {
            Protocol::Http1 => 1,
            Protocol::Http2 { per_connection } => per_connection,
        };
        for first in (0..count).step_by(per_connection) {
            let stream = TcpStream::connect(server.address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let stream = TokioIo::new(stream);
            match protocol {
                Protocol::Http1 => {
                    let (mut client, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
                    tokio::spawn(connection);
                    let response = client.send_request(request(server, first)).await.unwrap();
                    // Its connection would close with the client.
                    tokio::spawn(listen(first, response.into_body(), told.clone(), client));
                }
                Protocol::Http2 { .. } => {
                    let executor = TokioExecutor::new();
                    let (mut client, connection) =
                        hyper::client::conn::http2::handshake(executor, stream).await.unwrap();
                    tokio::spawn(connection);
                    for which in first..first + per_connection {
                        let response = client.send_request(request(server, which)).await.unwrap();
                        tokio::spawn(listen(which, response.into_body(), told.clone(), client.clone()));
                    }
                }
            }
        }
        Self {
            news,
            open: count,
            round: 0,
        }
    }

    /// Has the server say something to all, and waits until every stream that is open has heard it, once and in order.
    pub(crate) async fn hear(&mut self, server: &Server) {
        self.round += 1;
        let polls = server.polls();
        server.say(&self.round.to_string());
        let expected = format!("data: {}\n\n", self.round);
        for _ in 0..self.open {
            match self.next().await {
                News::Event(event) => assert_eq!(event, expected),
                other => panic!("{other:?}"),
            }
        }
        // Each is looked at for what it has, and once more before it waits again.
        while server.polls() < polls + 2 * self.open {
            tokio::task::yield_now().await;
        }
    }

    /// Revokes one, and waits until its client sees the end. How long that took.
    pub(crate) async fn revoke(&mut self, server: &Server, which: usize) -> Duration {
        let start = Instant::now();
        server
            .sink
            .apply(Revocation::block(subject(which)))
            .unwrap()
            .wait()
            .unwrap();
        match self.next().await {
            News::Cut { which: cut, at } if cut == which => {
                self.open -= 1;
                at.saturating_duration_since(start)
            }
            other => panic!("{other:?} instead of the end of {which}"),
        }
    }

    async fn next(&mut self) -> News {
        timeout(PATIENCE, self.news.recv())
            .await
            .expect("news in time")
            .unwrap()
    }
}

fn request(server: &Server, which: usize) -> Request<Empty<Bytes>> {
    let uri = format!("http://{}/{which}", server.address);
    Request::get(uri)
        .header("host", "localhost")
        .body(Empty::new())
        .unwrap()
}

/// Tells what comes, and keeps hold of the connection meanwhile.
async fn listen<C>(which: usize, mut body: Incoming, told: mpsc::UnboundedSender<News>, _connection: C) {
    loop {
        let (news, is_over) = match body.frame().await {
            Some(Ok(frame)) => (News::Event(frame.into_data().unwrap()), false),
            Some(Err(_cut)) => {
                let at = Instant::now();
                (News::Cut { which, at }, true)
            }
            None => (News::End { which }, true),
        };
        if told.send(news).is_err() || is_over {
            return;
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(60);
