//! nginx.

use std::net::SocketAddr;
use std::process::Command;

use crate::proxy::{Proxy, write};
use crate::server::installed;

/// What it speaks to the gateways.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Upstream {
    /// As it comes: HTTP/1.0, with a connection for each request.
    Http10,
    /// So, and no gateway is left out, whatever it does.
    Http10NeverLeftOut,
    /// HTTP/1.1 over connections that are kept.
    Http11,
}

/// Starts one in front of these gateways. After one failure it leaves a gateway out for ten seconds, as it comes.
pub(crate) fn start(gateways: [SocketAddr; 2], upstream: Upstream) -> Proxy {
    let [a, b] = gateways;
    let (keepalive, settings) = match upstream {
        Upstream::Http10 | Upstream::Http10NeverLeftOut => ("", ""),
        Upstream::Http11 => (
            "keepalive 32;",
            "proxy_http_version 1.1; proxy_set_header Connection \"\";",
        ),
    };
    let max_fails = match upstream {
        Upstream::Http10NeverLeftOut => "max_fails=0",
        _ => "",
    };
    Proxy::start(|directory, ports| {
        let config = format!(
            "daemon off; master_process off; error_log stderr; pid nginx.pid; events {{}}
            http {{
                access_log off; client_max_body_size 16m;
                client_body_temp_path client; proxy_temp_path proxy;
                fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                upstream gateways {{ server {a} {max_fails}; server {b} {max_fails}; {keepalive} }}
                server {{
                    listen 127.0.0.1:{}; listen 127.0.0.1:{} http2;
                    location / {{ proxy_pass http://gateways; {settings} }}
                }}
            }}",
            ports.http1, ports.http2
        );
        let config = write(directory, "nginx.conf", &config);
        let mut command = Command::new(installed("nginx", "apt-get install nginx"));
        command.arg("-p").arg(directory).arg("-c").arg(config);
        command.args(["-e", "stderr"]);
        command
    })
}
