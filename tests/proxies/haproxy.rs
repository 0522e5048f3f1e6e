//! HAProxy.

use std::net::SocketAddr;
use std::process::Command;

use crate::proxy::{Proxy, write};
use crate::server::installed;

/// What it speaks to the gateways.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Upstream {
    /// As it comes.
    Http11,
    Http2,
}

/// Starts one in front of these gateways.
pub(crate) fn start(gateways: [SocketAddr; 2], upstream: Upstream) -> Proxy {
    let [a, b] = gateways;
    let settings = match upstream {
        Upstream::Http11 => "",
        Upstream::Http2 => "proto h2",
    };
    Proxy::start(|directory, ports| {
        let config = format!(
            "global\n    nbthread 1\n\
             defaults\n    mode http\n    timeout connect 5s\n    timeout client 30s\n    timeout server 30s\n\
             frontend front\n    bind 127.0.0.1:{}\n    bind 127.0.0.1:{} proto h2\n    default_backend gateways\n\
             backend gateways\n    server a {a} {settings}\n    server b {b} {settings}\n",
            ports.http1, ports.http2
        );
        let config = write(directory, "haproxy.cfg", &config);
        let mut command = Command::new(installed("haproxy", "apt-get install haproxy"));
        command.arg("-db").arg("-f").arg(config);
        command
    })
}
