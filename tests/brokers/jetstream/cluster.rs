//! Three servers: what is lost when some of them fail, and what a gateway says meanwhile.

use std::time::{Duration, Instant};

use async_nats::jetstream::Context;
use async_nats::jetstream::stream::ClusterInfo;
use serde_json::{Value, json};
use tokio::time::sleep;
use tower_revocation::source::nats::NatsSource;
use tower_revocation::{FeedState, Timestamp};

use super::server::{client, config, context, later, make, revoke};
use crate::limit::in_time;
use crate::nats_cluster::{NatsCluster, SERVERS};
use crate::replica::Replica;

/// A consumer on a server that is cut off sends heartbeats for ever, and the stream's old end with them: the feed was live, and a
/// revocation that the majority had confirmed was unknown.
#[tokio::test(flavor = "multi_thread")]
async fn beside_a_server_that_is_cut_off() {
    in_time(async {
        let cluster = NatsCluster::start().await;
        let majority = context(&client(&cluster.urls(&[0, 1])).await);
        make(&majority, config(STREAM, &[STREAM], SERVERS)).await;
        revoke(&majority, STREAM, "older").await;
        let issued = later().await;
        revoke(&majority, STREAM, "first").await;
        lead(&majority, &[0, 1]).await;
        // One gateway knows of that server alone; its consumer is there, or not. One knows of all of them, and one of the others.
        let beside = consumer_at(&cluster, 2, issued).await;
        let elsewhere = start(&cluster, &[2], issued).await;
        let all = start_at(&cluster, 2, issued).await;
        let others = start(&cluster, &[0, 1], issued).await;
        let gateways = [&beside, &elsewhere, &all, &others];
        for gateway in gateways {
            gateway.live().await;
            gateway.refuses_after("first").await;
        }
        let cut = Instant::now();
        cluster.cut_off(2);
        let (_, confirmed) = revoke(&majority, STREAM, "second").await;
        println!("nats, cut off: confirmed by the majority after {confirmed:.1?}");
        let not_live = async |gateway: &Replica| {
            gateway
                .until("not live", |status| status.feed.state != FeedState::Live)
                .await;
            cut.elapsed()
        };
        let known = async |gateway: &Replica| {
            gateway.refuses_after("second").await;
            cut.elapsed()
        };
        let (beside_it, behind_it, by_others, by_all) =
            tokio::join!(not_live(&beside), not_live(&elsewhere), known(&others), known(&all));
        println!("nats, cut off: not live after {beside_it:.1?}, with its consumer elsewhere or not {behind_it:.1?}");
        println!(
            "nats, cut off: known to a gateway of the others after {by_others:.1?}, to one of all servers {by_all:.1?}"
        );
        assert!(beside_it.max(behind_it) < Duration::from_secs(5));
        for gateway in [&beside, &elsewhere] {
            // For as long as it lasts.
            while cut.elapsed() < Duration::from_secs(15) {
                assert_ne!(gateway.sink.status().feed.state, FeedState::Live);
                sleep(Duration::from_millis(20)).await;
            }
            assert!(!gateway.refuses("second"));
        }
        let error = beside.sink.status().feed.last_error;
        println!("nats, cut off: last_error is {error:?}");
        cluster.mend(2);
        let mended = Instant::now();
        let healed = async |gateway: &Replica| {
            gateway.refuses_after("second").await;
            let status = gateway.live().await;
            assert_eq!(status.gaps, 0, "{:?}", status.last_gap);
            mended.elapsed()
        };
        let healed = tokio::join!(healed(&beside), healed(&elsewhere), healed(&all), healed(&others));
        println!("nats, cut off: live after mending: {healed:.1?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed() {
    in_time(async {
        let mut cluster = NatsCluster::start().await;
        let admin = context(&client(&cluster.urls(&[0, 1, 2])).await);
        make(&admin, config(STREAM, &[STREAM], SERVERS)).await;
        revoke(&admin, STREAM, "older").await;
        let issued = later().await;
        let gateways = [
            start(&cluster, &[0, 1, 2], issued).await,
            start(&cluster, &[0, 1, 2], issued).await,
        ];
        for gateway in &gateways {
            gateway.live().await;
        }
        let leader = leader(&admin, STREAM).await;
        cluster.nodes[leader].kill();
        in_force(&admin, &gateways, "the leader killed").await;
        cluster.nodes[leader].restart().await;
        lead(&admin, &[0, 1, 2]).await;
        for node in &mut cluster.nodes {
            node.kill();
        }
        for gateway in &gateways {
            gateway.down().await;
        }
        for server in 0..SERVERS {
            // Each is ready before the others are back.
            cluster.nodes[server].restart().await;
        }
        in_force(&admin, &gateways, "all killed").await;
    })
    .await;
}

/// The only copy of a stream was on a server that loses its disk, or gets an old one. The stream comes back by itself, under its
/// name and with its creation.
#[tokio::test(flavor = "multi_thread")]
async fn the_only_copy_is_lost() {
    in_time(async {
        let mut cluster = NatsCluster::start().await;
        let admin = context(&client(&cluster.urls(&[0, 1, 2])).await);
        make(&admin, config(STREAM, &[STREAM], 1)).await;
        let home = leader(&admin, STREAM).await;
        let others: Vec<_> = (0..SERVERS).filter(|server| *server != home).collect();
        let admin = context(&client(&cluster.urls(&others)).await);
        revoke(&admin, STREAM, "older").await;
        let issued = later().await;
        let reader = start(&cluster, &others, issued).await;
        reader.live().await;
        // Set back to what it was.
        cluster.nodes[home].kill();
        cluster.nodes[home].keep();
        cluster.nodes[home].restart().await;
        revoke(&admin, STREAM, "set back").await;
        reader.refuses_after("set back").await;
        assert_eq!(reader.live().await.gaps, 0);
        cluster.nodes[home].kill();
        cluster.nodes[home].put_back();
        let began = Instant::now();
        cluster.nodes[home].restart().await;
        gap(&reader, 1, "set back", began).await;
        // Lost as a whole.
        revoke(&admin, STREAM, "lost").await;
        reader.refuses_after("lost").await;
        cluster.nodes[home].kill();
        cluster.nodes[home].lose_disk();
        let began = Instant::now();
        cluster.nodes[home].restart().await;
        revoke(&admin, STREAM, "next").await;
        gap(&reader, 2, "the disk lost", began).await;
        reader.refuses_after("next").await;
        // One that starts now was told that it had everything.
        let late = start(&cluster, &others, issued).await;
        late.refuses_after("next").await;
        assert_eq!(late.live().await.gaps, 1);
        assert!(!late.refuses("lost"));
    })
    .await;
}

async fn gap(reader: &Replica, gaps: u64, what: &str, began: Instant) {
    let status = reader
        .until("told of a gap", |status| status.feed.gaps >= gaps)
        .await
        .feed;
    println!(
        "nats, {what}: a gap {:.1?} after the restart: {:?}",
        began.elapsed(),
        status.last_gap.unwrap().reason
    );
    reader.live().await;
}

/// Publishes until it is confirmed, and says when it is in force. Nothing was missed.
async fn in_force(admin: &Context, gateways: &[Replica], what: &str) {
    let began = Instant::now();
    let (_, confirmed) = revoke(admin, STREAM, what).await;
    for gateway in gateways {
        gateway.refuses_after(what).await;
    }
    println!(
        "nats, {what}: confirmed after {confirmed:.1?}, in force after {:.1?}",
        began.elapsed()
    );
    for gateway in gateways {
        let status = gateway.live().await;
        assert_eq!(status.gaps, 0, "{:?}", status.last_gap);
    }
    println!("nats, {what}: live again after {:.1?}", began.elapsed());
}

async fn start(cluster: &NatsCluster, servers: &[usize], issued: Timestamp) -> Replica {
    let source = NatsSource::new(client(&cluster.urls(servers)).await, STREAM);
    Replica::start_since(source, "one", issued, Duration::ZERO)
}

/// A gateway that knows of all servers, and is connected to this one.
async fn start_at(cluster: &NatsCluster, server: usize, issued: Timestamp) -> Replica {
    loop {
        let client = client(&cluster.urls(&[0, 1, 2])).await;
        client.flush().await.unwrap();
        if client.server_info().server_name == format!("n{server}") {
            return Replica::start_since(NatsSource::new(client, STREAM), "one", issued, Duration::ZERO);
        }
    }
}

/// A gateway at a server whose consumer lies there as well: where it comes to lie is by chance.
async fn consumer_at(cluster: &NatsCluster, server: usize, issued: Timestamp) -> Replica {
    let admin = context(&client(&cluster.urls(&[server])).await);
    loop {
        let before = consumers(&admin).await;
        let gateway = start(cluster, &[server], issued).await;
        gateway.live().await;
        let mut new = consumers(&admin).await;
        new.retain(|consumer| !before.contains(consumer));
        if new.iter().all(|(_, home)| *home == server) {
            return gateway;
        }
    }
}

/// The names of the stream's consumers, and where they are.
async fn consumers(admin: &Context) -> Vec<(String, usize)> {
    use futures_util::TryStreamExt;
    let stream = admin.get_stream(STREAM).await.unwrap();
    let all: Vec<_> = stream.consumers().try_collect().await.unwrap();
    all.into_iter()
        .map(|consumer| (consumer.name, number(consumer.cluster.as_ref()).unwrap()))
        .collect()
}

async fn leader(admin: &Context, stream: &str) -> usize {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(stream) = admin.get_stream(stream).await {
            let cluster = stream.cached_info().cluster.clone();
            let is_whole = cluster
                .as_ref()
                .is_some_and(|cluster| cluster.replicas.iter().all(|peer| peer.current));
            if let (Some(leader), true) = (number(cluster.as_ref()), is_whole) {
                return leader;
            }
        }
        assert!(Instant::now() < deadline, "no leader");
        sleep(PAUSE).await;
    }
}

/// Has one of these servers lead the stream, with all of the others up to date.
async fn lead(admin: &Context, servers: &[usize]) {
    while !servers.contains(&leader(admin, STREAM).await) {
        let step_down = format!("STREAM.LEADER.STEPDOWN.{STREAM}");
        let stepped: Value = admin.request(step_down, &json!({})).await.unwrap();
        assert!(stepped.get("error").is_none(), "{stepped}");
        sleep(PAUSE).await;
    }
}

fn number(cluster: Option<&ClusterInfo>) -> Option<usize> {
    cluster?.leader.as_deref()?.strip_prefix('n')?.parse().ok()
}

const STREAM: &str = "S";
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(250);
