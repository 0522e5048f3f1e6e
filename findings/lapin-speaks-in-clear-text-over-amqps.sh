#!/usr/bin/env bash
# The good guess: with `rustls--ring`, lapin speaks TLS to `amqps://`, or fails if something is missing for that.
# The truth: without a feature for roots as well, it connects in clear text without a word. A server that plays along is sent user and password.
# The version: lapin 4.12.3 with tcp-stream 0.34.14, Rust 1.95. With `rustls-webpki-roots-certs` turned on too, the first byte is 0x16: TLS.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "clear-text"
version = "0.0.0"
edition = "2024"

[dependencies]
lapin = { version = "=4.12.3", default-features = false, features = ["rustls--ring", "tokio"] }
tcp-stream = { version = "=0.34.14", default-features = false }
tokio = { version = "=1.54.1", features = ["io-util", "macros", "net", "rt", "time"] }
TOML
cat >src/main.rs <<'RUST'
use lapin::{Connection, ConnectionProperties};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let url = format!("amqps://user:secret@localhost:{port}/");
        let _ = Connection::connect(&url, ConnectionProperties::default()).await;
    });
    let mut first = [0; 8];
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.read_exact(&mut first).await.unwrap();
    println!("{}", first.escape_ascii());
}
RUST
export CARGO_TARGET_DIR=$folder/target
seen=$(cargo run --quiet)
echo "lapin $(cargo tree --quiet --depth 1 | sed -n 's/.* lapin v\([0-9.]*\).*/\1/p'): the first bytes that a server of \`amqps://\` is sent:"
echo "$seen"
grep -q '^AMQP' <<<"$seen"
