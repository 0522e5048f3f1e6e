//! RabbitMQ over TLS, with certificates on both sides.

use std::fs;
use std::path::{Path, PathBuf};

use lapin::tcp::{OwnedIdentity, OwnedTLSConfig};
use lapin::{BasicProperties, Connection, DefaultConnectionBuilder};
use tower_revocation::source::amqp::{AmqpQueue, AmqpStream};

use super::{EXCHANGE, STREAM, declare, fails_with};
use crate::adapters::Publisher;
use crate::authority::Authority;
use crate::limit::in_time;
use crate::rabbit_nodes::RabbitNodes;
use crate::replica::Replica;
use crate::server::{free_port, new_directory};

/// One that demands certificates of clients on its second port. Over its first, this test publishes.
async fn server(directory: &Path, tls_port: u16) -> RabbitNodes {
    let file = |name: &str| directory.join(name).display().to_string();
    let settings = format!(
        "listeners.ssl.1 = 127.0.0.1:{tls_port}\nssl_options.cacertfile = {}\nssl_options.certfile = {}\n\
         ssl_options.keyfile = {}\nssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true\n",
        file("ca.pem"),
        file("server.pem"),
        file("server.key"),
    );
    let server = RabbitNodes::with(1, &settings).await;
    declare(server.port(0)).await;
    server
}

/// Connects with what a directory has now. As `docs/BROKERS.md` says.
async fn connect(port: u16, directory: PathBuf, shows_itself: bool) -> lapin::Result<Connection> {
    let file = |name: &str| fs::read(directory.join(name)).unwrap();
    let identity = || OwnedIdentity::PKCS8 {
        pem: file("client.pem"),
        key: file("client.key"),
    };
    let tls = OwnedTLSConfig {
        identity: shows_itself.then(identity),
        cert_chain: Some(String::from_utf8(file("ca.pem")).unwrap()),
    };
    let url = format!("amqps://localhost:{port}/%2f?heartbeat=5");
    let builder = DefaultConnectionBuilder::new()?.with_uri_str(url).with_tls_config(tls);
    builder.connect().await
}

fn stream(port: u16, directory: &Path, shows_itself: bool) -> AmqpStream {
    let directory = directory.to_owned();
    AmqpStream::new(move || connect(port, directory.clone(), shows_itself), STREAM)
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_both_sides_are_replaced_without_a_restart() {
    in_time(async {
        let directory = new_directory("rabbit-tls");
        let path = directory.path();
        Authority::new().sign_all(path, false);
        let port = free_port();
        let mut server = server(path, port).await;
        let publish = async |port: u16, message: &str| {
            let properties = BasicProperties::default().with_delivery_mode(2);
            for (exchange, key) in [("", STREAM), (EXCHANGE, "")] {
                let publisher = Publisher::new(port, exchange, key);
                publisher.publish(&[message.into()], properties.clone()).await;
            }
        };
        let own = path.to_owned();
        let queue = AmqpQueue::new(move || connect(port, own.clone(), true), EXCHANGE, "one");
        let replicas = [
            Replica::start(stream(port, path, true), "one"),
            Replica::start(queue, "one"),
        ];
        let mut gaps = Vec::new();
        for replica in &replicas {
            gaps.push(replica.live().await.gaps);
        }
        publish(server.port(0), "+first@1000").await;
        for replica in &replicas {
            replica.refuses_after("first").await;
        }
        // All of them, and whoever signed them.
        Authority::new().sign_all(path, false);
        server.restart(0).await;
        publish(server.port(0), "+second@1000").await;
        for (replica, gaps) in replicas.iter().zip(gaps) {
            replica.refuses_after("second").await;
            assert_eq!(replica.live().await.gaps, gaps);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_says_what_is_wrong_with_a_certificate() {
    in_time(async {
        let [good, expired, others] = [(); 3].map(|()| new_directory("rabbit-tls"));
        let authority = Authority::new();
        authority.sign_all(good.path(), false);
        authority.sign_all(expired.path(), false);
        authority.sign(expired.path(), "client", true);
        Authority::new().sign_all(others.path(), false);
        let port = free_port();
        let mut server = server(good.path(), port).await;
        let whose = |directory: &Path, shows_itself| Replica::start(stream(port, directory, shows_itself), "one");
        fails_with(&whose(others.path(), true), "UnknownIssuer").await;
        fails_with(&whose(expired.path(), true), "CertificateExpired").await;
        fails_with(&whose(good.path(), false), "ertificate").await;
        // The server's own, which it reads anew when it starts.
        authority.sign(good.path(), "server", true);
        server.restart(0).await;
        fails_with(&whose(good.path(), true), "expired").await;
    })
    .await;
}
