//! Listening, serving, and ending in good order.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::Failure;

/// The servers of this process.
pub(crate) struct Servers {
    tasks: JoinSet<io::Result<()>>,
    ending: watch::Sender<bool>,
}

impl Servers {
    pub(crate) fn new() -> Self {
        Self {
            tasks: JoinSet::new(),
            ending: watch::Sender::new(false),
        }
    }

    /// Serves `app` to whoever connects to `listener`.
    pub(crate) fn serve(&mut self, listener: TcpListener, app: Router) {
        let mut ending = self.ending.subscribe();
        let ended = async move { drop(ending.wait_for(|ending| *ending).await) };
        // Small answers must not wait for more to send along.
        let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        self.tasks
            .spawn(axum::serve(listener, app).with_graceful_shutdown(ended).into_future());
    }

    /// Accepts no more connections, and lets requests finish; for a while, since event streams never do.
    pub(crate) async fn end(mut self) {
        self.ending.send_replace(true);
        let finished = async { while self.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(PATIENCE, finished).await;
    }
}

/// Listens where it is told; otherwise at the usual port of this machine, or at a free one if that is taken.
pub(crate) async fn listen(wish: Option<SocketAddr>, usual_port: u16) -> Result<(TcpListener, SocketAddr), Failure> {
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let address = wish.unwrap_or_else(|| local(usual_port));
    let listener = match (TcpListener::bind(address).await, wish) {
        (Err(error), None) if error.kind() == io::ErrorKind::AddrInUse => TcpListener::bind(local(0)).await,
        (bound, _) => bound,
    };
    let listener = listener.map_err(|error| format!("cannot listen on {address}: {error}"))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// From now on, ctrl-c and the SIGTERM of whoever supervises us are noted; the future waits for one.
pub(crate) fn told_to_end() -> io::Result<impl Future<Output = io::Result<()>>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => Ok(()),
                _ = terminate.recv() => Ok(()),
            }
        })
    }
    #[cfg(not(unix))]
    Ok(tokio::signal::ctrl_c())
}

/// How long requests have to finish.
const PATIENCE: Duration = Duration::from_secs(3);
