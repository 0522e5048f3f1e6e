//! The status names why a feed is down, as far as the client knows it.

use std::time::Duration;

use async_nats::ConnectOptions;
use tower_revocation::source::nats::{NatsEvents, NatsSource};

use super::server::{Alone, JETSTREAM, config, context, make, options};
use crate::limit::in_time;
use crate::replica::Replica;
use crate::server::free_port;

/// Waits until the status says something in these words.
async fn says(replica: &Replica, words: &str) {
    let says = |error: &str| error.to_lowercase().contains(words);
    let status = replica.until(words, |status| status.feed.last_error.as_deref().is_some_and(says));
    println!("nats: last_error is {:?}", status.await.feed.last_error.unwrap());
}

async fn start(options: ConnectOptions, port: u16) -> Replica {
    let events = NatsEvents::new();
    let client = events.watch(options).connect(format!("nats://127.0.0.1:{port}")).await;
    Replica::start(NatsSource::new(client.unwrap(), STREAM).with_events(events), "one")
}

/// They sent whoever was woken to look at the network.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_was_changed() {
    in_time(async {
        let users = format!("{JETSTREAM}\nauthorization {{ users = [ {{ user: gateway, password: new }} ] }}");
        let directory = crate::server::new_directory("nats");
        let node = crate::nats_node::NatsNode::start(directory.path(), &users).await;
        let old = options().user_and_password("gateway".into(), "old".into());
        says(&start(old, node.port).await, "authorization violation").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_is_missing() {
    in_time(async {
        let permissions = "permissions: { publish: [\"$JS.ACK.>\"], subscribe: [\"_INBOX.>\"] }";
        let users =
            format!("{JETSTREAM}\nauthorization {{ users = [ {{ user: gateway, password: p, {permissions} }} ] }}");
        let directory = crate::server::new_directory("nats");
        let node = crate::nats_node::NatsNode::start(directory.path(), &users).await;
        let allowed = || options().user_and_password("gateway".into(), "p".into());
        says(
            &start(allowed(), node.port).await,
            "permissions violation for publish to \"$js.api.stream.info.s\"",
        )
        .await;
        // Also where nobody listens to the client's events.
        let client = allowed().connect(node.url()).await.unwrap();
        let replica = Replica::start(NatsSource::new(client, STREAM), "two");
        says(&replica, "to publish to $js.api.stream.info.s takes a permission").await;
    })
    .await;
}

/// While a cluster mends, look-ups are answered by 503, or not at all. That says nothing of what was looked for, and yet each gateway
/// fetched a list.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_that_is_not_answered_is_no_gap() {
    in_time(async {
        let permissions = "permissions: { publish: { deny: \"$JS.API.STREAM.MSG.GET.>\" } }";
        let users = format!(
            "{JETSTREAM}\nauthorization {{ users = [ {{ user: admin, password: p }}, {{ user: gateway, password: p, {permissions} }} ] }}"
        );
        let directory = crate::server::new_directory("nats");
        let node = crate::nats_node::NatsNode::start(directory.path(), &users).await;
        let admin = options().user_and_password("admin".into(), "p".into());
        let admin = context(&admin.connect(node.url()).await.unwrap());
        make(&admin, config(STREAM, &[STREAM], 1)).await;
        super::server::revoke(&admin, STREAM, "older").await;
        let client = options().user_and_password("gateway".into(), "p".into());
        let source = NatsSource::new(client.connect(node.url()).await.unwrap(), STREAM);
        let replica = Replica::start_since(source, "one", super::server::later().await, Duration::ZERO);
        says(&replica, "no answer about message 1 of stream s").await;
        let status = replica.sink.status().feed;
        assert_eq!((status.gaps, status.opened), (0, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_there() {
    in_time(async {
        let replica = start(options(), free_port()).await;
        says(&replica, "connection refused").await;
    })
    .await;
}

/// A client whose task has ended stays down for good. The source connects another one, if it is told how.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_ended_is_replaced() {
    in_time(async {
        let server = Alone::with_jetstream().await;
        make(&server.context, config(STREAM, &[STREAM], 1)).await;
        let ended = server.client().await;
        ended.drain().await.unwrap();
        let replica = Replica::start(NatsSource::new(ended.clone(), STREAM), "one");
        says(&replica, "the nats client has ended").await;
        let url = server.node.url();
        let source = NatsSource::new(ended, STREAM).with_new_client(move || {
            let url = url.clone();
            async move { options().connect(url).await }
        });
        let replica = Replica::start(source, "two");
        replica.live().await;
        let admin = context(&server.client().await);
        super::server::revoke(&admin, STREAM, "first").await;
        replica.refuses_after("first").await;
    })
    .await;
}

/// As async-nats does for TLS, if rustls knows of several kinds of cryptography, or of none.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_panics_is_replaced() {
    in_time(async {
        let server = Alone::with_jetstream().await;
        make(&server.context, config(STREAM, &[STREAM], 1)).await;
        let panics = options().reconnect_delay_callback(|attempts| match attempts {
            0 | 1 => panic!("as TLS without a provider"),
            _ => Duration::from_millis(100),
        });
        let panicked = panics.connect(server.node.url()).await.unwrap();
        let url = server.node.url();
        let source = NatsSource::new(panicked, STREAM).with_new_client(move || {
            let url = url.clone();
            async move { options().connect(url).await }
        });
        let replica = Replica::start(source, "one");
        replica.live().await;
    })
    .await;
}

const STREAM: &str = "S";
