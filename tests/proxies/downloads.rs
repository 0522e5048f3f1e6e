//! Downloads that are cut.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

use crate::calls::{CALL_ID, MOMENT, WHOLE, bearer};

/// What a client sees of a download.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Seen {
    /// It ended well, with so many bytes.
    End(usize),
    /// Its body broke off.
    Broken,
    /// There was no download, but this status.
    Status(u16),
    /// There was no answer.
    Nothing,
}

/// What the client speaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Version {
    Http1,
    Http2,
}

/// Downloads, each over a connection of its own: what is seen of those that are cut when half of it was sent, and of one that is not.
pub(crate) async fn cut_downloads(proxy: SocketAddr, version: Version, path: &str) -> (Vec<Seen>, Seen) {
    let mut cut = Vec::new();
    for nth in 0..DOWNLOADS {
        cut.push(download(proxy, version, path, &format!("cut-{nth}"), "half").await);
    }
    let whole = download(proxy, version, path, "whole", "never").await;
    println!("{version:?} {path}: cut {cut:?}, not cut {whole:?}");
    (cut, whole)
}

async fn download(proxy: SocketAddr, version: Version, path: &str, id: &str, moment: &str) -> Seen {
    let client = Client::builder(TokioExecutor::new())
        .http2_only(version == Version::Http2)
        .build_http();
    let request = Request::get(format!("http://{proxy}{path}"))
        .header(CALL_ID, format!("{id}-{version:?}-{path}"))
        .header(MOMENT, moment)
        .header(WHOLE, LENGTH.to_string())
        .header("authorization", bearer(&format!("{id}-{version:?}-{path}")))
        .body(Empty::<Bytes>::new());
    let exchange = async {
        let Ok(response) = client.request(request.expect("it is a request")).await else {
            return Seen::Nothing;
        };
        if response.status() != 200 {
            return Seen::Status(response.status().as_u16());
        }
        match response.into_body().collect().await {
            Ok(body) => Seen::End(body.to_bytes().len()),
            Err(_) => Seen::Broken,
        }
    };
    timeout(PATIENCE, exchange).await.expect("a download ends")
}

/// Bytes of a download.
pub(crate) const LENGTH: usize = 512 << 10;
const DOWNLOADS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(20);
