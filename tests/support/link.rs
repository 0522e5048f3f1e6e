//! A network link that can be cut.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, copy_bidirectional};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// Passes connections on to a port, until it is cut: then nothing gets through, in either direction, and nobody is told.
pub(crate) struct Link {
    pub(crate) port: u16,
    condition: watch::Sender<Condition>,
    passing: JoinHandle<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Cut,
    Garbled,
    Severed,
    Up,
}

impl Link {
    /// A link to a port of this machine.
    pub(crate) async fn to(target: u16) -> Self {
        Self::with_pace(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), target, None)
    }

    /// A link to a port of this machine that begins at an address of its own.
    #[allow(dead_code, reason = "not all tests know an address before what they lead to")]
    pub(crate) async fn at(address: SocketAddr, target: u16) -> Self {
        Self::with_pace(address, target, None)
    }

    /// A link that carries so many bytes a second from there on each of its connections.
    #[allow(dead_code, reason = "not all tests have slow links")]
    pub(crate) async fn slow(target: u16, pace: u32) -> Self {
        Self::with_pace(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), target, Some(pace))
    }

    fn with_pace(address: SocketAddr, target: u16, pace: Option<u32>) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        if pace.is_some() {
            // Those that are accepted have the same. With large ones, seconds of what was sent would be under way unseen.
            socket.set_send_buffer_size(SMALL).unwrap();
        }
        socket.bind(address).unwrap();
        let listener = socket.listen(1_024).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (condition, watching) = watch::channel(Condition::Up);
        let passing = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(pass(near, target, pace, watching.clone()));
            }
        });
        Self {
            port,
            condition,
            passing,
        }
    }

    pub(crate) fn cut(&self) {
        self.condition.send_replace(Condition::Cut);
    }

    /// From now on the near side of each connection is sent garbage, until the link is mended.
    #[allow(dead_code, reason = "not all tests garble")]
    pub(crate) fn garble(&self) {
        self.condition.send_replace(Condition::Garbled);
    }

    /// Ends what is connected, and lets nothing new through.
    #[allow(dead_code, reason = "not all tests sever")]
    pub(crate) fn sever(&self) {
        self.condition.send_replace(Condition::Severed);
    }

    pub(crate) fn mend(&self) {
        self.condition.send_replace(Condition::Up);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.passing.abort();
    }
}

/// A connection that is cut stays silent for as long as the link is down, and breaks then.
async fn pass(mut near: TcpStream, target: u16, pace: Option<u32>, mut condition: watch::Receiver<Condition>) {
    let _ = near.set_nodelay(true);
    if *condition.borrow() == Condition::Up {
        tokio::select! {
            biased; // What came after the cut must not get through, however late a busy machine gets here.
            _ = condition.wait_for(|condition| *condition != Condition::Up) => {}
            _ = through(&mut near, target, pace) => return,
        }
    }
    if *condition.borrow() == Condition::Severed {
        return;
    }
    if *condition.borrow() == Condition::Garbled {
        let mut garbage: Vec<u8> = (0..1_000).map(|_| fastrand::u8(..)).collect();
        // For protocols of lines.
        garbage.extend(b"\r\n");
        // It may have gone already.
        let _ = near.write_all(&garbage).await;
    }
    let _ = condition.wait_for(|condition| *condition == Condition::Up).await;
}

async fn through(near: &mut TcpStream, target: u16, pace: Option<u32>) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    if pace.is_some() {
        socket.set_recv_buffer_size(SMALL)?;
    }
    let mut far = socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, target))).await?;
    far.set_nodelay(true)?;
    let Some(pace) = pace else {
        copy_bidirectional(near, &mut far).await?;
        return Ok(());
    };
    let (mut from_near, mut to_near) = near.split();
    let (mut from_far, mut to_far) = far.split();
    tokio::select! {
        ended = copy(&mut from_near, &mut to_far) => ended.map(drop),
        ended = slowly(&mut from_far, &mut to_near, pace) => ended,
    }
}

/// Passes on so many bytes a second.
async fn slowly(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    pace: u32,
) -> io::Result<()> {
    let mut piece = vec![0; usize::try_from(pace / 50).expect("it is small").max(1)];
    loop {
        let begun = Instant::now();
        let read = from.read(&mut piece).await?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(&piece[..read]).await?;
        sleep_until(begun + Duration::from_secs_f64(read as f64 / f64::from(pace))).await;
    }
}

/// A buffer of a slow link, in bytes.
const SMALL: u32 = 32 * 1024;
