//! Redis over TLS, with certificates on both sides.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;

use redis::{Client, ClientTlsConfig, RedisResult, TlsCertificates, cmd, pipe};
use tower_revocation::source::redis::RedisSource;

use super::reasons::fails_with;
use super::start;
use crate::authority::Authority;
use crate::limit::in_time;
use crate::redis_node::{RedisNode, STREAM};
use crate::server::new_directory;
use crate::suite::{burst, read_all, tls_beside_plain};

/// With what a directory has now. As `docs/BROKERS.md` says.
fn client(port: u16, directory: &Path, shows_itself: bool) -> RedisResult<Client> {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Another test may have chosen the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let file = |name: &str| fs::read(directory.join(name)).unwrap();
    let certificates = TlsCertificates {
        client_tls: shows_itself.then(|| ClientTlsConfig {
            client_cert: file("client.pem"),
            client_key: file("client.key"),
        }),
        root_cert: Some(file("ca.pem")),
    };
    Client::build_with_tls(format!("rediss://localhost:{port}/"), certificates)
}

fn source(port: u16, directory: PathBuf, shows_itself: bool) -> RedisSource {
    let client = move || {
        let client = client(port, &directory, shows_itself);
        async { client }
    };
    RedisSource::connecting(client, STREAM)
}

async fn add(port: u16, directory: &Path, subject: &str) {
    let mut connection = client(port, directory, true)
        .unwrap()
        .get_multiplexed_async_connection()
        .await
        .unwrap();
    let add = cmd("XADD")
        .arg(STREAM)
        .arg("*")
        .arg("d")
        .arg(format!("+{subject}@1000"))
        .to_owned();
    add.exec_async(&mut connection).await.unwrap();
}

/// A figure; what it asserts is that all comes in.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_comes_in_as_it_does_without() {
    in_time(async {
        let (secret, count) = (new_directory("redis-tls"), burst());
        Authority::new().sign_all(secret.path(), false);
        let over_tls = RedisNode::over_tls(secret.path()).await;
        let plain = RedisNode::start(&[]).await;
        let plain_client = || Client::open(("127.0.0.1", plain.port)).unwrap();
        for client in [client(over_tls.port, secret.path(), true).unwrap(), plain_client()] {
            let mut connection = client.get_multiplexed_async_connection().await.unwrap();
            for some in (0..count).collect::<Vec<_>>().chunks(1_000) {
                let mut adds = pipe();
                for subject in some {
                    adds.cmd("XADD")
                        .arg(STREAM)
                        .arg("*")
                        .arg("d")
                        .arg(format!("+{subject}@1000"));
                }
                adds.exec_async(&mut connection).await.unwrap();
            }
        }
        tls_beside_plain(
            "redis",
            count,
            async || read_all(RedisSource::new(plain_client(), STREAM), count).await,
            async || read_all(source(over_tls.port, secret.path().to_owned(), true), count).await,
        )
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_both_sides_are_replaced_without_a_restart() {
    in_time(async {
        let directory = new_directory("redis-tls");
        let path = directory.path();
        Authority::new().sign_all(path, false);
        let mut node = RedisNode::over_tls(path).await;
        let replica = start(source(node.port, path.to_owned(), true));
        let gaps = replica.live().await.gaps;
        add(node.port, path, "first").await;
        replica.refuses_after("first").await;
        // All of them, and whoever signed them.
        Authority::new().sign_all(path, false);
        node.restart().await;
        add(node.port, path, "second").await;
        replica.refuses_after("second").await;
        assert_eq!(replica.live().await.gaps, gaps);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_says_what_is_wrong_with_a_certificate() {
    in_time(async {
        let [good, expired] = [(); 2].map(|()| new_directory("redis-tls"));
        let authority = Authority::new();
        authority.sign_all(good.path(), false);
        authority.sign_all(expired.path(), true);
        let node = RedisNode::over_tls(good.path()).await;
        let old = RedisNode::over_tls(expired.path()).await;
        let others = new_directory("redis-tls");
        Authority::new().sign_all(others.path(), false);
        fails_with(&start(source(old.port, good.path().to_owned(), true)), "expired").await;
        fails_with(
            &start(source(node.port, others.path().to_owned(), true)),
            "UnknownIssuer",
        )
        .await;
        fails_with(&start(source(node.port, good.path().to_owned(), false)), "ertificate").await;
    })
    .await;
}
