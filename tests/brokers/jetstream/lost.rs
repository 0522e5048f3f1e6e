//! Every way to lose a message that was not read is a gap, and what is not lost is none.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, Source, StorageType};
use async_nats::jetstream::{Context, consumer::pull};
use tower_revocation::source::nats::NatsSource;
use tower_revocation::source::{Continuity, Delivery, EventSource, Signal, Start};
use tower_revocation::status::FeedStatus;
use tower_revocation::{FeedState, Timestamp};

use super::server::{Alone, JETSTREAM, client, config, later, make, publish, revoke};
use crate::limit::in_time;
use crate::link::Link;
use crate::replica::Replica;

/// A stream with a message that is older than the list, and a gateway that reads it over a link, without a gap.
struct Feed {
    server: Alone,
    link: Link,
    issued: Timestamp,
    filter: Option<&'static str>,
    replica: Replica,
}

impl Feed {
    async fn of(config: Config, filter: Option<&'static str>) -> Self {
        let server = Alone::with_jetstream().await;
        make(&server.context, config).await;
        revoke(&server.context, OURS, "older").await;
        let issued = later().await;
        let link = Link::to(server.node.port).await;
        let replica = start(link.port, filter, issued).await;
        replica.live().await;
        let feed = Self {
            server,
            link,
            issued,
            filter,
            replica,
        };
        feed.revoke("first").await;
        feed.replica.refuses_after("first").await;
        assert_eq!(feed.status().gaps, 0, "{:?}", feed.status().last_gap);
        feed
    }

    async fn new() -> Self {
        Self::of(config(STREAM, &[ALL_OURS], 1), None).await
    }

    /// With the subjects of others in the same stream.
    async fn shared() -> Self {
        Self::of(config(STREAM, &[ALL_OURS, THEIRS], 1), Some(ALL_OURS)).await
    }

    fn context(&self) -> &Context {
        &self.server.context
    }

    async fn revoke(&self, subject: &str) -> u64 {
        revoke(self.context(), OURS, subject).await.0
    }

    async fn delete(&self, sequence: u64) {
        let stream = self.context().get_stream(STREAM).await.unwrap();
        assert!(stream.delete_message(sequence).await.unwrap());
    }

    /// Something happens while the gateway is away. Returns how its feed is afterwards.
    async fn while_away(&self, happens: impl AsyncFnOnce(&Self)) -> FeedStatus {
        self.link.cut();
        self.replica.down().await;
        happens(self).await;
        self.link.mend();
        self.replica.live().await
    }

    fn status(&self) -> FeedStatus {
        self.replica.sink.status().feed
    }

    async fn gaps(&self, gaps: u64) -> FeedStatus {
        let status = self.replica.until("told of a gap", |status| status.feed.gaps >= gaps);
        let status = status.await.feed;
        assert_eq!(status.gaps, gaps, "{:?}", status.last_gap);
        self.replica.live().await
    }

    /// Another gateway, which starts now with the same list.
    async fn starts(&self) -> Replica {
        let replica = start(self.server.node.port, self.filter, self.issued).await;
        replica.live().await;
        replica
    }
}

async fn start(port: u16, filter: Option<&'static str>, issued: Timestamp) -> Replica {
    let client = client(&[format!("nats://127.0.0.1:{port}")]).await;
    let mut source = NatsSource::new(client, STREAM).with_dead_letters("dead");
    if let Some(filter) = filter {
        source = source.with_subject(filter);
    }
    Replica::start_since(source, "one", issued, Duration::ZERO)
}

/// It was opened again as if nothing had happened: nothing after it came, and so nothing was missed between two of them.
#[tokio::test(flavor = "multi_thread")]
async fn the_newest_message_is_deleted_while_nobody_reads() {
    in_time(async {
        let feed = Feed::new().await;
        let status = feed
            .while_away(async |feed| {
                let newest = feed.revoke("deleted").await;
                feed.delete(newest).await;
            })
            .await;
        assert_eq!(status.gaps, 1, "{:?}", status.last_gap);
        // Told once.
        let status = feed
            .while_away(async |feed| {
                feed.revoke("next").await;
            })
            .await;
        assert_eq!((status.gaps, feed.replica.refuses("next")), (1, true));
        // One that starts now cannot know what it was.
        assert_eq!(feed.starts().await.sink.status().feed.gaps, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_its_midst_is_deleted_while_nobody_reads() {
    in_time(async {
        let feed = Feed::new().await;
        let status = feed
            .while_away(async |feed| {
                let deleted = feed.revoke("deleted").await;
                feed.revoke("last").await;
                feed.delete(deleted).await;
            })
            .await;
        assert_eq!(
            (status.gaps, feed.replica.refuses("last")),
            (1, true),
            "{:?}",
            status.last_gap
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_is_purged_while_nobody_reads() {
    in_time(async {
        for feed in [Feed::new().await, Feed::shared().await] {
            let status = feed
                .while_away(async |feed| {
                    revoke(feed.context(), "ours.a", "purged").await;
                    revoke(feed.context(), "ours.b", "kept").await;
                    let stream = feed.context().get_stream(STREAM).await.unwrap();
                    stream.purge().filter("ours.a").await.unwrap();
                })
                .await;
            assert_eq!(
                (status.gaps, feed.replica.refuses("kept")),
                (1, true),
                "{:?}",
                status.last_gap
            );
        }
    })
    .await;
}

/// By a limit for each subject, the older one goes.
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_for_each_subject_takes_a_message_while_nobody_reads() {
    in_time(async {
        let config = Config {
            max_messages_per_subject: 2,
            ..config(STREAM, &[ALL_OURS], 1)
        };
        let feed = Feed::of(config, None).await;
        let status = feed
            .while_away(async |feed| {
                for subject in ["one", "two", "three"] {
                    feed.revoke(subject).await;
                }
            })
            .await;
        assert_eq!(
            (status.gaps, feed.replica.refuses("three")),
            (1, true),
            "{:?}",
            status.last_gap
        );
    })
    .await;
}

/// What was read and is gone is no loss: neither to one that reads on, nor to one that comes back.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_may_go() {
    in_time(async {
        let feed = Feed::new().await;
        let second = feed.revoke("second").await;
        feed.revoke("third").await;
        feed.replica.refuses_after("third").await;
        feed.delete(second).await;
        let status = feed
            .while_away(async |feed| {
                feed.revoke("fourth").await;
            })
            .await;
        assert_eq!(
            (status.gaps, feed.replica.refuses("fourth")),
            (0, true),
            "{:?}",
            status.last_gap
        );
        // Whatever was deleted before the list was issued says nothing of what came after it.
        let issued = later().await;
        feed.revoke("fifth").await;
        let late = start(feed.server.node.port, None, issued).await;
        late.live().await;
        assert_eq!((late.sink.status().feed.gaps, late.refuses("fifth")), (0, true));
    })
    .await;
}

/// Each opening was a gap once anything had ever been deleted of such a stream.
#[tokio::test(flavor = "multi_thread")]
async fn what_others_delete_of_a_shared_stream_was_seen_before() {
    in_time(async {
        let feed = Feed::shared().await;
        let mut source = NatsSource::new(feed.server.client().await, STREAM).with_subject(ALL_OURS);
        let mut start = Start::since(feed.issued);
        assert_eq!(source.open(&start).await.unwrap(), Continuity::Complete);
        let message = loop {
            if let Signal::Message(message) = source.next().await.unwrap() {
                break message;
            }
        };
        let position = message.position().unwrap();
        start = start
            .and_after([position])
            .and_landmarks([(position, message.landmark().unwrap())]);
        let theirs = publish(feed.context(), THEIRS, "what others say").await.0;
        publish(feed.context(), THEIRS, "what others say").await;
        // The second of them is by an answer that was asked for after that.
        let mut ends = 0;
        while ends < 2 {
            ends += usize::from(matches!(source.next().await.unwrap(), Signal::CaughtUp));
        }
        feed.delete(theirs).await;
        assert_eq!(source.open(&start).await.unwrap(), Continuity::Complete);
        // Theirs or ours: that cannot be told.
        source.close().await;
        let unread = publish(feed.context(), THEIRS, "what others say").await.0;
        publish(feed.context(), THEIRS, "what others say").await;
        feed.delete(unread).await;
        assert!(matches!(source.open(&start).await.unwrap(), Continuity::Gap(_)));
    })
    .await;
}

/// The stream ended before what was read, for a reader whose connection lives on: a volume was put back. It went on reading, and
/// left out whatever took the old numbers.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_put_back_ends_before_what_was_read() {
    in_time(async {
        let mut feed = Feed::new().await;
        feed.server.node.kill();
        feed.server.node.keep();
        feed.server.node.restart().await;
        feed.replica.live().await;
        let before = feed.status().gaps;
        feed.revoke("lost").await;
        feed.replica.refuses_after("lost").await;
        feed.server.node.kill();
        feed.server.node.put_back();
        feed.server.node.restart().await;
        let status = feed.gaps(before + 1).await;
        assert!(status.last_gap.unwrap().reason.contains("ends before"));
        feed.revoke("in its place").await;
        feed.replica.refuses_after("in its place").await;
    })
    .await;
}

/// What a server writes by itself was a dead letter, and so a list was fetched for each revocation that aged out.
#[tokio::test(flavor = "multi_thread")]
async fn a_delete_marker_is_no_message() {
    in_time(async {
        let feed = Feed::new().await;
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Marker-Reason", "MaxAge");
        let marker = PublishMessage::build().headers(headers);
        feed.context().send_publish(OURS, marker).await.unwrap().await.unwrap();
        feed.revoke("second").await;
        feed.replica.refuses_after("second").await;
        let status = feed.replica.sink.status();
        assert_eq!((status.dispositions.dead_letter, status.feed.gaps), (0, 0));
    })
    .await;
}

/// A gateway was told that it had everything by a stream in memory, or one that had lost its only copy: its creation was taken
/// for the proof.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_stream_proves_nothing() {
    in_time(async {
        let server = Alone::with_jetstream().await;
        let config = Config {
            storage: StorageType::Memory,
            ..config(STREAM, &[ALL_OURS], 1)
        };
        make(&server.context, config).await;
        let issued = later().await;
        let replica = start(server.node.port, None, issued).await;
        assert_eq!(replica.live().await.gaps, 1);
    })
    .await;
}

/// What a mirror has not got is not known to be none.
#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_lost_its_origin_is_not_live() {
    in_time(async {
        let server = Alone::with_jetstream().await;
        make(&server.context, config("ORIGIN", &[ALL_OURS], 1)).await;
        let mirror = Config {
            mirror: Some(Source {
                name: "ORIGIN".to_owned(),
                ..Source::default()
            }),
            ..config(STREAM, &[], 1)
        };
        make(&server.context, mirror).await;
        revoke(&server.context, OURS, "older").await;
        let issued = later().await;
        let replica = start(server.node.port, None, issued).await;
        replica.live().await;
        revoke(&server.context, OURS, "first").await;
        replica.refuses_after("first").await;
        // For longer than a mirror takes to be taken for lost.
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!(replica.sink.status().feed.opened, 1, "{:?}", replica.sink.status().feed);
        let began = std::time::Instant::now();
        server.context.delete_stream("ORIGIN").await.unwrap();
        replica
            .until("not live", |status| status.feed.state != FeedState::Live)
            .await;
        println!(
            "nats: a mirror without its origin is not live after {:.1?}",
            began.elapsed()
        );
        replica
            .until("told why", |status| {
                let error = status.feed.last_error.as_deref();
                error.is_some_and(|error| error.contains("heard of stream ORIGIN"))
            })
            .await;
    })
    .await;
}

/// A server may limit what is asked for at once: it was asked for more, again and again, and the feed was live for a moment each
/// time.
#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_asked_for_than_the_server_allows() {
    in_time(async {
        let limits = "limits { max_request_batch: 100 }";
        let server = Alone::start(&JETSTREAM.replace('}', &format!(", {limits} }}"))).await;
        make(&server.context, config(STREAM, &[ALL_OURS], 1)).await;
        let stream = server.context.get_stream(STREAM).await.unwrap();
        let consumer = stream.create_consumer(pull::Config::default()).await.unwrap();
        assert_eq!(consumer.cached_info().config.max_batch, 100, "the limit is there");
        for number in 0..500 {
            revoke(&server.context, OURS, &number.to_string()).await;
        }
        let replica = start(server.node.port, None, Timestamp::default()).await;
        replica.entries(500).await;
        let status = replica.live().await;
        assert_eq!(status.opened, 1, "{:?}", status.last_error);
    })
    .await;
}

const STREAM: &str = "S";
const OURS: &str = "ours.x";
const ALL_OURS: &str = "ours.>";
const THEIRS: &str = "theirs";
