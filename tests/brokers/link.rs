//! A network link that can be cut.

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Passes connections on to a port, until it is cut: then nothing gets through, in either direction, and nobody is told.
pub(crate) struct Link {
    pub(crate) port: u16,
    is_up: watch::Sender<bool>,
    passing: JoinHandle<()>,
}

impl Link {
    /// A link to a port of this machine.
    pub(crate) async fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (is_up, watching) = watch::channel(true);
        let passing = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(pass(near, target, watching.clone()));
            }
        });
        Self { port, is_up, passing }
    }

    pub(crate) fn cut(&self) {
        self.is_up.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.is_up.send_replace(true);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.passing.abort();
    }
}

/// A connection that is cut stays silent for as long as the link is down, and breaks then.
async fn pass(mut near: TcpStream, target: u16, mut is_up: watch::Receiver<bool>) {
    let _ = near.set_nodelay(true);
    let through = async {
        let mut far = TcpStream::connect(("127.0.0.1", target)).await.ok()?;
        let _ = far.set_nodelay(true);
        copy_bidirectional(&mut near, &mut far).await.ok()
    };
    if *is_up.borrow() {
        tokio::select! {
            _ = through => return,
            _ = is_up.wait_for(|is_up| !is_up) => {}
        }
    }
    let _ = is_up.wait_for(|is_up| *is_up).await;
}
