//! What stands between gateway and registry: a server or cache of its own, which may be in any state.

use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::client::{Client, request};
use crate::lists::{Lists, forged};

/// Answers the gateway in the registry's place, with what the registry says or in other ways.
pub(crate) struct Origin {
    port: u16,
    manner: watch::Sender<Manner>,
    shared: Arc<Shared>,
}

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Manner {
    /// With the registry's own answer, a byte at a time.
    Drips,
    /// With status 500.
    Fails,
    /// With lists that were tampered with, or signed by an unknown key.
    Forges,
    /// Unsigned: there is no list.
    Forgets,
    /// Connections are refused.
    Gone,
    Hangs,
    /// With the registry's own answers; with lists of a moment ago, as a cache does.
    Honest,
    /// With status 200 and a page for people.
    Pages,
    /// With a list from a while ago.
    RollsBack,
    /// With half of the registry's own answer.
    Truncates,
}

#[derive(Default)]
struct Shared {
    registry: String,
    /// How many requests there were.
    requests: AtomicU64,
    lists: Mutex<Lists>,
}

impl Origin {
    /// One before the registry at this URL.
    pub(crate) fn before(registry: &str, port: u16) -> Self {
        let (manner, _) = watch::channel(Manner::Honest);
        let shared = Arc::new(Shared {
            registry: registry.to_owned(),
            ..Shared::default()
        });
        tokio::spawn(serve(port, manner.subscribe(), Arc::clone(&shared)));
        Self { port, manner, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on it answers so. Whoever is being answered is cut off.
    pub(crate) fn answer(&self, manner: Manner) {
        self.manner.send_replace(manner);
    }

    /// Has it answer with nothing that is older than this call.
    pub(crate) fn purge(&self) {
        self.shared.lists.lock().unwrap().purge();
    }

    /// Which tokens a list of this issue time is known to carry.
    pub(crate) fn carried(&self, iat: u64) -> HashSet<String> {
        self.shared.lists.lock().unwrap().carried(iat)
    }

    /// Whether the newest list may be one of two of its second, of which a journal can keep one alone.
    pub(crate) fn is_ambiguous(&self) -> bool {
        self.shared.lists.lock().unwrap().is_ambiguous()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.manner.send_replace(Manner::Gone);
    }
}

async fn serve(port: u16, mut manner: watch::Receiver<Manner>, shared: Arc<Shared>) {
    loop {
        if *manner.borrow_and_update() == Manner::Gone && manner.changed().await.is_err() {
            return;
        }
        let Ok(listener) = TcpListener::bind(("127.0.0.1", port)).await else {
            // Of an earlier listener.
            tokio::task::yield_now().await;
            continue;
        };
        while *manner.borrow_and_update() != Manner::Gone {
            tokio::select! {
                changed = manner.changed() => if changed.is_err() { return },
                Ok((connection, _)) = listener.accept() => {
                    let (mut manner, shared) = (manner.clone(), Arc::clone(&shared));
                    tokio::spawn(async move {
                        let now = *manner.borrow_and_update();
                        tokio::select! {
                            _ = manner.changed() => {}
                            _ = shared.answer(connection, now) => {}
                        }
                    });
                }
            }
        }
    }
}

impl Shared {
    async fn answer(&self, mut connection: TcpStream, manner: Manner) -> io::Result<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(connection.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head);
        let path = head.split(' ').nth(1).unwrap_or_default();
        let is_list = path == "/v1/crl";
        self.requests.fetch_add(1, Ordering::Relaxed);
        match manner {
            Manner::Hangs => std::future::pending().await,
            Manner::Fails => respond(&mut connection, 500, PAGE, PAGE.len()).await,
            Manner::Pages => respond(&mut connection, 200, PAGE, PAGE.len()).await,
            Manner::Forgets if is_list => respond(&mut connection, 404, NONE_YET, NONE_YET.len()).await,
            Manner::RollsBack if is_list => {
                let body = self.lists.lock().unwrap().earlier();
                respond(&mut connection, 200, &body, body.len()).await
            }
            Manner::Honest if is_list => match self.list().await {
                Some((status, body)) => respond(&mut connection, status, &body, body.len()).await,
                None => respond(&mut connection, 502, PAGE, PAGE.len()).await,
            },
            manner => {
                let Some((status, body)) = self.ask(path).await else {
                    return respond(&mut connection, 502, PAGE, PAGE.len()).await;
                };
                match manner {
                    Manner::Truncates => respond(&mut connection, status, &body[..body.len() / 2], body.len()).await,
                    Manner::Forges if is_list => {
                        let body = forged(&body, self.requests.load(Ordering::Relaxed));
                        respond(&mut connection, status, &body, body.len()).await
                    }
                    Manner::Drips => drip(&mut connection, status, &body).await,
                    _ => respond(&mut connection, status, &body, body.len()).await,
                }
            }
        }
    }

    /// The registry's list, from the cache if it can be.
    async fn list(&self) -> Option<(u16, Bytes)> {
        if let Some(body) = self.lists.lock().unwrap().cached() {
            return Some((200, body));
        }
        let asked = Instant::now();
        let (status, body) = self.ask("/v1/crl").await?;
        if status == 200 {
            // Before the gateway can have it.
            self.lists.lock().unwrap().note(asked, &body);
        }
        Some((status, body))
    }

    async fn ask(&self, path: &str) -> Option<(u16, Bytes)> {
        let request = request(Method::GET, &format!("{}{path}", self.registry), Bytes::new());
        // Longer than the gateway waits: it is hung up on by whoever gives up first.
        let answer = Client::new().call(request, Duration::from_secs(15)).await?;
        Some((answer.status.as_u16(), answer.body))
    }
}

/// Sends a head that announces so many bytes, and those that there are.
async fn respond(connection: &mut TcpStream, status: u16, body: &[u8], length: usize) -> io::Result<()> {
    let head = format!("HTTP/1.1 {status} As It Is\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(body).await?;
    connection.flush().await
}

async fn drip(connection: &mut TcpStream, status: u16, body: &[u8]) -> io::Result<()> {
    respond(connection, status, b"", body.len()).await?;
    for byte in body {
        connection.write_all(&[*byte]).await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

const PAGE: &[u8] = b"<!doctype html><title>Something went wrong</title><p>Please try again later.</p>";
const NONE_YET: &[u8] = br#"{"error":{"code":"CRL_NOT_FOUND","message":"CRL snapshot is not available"}}"#;
