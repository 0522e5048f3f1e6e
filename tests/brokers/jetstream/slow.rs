//! A gateway that comes back to a backlog of large messages, over a slow link.

use std::time::{Duration, Instant};

use tower_revocation::source::nats::NatsSource;
use tower_revocation::{FeedState, Timestamp};

use super::server::{Alone, client, config, make, options, publish};
use crate::limit::in_time;
use crate::link::Link;
use crate::replica::Replica;

/// Whatever was asked for at once held up the leader's answers and the client's pings, and the server gave the connection up.
async fn comes_in(messages: usize, size: usize, bytes_a_second: u32, ping: Duration) {
    let server = Alone::with_jetstream().await;
    make(&server.context, config(STREAM, &[STREAM], 1)).await;
    publish(&server.context, STREAM, "+older@1000").await;
    let issued = super::server::later().await;
    for number in 0..messages {
        // What comes before it is not read as a part of it.
        let message = format!("+{number}{}@1000", "x".repeat(size));
        publish(&server.context, STREAM, &message).await;
    }
    let link = Link::slow(server.node.port, bytes_a_second).await;
    let options = options().ping_interval(ping);
    let client = options
        .connect(format!("nats://127.0.0.1:{}", link.port))
        .await
        .unwrap();
    let began = Instant::now();
    let replica = Replica::start_since(NatsSource::new(client, STREAM), "one", issued, Duration::ZERO);
    replica.entries(messages).await;
    let took = began.elapsed();
    let status = replica.live().await;
    let link_alone = (messages * size) as f64 / f64::from(bytes_a_second);
    println!(
        "nats: {messages} messages of {size} bytes at {bytes_a_second} bytes a second in force after {took:.1?}, by the link {link_alone:.1} s"
    );
    assert_eq!((status.opened, status.gaps), (1, 0), "{:?}", status.last_error);
    // A frozen server is noticed as ever.
    link.cut();
    let cut = Instant::now();
    replica
        .until("not live", |status| status.feed.state != FeedState::Live)
        .await;
    assert!(cut.elapsed() < Duration::from_secs(5), "{:?}", cut.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn over_ten_megabits() {
    in_time(comes_in(400, 20_000, 1_250_000, PING)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_one_megabit() {
    in_time(comes_in(100, 20_000, 125_000, PING)).await;
}

/// Each takes longer than a feed may be silent for. The client must be told as well that a ping may take that long.
#[tokio::test(flavor = "multi_thread")]
async fn messages_that_take_longer_than_a_silence() {
    in_time(comes_in(3, 600_000, 125_000, Duration::from_secs(5))).await;
}

/// While a backlog comes in, a link that carries nothing any more is noticed.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_hangs_in_the_midst() {
    in_time(async {
        let server = Alone::with_jetstream().await;
        make(&server.context, config(STREAM, &[STREAM], 1)).await;
        for number in 0..100 {
            let message = format!("+{number}{}@1000", "x".repeat(20_000));
            publish(&server.context, STREAM, &message).await;
        }
        let link = Link::slow(server.node.port, 125_000).await;
        let client = client(&[format!("nats://127.0.0.1:{}", link.port)]).await;
        let replica = Replica::start_since(
            NatsSource::new(client, STREAM),
            "one",
            Timestamp::default(),
            Duration::ZERO,
        );
        replica.entries(20).await;
        link.cut();
        let cut = Instant::now();
        replica.down().await;
        println!("nats: a link that hangs is noticed after {:.1?}", cut.elapsed());
        assert!(cut.elapsed() < Duration::from_secs(5), "{:?}", cut.elapsed());
        link.mend();
        replica.entries(100).await;
    })
    .await;
}

const STREAM: &str = "S";
const PING: Duration = Duration::from_secs(2);
