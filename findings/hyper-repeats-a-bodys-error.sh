#!/usr/bin/env bash
# The good guess: a response body that has failed is over, and the next poll says so by `None`, as a stream's would.
# The truth: over HTTP/2, hyper's client body gives the same error again at each poll, so that a loop which notes errors and goes on spins for ever.
# The version: hyper 1.12.0 with h2 0.4.20, Rust 1.95.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "repeats"
version = "0.0.0"
edition = "2024"

[dependencies]
bytes = "=1.12.2"
h2 = "=0.4.20"
http = "=1.5.0"
http-body-util = "=0.1.5"
hyper = { version = "=1.12.0", features = ["client", "http2"] }
hyper-util = { version = "=0.1.21", features = ["tokio"] }
tokio = { version = "=1.54.1", features = ["macros", "net", "rt", "time"] }
TOML
cat >src/main.rs <<'RUST'
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut server = h2::server::handshake(listener.accept().await.unwrap().0).await.unwrap();
        let (_, mut respond) = server.accept().await.unwrap().unwrap();
        let mut body = respond.send_response(http::Response::new(()), false).unwrap();
        body.send_data(Bytes::from_static(b"half"), false).unwrap();
        tokio::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            body.send_reset(h2::Reason::INTERNAL_ERROR);
        });
        while server.accept().await.is_some() {}
    });
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get(format!("http://{address}/")).body(Empty::<Bytes>::new()).unwrap();
    let mut body = client.send_request(request).await.unwrap().into_body();
    for _ in 0..5 {
        match body.frame().await {
            Some(Ok(frame)) => println!("data: {:?}", frame.data_ref()),
            Some(Err(error)) => println!("error: {error}"),
            None => println!("none"),
        }
    }
}
RUST
export CARGO_TARGET_DIR=$folder/target
seen=$(cargo run --quiet)
echo "hyper $(cargo tree --quiet --depth 1 | sed -n 's/.* hyper v\([0-9.]*\).*/\1/p'): five polls of a body whose stream is reset after its first piece:"
echo "$seen"
[ "$(grep -c '^error: ' <<<"$seen")" = 4 ] && ! grep -q '^none' <<<"$seen"
