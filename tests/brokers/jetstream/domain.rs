//! A stream of another domain, or under another account's prefix.

use async_nats::jetstream;
use tower_revocation::source::nats::NatsSource;

use super::server::{client, config, context, make, revoke};
use crate::limit::in_time;
use crate::nats_node::NatsNode;
use crate::replica::Replica;
use crate::server::{free_port, new_directory};

/// A leaf node with JetStream of its own could not name the hub's stream at all: "stream not found".
#[tokio::test(flavor = "multi_thread")]
async fn a_leaf_node_reads_the_hubs_stream() {
    in_time(async {
        let (hubs, leafs, link) = (new_directory("nats"), new_directory("nats"), free_port());
        let hub = format!(
            "server_name: hub\njetstream {{ store_dir: \"STORE\", domain: hub }}\nleafnodes {{ listen: \"127.0.0.1:{link}\" }}"
        );
        let hub = NatsNode::start(hubs.path(), &hub).await;
        let leaf = format!(
            "server_name: leaf\njetstream {{ store_dir: \"STORE\", domain: leaf }}\n\
             leafnodes {{ remotes: [ {{ url: \"nats://127.0.0.1:{link}\" }} ] }}"
        );
        let leaf = NatsNode::start(leafs.path(), &leaf).await;
        let at_hub = context(&client(&[hub.url()]).await);
        make(&at_hub, config(STREAM, &[STREAM], 1)).await;
        let at_leaf = client(&[leaf.url()]).await;
        let replica = Replica::start(NatsSource::new(at_leaf.clone(), STREAM).with_domain("hub"), "one");
        replica.live().await;
        revoke(&at_hub, STREAM, "first").await;
        replica.refuses_after("first").await;
        let own = Replica::start(NatsSource::new(at_leaf, STREAM), "two");
        own.until("not found", |status| {
            let error = status.feed.last_error.as_deref();
            error.is_some_and(|error| error.contains("stream not found"))
        })
        .await;
    })
    .await;
}

/// An account exports what a gateway of another account needs of its API.
#[tokio::test(flavor = "multi_thread")]
async fn another_account_reads_under_a_prefix() {
    in_time(async {
        let directory = new_directory("nats");
        let accounts = r#"
accounts {
    ISSUER {
        jetstream: enabled
        users: [{ user: issuer, password: p }]
        exports: [
            { service: "$JS.API.STREAM.INFO.S" }
            { service: "$JS.API.STREAM.MSG.GET.S" }
            { service: "$JS.API.CONSUMER.CREATE.S" }
            { service: "$JS.API.CONSUMER.DELETE.S.*" }
            { service: "$JS.API.CONSUMER.MSG.NEXT.S.*", response_type: stream }
        ]
    }
    GATEWAY {
        users: [{ user: gateway, password: p }]
        imports: [
            { service: { account: ISSUER, subject: "$JS.API.STREAM.INFO.S" }, to: "issuer.api.STREAM.INFO.S" }
            { service: { account: ISSUER, subject: "$JS.API.STREAM.MSG.GET.S" }, to: "issuer.api.STREAM.MSG.GET.S" }
            { service: { account: ISSUER, subject: "$JS.API.CONSUMER.CREATE.S" }, to: "issuer.api.CONSUMER.CREATE.S" }
            { service: { account: ISSUER, subject: "$JS.API.CONSUMER.DELETE.S.*" }, to: "issuer.api.CONSUMER.DELETE.S.*" }
            { service: { account: ISSUER, subject: "$JS.API.CONSUMER.MSG.NEXT.S.*" }, to: "issuer.api.CONSUMER.MSG.NEXT.S.*" }
        ]
    }
}
"#;
        let config_text = format!("jetstream {{ store_dir: \"STORE\" }}{accounts}");
        let node = NatsNode::start(directory.path(), &config_text).await;
        let as_user = async |user: &str| {
            let options = super::server::options().user_and_password(user.to_owned(), "p".to_owned());
            options.connect(node.url()).await.unwrap()
        };
        let issuer = jetstream::new(as_user("issuer").await);
        make(&issuer, config(STREAM, &[STREAM], 1)).await;
        let source = NatsSource::new(as_user("gateway").await, STREAM).with_api_prefix("issuer.api");
        let replica = Replica::start(source, "one");
        replica.live().await;
        revoke(&issuer, STREAM, "first").await;
        replica.refuses_after("first").await;
    })
    .await;
}

const STREAM: &str = "S";
