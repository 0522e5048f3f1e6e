//! NATS over TLS with certificates of the client's: an authority of the test's own.

use std::path::Path;

use tower_revocation::FeedState;
use tower_revocation::source::nats::{NatsEvents, NatsSource};

use super::server::{Alone, JETSTREAM, config, context, make, options, revoke};
use crate::authority::Authority;
use crate::limit::in_time;
use crate::nats_node::NatsNode;
use crate::replica::Replica;
use crate::server::new_directory;
use crate::suite::{burst, read_all, tls_beside_plain};

async fn server(directory: &Path) -> NatsNode {
    let file = |name: &str| directory.join(name).display().to_string();
    let tls = format!(
        "{JETSTREAM}\ntls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: true }}",
        file("server.pem"),
        file("server.key"),
        file("ca.pem"),
    );
    NatsNode::start(directory, &tls).await
}

/// A client that trusts an authority, with a certificate of one. As `docs/BROKERS.md` says: no feature to add.
async fn connect(node: &NatsNode, trusts: &Path, certificate: &Path, events: &NatsEvents) -> async_nats::Client {
    let options = options()
        .require_tls(true)
        .add_root_certificates(trusts.join("ca.pem"))
        .add_client_certificate(certificate.join("client.pem"), certificate.join("client.key"));
    events
        .watch(options)
        .connect(format!("tls://localhost:{}", node.port))
        .await
        .unwrap()
}

/// A figure; what it asserts is that all comes in.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_comes_in_as_it_does_without() {
    in_time(async {
        let (directory, count) = (new_directory("nats-tls"), burst());
        Authority::new().sign_all(directory.path(), false);
        let over_tls = server(directory.path()).await;
        let plain = Alone::with_jetstream().await;
        let events = NatsEvents::new();
        let tls_client = async || connect(&over_tls, directory.path(), directory.path(), &events).await;
        for admin in [context(&tls_client().await), plain.context.clone()] {
            make(&admin, config(STREAM, &[STREAM], 1)).await;
            for some in (0..count).collect::<Vec<_>>().chunks(500) {
                let mut acks = Vec::new();
                for subject in some {
                    let message = format!("+{subject}@1000");
                    acks.push(admin.publish(STREAM, message.into()).await.unwrap());
                }
                for ack in acks {
                    ack.await.unwrap();
                }
            }
        }
        tls_beside_plain(
            "nats",
            count,
            async || read_all(NatsSource::new(plain.client().await, STREAM), count).await,
            async || read_all(NatsSource::new(tls_client().await, STREAM), count).await,
        )
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_and_reads_on_after_a_new_certificate() {
    in_time(async {
        let directory = new_directory("nats-tls");
        let authority = Authority::new();
        authority.sign_all(directory.path(), false);
        let mut node = server(directory.path()).await;
        let events = NatsEvents::new();
        let client = connect(&node, directory.path(), directory.path(), &events).await;
        let admin = context(&client);
        make(&admin, config(STREAM, &[STREAM], 1)).await;
        let replica = Replica::start(NatsSource::new(client, STREAM).with_events(events), "one");
        replica.live().await;
        revoke(&admin, STREAM, "first").await;
        replica.refuses_after("first").await;
        // It expires, which shows when the server is started again, and is replaced.
        authority.sign(directory.path(), "server", true);
        node.restart().await;
        replica.down().await;
        says(&replica, "certificate expired").await;
        authority.sign(directory.path(), "server", false);
        node.restart().await;
        replica.live().await;
        revoke(&admin, STREAM, "second").await;
        replica.refuses_after("second").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_is_not_trusted_is_named() {
    in_time(async {
        let (theirs, ours) = (new_directory("nats-tls"), new_directory("nats-tls"));
        for directory in [theirs.path(), ours.path()] {
            let authority = Authority::new();
            authority.sign_all(directory, false);
        }
        let node = server(theirs.path()).await;
        let untrusted = [
            (ours.path(), theirs.path(), "invalid peer certificate"),
            (theirs.path(), ours.path(), "fatal alert"),
        ];
        for (trusts, certificate, words) in untrusted {
            let events = NatsEvents::new();
            let client = connect(&node, trusts, certificate, &events).await;
            let replica = Replica::start(NatsSource::new(client, STREAM).with_events(events), "one");
            replica.down().await;
            says(&replica, words).await;
            assert_eq!(replica.sink.status().feed.state, FeedState::Down);
        }
    })
    .await;
}

async fn says(replica: &Replica, words: &str) {
    let says = |error: &str| error.to_lowercase().contains(words);
    let status = replica.until(words, |status| status.feed.last_error.as_deref().is_some_and(says));
    println!(
        "nats over TLS: last_error is {:?}",
        status.await.feed.last_error.unwrap()
    );
}

const STREAM: &str = "S";
