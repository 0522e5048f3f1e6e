//! A network link that can be cut.

use std::io;

use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

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
    Up,
}

impl Link {
    /// A link to a port of this machine.
    pub(crate) async fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (condition, watching) = watch::channel(Condition::Up);
        let passing = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(pass(near, target, watching.clone()));
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
async fn pass(mut near: TcpStream, target: u16, mut condition: watch::Receiver<Condition>) {
    let _ = near.set_nodelay(true);
    if *condition.borrow() == Condition::Up {
        tokio::select! {
            biased; // What came after the cut must not get through, however late a busy machine gets here.
            _ = condition.wait_for(|condition| *condition != Condition::Up) => {}
            _ = through(&mut near, target) => return,
        }
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

async fn through(near: &mut TcpStream, target: u16) -> io::Result<()> {
    let mut far = TcpStream::connect(("127.0.0.1", target)).await?;
    far.set_nodelay(true)?;
    copy_bidirectional(near, &mut far).await?;
    Ok(())
}
