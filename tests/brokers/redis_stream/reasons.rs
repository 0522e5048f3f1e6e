//! Why a feed is down, and what a gateway may do.

use std::sync::{Arc, Mutex};

use redis::{Client, IntoConnectionInfo, RedisConnectionInfo};
use tower_revocation::source::redis::RedisSource;

use super::{add, source, start, with_something_old};
use crate::limit::in_time;
use crate::link::Link;
use crate::redis_node::{RedisNode, STREAM};
use crate::replica::Replica;

fn as_user(port: u16, user: &str, password: &str) -> Client {
    let settings = RedisConnectionInfo::default().set_username(user).set_password(password);
    let server = ("127.0.0.1", port).into_connection_info().unwrap();
    Client::open(server.set_redis_settings(settings)).unwrap()
}

pub(super) async fn fails_with(replica: &Replica, words: &str) {
    let status = replica
        .until(&format!("down with {words}"), |status| {
            status
                .feed
                .last_error
                .as_ref()
                .is_some_and(|error| error.contains(words))
        })
        .await;
    println!("redis: {}", status.feed.last_error.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_says_why_nothing_can_be_read() {
    in_time(async {
        let mut node = RedisNode::start(&[]).await;
        for words in [
            "ACL SETUSER gateway on >old ~revocations +xread",
            "ACL SETUSER default resetpass >secret",
        ] {
            node.run::<()>(words).await.unwrap();
        }
        fails_with(&start(source(node.port)), "NOAUTH").await;
        let wrong = RedisSource::new(as_user(node.port, "gateway", "wrong"), STREAM);
        fails_with(&start(wrong), "authentication failed").await;
        let may_not = RedisSource::new(as_user(node.port, "gateway", "old"), STREAM);
        fails_with(&start(may_not), "no permissions to run").await;
        node.kill();
        fails_with(&start(source(node.port)), "refused").await;
    })
    .await;
}

/// A client with a password that was replaced would be down for good after the next cut.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_replaced_without_a_restart() {
    in_time(async {
        let node = with_something_old(&[]).await;
        node.run::<()>("ACL SETUSER gateway on >old ~* +@all").await.unwrap();
        let password = Arc::new(Mutex::new("old"));
        let port = node.port;
        let current = Arc::clone(&password);
        let client = move || {
            let client = as_user(port, "gateway", *current.lock().unwrap());
            async { Ok(client) }
        };
        let replica = start(RedisSource::connecting(client, STREAM));
        replica.live().await;
        node.run::<()>("ACL SETUSER gateway >new <old").await.unwrap();
        *password.lock().unwrap() = "new";
        // Whoever has logged in stays: as long as the connection does.
        node.run::<()>("CLIENT KILL USER gateway").await.unwrap();
        replica.until("open again", |status| status.feed.opened == 2).await;
        add(&node, [1]).await;
        replica.refuses_after("1").await;
        assert_eq!(replica.live().await.gaps, 0);
    })
    .await;
}

/// `docs/BROKERS.md` has the same list.
const PERMISSIONS: &str =
    "~revocations ~dead ~{dead}:* +xread +xinfo|stream +xrange +info +ping +eval +exists +set +xadd";

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_needs_no_more_than_is_documented() {
    in_time(async {
        let node = with_something_old(&[]).await;
        let user = format!("ACL SETUSER gateway on >secret {PERMISSIONS}");
        node.run::<()>(&user).await.unwrap();
        let link = Link::to(node.port).await;
        let source = RedisSource::new(as_user(link.port, "gateway", "secret"), STREAM).with_dead_letters("dead");
        let replica = start(source);
        replica.live().await;
        node.add("*", "poison").await.unwrap();
        node.until("XLEN dead", |answer| answer.contains('1')).await;
        replica
            .until("all settled", |status| status.feed.unacknowledged == 0)
            .await;
        // Opened anew, it looks for what it read.
        link.cut();
        replica.down().await;
        link.mend();
        add(&node, [1]).await;
        replica.refuses_after("1").await;
        let status = replica.live().await;
        assert_eq!(status.gaps, 1, "the poison: {:?}", status.last_gap);
    })
    .await;
}
