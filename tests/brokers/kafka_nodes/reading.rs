//! One node: what is in a log, and what happens to it.

use std::time::Duration;

use tokio::time::sleep;
use tower_revocation::source::{Continuity, EventSource, Position, Start};
use tower_revocation::{FeedState, Timestamp};

use super::{Bare, Node, PATIENCE, Said, words};
use crate::limit::in_time;

/// With the client that was used before, a source that was opened then began behind what was held back, said that it was
/// complete, and never gave it; and the end of any transaction ended the feed for good.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_open_transaction_holds_back_is_waited_for() {
    in_time(async {
        let node = Node::shared().await;
        node.create("held", "");
        node.send("held", &["older"]);
        sleep(SOME_TIME).await;
        let since = Timestamp::now();
        sleep(SOME_TIME).await;
        node.tool.ask("begin stranger");
        node.tool.ask("in stranger held 'something else'");
        node.send("held", &["revoke agent-7"]);
        let (mut bare, continuity) = Bare::open(node.source("held"), &Start::since(since)).await;
        assert_eq!(continuity, Continuity::Complete);
        let said = bare.read(Duration::from_secs(4), |_, _| false).await;
        assert!(
            said.len() > 3 && said.iter().all(|said| *said == Said::Alive(Some(2))),
            "{said:?}"
        );
        node.tool.ask("commit stranger");
        bare.until_caught_up().await;
        assert_eq!(bare.messages, ["something else", "revoke agent-7"]);
    })
    .await;
}

/// They came out as if they had been committed.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_aborted_is_no_message() {
    in_time(async {
        let node = Node::shared().await;
        node.create("aborted", "");
        node.tool.ask("begin bad");
        node.tool.ask("begin good");
        node.tool.ask("in bad aborted bad-1");
        node.tool.ask("in good aborted good-1");
        node.send("aborted", &["plain-1"]);
        node.tool.ask("in bad aborted bad-2");
        node.tool.ask("abort bad");
        node.tool.ask("in good aborted good-2");
        node.tool.ask("commit good");
        // The same publisher does better now.
        node.tool.ask("begin bad");
        node.tool.ask("in bad aborted better");
        node.tool.ask("commit bad");
        node.send("aborted", &["plain-2"]);
        node.tool.ask("begin bad");
        node.tool.ask("in bad aborted bad-3");
        node.tool.ask("abort bad");
        let (mut bare, _) = Bare::open(node.source("aborted"), &Start::since(Timestamp::default())).await;
        bare.until_caught_up().await;
        assert_eq!(bare.messages, ["good-1", "plain-1", "good-2", "better", "plain-2"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_of_compression_is_read() {
    in_time(async {
        let node = Node::shared().await;
        node.create("codecs", "");
        let long = "abc".repeat(1000);
        for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
            node.tool
                .ask(&format!("send codecs {codec}{long} codec={codec} times=20"));
        }
        let (mut bare, _) = Bare::open(node.source("codecs"), &Start::since(Timestamp::default())).await;
        bare.until_caught_up().await;
        assert_eq!(bare.messages.len(), 100);
        for (at, codec) in (0..).step_by(20).zip(["none", "gzip", "snappy", "lz4", "zstd"]) {
            assert_eq!(bare.messages[at], format!("{codec}{long}"));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_5_mb_comes_whole() {
    in_time(async {
        let node = Node::shared().await;
        node.create("large", "max.message.bytes=6000000");
        let large = "x".repeat(5_000_000);
        node.tool.ask(&format!("send large {large}"));
        let (mut bare, _) = Bare::open(node.source("large"), &Start::since(Timestamp::default())).await;
        bare.until_caught_up().await;
        assert_eq!(bare.messages[0].len(), large.len());
    })
    .await;
}

/// Compaction leaves nothing behind but a jump in the offsets.
#[tokio::test(flavor = "multi_thread")]
async fn a_hole_that_compaction_left_is_a_gap_once() {
    in_time(async {
        let node = Node::shared().await;
        node.create(
            "compacted",
            "cleanup.policy=compact segment.ms=200 min.cleanable.dirty.ratio=0.01",
        );
        for round in 0..20 {
            for key in ["a", "b"] {
                node.tool.ask(&format!("send compacted +{key}{round}@1000 key={key}"));
            }
            sleep(Duration::from_millis(100)).await;
        }
        let holes = async {
            while Bare::open(node.source("compacted"), &Start::since(Timestamp::default()))
                .await
                .0
                .read(PATIENCE, |said, _| *said == Said::CaughtUp)
                .await
                .iter()
                .all(|said| !matches!(said, Said::Error(_)))
            {
                node.tool.ask("send compacted +later@1000 key=c");
                sleep(Duration::from_millis(300)).await;
            }
        };
        tokio::time::timeout(PATIENCE, holes)
            .await
            .expect("it is compacted, and that is told");
        let replica = node.replica("compacted");
        replica.live().await;
        let status = replica.sink.status().feed;
        assert!(status.last_gap.unwrap().reason.contains("compaction"), "it is told");
        let opened = status.opened;
        replica.refuses_after("b19").await;
        sleep(Duration::from_secs(3)).await;
        assert_eq!(
            replica.sink.status().feed.opened,
            opened,
            "it is not told again and again"
        );
        assert_eq!(replica.sink.status().feed.state, FeedState::Live);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_before_or_behind_the_log_is_a_gap_at_once() {
    in_time(async {
        let node = Node::shared().await;
        node.create("trimmed", "");
        node.send("trimmed", &["0", "1", "2", "3", "4", "5"]);
        node.tool.ask("trim trimmed 4");
        for (after, is_there) in [(1, false), (2, false), (3, true), (5, true), (6, false), (100, false)] {
            let start = Start::since(Timestamp::now()).and_after([Position::at(after)]);
            let started = std::time::Instant::now();
            let (_bare, continuity) = Bare::open(node.source("trimmed"), &start).await;
            assert_eq!(
                continuity == Continuity::Complete,
                is_there,
                "after {after}: {continuity:?}"
            );
            let took = started.elapsed();
            assert!(took < Duration::from_secs(4), "after {after}: {took:?}");
        }
    })
    .await;
}

/// The new one has the same name, and records in the places of the old one's.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_was_made_anew_is_another_one() {
    in_time(async {
        let node = Node::shared().await;
        node.create("anew", "");
        let replica = node.replica("anew");
        replica.live().await;
        node.send("anew", &["+old-1@1000", "+old-2@1000"]);
        replica.entries(2).await;
        let gaps = replica.sink.status().feed.gaps;
        node.tool.ask("delete anew");
        node.create("anew", "");
        node.send("anew", &["+new-1@1000", "+new-2@1000", "+new-3@1000"]);
        replica.refuses_after("new-3").await;
        let status = replica.live().await;
        assert!(replica.refuses("new-1") && replica.refuses("new-2"));
        assert_eq!(status.gaps, gaps + 1, "{status:?}");
        // To whoever was away, it looks as if nothing had happened.
        let (mut bare, _) = Bare::open(node.source("anew"), &Start::since(Timestamp::default())).await;
        bare.until_caught_up().await;
        let (at, landmark) = bare.last.unwrap();
        node.tool.ask("delete anew");
        node.create("anew", "");
        node.send("anew", &["+1@1", "+2@1", "+3@1", "+4@1"]);
        let start = Start::since(Timestamp::now())
            .and_after([at])
            .and_landmarks([(at, landmark.unwrap())]);
        let (_bare, continuity) = Bare::open(node.source("anew"), &start).await;
        assert!(matches!(continuity, Continuity::Gap(_)), "{continuity:?}");
    })
    .await;
}

/// Its leader is told the epoch of what was read last, and knows where that ends in its own log.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_set_back_and_has_grown_again_is_another_one() {
    in_time(async {
        let mut node = Node::start(&[]).await;
        node.create("back", "");
        node.send("back", &["+kept-1@1000", "+kept-2@1000"]);
        let replica = node.replica("back");
        replica.refuses_after("kept-2").await;
        replica.live().await;
        node.server.keep();
        node.send("back", &["+lost-1@1000", "+lost-2@1000", "+lost-3@1000"]);
        replica.refuses_after("lost-3").await;
        let gaps = replica.sink.status().feed.gaps;
        node.server.put_back().await;
        node.send("back", &["+new-1@1000", "+new-2@1000", "+new-3@1000", "+new-4@1000"]);
        for new in ["new-1", "new-2", "new-3", "new-4"] {
            replica.refuses_after(new).await;
        }
        let status = replica.live().await;
        assert_eq!(status.gaps, gaps + 1);
        let reason = status.last_gap.unwrap().reason;
        println!("kafka: set back, it is {reason}");
    })
    .await;
}

/// Kafka makes a topic for whoever asks for it, by default, and then with settings that nobody chose.
#[tokio::test(flavor = "multi_thread")]
async fn no_topic_is_ever_made() {
    in_time(async {
        let node = Node::start(&["auto.create.topics.enable=true"]).await;
        let mut source = node.source("missing").with_dead_letters("missing-too");
        let error = source.open(&Start::since(Timestamp::default())).await.unwrap_err();
        assert!(words(&error).contains("there is no such topic"), "{}", words(&error));
        node.create("deleted", "");
        let replica = node.replica("deleted");
        replica.live().await;
        node.tool.ask("delete deleted");
        let status = replica.down().await;
        assert!(status.last_error.is_some());
        replica
            .until("told that there is none", |status| {
                let error = status.feed.last_error.as_ref();
                error.is_some_and(|error| error.contains("there is no such topic"))
            })
            .await;
        sleep(Duration::from_secs(3)).await;
        assert_eq!(node.tool.ask("topics"), "");
        // Nobody was faster than who runs the brokers.
        node.create("deleted", "");
        node.send("deleted", &["+anew@1000"]);
        replica.refuses_after("anew").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_is_added_is_read() {
    in_time(async {
        let node = Node::shared().await;
        node.create("grown", "");
        let replica = node.replica("grown");
        replica.live().await;
        node.tool.ask("grow grown 2");
        let deadline = std::time::Instant::now() + PATIENCE;
        while replica.sink.status().feed.opened < 2 {
            assert!(std::time::Instant::now() < deadline, "{:?}", replica.sink.status().feed);
            sleep(Duration::from_millis(50)).await;
        }
        replica.live().await;
        // Nothing in it is as old as the list, as at the first opening.
        assert_eq!(replica.sink.status().feed.gaps, 2);
    })
    .await;
}

/// A record that is damaged on the broker's disk, as nobody but its readers notices.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_read_is_a_dead_letter_and_holds_up_nobody() {
    in_time(async {
        let node = Node::start(&[]).await;
        node.create("damaged", "");
        node.create("damaged-dead", "");
        node.send("damaged", &["+first@1000", "+damaged@1000", "+last@1000"]);
        node.server.edit("damaged-0/00000000000000000000.log", |bytes| {
            let at = bytes.windows(8).position(|bytes| bytes == b"+damaged").unwrap();
            bytes[at] = b'-';
        });
        let replica = crate::replica::Replica::start(node.source("damaged").with_dead_letters("damaged-dead"), "one");
        replica.refuses_after("last").await;
        assert!(replica.refuses("first") && !replica.refuses("damaged"));
        let status = replica
            .until("settled", |status| {
                status.feed.unacknowledged == 0 && status.dispositions.dead_letter == 1
            })
            .await;
        assert!(status.last_dead_letter.unwrap().reason.contains("checksum"));
        assert_eq!(status.feed.opened, 1);
        let (mut bare, _) = Bare::open(node.source("damaged-dead"), &Start::since(Timestamp::default())).await;
        bare.until_caught_up().await;
        assert_eq!(bare.messages.len(), 1);
        assert!(bare.messages[0].contains("-damaged@1000"), "the batch as it is");
    })
    .await;
}

/// Brokers and clients may be in different clocks' milliseconds.
const SOME_TIME: Duration = Duration::from_millis(50);
