//! The broker between them.

use crate::server::{NatsServer, RedisServer};

/// A throwaway broker of either kind.
pub(crate) enum Broker {
    Nats(NatsServer),
    Redis(RedisServer),
}

/// Does the same with either.
macro_rules! with {
    ($broker:expr, $server:ident => $done:expr) => {
        match $broker {
            Broker::Nats($server) => $done,
            Broker::Redis($server) => $done,
        }
    };
}

impl Broker {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Nats(_) => "nats",
            Self::Redis(_) => "redis",
        }
    }

    pub(crate) fn port(&self) -> u16 {
        with!(self, server => server.port())
    }

    /// The queue, by way of this port.
    pub(crate) fn queue(&self, port: u16) -> String {
        match self {
            Self::Nats(_) => format!("nats://127.0.0.1:{port}/REVOCATIONS.agents"),
            Self::Redis(_) => format!("redis://127.0.0.1:{port}/revocations"),
        }
    }

    pub(crate) async fn kill(&mut self) {
        with!(self, server => server.kill().await);
    }

    pub(crate) async fn restart(&mut self) {
        with!(self, server => server.restart().await);
    }

    pub(crate) async fn wipe(&mut self) {
        with!(self, server => server.wipe().await);
    }

    pub(crate) fn freeze(&mut self) {
        with!(self, server => server.freeze());
    }

    pub(crate) fn thaw(&mut self) {
        with!(self, server => server.thaw());
    }
}
