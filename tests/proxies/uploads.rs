//! Uploads that are refused.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use std::{fmt, io};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::calls::{CALL_ID, MOMENT, RUNNING, bearer};

/// What came of a run; it is well if it is [`Outcome::WELL`].
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    /// Uploads that got something else than their refusal, and the first of it.
    unanswered: Failures,
    /// Requests of others that failed meanwhile, and the first of it.
    hurt: Failures,
}

#[derive(Default, PartialEq)]
struct Failures {
    count: usize,
    first: String,
}

impl Outcome {
    pub(crate) fn is_well(&self) -> bool {
        *self == Self::default()
    }
}

/// When uploads are revoked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    /// In front of their handler.
    Before,
    /// As it begins to read; it reads on.
    Reading,
    /// As it begins to read; it is dropped, and the rest of the upload is nobody's.
    Dropped,
    /// When its response is there, and its head has not left.
    Answering,
}

impl When {
    /// The name of that moment, for the gateway.
    fn moment(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Reading | Self::Dropped => "begun",
            Self::Answering => "first-piece",
        }
    }

    /// What becomes of the handler, for the gateway.
    fn running(self) -> &'static str {
        match self {
            Self::Dropped => "drop",
            _ => "finish",
        }
    }

    /// Whether a client sees what it should: a refusal, or the head of a response, whether that breaks off or was on its way.
    fn is_right(self, seen: &str) -> bool {
        match self {
            Self::Before => seen.starts_with("HTTP/1.1 401 ") && seen.contains("the credential was revoked"),
            Self::Reading => seen.starts_with("HTTP/1.1 403 ") && seen.contains("it may have been applied"),
            // Of a connection that is reset nginx makes an error of its own.
            Self::Dropped => seen.starts_with("HTTP/1.1 403 ") || seen.starts_with("HTTP/1.1 502 "),
            Self::Answering => seen.trim_start_matches("cut off: ").starts_with("HTTP/1.1 200 "),
        }
    }
}

/// Has revoked clients upload through a proxy, 64 KiB to 8 MiB each, while others go on with what they do.
pub(crate) async fn upload_while_others_work(proxy: SocketAddr, when: When) -> Outcome {
    let over = Arc::new(AtomicBool::new(false));
    let healthy = Arc::new(AtomicUsize::new(0));
    let mut others = JoinSet::new();
    for other in 0..OTHERS {
        let (over, healthy) = (Arc::clone(&over), Arc::clone(&healthy));
        others.spawn(async move {
            let mut failures = Failures::default();
            while !over.load(Ordering::Relaxed) {
                let id = format!("healthy-{other}-{}", healthy.fetch_add(1, Ordering::Relaxed));
                let seen = post(proxy, &id, ("never", "finish"), 100).await;
                let is_right = |seen: &str| seen.starts_with("HTTP/1.1 200 ") && seen.ends_with(" done with 100 bytes");
                failures.note(&seen, is_right);
            }
            failures
        });
    }
    // So that each is met while they are at work.
    while healthy.load(Ordering::Relaxed) < OTHERS * 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    let next = Arc::new(AtomicUsize::new(0));
    let mut uploaders = JoinSet::new();
    for _ in 0..UPLOADERS {
        let next = Arc::clone(&next);
        uploaders.spawn(async move {
            let mut failures = Failures::default();
            loop {
                let nth = next.fetch_add(1, Ordering::Relaxed);
                if nth >= UPLOADS {
                    return failures;
                }
                let id = format!("upload-{nth}");
                failures.note(
                    &post(proxy, &id, (when.moment(), when.running()), length(nth)).await,
                    |seen| when.is_right(seen),
                );
            }
        });
    }
    let unanswered = Failures::sum(uploaders).await;
    over.store(true, Ordering::Relaxed);
    let hurt = Failures::sum(others).await;
    println!(
        "{UPLOADS} uploads, revoked {when:?}: {unanswered:?} not answered by their refusal; {} requests of others: {hurt:?} failed",
        healthy.load(Ordering::Relaxed)
    );
    Outcome { unanswered, hurt }
}

/// Bytes of an upload: from 64 KiB to 8 MiB, as many small ones as large ones, and never a round number.
fn length(nth: usize) -> usize {
    (64 << 10 << (nth % 7)) + (nth * 7_919) % (64 << 10)
}

/// Uploads on a connection of its own, and reads its answer as it comes. What was seen of it; or why there is none.
async fn post(proxy: SocketAddr, id: &str, (moment, running): (&str, &str), length: usize) -> String {
    let exchange = async {
        let Ok(stream) = TcpStream::connect(proxy).await else {
            return "no connection".to_owned();
        };
        let (mut reader, mut writer) = stream.into_split();
        let head = format!(
            "POST /work HTTP/1.1\r\nhost: {proxy}\r\n{CALL_ID}: {id}\r\n{MOMENT}: {moment}\r\n{RUNNING}: {running}\r\nauthorization: {}\r\n\
             content-length: {length}\r\n\r\n",
            bearer(id)
        );
        let sending = async move {
            writer.write_all(head.as_bytes()).await?;
            let piece = [b'u'; 16 << 10];
            let mut left = length;
            while left > 0 {
                let len = left.min(piece.len());
                writer.write_all(&piece[..len]).await?;
                left -= len;
            }
            Ok::<_, io::Error>(writer)
        };
        // Whoever is not read any more may have been answered all the same.
        let sending = tokio::spawn(sending);
        let answer = read(&mut reader).await;
        sending.abort();
        answer
    };
    let seen = timeout(PATIENCE, exchange).await;
    seen.unwrap_or_else(|_| "no answer in time".to_owned())
}

/// Reads an answer to its end: what its length says.
async fn read(reader: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut answer = String::new();
    loop {
        if let Some((head, body)) = answer.split_once("\r\n\r\n")
            && body.len() >= content_length(head).unwrap_or(usize::MAX)
        {
            return answer;
        }
        let mut more = [0; 4096];
        match reader.read(&mut more).await {
            Ok(0) => return format!("cut off: {answer}"),
            Ok(len) => answer.push_str(&String::from_utf8_lossy(&more[..len])),
            Err(error) => return format!("{error}: {answer}"),
        }
    }
}

fn content_length(head: &str) -> Option<usize> {
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    let mut lengths = fields.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    lengths.next()?.1.parse().ok()
}

impl Failures {
    fn note(&mut self, seen: &str, is_right: impl Fn(&str) -> bool) {
        if is_right(seen) {
            return;
        }
        self.count += 1;
        if self.count == 1 {
            self.first = seen.to_owned();
        }
    }

    async fn sum(mut all: JoinSet<Self>) -> Self {
        let mut sum = Self::default();
        while let Some(one) = all.join_next().await {
            let one = one.expect("no task panics");
            sum.count += one.count;
            if sum.first.is_empty() {
                sum.first = one.first;
            }
        }
        sum
    }
}

impl fmt::Debug for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.count)?;
        match self.count {
            0 => Ok(()),
            _ => write!(f, " ({:?})", self.first),
        }
    }
}

const UPLOADS: usize = 200;
const UPLOADERS: usize = 4;
const OTHERS: usize = 2;
/// For one answer.
const PATIENCE: Duration = Duration::from_secs(20);
